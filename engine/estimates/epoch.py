"""How many tokens an epoch and an evaluation have: by encoded rows, else by the texts of a few."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from engine.data.rows import Example
from engine.errors import EngineError
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Data

if TYPE_CHECKING:
    from engine.data.dataset_list import DataSet

BYTES_OF_TOKEN = 4
"""Of English text and the usual vocabularies."""
TOKENS_OF_MARKS = 5
"""What a template writes around a message."""
_LOOKED_AT = 50
"""Rows whose texts stand for all."""


@dataclass(frozen=True, slots=True)
class MeasuredRows:
    """What is known of the rows once they were encoded."""

    tokens: int
    """Of an epoch, reckoned from those that were looked at."""
    longest: int
    """Tokens of the longest row that is trained on."""
    target_share: float
    """Share of the tokens that the loss counts."""
    row_tokens: float
    """Mean tokens of a row of the epoch."""
    notes: tuple[str, ...] = ()
    """What a person should know of them, such as rows that are rejected."""


def estimate_tokens(recipe: TrainRecipe, runs: Sequence[Path]) -> int | None:
    """Tokens of an epoch by the number of rows, and what the first of them say.

    `runs` are the job directories that a `run:ID` may mean. None where the data is not there, or
    where its rows cannot be counted without a library (Parquet, Arrow).
    """
    dataset = _find_dataset(recipe, runs)
    row_tokens = _mean_of_rows(dataset, recipe)
    if dataset is None or not dataset.rows or row_tokens is None:
        return None
    own_eval = recipe.data.eval or dataset.eval_path
    return tokens_of_epoch(recipe, dataset.rows, row_tokens, splits=not own_eval)


def estimate_row_tokens(recipe: TrainRecipe, runs: Sequence[Path]) -> float | None:
    """Mean tokens of a row by what the first of them say; None as for `estimate_tokens`."""
    return _mean_of_rows(_find_dataset(recipe, runs), recipe)


def _find_dataset(recipe: TrainRecipe, runs: Sequence[Path]) -> "DataSet | None":
    from engine.data import dataset_list

    data, objective = recipe.data, recipe.training.objective
    try:
        return dataset_list.resolve(data.train, runs, data, objective)
    except (EngineError, OSError):
        return None


def _mean_of_rows(dataset: "DataSet | None", recipe: TrainRecipe) -> float | None:
    if dataset is None or not dataset.rows:
        return None
    try:
        if not dataset.path.is_file():
            return None
        status = dataset.path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        form = json.dumps(asdict(recipe.data))
        return _tokens_of_row(dataset.path, stamp, form, recipe.training.objective)
    except (EngineError, OSError):
        return None


def tokens_of_epoch(recipe: TrainRecipe, rows: int, each: float, *, splits: bool = True) -> int:
    """Tokens of an epoch from the number of rows and the tokens of one.

    `splits` is whether held-out rows are a share of these. Replayed rows, of which nothing is
    known, are taken to be as long.
    """
    used = min(rows, recipe.data.limit or rows) * each
    own = used * (1 - recipe.data.eval_fraction) if splits else used
    return int(own / (1 - recipe.replay.share) if recipe.replay.data else own)


def estimate_held_out(recipe: TrainRecipe, runs: Sequence[Path], tokens: int | None) -> int:
    """Tokens of all held-out rows, taken to be as long as those of the epoch of `tokens`.

    0 where that is not known.
    """
    from engine.data import dataset_list

    data, objective = recipe.data, recipe.training.objective
    try:
        dataset = dataset_list.resolve(data.train, runs, data, objective)
        own_eval = data.eval or (str(dataset.eval_path) if dataset.eval_path else "")
        held_out = dataset_list.resolve_eval(own_eval, data, objective).rows if own_eval else None
    except EngineError:
        return 0
    own = (tokens or 0) * (1 - recipe.replay.share if recipe.replay.data else 1)
    if not own_eval:
        return int(own * data.eval_fraction / (1 - data.eval_fraction))
    if not dataset.rows or not held_out:
        return 0
    limit = data.limit or max(dataset.rows, held_out)
    return int(own * min(held_out, limit) / min(dataset.rows, limit))


@lru_cache(maxsize=64)
def _tokens_of_row(path: Path, stamp: tuple[int, int], form: str, objective: str) -> float:
    """The mean over the first rows of a file that had this time and size; `form` is the recipe's
    `data` as JSON. Raises EngineError where no row can be used."""
    from engine.data import rows

    data = Data(**json.loads(form))
    examples = rows.preview(path, _LOOKED_AT, data, objective=objective).examples
    if not examples:
        raise EngineError(f"{path.name} has no rows that can be used")
    return fmean(min(_count(one), data.max_length) for one in examples)


def _count(example: Example) -> float:
    texts = [turn.content for turn in example.messages] or [example.text]
    size = sum(len(text.encode(errors="replace")) for text in texts)
    return size / BYTES_OF_TOKEN + TOKENS_OF_MARKS * len(texts)
