"""A job that makes data, followed on a thread of its own and handed on frozen.

Reads what was appended since it last looked. Owns no widget, and writes nothing.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.message import Message

from engine.errors import EngineError
from engine.events.growing_file import Replaced
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.accepted_rows import Standing, find_standing
from engine.synthesis.appended_lines import AppendedLines
from engine.synthesis.gates.candidate import standing_candidates
from engine.synthesis.gates.opening_gate import OpeningShare, commonest_openings
from engine.synthesis.outcomes import Outcome, counts_instead, outcome_from_table
from engine.synthesis.reviews import Review, review_from_table
from engine.synthesis.source_rows import SourceRow, source_from_table
from engine.synthesis.tally import Tally, TallyCounts
from tui.background import file_error
from tui.feeds.write_queue import OperationFailed

POLL_SECONDS = 0.5
_MORE = 1.05
"""Times as many rows as openings were counted in last."""


@dataclass(frozen=True, slots=True, eq=False)
class MadeData:
    """What there is of a job by now. All texts are untrusted."""

    recipe: SynthesizeRecipe = field(default_factory=SynthesizeRecipe)
    sources: Mapping[str, SourceRow] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """By source, the newest round of each, in the order in which sources were finished first."""
    reviews: Mapping[str, Review] = field(default_factory=dict)
    tally: Tally | None = None
    openings: tuple[OpeningShare, ...] = ()
    """The commonest ones of rows that passed, or were accepted."""

    def standing_of(self, source: str) -> Standing:
        """What a person decided of a source that is finished."""
        return find_standing(self.outcomes[source], self.reviews.get(source))

    def edit_of(self, source: str) -> Review | None:
        """The decision that holds the row as a person wrote it; None where nobody did."""
        outcome, review = self.outcomes[source], self.reviews.get(source)
        is_edit = review is not None and review.round == outcome.round and bool(review.row)
        return review if is_edit else None

    def row_of(self, source: str) -> Mapping[str, Any]:
        """The row as it stands: as a person wrote it, else as it was made; empty for none."""
        edit = self.edit_of(source)
        return self.outcomes[source].row if edit is None else edit.row


class MadeDataRead(Message):
    """There is more; carries everything."""

    def __init__(self, data: MadeData) -> None:
        super().__init__()
        self.data = data

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, MadeDataRead)


class MadeFeed:
    """Follows one job. `post` is called from its thread, with messages."""

    def __init__(self, path: Path, post: Callable[[Message], object]) -> None:
        self._job = JobDirectory(path)
        self._post = post
        self._files: _JobFiles | None = None
        self._posted_error = ""
        self._due = threading.Event()
        self._stopped = threading.Event()

    def again(self) -> None:
        """Look now: something was written."""
        self._due.set()

    def stop(self) -> None:
        self._stopped.set()
        self._due.set()

    def run(self) -> None:
        """On a thread, until it is stopped."""
        while not self._stopped.is_set():
            self._due.clear()
            self.look()
            self._due.wait(POLL_SECONDS)

    def look(self) -> None:
        """Read once, and post what is new; an error once, and not at every look."""
        try:
            self._files = self._files or _JobFiles(self._job)
            if (data := self._files.read()) is not None:
                self._post(MadeDataRead(data))
            self._posted_error = ""
        except Replaced:
            self._files = None  # from the start, the next time
        except (EngineError, OSError) as error:
            known = file_error(error) if isinstance(error, OSError) else error
            if str(known) != self._posted_error:
                self._posted_error = str(known)
                self._post(OperationFailed(known))


class _JobFiles:
    """What was read of a job so far."""

    def __init__(self, job: JobDirectory) -> None:
        """Raises EngineError where it is no job that makes data."""
        recipe = job.recipe()
        if not isinstance(recipe, SynthesizeRecipe):
            raise EngineError("This job does not make data.", str(job.path))
        self._recipe = recipe
        self._counts = TallyCounts.of(recipe)
        self._files = [AppendedLines(one) for one in (job.sources, job.outcomes, job.reviews)]
        self._sources: dict[str, SourceRow] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._reviews: dict[str, Review] = {}
        self._openings: tuple[OpeningShare, ...] = ()
        self._openings_of = -1
        """How many outcomes they were counted in."""

    def read(self) -> MadeData | None:
        """Everything, where something is new. Raises EngineError, OSError and Replaced."""
        sources, outcomes, reviews = self._files
        new = 0
        for source in sources.read_tables(source_from_table):
            self._sources[source.id] = source
            new += 1
        for outcome in outcomes.read_tables(outcome_from_table):
            self._counts.add_outcome(outcome)
            if counts_instead(outcome, self._outcomes.get(outcome.source)):
                self._outcomes[outcome.source] = outcome
            new += 1
        for review in reviews.read_tables(review_from_table):
            self._counts.add_review(review)
            self._reviews.pop(review.source, None)
            if review.decision != "undo":
                self._reviews[review.source] = review
            new += 1
        stale = self._openings_of < len(self._outcomes)
        if not new and not stale:
            return None
        # They are counted anew from all rows: not at every look while a large job works.
        if not new or len(self._outcomes) > _MORE * self._openings_of:
            candidates = standing_candidates(
                self._recipe, self._sources, self._outcomes.values(), self._reviews
            )
            self._openings = tuple(commonest_openings(candidates))
            self._openings_of = len(self._outcomes)
        return MadeData(
            self._recipe,
            dict(self._sources),
            dict(self._outcomes),
            dict(self._reviews),
            self._counts.make_tally(len(self._sources)),
            self._openings,
        )
