"""What tags of real trainers say by their names: their direction, and their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events.tag_names import TagGroup, groups_of, in_order, is_higher_better

LIGHTNING = ["epoch", "f1", "hp_metric", "lr-Adam", "train_accuracy_score", "train_loss_step",
             "val_loss"]  # fmt: skip
SB3 = ["rollout/ep_len_mean", "rollout/ep_rew_mean", "time/fps", "train/entropy_loss",
       "train/learning_rate", "train/loss", "train/policy_gradient_loss"]  # fmt: skip
GRPO = ["train/completions/mean_length", "train/epoch", "train/frac_reward_zero_std",
        "train/grad_norm", "train/kl", "train/loss", "train/reward", "train/reward_std",
        "train/rewards/correctness_reward_func/mean"]  # fmt: skip
DPO = ["train/loss", "train/rewards/accuracies", "train/rewards/chosen", "train/rewards/margins",
       "train/rewards/rejected"]  # fmt: skip


@pytest.mark.parametrize(
    ("tag", "higher"),
    [("eval/loss", False), ("eval/accuracy", True), ("eval_f1", True), ("train/grad_norm", None),
     ("forget/kl_to_base", None), ("forget/nll_shift", None), ("rewards/margins", True),
     ("eval/bleu4", True), ("train/closest", None), ("accuracy/epoch", True),
     ("metrics/mAP_0.5", True), ("metrics/mAP50-95(B)", True), ("rollout/ep_rew_mean", True),
     ("rewards/format/mean", True), ("reward_std", None), ("frac_reward_zero_std", None),
     ("train/kl", None), ("train/entropy_loss", None), ("loss_scale", None), ("Loss/val", False),
     ("valAccuracy", True), ("trainLoss", False), ("dice_loss", False), ("loss/accuracy", True),
     ("eval/cross_entropy", False), ("eval/rougeLsum", True), ("rewards/chosen", None),
     ("train/learning_rate", None), ("eval/wer", False), ("time/loss", None), ("", None),
     ("损失", None), ("eval/skill/facts", True), ("eval/skill/loss of weight", True),
     ("eval/skill_nll/score", False)],
)  # fmt: skip
def test_the_whole_tag_says_which_values_are_better(tag: str, higher: object) -> None:
    assert is_higher_better(tag) is higher


@pytest.mark.parametrize(("tags", "higher"), [(GRPO, None), (SB3, None), (DPO, False)])
def test_a_loss_has_a_best_where_the_run_is_not_trained_on_rewards(
    tags: list[str], higher: object
) -> None:
    assert is_higher_better("train/loss", tags) is higher
    assert is_higher_better("eval/accuracy", tags) is True


@pytest.mark.parametrize(
    ("tags", "order"),
    [
        (LIGHTNING, ["train_loss_step", "val_loss", "f1", "train_accuracy_score", "lr-Adam",
                     "epoch", "hp_metric"]),
        (SB3, ["rollout/ep_rew_mean", "train/loss", "train/entropy_loss",
               "train/policy_gradient_loss", "rollout/ep_len_mean", "train/learning_rate",
               "time/fps"]),
        (GRPO, ["train/reward", "train/rewards/correctness_reward_func/mean", "train/loss",
                "train/completions/mean_length", "train/frac_reward_zero_std", "train/kl",
                "train/reward_std", "train/grad_norm", "train/epoch"]),
        (DPO, ["train/loss", "train/rewards/accuracies", "train/rewards/margins",
               "train/rewards/chosen", "train/rewards/rejected"]),
        (["metrics/mAP_0.5", "metrics/precision", "train/box_loss", "train/cls_loss", "x/lr0"],
         ["train/box_loss", "train/cls_loss", "metrics/mAP_0.5", "metrics/precision", "x/lr0"]),
        (["machine/power", "eval/reward", "train/loss", "a"],
         ["train/loss", "eval/reward", "a", "machine/power"]),
    ],
    ids=["lightning", "stable baselines", "GRPO", "DPO", "detector", "reward that is measured"],
)  # fmt: skip
def test_what_a_reader_needs_stands_first(tags: list[str], order: list[str]) -> None:
    assert in_order(tags) == in_order(tags[::-1]) == order


def test_placeholders_come_last_but_no_loss_and_no_score() -> None:
    tags = ["a", "b", "loss", "accuracy", "lr"]
    assert in_order(tags, {"a", "loss", "accuracy"}) == ["loss", "accuracy", "b", "lr", "a"]
    assert groups_of(tags, {"a"})["a"] is TagGroup.PLACEHOLDER


@given(st.lists(st.text(), unique=True))
def test_any_names_are_put_in_order(tags: list[str]) -> None:
    assert sorted(in_order(tags)) == sorted(tags)
    assert all(is_higher_better(tag, tags) in (True, False, None) for tag in tags)
