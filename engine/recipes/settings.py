"""The settings of a recipe, table by table: names, defaults, bounds, and what each one means.

Keys and values are those of Hugging Face, PEFT and TRL where they have one for the same thing. Owns
no rule across settings and reads no disk. Reading and writing recipes is `engine.recipes.recipe`.
"""

from dataclasses import dataclass

from engine.recipes.validation import setting


@dataclass(frozen=True, slots=True)
class Model:
    checkpoint: str = setting("bundled:demo-base", label="Checkpoint")
    """`bundled:NAME`, `run:ID` or a path."""
    adapter: str = setting("continue", choices=("continue", "merge"), label="Parent adapter")
    """Where the checkpoint is an adapter: train it further, or merge it into its base and begin
    a new one. Full fine-tuning always merges."""


@dataclass(frozen=True, slots=True)
class Data:
    train: str = setting("bundled:emotion", label="Dataset")
    """`bundled:NAME` or a path to a file or folder of rows."""
    eval: str = setting("", label="Eval data")
    """A file of held-out rows; empty: the set's own, else a share of the training rows."""
    eval_fraction: float = setting(0.1, ge=0, le=0.9, label="Eval fraction")
    group: str = setting("", label="Group split by")
    """Rows with the same value here go to the same side of the split."""
    limit: int = setting(0, ge=0, label="Row limit", zero="all")
    """Rows of each file to use; 0 is all."""
    shuffle: bool = setting(True, label="Shuffle")
    """Whether rows are drawn in an order of the seed before the limit; else as in the file."""
    deduplicate: bool = setting(False, label="Drop duplicates")
    """Training rows that come twice, or that are held out as well, are counted; and so dropped."""
    schema: str = setting("", label="Schema")
    """What the fields mean, as in `prompt/completion`; empty: found out by their names."""
    columns: dict[str, str] = setting({}, label="Columns")
    """Field of the schema to column of the file, where they are named otherwise."""
    separator: str = setting("", label="CSV separator")
    """Between the columns of a CSV; empty: found out."""
    answers: str = setting(
        "chosen", choices=("chosen", "rejected", "both"), label="Preference answer"
    )
    """Of preference pairs, which answers are learned."""
    label_prompt: str = setting("", label="Text+label prompt")
    """How a text with a label becomes an instruction: `{text}` and `{labels}` are filled in;
    empty: the usual words."""
    template: str = setting("", label="Chat template")
    """`chat`, `instruct`, `chatml`, `raw`, or a Jinja file; empty: the checkpoint's own chat
    template, else `instruct`."""
    system: str = setting("", label="System prompt")
    """For rows that bring none."""
    max_length: int = setting(256, ge=8, le=1_048_576, label="Max length")
    """Tokens of a row."""
    too_long: str = setting("truncate", choices=("truncate", "drop"), label="Overlong rows")
    """What happens to a longer row; either way it is counted."""
    reasoning: str = setting("keep", choices=("keep", "drop"), label="Reasoning")
    """What answers bring as `reasoning_content` is learned, or left out. Reasoning that a chat
    template does not write is never left out unless it is said here: the row is rejected."""
    tools: str = setting("keep", choices=("keep", "drop"), label="Tool definitions")
    """The same for the definitions of tools that a row brings; its calls stay."""


@dataclass(frozen=True, slots=True)
class Method:
    kind: str = setting("lora", choices=("lora", "full"), label="Method")
    variant: str = setting("plain", choices=("plain", "rslora", "dora"), label="LoRA variant")
    """rsLoRA scales by alpha / sqrt(rank) (arXiv 2312.03732); DoRA also learns magnitudes
    (arXiv 2402.09353)."""
    quantize: str = setting("none", choices=("none", "4bit", "8bit"), label="Quantize")
    """The frozen base in NF4 (QLoRA, arXiv 2305.14314) or int8, by bitsandbytes."""
    rank: int = setting(8, ge=1, le=1024, label="Rank")
    alpha: float = setting(16.0, gt=0, label="Alpha")
    """The adapter's output is scaled by alpha / rank."""
    dropout: float = setting(0.0, ge=0, le=0.9, label="Dropout")
    target_modules: list[str] = setting(["all-linear"], label="Targets")
    """Names of the modules that get an adapter; `all-linear` is every linear layer but the head."""


@dataclass(frozen=True, slots=True)
class Training:
    objective: str = setting("sft", choices=("sft", "dpo"), label="Objective")
    """Learn the answers, or prefer the chosen to the rejected one (DPO, arXiv 2305.18290)."""
    dpo_beta: float = setting(0.1, gt=0, le=100, label="DPO beta")
    """How strongly DPO holds the model to its base."""
    learning_rate: float = setting(2e-4, ge=0, le=10, label="Learning rate")
    epochs: float = setting(3.0, gt=0, le=10_000, label="Epochs")
    max_steps: int = setting(0, ge=0, label="Max steps", zero="off")
    """Optimiser steps; 0 leaves it to the epochs."""
    batch_size: int = setting(16, ge=1, le=65_536, label="Batch size")
    """Rows of one forward pass."""
    gradient_accumulation_steps: int = setting(1, ge=1, le=65_536, label="Grad accumulation")
    """Forward passes of one optimiser step."""
    packing: bool = setting(False, label="Packing")
    """Rows are laid end to end in passes of batch_size × max_length tokens at most, without
    seeing each other."""
    group_by_length: bool = setting(False, label="Group by length")
    """Batches of rows of like length: less padding."""
    gradient_checkpointing: bool = setting(False, label="Grad checkpointing")
    """Activations are computed again in the backward pass: less memory, more time."""
    lr_scheduler_type: str = setting(
        "linear",
        choices=(
            "linear", "cosine", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt",
        ),
        label="Schedule",
    )  # fmt: skip
    """As transformers names them: `constant` has no warm-up. `polynomial` falls with the square of
    what is left, to zero."""
    warmup_ratio: float = setting(0.05, ge=0, le=1, label="Warmup ratio")
    """Of all optimiser steps."""
    weight_decay: float = setting(0.0, ge=0, le=10, label="Weight decay")
    max_grad_norm: float = setting(1.0, ge=0, label="Max grad norm")
    """0 clips nothing."""
    dtype: str = setting("auto", choices=("auto", "float32", "bfloat16", "float16"), label="Dtype")
    seed: int = setting(7, ge=0, le=2**32 - 1, label="Seed")
    evaluations: int = setting(10, ge=0, le=10_000, label="Evals per run")
    """How often, evenly spread, the held-out rows are measured; 0 is only at the end."""
    saves: int = setting(5, ge=0, le=10_000, label="Saves per run")
    """How often, evenly spread, a checkpoint is kept for resuming; 0 is only at a stop."""
    save_total_limit: int = setting(2, ge=1, le=1000, label="Save total limit")
    """Checkpoints kept; older ones are removed, the best one never."""


