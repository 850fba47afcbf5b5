"""A judge's votes in the job's folder, and the rubrics. Blocks, so on a thread."""

import dataclasses
import getpass
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from textual.message import Message

from engine import atomic
from engine.compare import votes
from engine.compare.arms import parse_arm
from engine.compare.votes import Book, Vote
from engine.errors import EngineError
from engine.recipes.recipe import TrainRecipe
from tui.snapshots import RunRow


class VotesRead(Message):
    """A judge's votes are read."""

    def __init__(self, judge: str, votes: tuple[Vote, ...]) -> None:
        super().__init__()
        self.judge = judge
        self.votes = votes


class VoteSaveFailed(Message):
    """A vote could not be written, or not be taken back; carries those that are on disk."""

    def __init__(self, error: EngineError, votes: tuple[Vote, ...]) -> None:
        super().__init__()
        self.error = error
        self.votes = votes


class RubricsChanged(Message):
    """Answers are rated by other rubrics from now on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class BallotBox:
    """One judge's book at a time. Methods may raise EngineError; writing rubrics OSError too."""

    def __init__(self, folder: Path, arms: tuple[str, str]) -> None:
        self._folder = folder
        self._arms = arms
        self._book: Book | None = None
        self.judge = ""
        self.rubrics: dict[str, str] = dict(votes.RUBRICS)

    def open(self, judge: str = "") -> VotesRead:
        """Read a judge's votes; without a name those of the last judge, or of this user."""
        self.judge = judge or self.judge or _user()
        self._book = Book(votes.book_of(self._folder, self.judge))
        own = self._folder / votes.RUBRICS_FILE
        self.rubrics = votes.read_rubrics(own) if own.exists() else dict(votes.RUBRICS)
        return VotesRead(self.judge, self._own(self._book))

    def cast(self, vote: Vote) -> VoteSaveFailed | None:
        """Count a vote of this judge."""
        signed = dataclasses.replace(vote, judge=self.judge)
        return self._write(lambda book: book.cast(signed))

    def undo(self) -> VoteSaveFailed | None:
        """Take the last vote on these arms back."""
        return self._write(lambda book: book.undo(self._arms))

    def _write(self, change: Callable[[Book], object]) -> VoteSaveFailed | None:
        assert self._book is not None
        try:
            change(self._book)
        except OSError as error:
            detail = f"{error.filename or self._book.path}: {error.strerror}"
            failure = EngineError(
                "The vote could not be written.", detail, "The vote was not counted."
            )
            return VoteSaveFailed(failure, self._own(self._book))
        return None

    def judges(self) -> dict[str, list[Vote]]:
        """The votes of every judge on these two arms."""
        return {
            judge: on_these_arms
            for judge, cast in votes.judges_of(self._folder).items()
            if (on_these_arms := self._on_these_arms(cast))
        }

    def take_rubrics(self, text: str) -> RubricsChanged:
        """Rate by the rubrics of a file from now on, in this job; empty: by the bundled ones."""
        own = self._folder / votes.RUBRICS_FILE
        if not text:
            own.unlink(missing_ok=True)
            self.rubrics = dict(votes.RUBRICS)
            return RubricsChanged("The bundled rubrics are used.")
        path = Path(os.path.expanduser(text))
        rubrics = votes.read_rubrics(path)
        lines = (f"{name}: {question}\n" for name, question in rubrics.items())
        atomic.write_text(own, "".join(lines))
        self.rubrics = rubrics
        return RubricsChanged(f"{len(rubrics)} rubrics are used.")

    def _own(self, book: Book) -> tuple[Vote, ...]:
        """This judge's votes on these two arms."""
        return tuple(self._on_these_arms(book.votes.values()))

    def _on_these_arms(self, cast: Iterable[Vote]) -> list[Vote]:
        return [vote for vote in cast if {vote.left, vote.right} == {*self._arms}]


def names_behind(arms: Iterable[str], rows: Sequence[RunRow]) -> list[str]:
    """All that could give an arm away: what the runs behind it are called, and their bases too."""
    records = {f"run:{row.view.record.id}": row.view for row in rows}
    names: list[str] = []
    for text in arms:
        try:
            arm = parse_arm(text)
        except EngineError:
            names.append(text)
            continue
        behind: list[str] = []
        refs = [ref for ref in (arm.checkpoint, arm.adapter) if ref]
        while refs:
            view = records.pop(refs.pop(), None)
            if view is not None:
                recipe = view.recipe
                base = recipe.model.checkpoint if isinstance(recipe, TrainRecipe) else ""
                refs += [*view.record.parents, base]
                behind += [view.record.name, *view.record.parents, base]
        names += votes.names_of(arm, *behind)
    return names


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "judge"  # an account without a name, as in some containers
