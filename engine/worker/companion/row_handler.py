"""Rows for pages that make data: the first ones of a source, and what the gates of a job say of a
row that a person edited.

Holds the gates of one job at a time, with the rows that stand in it, for what takes long is to take
up all of them. Writes nothing: the dashboard keeps the decision.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from engine.data.dataset_list import find_path
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.settings import Data
from engine.synthesis.gates.candidate import (
    GateFindings,
    HeldOutText,
    make_candidate,
    standing_candidates,
)
from engine.synthesis.gates.gate_set import GateSet
from engine.synthesis.outcomes import Outcome, read_outcomes
from engine.synthesis.reviews import read_reviews
from engine.synthesis.row_files import read_recipe
from engine.synthesis.source_reader import plain_value
from engine.synthesis.source_rows import read_sources
from engine.worker.companion import request_fields
from engine.worker.companion.model_pool import ModelPool
from engine.worker.companion.protocol import Cancelled, Event, Request
from engine.worker.data.arrow import read_raw
from engine.worker.synthesis.held_out import read_held_out


class RowHandler:
    """Answers `first_rows` and `check_row`."""

    def __init__(self, pool: ModelPool) -> None:
        self._pool = pool
        self._job: _GatedJob | None = None

    def first_rows(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"data", "count"}: raw rows of a data set, whatever its format; `done` has `rows`."""
        path = find_path(request_fields.parse_text(request, "data"), self._pool.runs())
        count = request_fields.parse_number(request, "count", 20)
        rows = [asdict(row) for row in islice(read_raw(path, Data()), count)]
        for row in rows:
            row["value"] = plain_value(row["value"])
        yield {"event": "done", "rows": rows}

    def check_row(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"job", "source", "row"}: `job` is its directory, `row` the fields as they were edited.

        `done` has `reasons` and `unjudged`, by gate, each with `name` and `detail`. The judge is
        not asked: the person is one.
        """
        path = Path(request_fields.parse_text(request, "job"))
        source, row = request_fields.parse_text(request, "source"), request.get("row")
        if not isinstance(row, dict):
            raise EngineError("The request needs row, an object.", repr(row)[:200])
        if self._job is None or self._job.directory.path != path:
            self._job = _GatedJob(JobDirectory(path), self._pool.runs())
        yield None
        findings = self._job.check(source, row)
        yield {"event": "done"} | json.loads(json.dumps(asdict(findings)))


class _GatedJob:
    """A job, and its gates with the rows that stand."""

    def __init__(self, directory: JobDirectory, runs: Sequence[Path]) -> None:
        self.directory = directory
        self._recipe: SynthesizeRecipe = read_recipe(directory)
        self._sources = {one.id: one for one in read_sources(directory.sources)}
        held_out = read_held_out(self._recipe.source.held_out, runs)
        self._gates = _open_gates(self._recipe, held_out)
        self._standing: dict[str, object] = {}
        """The row of each source that the gates have taken up."""

    def check(self, source: str, row: dict[str, object]) -> GateFindings:
        """What the gates say of a row in the place of that of its source. Raises EngineError."""
        outcomes = read_outcomes(self.directory.outcomes)
        if source not in outcomes or source not in self._sources:
            raise EngineError("This source is not one of the job.", source)
        self._take_up(outcomes)
        cut = outcomes[source].cut
        return self._gates.check(make_candidate(self._recipe, self._sources[source], row, cut))

    def _take_up(self, outcomes: dict[str, Outcome]) -> None:
        """What passed or was accepted since, and without what a person rejected."""
        reviews = read_reviews(self.directory.reviews)
        known = {name: one for name, one in outcomes.items() if name in self._sources}
        found = standing_candidates(self._recipe, self._sources, known.values(), reviews)
        now = {one.source.id: one for one in found}
        for source in self._standing.keys() - now.keys():
            self._gates.remove(source)
        for source, candidate in now.items():
            if self._standing.get(source) != candidate.row:
                self._gates.add(candidate)
        self._standing = {source: candidate.row for source, candidate in now.items()}


def _open_gates(recipe: SynthesizeRecipe, held_out: Sequence[HeldOutText]) -> GateSet:
    """Their libraries are loaded when they are first needed: all other requests do without."""
    try:
        from engine.worker.synthesis.all_gates import make_gates
    except ImportError as error:
        raise EngineError(
            "The gates need a package that is not installed.",
            str(error),
            "pip install 'finetop[train]'.",
        ) from error
    return make_gates(recipe, held_out)
