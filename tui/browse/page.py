"""Browse: all pairs of answers of a generate job, listed on one side and read on the other."""

import dataclasses
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from engine.compare import annotations as remark_files
from engine.compare.annotations import Remark
from engine.compare.answer_pairs import AnswerPair
from engine.text import clean, one_line
from engine.word_diff import Change, compare
from tui.browse.actions import BrowseActions
from tui.browse.answers_feed import (
    Answers,
    AnswersExported,
    AnswersFeed,
    AnswersRead,
    OperationFailed,
    WriteQueue,
)
from tui.browse.pair_list import (
    COMMON,
    DIRECTIONS,
    View,
    alike,
    answer_lines,
    change_of,
    common_of,
    cut_line,
    facts_of,
    listed,
    prompt_lines,
    shown_in_words,
    titles,
    unlike,
)
from tui.formatting import name_of, progress, state_words
from tui.keymap import Key
from tui.screens.answer_side import MOST_CHARACTERS
from tui.screens.diff_lines import diff_lines
from tui.screens.page import bindings_of
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line, Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager
from tui.widgets.reader import Reader
from tui.widgets.table import Column, Table, TableRow

WIDE = 110
"""Cells from which the list stands beside the answers, and not above them."""


class BrowsePage(BrowseActions):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("browse")
    name_in_keymap = "browse"
    initial_focus = "#pairs"

    def __init__(self, path: Path, then: str = "") -> None:
        """`then` is an action that is done once there are pairs."""
        super().__init__()
        self.path = path
        self._then = then
        self.answers = Answers()
        self.view = View()
        self._read = False
        self._pairs: list[AnswerPair] = []
        self._alone = False
        """Whether the list is put away."""
        self._shows_differences = True
        self._asked_lines = 0
        self._diffing: AnswerPair | None = None
        """The pair whose words are compared last, on a thread."""
        self._word_changes: WordsCompared | None = None
        """Of the pair that was read last, the words that only one has."""
        self._feed = AnswersFeed(path, self.post_message)
        self.write_queue = WriteQueue(self.post_message)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Lines(id="shown")
        with Horizontal(id="browse"):
            yield Table((), empty="", id="pairs")
            with Vertical(id="reading"):
                yield Pager(id="asked")
                with Horizontal(id="panes"):
                    for side in ("left", "right"):
                        with Vertical(classes="pane", id=f"side-{side}"):
                            yield Lines(classes="line head")
                            yield Reader()
                            yield Lines(classes="line foot")
        yield keys

    def on_mount(self) -> None:
        super().on_mount()
        self._arrange()
        self.run_worker(self._feed.run, thread=True)
        self.run_worker(self.write_queue.run, thread=True)

    def on_unmount(self) -> None:
        self._feed.stop()
        self.write_queue.stop()

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        self._update_status()

    def on_answers_read(self, event: AnswersRead) -> None:
        self.answers, self._read = event.answers, True
        self._draw()
        if self._then and self._pairs:
            then, self._then = self._then, ""
            if self.check_action(then, ()):
                self.call_after_refresh(self.run_action, then)
            else:
                self.services.notify_user("The answers are the same: there is nothing to judge.")

    def on_answers_exported(self, event: AnswersExported) -> None:
        self.services.notify_user(event.text)

    def on_operation_failed(self, event: OperationFailed) -> None:
        self.refuse(event.error)
        self._feed.again()

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self._update_status()
        self._show_pair()

    def apply_filter(self, text: str) -> None:
        self.change_view(filter_text=text)

    def go_back(self) -> bool:
        if self._alone and not self.in_field:
            self.action_read()
            return True
        if not self.in_field and not self.filter_text and self.view.chosen is not None:
            self.change_view(chosen=None)
            return True
        return super().go_back()

    def label_of(self, key: Key) -> str:
        if key.action == "read":
            return "list" if self._alone else "read"
        return super().label_of(key)

    @property
    def row(self) -> RunRow | None:
        """The job in the list of runs, once it is there."""
        return self.services.runs.row(str(self.path))

    @property
    def pair(self) -> AnswerPair | None:
        """The pair that is read."""
        key = self.query_one("#pairs", Table).chosen if self.ready else None
        return next((one for one in self._pairs if one.id == key), None)

    def change_view(self, **changes: object) -> None:
        """List other pairs, or in another order."""
        self.view = dataclasses.replace(self.view, **changes)  # type: ignore[arg-type]
        self._draw()

    def take_arms(self, left: str, right: str) -> None:
        self._feed.set_arms(left, right)

    def action_read(self) -> None:
        self._alone = not self._alone
        self._arrange()
        if self._alone:
            self.query_one("#side-left Reader").focus()
        else:
            self.focus_initial()
        self.call_after_refresh(self._draw)

    def action_turn_pair(self, by: int) -> None:
        self.query_one("#pairs", Table).action_move(by)

    def action_turn_difference(self, by: int) -> None:
        """To the next pair whose texts are not the same, around the end too."""
        if not self._pairs:
            return
        at = self._pairs.index(self.pair) if self.pair in self._pairs else 0
        count = len(self._pairs)
        order = [self._pairs[(at + by * step) % count] for step in range(1, count + 1)]
        following = next((one for one in order if one.differs), None)
        if following is None:
            self.services.notify_user("No pair in this list differs.")
        else:
            self.query_one("#pairs", Table).choose(following.id)

    def action_turn_marks(self) -> None:
        self._shows_differences = not self._shows_differences
        self._show_pair()

    def action_mark(self) -> None:
        if self.pair is not None:
            now = self.answers.remarks.get(self.pair.id, Remark())
            self.remark(self.pair.id, dataclasses.replace(now, marked=not now.marked))

    def remark(self, prompt: str, remark: Remark) -> None:
        """Keep what is said of a pair; it shows at once."""
        known = {key: one for key, one in self.answers.remarks.items() if key != prompt}
        self.answers = dataclasses.replace(
            self.answers, remarks=known if remark.empty else known | {prompt: remark}
        )
        self._draw()

        def write() -> None:
            remark_files.write(self.path, prompt, remark)
            self._feed.again()

        self.write_queue.put(write)

    def _arrange(self) -> None:
        """The list beside the answers, above them, or put away."""
        wide = self.size.width >= WIDE
        self.set_class(not wide, "narrow")
        self.query_one("#pairs").display = not self._alone
        least = 16 if wide else 22
        columns = [Column("prompt", least, 70), Column("common", 6, right=True)]
        if self.view.sort and self.view.sort != COMMON:
            columns.insert(1, Column(self.view.sort, 12, 16, right=True))
        if len({pair.prompt.skill for pair in self.answers.pairs}) > 1:
            columns.append(Column("skill", 12 if wide else 9, 13))
        self.query_one("#pairs", Table).columns = tuple(columns)

    def _draw(self) -> None:
        if not self.ready:
            return
        self._arrange()
        self._pairs = listed(self.answers, self.view)
        table = self.query_one("#pairs", Table)
        table.empty = self._empty()
        table.sorted_by = "common" if self.view.sort == COMMON else self.view.sort
        table.falling = self.view.direction != 2 and self.view.sort != COMMON
        named = titles(self.answers.pairs)
        table.show([self._list_row(pair, named[pair.id]) for pair in self._pairs])
        table.repaint()
        self._update_status()
        self._show_pair()
        self.show_keys()

    def _list_row(self, pair: AnswerPair, named: str) -> TableRow:
        remark = self.answers.remarks.get(pair.id, Remark())
        title: tuple[Piece, ...] = ((named, ""),)
        if remark.note:
            title = (("note ", "warn"), *title)
        cells: dict[str, tuple[Piece, ...]] = {
            "prompt": title,
            "common": ((common_of(pair), "dim" if not pair.differs else ""),),
            "skill": ((one_line(pair.prompt.skill), "dim"),),
        }
        columns = self.query_one("#pairs", Table).columns
        changed: tuple[Piece, ...] = ((change_of(pair, self.view.sort), ""),)
        return TableRow(
            pair.id, tuple(cells.get(one.title, changed) for one in columns), marked=remark.marked
        )

    def _counts(self) -> str:
        """How many answers there are of each arm: arms answer one after the other."""
        names, counts = self.answers.names, self.answers.counts
        told = [f"{names[arm]} {counts[arm]:,} answers" for arm in self.answers.arms]
        return ", ".join(told) or "no answer yet"

    def _empty(self) -> str:
        if not self._read:
            return "Reading the answers ..."
        if self.answers.pairs:
            return "No pair passes these filters."
        row = self.row
        if row is not None and row.view.state.alive:
            return "No answers of two arms yet; they come as they are made."
        return "No prompt was answered by two arms."

    def _update_status(self) -> None:
        if not self.ready:
            return
        between: Piece = (f" {self.glyphs.separator} ", "dim")
        row, answers = self.row, self.answers
        line: list[Piece] = [(f" {name_of(row) if row else one_line(self.path.name)} ", "strong")]
        if row is not None and row.view.state.alive:
            line += [*progress(row.view, self.glyphs), between]
        elif row is not None:
            line += [(state_words(row.view), ""), between]
        if answers.left:
            line += [(answers.names[answers.left], "base"), (f" {self.glyphs.arrow} ", "dim"),
                     (answers.names[answers.right], "tuned"), between]  # fmt: skip
        if answers.pairs and len(answers.arms) > 1:
            same = sum(not pair.differs for pair in answers.pairs)
            line.append((f"{len(answers.pairs)} pairs, {same} the same", ""))
        else:
            line.append((self._counts(), ""))
        line += [piece for problem in answers.problems for piece in (between, (problem, "warn"))]
        if answers.pairs:
            line += [between, (alike(self.pair or answers.pairs[0]), "dim")]
        self.query_one("#headline", Lines).show(line)
        self.query_one("#shown", Lines).show(self._shown_line())

    def _shown_line(self) -> Line:
        view = self.view
        facts = [shown_in_words(self.answers, view.shown)]
        if view.skill is not None:
            facts.append(f"skill {one_line(view.skill) or 'none'}")
        if self.filter_text:
            facts.append(f"with “{one_line(self.filter_text)}”")
        if view.sort == COMMON:
            facts.append("fewest words in common first")
        elif view.sort:
            facts.append(f"by {view.sort}, {DIRECTIONS[view.direction]} first")
        if view.chosen is not None:
            facts.append("what drives it, esc all")
        if not self.answers.pairs:
            return []
        between = f" {self.glyphs.separator} "
        count = f"{len(self._pairs)} of {len(self.answers.pairs)}"
        warnings = [(f"{between}! {one}", "warn") for one in unlike(self.pair)]
        return [(f" {count} ", ""), (between.join(facts), "dim"), *warnings]

    def _show_pair(self) -> None:
        if not self.ready:
            return
        pair = self.pair
        self.query_one("#reading").display = pair is not None
        self.query_one("#side-right").display = self.answers.left != self.answers.right
        if pair is None:
            return
        asked = self.query_one("#asked", Pager)
        note = self.answers.remarks.get(pair.id, Remark()).note
        names = self.answers.names
        lines = prompt_lines(pair, (names[pair.left.arm], names[pair.right.arm]))
        if note:
            lines.append([("note: ", "dim"), (one_line(note), "warn")])
        asked.show(lines)
        asked.to_top()
        if len(lines) != self._asked_lines:
            self._asked_lines = len(lines)
            asked.refresh(layout=True)
        texts = self._texts(pair)
        for side, arm, sample, numbers, text in (
            ("left", self.answers.left, pair.left, pair.left_numbers, texts[0]),
            ("right", self.answers.right, pair.right, pair.right_numbers, texts[1]),
        ):
            role = "base" if side == "left" else "tuned"
            pane = self.query_one(f"#side-{side}")
            pane.query_one(".head", Lines).show([(f" {self.answers.names[arm]}", role)])
            pane.query_one(Reader).show(text)
            foot = pane.query_one(".foot", Lines)
            between = f" {self.glyphs.separator} "
            facts = facts_of(sample, dict(numbers), self.view.sort, foot.size.width, between)
            foot.show([(facts, "dim")])

    def on_words_compared(self, event: "WordsCompared") -> None:
        if self._diffing is event.pair:
            self._word_changes = event
            self._show_pair()

    def _texts(self, pair: AnswerPair) -> tuple[list[Line], list[Line]]:
        """Both answers; what only one of them says stands between marks, once that is known."""
        one, other = pair.left.text, pair.right.text
        if self._shows_differences and one and other and pair.differs:
            if self._word_changes is not None and self._word_changes.pair is pair:
                changes = self._word_changes.changes
                return (
                    diff_lines(changes, "left", "base", self.glyphs) + cut_line(len(one)),
                    diff_lines(changes, "right", "tuned", self.glyphs) + cut_line(len(other)),
                )
            if self._diffing is not pair:
                self._diffing = pair
                self.run_worker(lambda: self.post_message(diff_of(pair)), thread=True,
                                exclusive=True, group="diff")  # fmt: skip
        return answer_lines(pair.left), answer_lines(pair.right)


class WordsCompared(Message):
    """The words of a pair are compared."""

    def __init__(self, pair: AnswerPair, changes: tuple[Change, ...]) -> None:
        super().__init__()
        self.pair = pair
        self.changes = changes


def diff_of(pair: AnswerPair) -> WordsCompared:
    left, right = (clean(one.text[:MOST_CHARACTERS]) for one in (pair.left, pair.right))
    return WordsCompared(pair, compare(left, right).changes)
