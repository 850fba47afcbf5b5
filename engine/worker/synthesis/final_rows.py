"""What a job that makes data ends in: the file that its recipe names, and numbers of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, read_json, sha256
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.accepted_rows import accepted
from engine.synthesis.made_statistics import MadeStatistics, measure_rows
from engine.synthesis.outcomes import read_outcomes
from engine.synthesis.reviews import read_reviews
from engine.synthesis.row_files import write_rows
from engine.synthesis.source_rows import read_sources
from engine.worker.synthesis.parquet_rows import encode_parquet


@dataclass(frozen=True, slots=True)
class FinalRows:
    """What became of the file; all empty where the recipe names none, or rows wait for a review."""

    note: str = ""
    """In a line."""
    digest: str = ""
    """SHA-256 of the file, for `results.json`; empty where it was not written."""
    statistics: MadeStatistics | None = None
    """Of the rows in it."""


def write_final_rows(
    job: JobDirectory, recipe: SynthesizeRecipe, runs: Sequence[Path]
) -> FinalRows:
    """Write the rows where the recipe says that all are accepted.

    All that was made is kept, so that a file which cannot be written is a note and not the job's
    failure. What an attempt before this one wrote there is replaced where nobody has changed it
    since.
    """
    if not recipe.out or not recipe.accept_all:
        return FinalRows()
    out = Path(recipe.out)
    before = (read_json(job.results) or {}).get("written", "")
    try:
        is_ours = bool(before) and out.is_file() and sha256(out) == before
        written = write_rows(
            job, out, accept_all=True, force=is_ours, runs=runs, encode_parquet=encode_parquet
        )
        digest = sha256(out)
    except EngineError as error:
        return FinalRows(
            f"{out.name} was not written: {error.title.rstrip('.')}: finetop data write"
        )
    return FinalRows(f"{out.name}: rows {written.rows:,}", digest, written.statistics)


def measure_made_rows(job: JobDirectory, recipe: SynthesizeRecipe) -> dict[str, Any]:
    """Numbers of the rows that stand, accepted or passed. Raises EngineError."""
    outcomes, reviews = read_outcomes(job.outcomes), read_reviews(job.reviews)
    rows = list(accepted(read_sources(job.sources), outcomes, reviews, accept_all=True))
    return measure_rows(recipe, rows).to_table()
