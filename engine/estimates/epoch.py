"""How many tokens an epoch has: measured by encoding its rows, else estimated from their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.recipes.recipe import TrainRecipe

BYTES_OF_TOKEN = 4
"""Of English text and the usual vocabularies."""


@dataclass(frozen=True, slots=True)
class MeasuredRows:
    """What is known of the rows once they were encoded."""

    tokens: int
    """Of an epoch, reckoned from those that were looked at."""
    longest: int
    """Tokens of the longest row that is trained on."""
    target_share: float
    """Share of the tokens that the loss counts."""
    notes: tuple[str, ...] = ()
    """What a person should know of them, such as rows that are rejected."""


def estimate_tokens(recipe: TrainRecipe, runs: Sequence[Path]) -> int | None:
    """Tokens of an epoch by the number of rows and the bytes of all parts of their file.

    `runs` are the job directories that a `run:ID` may mean. None where the data is not there, or
    where its rows cannot be counted without a library (Parquet, Arrow).
    """
    from engine.data import dataset_list
    from engine.data.shards import list_parts

    try:
        objective = recipe.training.objective
        dataset = dataset_list.resolve(recipe.data.train, runs, recipe.data, objective)
    except EngineError:
        return None
    if not dataset.path.is_file():
        return None
    size = sum(part.stat().st_size for part in list_parts(dataset.path))
    return tokens_of_epoch(recipe, dataset.rows, size)


def tokens_of_epoch(recipe: TrainRecipe, rows: int | None, size: int | None) -> int | None:
    """Tokens of an epoch from the number of rows and the bytes of their files.

    Replayed rows, of which nothing is known, are taken to be as long.
    """
    if not rows or size is None:
        return None
    used = min(rows, recipe.data.limit or rows)
    own = used * min(size / rows / BYTES_OF_TOKEN, recipe.data.max_length)
    return int(own / (1 - recipe.replay.share) if recipe.replay.data else own)
