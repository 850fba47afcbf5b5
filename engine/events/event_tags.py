"""The tags of the scalars that a run writes into its event files. Writes none itself.

Those of the machine are `engine.jobs.hardware`'s; how tags are shown is `tui.charts.run_lines`.
"""

from engine.recipes.recipe import TrainRecipe

TOKENS_PER_SECOND = "train/tokens_per_second"
"""Written from the second step of an attempt on: before there is no time of a step."""
TRAIN_TAGS = (
    "train/loss",
    "train/perplexity",
    "train/learning_rate",
    "train/grad_norm",
    TOKENS_PER_SECOND,
    "train/tokens",
    "train/epoch",
    "machine/device_memory_bytes",
)
"""Written at every step, but for `TOKENS_PER_SECOND`; the values are
`trainer.MeasuredTrainer.log`'s, in this order."""

EVAL_LOSS, EVAL_PERPLEXITY = "eval/loss", "eval/perplexity"
"""Written at each evaluation, by the evaluator of held-out rows."""

SHIFT = "forget/nll_shift"
"""The shift that the forgetting budget is for, in nats per token."""
FORGETTING_TAGS = {
    "base": (SHIFT, "forget/kl_to_base"),
    "parent": ("forget/nll_shift_parent", "forget/kl_to_parent"),
}
"""Shift and KL divergence by ancestor: the root of all stages, and the one before."""

SKILL, SKILL_NLL = "eval/skill/", "eval/skill_nll/"
"""Before the name of a suite: its share of right answers, or nats per token, where less is better.
Written at each evaluation."""
SKILL_TAGS = (SKILL, SKILL_NLL)

DPO_TAGS = {
    "margin": "rewards/margins",
    "accuracy": "rewards/accuracies",
    "chosen_reward": "rewards/chosen",
    "rejected_reward": "rewards/rejected",
}
"""Written as `dpo/NAME` at each step and as `eval/NAME` at each evaluation; with TRL's name of it.
A reward is beta times the log-ratio to the reference, in nats."""


def list_tags(recipe: TrainRecipe) -> tuple[str, ...]:
    """All tags that a run of this recipe may log, those of the machine and of its suites apart."""
    tags = [*TRAIN_TAGS, EVAL_LOSS, EVAL_PERPLEXITY]
    if recipe.forgetting.tokens:
        tags += [tag for group in FORGETTING_TAGS.values() for tag in group]
    if recipe.training.objective == "dpo":
        tags += [f"{kind}/{name}" for name in DPO_TAGS for kind in ("dpo", "eval")]
    return tuple(tags)
