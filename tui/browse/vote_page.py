"""Blind votes: two answers without names, sides by lot, and which is the better one."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from engine.compare import annotations as remark_files
from engine.compare.annotations import Remark
from engine.compare.answer_pairs import AnswerPair
from engine.compare.samples import Sample
from engine.compare.votes import Ballot, Choice, Vote, draw, hide_names, named
from engine.jobs.directory import JobDirectory
from engine.text import one_line
from tui.browse.answers_feed import JobAnswers
from tui.browse.ballots import BallotBox, RubricsChanged, VoteSaveFailed, VotesRead, names_behind
from tui.browse.pair_list import blind_lines, prompt_lines
from tui.browse.result_lines import outcome
from tui.feeds.write_queue import OperationFailed, WriteQueue
from tui.screens.dialogs import Dialog, TextWindow
from tui.screens.judge_lines import JUDGED_APART, read_judge_lines
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Line, Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager

Ratings = Mapping[str, Mapping[str, int]]
"""Of each side, rubric to 1 … 5."""


class VotePage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("vote")
    name_in_keymap = "vote"
    initial_focus = "#side-left Pager"

    def __init__(self, path: Path, answers: JobAnswers) -> None:
        super().__init__()
        self._answers = answers
        self._pairs = {pair.id: pair for pair in answers.pairs if pair.differs}
        self._ballots: list[Ballot] = []
        self._votes: dict[str, Vote] = {}
        """This judge's, by ballot; the newest last."""
        self._now: Ballot | None = None
        self._note = ""
        self._ratings: Ratings = {}
        self._bookmarked = {prompt for prompt, remark in answers.remarks.items() if remark.marked}
        self._opened = False
        self._names: list[str] = []
        self._ballot_box = BallotBox(path, (answers.left, answers.right))
        self._path = path
        self._write_queue = WriteQueue(self.post_message)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(id="pair-prompt")
        with Horizontal(id="panes"):
            for side in ("left", "right"):
                with Vertical(classes="pane", id=f"side-{side}"):
                    yield Lines(classes="line head")
                    yield Pager()
        yield Lines(id="about")
        yield keys

    def on_mount(self) -> None:
        self._names = names_behind(self._answers.arms, self.services.runs.rows)
        for side in ("left", "right"):
            self.query_one(f"#side-{side} .head", Lines).show([(f" {side}", "strong")])
        self.run_worker(self._write_queue.run, thread=True)
        self._write_queue.put(self._ballot_box.open)

    def on_unmount(self) -> None:
        self._write_queue.stop()

    def open(self) -> None:
        super().open()
        self._draw()

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def on_votes_read(self, event: VotesRead) -> None:
        """A judge sits down: with the votes that are there, and a lot of the judge's own."""
        self._opened = True
        self._votes = {vote.ballot: vote for vote in event.votes}
        answers = self._answers
        self._ballots = draw(list(self._pairs), (answers.left, answers.right), event.judge)
        self._go_on()

    def on_rubrics_changed(self, event: RubricsChanged) -> None:
        self.services.notify_user(event.text)
        self._draw()

    def on_operation_failed(self, event: OperationFailed) -> None:
        self.services.show_error(event.error)

    def on_vote_save_failed(self, event: VoteSaveFailed) -> None:
        self.services.show_error(event.error)
        self._votes = {vote.ballot: vote for vote in event.votes}
        self._go_on()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("cast", "rate", "note", "mark"):
            return self._now is not None
        if action == "undo":
            return bool(self._votes)
        if action in ("outcome", "judge", "rubrics"):
            return self._opened
        return super().check_action(action, parameters)

    def action_cast(self, choice: Choice) -> None:
        now = self._now
        if now is None:
            return
        arms = {"left": now.left, "right": now.right}
        ratings = {arms[side]: dict(rated) for side, rated in self._ratings.items() if rated}
        vote = Vote(
            now.id, now.prompt_id, now.left, now.right, choice, now.again, ratings, self._note
        )
        self._votes.pop(vote.ballot, None)
        self._votes[vote.ballot] = vote
        self._write_queue.put(lambda: self._ballot_box.cast(vote))
        self._go_on()
        if self._now is None:
            self.action_outcome()

    def action_undo(self) -> None:
        if not self._votes:
            return
        ballot, last = self._votes.popitem()
        self._write_queue.put(self._ballot_box.undo)
        self._show(next((known for known in self._ballots if known.id == ballot), None))
        self._note = last.note
        self._ratings = {
            side: last.ratings[arm]
            for side, arm in (("left", last.left), ("right", last.right))
            if arm in last.ratings
        }
        self._draw()

    def action_note(self) -> None:
        def take(text: str | None) -> None:
            if text is not None:
                self._note = text
                self._draw()

        self.app.push_screen(TextWindow("Note on this vote", self._note, "note", 2000), take)

    def action_rate(self) -> None:
        from tui.browse.rating_window import RatingWindow

        def take(ratings: Ratings | None) -> None:
            if ratings is not None:
                self._ratings = ratings
                self._draw()

        self.app.push_screen(RatingWindow(self._ballot_box.rubrics, self._ratings), take)

    def action_mark(self) -> None:
        if self._now is None:
            return
        prompt = self._now.prompt_id
        self._bookmarked ^= {prompt}
        bookmarked = prompt in self._bookmarked

        def write() -> None:
            remark = remark_files.read(self._path).get(prompt, Remark())
            remark_files.write(self._path, prompt, dataclasses.replace(remark, marked=bookmarked))

        self._write_queue.put(write)
        self._draw()

    def action_outcome(self) -> None:
        """What all judges say by now; here the names are told."""
        answers, separator = self._answers, self.glyphs.separator

        def count_votes() -> VotesCounted:
            judges = {
                judge: [named(vote, answers.names) for vote in cast]
                for judge, cast in self._ballot_box.judges().items()
            }
            lines = outcome(judges, answers.names[answers.right], answers.names[answers.left])
            arms = (answers.left, answers.right)
            if by_models := read_judge_lines(JobDirectory(self._path), separator, arms):
                lines += ["", JUDGED_APART, *(f"  {line}" for line in by_models)]
            return VotesCounted(lines)

        self._write_queue.put(count_votes)

    def on_votes_counted(self, event: "VotesCounted") -> None:
        lines: list[Line] = [[(line, "strong" if not at else "")] for at, line in
                             enumerate(event.lines)]  # fmt: skip
        self.app.push_screen(Dialog[None](lines, "esc close"))

    def action_judge(self) -> None:
        def take(name: str | None) -> None:
            if name:
                self._write_queue.put(lambda: self._ballot_box.open(name))

        self.app.push_screen(
            TextWindow("Name of the voter", self._ballot_box.judge, "name", 40), take
        )

    def action_rubrics(self) -> None:
        def take(text: str | None) -> None:
            if text is not None:
                self._write_queue.put(lambda: self._ballot_box.take_rubrics(text))

        title = "Rubrics file, each line `name: question`; empty: bundled rubrics"
        self.app.push_screen(TextWindow(title, "", "rubrics.txt"), take)

    def _go_on(self) -> None:
        self._show(next((ballot for ballot in self._ballots if ballot.id not in self._votes), None))

    def _show(self, ballot: Ballot | None) -> None:
        self._now, self._note, self._ratings = ballot, "", {}
        for pager in self.query(Pager):
            pager.to_top()
        self._draw()

    def _blind(self, lines: list[Line]) -> list[Line]:
        return [[(hide_names(text, self._names), role) for text, role in line] for line in lines]

    def _draw(self) -> None:
        if not self.ready:
            return
        self.show_keys()
        self._update_status()
        pair = self._pairs.get(self._now.prompt_id) if self._now else None
        self.query_one("#panes").display = pair is not None
        self.query_one("#pair-prompt").display = pair is not None
        if pair is None or self._now is None:
            return
        straight = self._now.left == self._answers.left
        sides = ("left", "right") if straight else ("right", "left")
        prompt = prompt_lines(pair, sides, self.glyphs, reference=False)
        self.query_one("#pair-prompt", Pager).show(self._blind(prompt))
        for side, arm in (("left", self._now.left), ("right", self._now.right)):
            text = blind_lines(self._answer_of(pair, arm), self.glyphs)
            self.query_one(f"#side-{side} Pager", Pager).show(self._blind(text))

    def _answer_of(self, pair: AnswerPair, arm: str) -> Sample:
        return pair.left if arm == self._answers.left else pair.right

    def _update_status(self) -> None:
        between = f" {self.glyphs.separator} "
        known = {ballot.id for ballot in self._ballots}
        done = sum(ballot in known for ballot in self._votes)
        head: list[Piece] = []
        if not self._opened:
            head.append((" Shuffling pairs...", "dim"))
        elif not self._ballots:
            head.append((" All answers are identical: nothing to vote on.", "warn"))
        else:
            head.append((f" {done} of {len(self._ballots)} votes given", "strong"))
            head.append((f"{between}voter {one_line(self._ballot_box.judge)}", ""))
            head.append((f"{between}blind: arms hidden, sides random", "dim"))
        self.query_one("#headline", Lines).show(head)
        about: list[Piece] = []
        if self._now is None and self._opened and self._ballots:
            about.append((" All votes given. o shows the results, u undoes the last vote.", ""))
        elif self._now is not None:
            facts = []
            if self._now.prompt_id in self._bookmarked:
                facts.append(("* bookmarked", "warn"))
            for side, rated in self._ratings.items():
                ratings = ", ".join(f"{one_line(name)} {value}" for name, value in rated.items())
                if ratings:
                    facts.append((f"{side}: {ratings}", ""))
            if self._note:
                facts.append((f"note: {one_line(self._note)}", ""))
            for at, (text, role) in enumerate(facts):
                about.append(((between if at else " ") + text, role))
        self.query_one("#about", Lines).show(about)


class VotesCounted(Message):
    """What the votes of all judges say, in lines."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines
