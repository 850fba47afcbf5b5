"""One pair to be read: what was asked above, both answers below, the words of one alone marked.

Compares the words on a thread. Reads no disk, and chooses no pair.
"""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from engine.compare.answer_pairs import AnswerPair
from engine.compare.metrics import call_outcome
from engine.text import clean, one_line
from engine.word_diff import Change, compare
from tui.background import run_in_background
from tui.browse.answers_feed import JobAnswers
from tui.browse.pair_list import facts_of, prompt_lines, sample_lines
from tui.screens.answer_lines import MOST_CHARACTERS, cut_line
from tui.screens.diff_lines import diff_lines
from tui.styled_text import Line
from tui.widgets.flow import flow
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager

SIDES = (("left", "base"), ("right", "tuned"))
"""With the roles that their arms are drawn in."""


class PairPane(Vertical):
    """Shows what it was given last."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._answers = JobAnswers()
        self._pair: AnswerPair | None = None
        self._sort = ""
        """The measure that the pairs are sorted by, which stands under each answer."""
        self._marks_differences = True
        self._prompt_height = 0
        self._diffed_pair: AnswerPair | None = None
        """The pair whose words are compared, or were last."""
        self._changes: tuple[Change, ...] | None = None
        """How its words differ, once that is known."""

    def compose(self) -> ComposeResult:
        yield Pager(id="pair-prompt")
        with Horizontal(id="panes"):
            for side, _ in SIDES:
                with Vertical(classes="pane", id=f"side-{side}"):
                    yield Lines(classes="line head")
                    yield Pager(break_line=flow)
                    yield Lines(classes="line foot")

    def show(self, answers: JobAnswers, pair: AnswerPair | None, sort: str) -> None:
        """Another pair, or the same one with what is new about it; nothing without one."""
        self._answers, self._pair, self._sort = answers, pair, sort
        self._draw()

    def toggle_marks(self) -> None:
        """Mark the words that only one answer has, or do not."""
        self._marks_differences = not self._marks_differences
        self._draw()

    def _draw(self) -> None:
        answers, pair = self._answers, self._pair
        self.display = pair is not None
        self.query_one("#side-right").display = answers.left != answers.right
        if pair is None:
            return
        self._draw_prompt(pair)
        samples = (pair.left, pair.left_numbers), (pair.right, pair.right_numbers)
        for (side, role), arm, (sample, numbers), text in zip(
            SIDES, (answers.left, answers.right), samples, self._texts(pair), strict=True
        ):
            pane = self.query_one(f"#side-{side}")
            pane.query_one(".head", Lines).show([(f" {answers.names[arm]}", role)])
            pane.query_one(Pager).show(text)
            foot = pane.query_one(".foot", Lines)
            between = f" {foot.glyphs.separator} "
            facts = facts_of(
                sample,
                dict(numbers),
                pair.prompt.checks,
                self._sort,
                foot.size.width,
                between,
                call_outcome(sample, pair.prompt),
            )
            foot.show([(facts, "dim")])

    def _draw_prompt(self, pair: AnswerPair) -> None:
        pager, names = self.query_one("#pair-prompt", Pager), self._answers.names
        lines = prompt_lines(pair, (names[pair.left.arm], names[pair.right.arm]), pager.glyphs)
        remark = self._answers.remarks.get(pair.id)
        if remark is not None and remark.note:
            lines.append([("note: ", "dim"), (one_line(remark.note), "warn")])
        pager.show(lines)
        pager.to_top()
        if len(lines) != self._prompt_height:
            self._prompt_height = len(lines)
            pager.refresh(layout=True)

    def _texts(self, pair: AnswerPair) -> tuple[list[Line], list[Line]]:
        """Both answers; what only one of them says stands between marks, once that is known."""
        glyphs = self.query_one(Pager).glyphs
        plain = sample_lines(pair.left, glyphs), sample_lines(pair.right, glyphs)
        left, right = pair.left.spoken, pair.right.spoken
        if not (self._marks_differences and left and right and left != right):
            return plain
        if self._diffed_pair is not pair:
            self._compare_words(pair)
        if self._changes is None:
            return plain
        ours = diff_lines(self._changes, "left", "base", glyphs) + cut_line(len(left))
        theirs = diff_lines(self._changes, "right", "tuned", glyphs) + cut_line(len(right))
        return sample_lines(pair.left, glyphs, ours), sample_lines(pair.right, glyphs, theirs)

    def _compare_words(self, pair: AnswerPair) -> None:
        self._diffed_pair, self._changes = pair, None

        def show(changes: tuple[Change, ...]) -> None:
            if self._diffed_pair is pair:
                self._changes = changes
                self._draw()

        run_in_background(
            self, lambda: compare_words(pair), show, group="words of a pair", exclusive=True
        )


def compare_words(pair: AnswerPair) -> tuple[Change, ...]:
    """How the words that two answers say differ, as far as they are shown."""
    left, right = (clean(sample.spoken[:MOST_CHARACTERS]) for sample in (pair.left, pair.right))
    return compare(left, right).changes
