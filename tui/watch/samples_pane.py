"""One prompt over the steps of a run: its first answer beside the one that is looked at."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.snapshots import PromptHistory, StepAnswer
from tui.styled_text import Line, fit, length
from tui.widgets.cells import Cells
from tui.widgets.pager import Pager


class _Head(Cells):
    """A rule with the prompt upon it."""

    def __init__(self) -> None:
        super().__init__(classes="line")
        self._which = self._prompt = ""

    def show(self, which: str, prompt: str) -> None:
        self._which, self._prompt = which, prompt
        self.repaint()

    def paint(self, width: int, height: int) -> list[Line]:
        rule, dot = self.glyphs.line, self.glyphs.separator
        before = f"{rule}{rule} prompt {self._which}{dot} "
        room = width - length([(before, "")]) - 3
        prompt = f"\u201c{fit(self._prompt, room, self.glyphs.ellipsis)}\u201d "
        after = rule * (width - length([(before + prompt, "")]))
        return [[(before, "dim"), (prompt, "strong"), (after, "dim")]]


class SamplesPane(Vertical):
    """Holds which prompt is read; the page says at which step."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._histories: tuple[PromptHistory, ...] = ()
        self._prompt = 0
        self._step: int | None = None

    def compose(self) -> ComposeResult:
        yield _Head()
        with Horizontal():
            yield Pager(hang=2, id="sample-first")
            yield Pager(hang=2, id="sample-now")

    def show(self, histories: tuple[PromptHistory, ...], step: int | None) -> None:
        """The chosen prompt, at the newest answer that is not after `step` (None: the newest)."""
        self._histories, self._step = histories, step
        self._prompt = max(0, min(self._prompt, len(histories) - 1))
        self._update()

    def turn_prompt(self, by: int) -> None:
        """The next prompt, or the one before."""
        if self._histories:
            self._prompt = (self._prompt + by) % len(self._histories)
            self._update()

    def step_of_answer(self, step: int | None, by: int) -> int | None:
        """From the answer at a step (None: the newest) to that of a later one to this prompt, or
        (negative) an earlier one; None is past the newest, where all follows again."""
        if not self._histories:
            return None
        history = self._histories[self._prompt]
        at = answer_at(history, step) + by
        return None if at >= len(history.answers) - 1 else history.answers[max(0, at)].step

    def _update(self) -> None:
        if not self._histories:
            return
        history = self._histories[self._prompt]
        now = history.answers[answer_at(history, self._step)]
        first = history.answers[0]
        self.query_one(_Head).show(f"{self._prompt + 1}/{len(self._histories)} ", history.prompt)
        newest = self._step is None or now is history.answers[-1]
        self.query_one("#sample-first", Pager).show(_answer(first, "base", newest=False))
        right = self.query_one("#sample-now", Pager)
        right.display = len(history.answers) > 1
        right.show(_answer(now, "tuned", newest=newest))


def answer_at(history: PromptHistory, step: int | None) -> int:
    """The place of the newest answer that is not after `step`; of the first where all are."""
    if step is None:
        return len(history.answers) - 1
    places = [at for at, answer in enumerate(history.answers) if answer.step <= step]
    return max(places, default=0)


def _answer(answer: StepAnswer, role: str, *, newest: bool) -> list[Line]:
    step = answer.step
    when = f"newest, step {step:,}" if newest else f"step {step:,}" if step else "before training"
    first, *others = answer.text.split("\n")
    return [[(f" {when}  ", role), (first, "")], *([(f"  {line}", "")] for line in others)]
