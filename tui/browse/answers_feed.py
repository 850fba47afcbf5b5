"""The answers of a job for the screens over it: read on a thread, handed on frozen.

Owns the thread of such a page that follows the job's samples.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from textual.message import Message

from engine.compare import annotations as remark_files
from engine.compare.annotations import Remark
from engine.compare.answer_pairs import AnswerPair, Collection, names, of_job
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.judge.judge_report import JudgeReport, read_reports
from engine.recipes.recipe import AnswersRecipe
from engine.text import one_line
from tui.feeds.write_queue import OperationFailed

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class JobAnswers:
    """What there is of a job by now, and the two arms that are looked at."""

    arms: tuple[str, ...] = ()
    """In the grammar; those that have answered, in the order of the recipe."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Of each arm, clean."""
    left: str = ""
    right: str = ""
    pairs: tuple[AnswerPair, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """Answers of each arm."""
    remarks: Mapping[str, Remark] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What could not be read, clean."""
    judges: tuple[JudgeReport, ...] = ()
    """Of models that judged the two arms."""


class AnswersRead(Message):
    """There is more, or other arms are looked at; carries everything."""

    def __init__(self, answers: JobAnswers) -> None:
        super().__init__()
        self.answers = answers

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, AnswersRead)


class AnswersExported(Message):
    """The answers are written to a file; a short notice says so."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class AnswersFeed:
    """Follows one job. `post` is called from its thread, with messages."""

    def __init__(self, path: Path, post: Callable[[Message], object]) -> None:
        self._job = JobDirectory(path)
        self._post = post
        self._arms: tuple[str, str] | None = None
        self._remarks: Mapping[str, Remark] | None = None
        self._judges: list[JudgeReport] | None = None
        self._judge_problems: list[str] = []
        self._due = threading.Event()
        self._stopped = threading.Event()

    def set_arms(self, left: str, right: str) -> None:
        """Pair these arms from now on."""
        self._arms = (left, right)
        self._due.set()

    def again(self) -> None:
        """Read the remarks and the judges anew: some were written."""
        self._remarks = self._judges = None
        self._due.set()

    def stop(self) -> None:
        self._stopped.set()
        self._due.set()

    def run(self) -> None:
        """On a thread, until it is stopped."""
        try:
            recipe, collection = self._job.recipe(), of_job(self._job)
        except EngineError as error:
            self._post(OperationFailed(error))
            return
        recipe_arms = recipe.arms if isinstance(recipe, AnswersRecipe) else []
        posted_error = ""
        first = True
        while not self._stopped.is_set():
            due = self._due.is_set()
            self._due.clear()
            try:
                if collection.poll() or due or first:
                    self._post(AnswersRead(self._answers(collection, recipe_arms)))
                first, posted_error = False, ""
                self._read_judges()
            except EngineError as error:
                if str(error) != posted_error:  # once, and not at every look
                    posted_error = str(error)
                    self._post(OperationFailed(error))
            self._due.wait(POLL_SECONDS)

    def _read_judges(self) -> None:
        """After the answers, which do not wait for it."""
        if self._judges is None:
            self._judges, errors = read_reports(self._job)
            self._judge_problems = [one_line(f"judge: {error.title}") for error in errors]
            if self._judges or errors:
                self._due.set()

    def _answers(self, collection: Collection, recipe_arms: list[str]) -> JobAnswers:
        place = {arm: at for at, arm in reversed([*enumerate(recipe_arms)])}
        arms = sorted(collection.arms, key=lambda arm: place.get(arm, len(recipe_arms)))
        if self._arms is None or not {*self._arms} <= {*arms}:
            # With one arm alone it stands on both sides, and the screen shows it once.
            self._arms = (arms[0], arms[min(1, len(arms) - 1)]) if len(arms) > 1 else None
        left, right = self._arms or (arms[0], arms[0]) if arms else ("", "")
        if self._remarks is None:
            self._remarks = remark_files.read(self._job.path)
        pairs = tuple(collection.pairs(left, right)) if arms else ()
        problems = [*self._judge_problems]
        problems += [one_line(collection.problem)] if collection.problem else []
        if collection.passed_over:
            problems.append(f"{collection.passed_over:,} lines without an answer were skipped")
        return JobAnswers(
            tuple(arms),
            {arm: one_line(name) for arm, name in names(arms).items()},
            left,
            right,
            pairs,
            {arm: sum(name == arm for name, _ in collection.samples) for arm in arms},
            self._remarks,
            tuple(problems),
            tuple(
                one
                for one in self._judges or ()
                if {one.result.left, one.result.right} == {left, right}
            ),
        )
