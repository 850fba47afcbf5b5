"""How much of the disk a training run takes: by part, at its end and at its most.

Counts what is written: checkpoints with the optimiser's two moments, the vocabulary once for all of
them and the result (they share it), the result, a merged base, and what the forgetting alarm keeps
of the base while the run lasts. The constants were read off real runs' directories; a test compares
the sum with one. Reads no disk but the size of a vocabulary.
"""

from dataclasses import dataclass

from engine.checkpoints import config_json
from engine.checkpoints.adapter_rows import explain_replaced
from engine.checkpoints.entry import Checkpoint
from engine.checkpoints.tokenizer_check import vocabulary_bytes
from engine.estimates.architectures import read_dims
from engine.estimates.memory import Estimate
from engine.estimates.parameters import adapted
from engine.recipes.recipe import TrainRecipe

SMALL_FILES = 20_000
"""Bytes of a checkpoint's random states, scheduler, configs and manifest."""
TENSOR_HEAD = 125
"""Bytes that a weight takes beside its numbers in a file of safetensors."""
TENSOR_MOMENTS = 800
"""Bytes that its two moments take beside theirs in torch's file."""
STEP_BYTES = 260
"""Of the curves."""
TOKEN_BYTES = 5
"""Of a held-out row, which is kept as text."""


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes, but for the counts of checkpoints."""

    checkpoint: int
    """One, without the vocabulary."""
    kept: int
    """How many of them stay: the newest."""
    marked: int
    """How many more may stay: the best and the last in the budget, where they are older ones."""
    made: int
    """How many are made, where nobody stops the run."""
    vocabulary: int
    """What all folders of the run share."""
    result: int
    """The adapter or the model, without the vocabulary."""
    merged: int
    """The base that a stage makes of an adapter."""
    reference: int
    """The alarm's distributions of the base, removed at the end."""
    logs: int
    """Curves and held-out rows."""

    @property
    def at_end(self) -> int:
        """The directory of a run that is done."""
        return self.kept * self.checkpoint + self.result + self._always

    @property
    def most_at_end(self) -> int:
        """The same where the checkpoints to know are older than the newest ones."""
        return self.at_end + self.marked * self.checkpoint

    @property
    def peak(self) -> int:
        """While a checkpoint more than those kept is written, or the result, with a vocabulary
        that becomes a link once it is whole."""
        kept = self.kept + self.marked
        saving = min(kept + 1, self.made) * self.checkpoint
        ending = kept * self.checkpoint + self.result + self.vocabulary
        return max(saving, ending) + self.reference + self._always

    @property
    def first(self) -> int:
        """What the disk must hold for a single checkpoint."""
        return self.checkpoint + self.vocabulary

    @property
    def _always(self) -> int:
        return self.vocabulary + self.merged + self.logs


def estimate_disk(
    recipe: TrainRecipe,
    checkpoint: Checkpoint,
    config: config_json.Config,
    size: Estimate,
    *,
    merges: bool = False,
    held_out: int = 0,
) -> DiskUse:
    """The disk of a run from `checkpoint`, whose base has `config` and needs the memory `size`.

    `merges` is whether the run first makes a model of an adapter and its base (`fit.merges`),
    `held_out` the tokens of the rows that it keeps apart.
    """
    tensors = _count_tensors(recipe, config)
    made = count_made(recipe)
    kept = min(recipe.training.save_total_limit, made)
    known = 2 if recipe.forgetting.tokens else 1  # the best, and the last in the budget
    weights = 4 * size.trained + TENSOR_HEAD * tensors + _rows_bytes(recipe, checkpoint, config)
    moments = 8 * size.trained + TENSOR_MOMENTS * tensors
    # A stage is measured against its parent too.
    references = 2 if checkpoint.kind == "adapter" or checkpoint.source == "run" else 1
    words = config_json.find_vocab_size(config) or 0
    return DiskUse(
        checkpoint=weights + moments + SMALL_FILES,
        kept=kept,
        marked=min(known, made - kept),
        made=made,
        vocabulary=_vocabulary(checkpoint),
        result=weights,
        merged=4 * size.parameters if merges else 0,
        reference=2 * recipe.forgetting.tokens * words * references,  # in float16
        logs=STEP_BYTES * recipe.training.max_steps + TOKEN_BYTES * held_out,
    )


def _rows_bytes(recipe: TrainRecipe, checkpoint: Checkpoint, config: config_json.Config) -> int:
    """Embedding and head that are saved beside an adapter whose vocabulary is not its base's."""
    goes_on = recipe.method.kind == "lora" and recipe.model.adapter == "continue"
    dims = read_dims(config)
    if checkpoint.kind != "adapter" or checkpoint.base_path is None or not goes_on or dims is None:
        return 0
    if explain_replaced(checkpoint.base_path, checkpoint.path) is None:
        return 0
    return 2 * 4 * dims.head_parameters


def count_made(recipe: TrainRecipe) -> int:
    """Checkpoints of a run that nobody stops: those planned, the last step's among them, and those
    of evaluations where one may become the result or the end."""
    training, stopping = recipe.training, recipe.stopping
    made = max(1, training.saves)
    if stopping.patience or stopping.wants_best or recipe.forgetting.stop:
        made += training.evaluations
    return min(made, training.max_steps) if training.max_steps else made


def _count_tensors(recipe: TrainRecipe, config: config_json.Config) -> int:
    """Tensors that are learned; 0 where the dimensions are not known."""
    dims = read_dims(config)
    if dims is None:
        return 0
    if recipe.method.kind == "full":
        return dims.layers * (len(dims.linears) + 2) + 2
    each = 3 if recipe.method.variant == "dora" else 2
    return dims.layers * len(adapted(dims, recipe.method.target_modules)) * each


def _vocabulary(checkpoint: Checkpoint) -> int:
    """Bytes of the vocabulary as it is saved; that of an adapter's base where it has none."""
    folders = (checkpoint.path, checkpoint.base_path)
    sizes = (vocabulary_bytes(folder) for folder in folders if folder is not None)
    return next((size for size in sizes if size), 0)
