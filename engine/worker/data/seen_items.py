"""What of suites stands in the rows that arms were trained on: their own stage and those before it.

Unknown where any of these rows are: of a model that no run made, of a foreign adapter, where data
is gone or was changed. What the model at the root was pre-trained on is never known, the bundled
one's least of all: its rows came from the program that made the suites. Rows are read once a run,
whichever arms it stands behind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.checkpoints import checkpoint_list
from engine.checkpoints.ancestry import Ancestry, trace_runs
from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.data.made_rows import read_made_rows, read_voted_prompts
from engine.errors import EngineError
from engine.impact.results.evaluation_results import Seen
from engine.impact.suites.contamination import ContaminationCheck, ItemContamination
from engine.impact.suites.suite_specs import SuiteSpec
from engine.impact.suites.trained_suites import trained_suites
from engine.jobs.directory import JobDirectory
from engine.text import one_line
from engine.worker.data.trained_rows import find_files, read_trained_rows

Found = Mapping[str, Mapping[str, ItemContamination]]
"""By suite and item."""


@dataclass(frozen=True, slots=True)
class SeenItems:
    """What is known of one arm."""

    suites: Mapping[str, Mapping[str, Seen]] | None
    """By suite, the items that stand in training rows, and which part; None: not all of the rows
    are known."""
    trained: tuple[str, ...] = ()
    """Suites that the arm was trained on since its parent."""
    notes: tuple[str, ...] = ()
    """A sentence each."""


class SeenItemsFinder:
    """The items of an evaluation, looked for in the rows of the runs behind its arms."""

    def __init__(
        self,
        suites: Mapping[str, Sequence[Item]],
        specs: Sequence[SuiteSpec],
        runs: Sequence[Path],
        tick: Callable[[str, int], None] = lambda run, rows: None,
    ) -> None:
        """`tick` is told the run and how many of its rows were read, and may raise to stop."""
        self._suites, self._specs, self._runs, self._tick = suites, specs, runs, tick
        self._known: dict[Path, Found | str] = {}
        """By run what was found, or why its rows are not known."""
        self._made: dict[Path, tuple[str, ...]] = {}
        """By run what is said of its rows where they were made of raw texts or of votes."""

    def find(self, arm: Arm, parent: Arm | None = None) -> SeenItems:
        """What stands in the rows of the arm's runs, of its base's and of all before these; of an
        endpoint nothing is known.

        `parent` is the arm that it was trained from, where that is measured too: what that one
        was trained on is its own.
        """
        if arm.is_endpoint:
            return SeenItems(None)
        ancestry = _trace(arm, self._runs)
        gaps = list(ancestry.gaps)
        found: list[Found] = []
        for run in ancestry.runs:
            known = self._read(run)
            if isinstance(known, str):
                gaps.append(known)
            else:
                found.append(known)
        seen = self._merge(found)
        before = [] if parent is None or parent.is_endpoint else _trace(parent, self._runs).runs
        trained: dict[str, None] = {}
        for run in ancestry.runs:
            if run not in before:
                own = self._known[run]
                items = {} if isinstance(own, str) else own
                trained |= dict.fromkeys(trained_suites(run, self._specs, items, self._runs))
        is_known = bool(ancestry.runs) and not gaps
        notes = self._describe(seen, gaps, ancestry.roots)
        made = tuple(note for run in ancestry.runs for note in self._find_made(run))
        return SeenItems(seen if is_known else None, tuple(trained), (*made, *notes))

    def _read(self, run: Path) -> Found | str:
        if run not in self._known:
            self._known[run] = self._search(run)
        return self._known[run]

    def _find_made(self, run: Path) -> tuple[str, ...]:
        """Who wrote the run's rows where a model did, and which prompts left the evaluation side,
        since votes on them became the run's rows."""
        if run not in self._made:
            try:
                files = find_files(JobDirectory(run), self._runs)
            except EngineError:  # the rows are gone, which is said of them
                files = []
            made = read_made_rows(files)
            notes = []
            if made.models:
                arms = (arm.partition("=")[2] or arm for arm in made.models)
                by = ", ".join(map(one_line, dict.fromkeys(arms)))
                notes.append(
                    f"{run.name} was trained on a file of {made.rows:,} rows made by {by}, "
                    f"{made.unreviewed:,} of them not reviewed by a person"
                )
            notes += [
                f"{run.name} was trained on votes: {len(prompts):,} prompts of {one_line(job)} "
                "are no longer of the evaluation side"
                for job, prompts in read_voted_prompts(files).items()
            ]
            self._made[run] = tuple(notes)
        return self._made[run]

    def _search(self, run: Path) -> Found | str:
        # One pass for all suites: an item is known by its suite too.
        check = ContaminationCheck()
        for at, items in enumerate(self._suites.values()):
            check.add([replace(item, id=f"{at}/{item.id}") for item in items])
        try:
            job = JobDirectory(run)
            check.read(read_trained_rows(job, self._runs, lambda rows: self._tick(run.name, rows)))
        except EngineError as error:
            return f"the rows of {run.name} cannot be read ({error.title.rstrip('.')})"
        found: dict[str, dict[str, ItemContamination]] = {name: {} for name in self._suites}
        names = list(self._suites)
        for name, item in check.found.items():
            place, _, item_id = name.partition("/")
            found[names[int(place)]][item_id] = item
        return found

    def _merge(self, found: Sequence[Found]) -> dict[str, dict[str, Seen]]:
        """The flagged items of all runs; where one run had the question that counts."""
        merged: dict[str, dict[str, Seen]] = {name: {} for name in self._suites}
        for one in found:
            for suite, items in one.items():
                for item, match in items.items():
                    if match.is_flagged and merged[suite].get(item) != "question":
                        merged[suite][item] = "question" if match.question else "answer"
        return merged

    def _describe(
        self,
        seen: Mapping[str, Mapping[str, Seen]],
        gaps: Sequence[str],
        roots: Sequence[str],
    ) -> tuple[str, ...]:
        notes = [
            f"{len(items):,} of {len(self._suites[suite]):,} items of {suite} stand in rows that "
            "it was trained on"
            for suite, items in seen.items()
            if items
        ]
        notes += [f"not all of its training rows are known: {gap}" for gap in dict.fromkeys(gaps)]
        notes += [f"what {root} was pre-trained on is not known" for root in dict.fromkeys(roots)]
        return tuple(notes)


def _trace(arm: Arm, runs: Sequence[Path]) -> Ancestry:
    return trace_runs(_list_weights(arm, runs), runs)


def _list_weights(arm: Arm, runs: Sequence[Path]) -> list[str]:
    """Refs of what an arm answers with, the adapter first; at strength 0 nothing of an adapter."""
    if arm.adapter is not None:
        return [arm.adapter, arm.checkpoint] if arm.strength else [arm.checkpoint]
    if not arm.strength:
        base = checkpoint_list.resolve(arm.checkpoint, runs).base_path
        return [arm.checkpoint if base is None else str(base)]
    return [arm.checkpoint]