@dataclass(frozen=True, slots=True)
class Stopping:
    metric: str = setting("eval/loss", label="Metric")
    """The tag of a logged scalar that says which checkpoint is best."""
    greater_is_better: bool = setting(False, label="Greater is better")
    patience: int = setting(0, ge=0, le=10_000, label="Patience", zero="off")
    """Evaluations without improvement after which the run ends early; 0: it never does."""
    min_delta: float = setting(0.0, ge=0, label="Min improvement")
    """In the metric's own unit; less counts as none."""
    result: str = setting("auto", choices=("auto", "last", "best"), label="Final weights")
    """Which weights the run leaves; `auto`: the best where there is patience or `keep_best`, else
    the last."""
    keep_best: str = setting("", label="Keep best")
    """Which checkpoint is best, in place of `metric`, which patience alone then follows: as in
    `emotion subject to facts >= base - 3%`, in the grammar of `engine.impact.watched.keep_best`."""
    nonfinite_steps: int = setting(3, ge=0, le=10_000, label="NaN step limit")
    """Steps in a row whose loss or gradient is NaN or infinite, after which the run fails; 0: it
    goes on. Their checkpoints are not saved."""

    @property
    def wants_best(self) -> bool:
        """Whether the run leaves its best weights, not its last."""
        has_rule = self.patience > 0 or bool(self.keep_best)
        return self.result == "best" or (self.result == "auto" and has_rule)


@dataclass(frozen=True, slots=True)
class Replay:
    data: str = setting("", label="Replay data")
    """Other rows to mix in: a data set as `data.train`, or `run:ID` of a job of answers that the
    base itself gave."""
    share: float = setting(0.1, ge=0, le=0.9, label="Replay share")
    """Of the rows of an epoch; without replay data it says nothing."""


@dataclass(frozen=True, slots=True)
class Samples:
    count: int = setting(3, ge=0, le=64, label="Prompt count")
    """Prompts that are answered at each evaluation; 0: none."""
    prompts: str = setting("", label="Prompts file")
    """A file of prompts, `bundled:NAME`, or `run:ID` for what a run held out; empty: those of the
    first held-out rows."""
    max_new_tokens: int = setting(48, ge=1, le=4096, label="Max new tokens")


@dataclass(frozen=True, slots=True)
class Forgetting:
    probe: str = setting("", label="Probe text")
    """A text file of what is not trained on; empty: the bundled one."""
    tokens: int = setting(1024, ge=0, le=1_048_576, label="Probe tokens")
    """Of the probe, measured at each evaluation against the base, and in a stage against its parent
    too; 0: no alarm. Left as it is, a short run takes fewer, but 64 at least, so that all of it
    costs at most 5% of its time."""
    budget: float = setting(0.1, ge=0, le=100, label="Budget, nats/token")
    """Held-out loss shift in nats per token above which the alarm is raised."""
    stop: bool = setting(False, label="Stop at budget")
    """Whether the run ends when the budget is crossed. It leaves the last weights within it, unless
    `stopping.result` says otherwise."""


@dataclass(frozen=True, slots=True)
class SkillEvaluation:
    """Skills that are measured while it trains."""

    suites: list[str] = setting([], label="Skill suites")
    """In the grammar of `engine.impact.suites.suite_specs`; `held-out` is what the run itself holds
    out. Each is measured before the first step and at evaluations."""
    limit: int = setting(200, ge=0, le=100_000, label="Items each", zero="all")
    """The first items of each suite; 0 is all. Left as it is, a short run takes fewer, and measures
    at fewer evaluations, so that all of it costs at most 5% of its time; but 20 items, and 3 times,
    at least. Set by hand, each evaluation measures so many."""
    max_new_tokens: int = setting(64, ge=1, le=4096, label="Max new tokens")
    """Of an answer to an item without choices; one whose right answer is known is cut sooner."""


@dataclass(frozen=True, slots=True)
class Decode:
    max_new_tokens: int = setting(128, ge=1, le=65_536, label="Max new tokens")
    temperature: float = setting(0.0, ge=0, le=10, label="Temperature")
    """0 is greedy."""
    top_p: float = setting(1.0, gt=0, le=1, label="Top p")
    top_k: int = setting(0, ge=0, label="Top k")
    seed: int = setting(7, ge=0, le=2**32 - 1, label="Seed")
