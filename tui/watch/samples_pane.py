"""One prompt over the steps of a run: its first answer beside the one that is looked at."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.snapshots import Answer, PromptHistory
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
        before = f"{rule}{rule} sample {self._which}{dot} "
        room = width - length([(before, "")]) - 3
        asked = f"\u201c{fit(self._prompt, room, self.glyphs.ellipsis)}\u201d "
        after = rule * (width - length([(before + asked, "")]))
        return [[(before, "dim"), (asked, "strong"), (after, "dim")]]


class SamplesPane(Vertical):
    """Shows what it was last given; the screen says which prompt and which step."""

    def compose(self) -> ComposeResult:
        yield _Head()
        with Horizontal():
            yield Pager(hang=2, id="sample-first")
            yield Pager(hang=2, id="sample-now")

    def show(self, histories: tuple[PromptHistory, ...], chosen: int, step: int | None) -> None:
        """The `chosen` one, at the newest answer that is not after `step` (None: the newest)."""
        if not histories:
            return
        history = histories[chosen]
        now = history.answers[answer_at(history, step)]
        first = history.answers[0]
        self.query_one(_Head).show(f"{chosen + 1}/{len(histories)} ", history.prompt)
        newest = step is None or now is history.answers[-1]
        self.query_one("#sample-first", Pager).show(_said(first, "base", newest=False))
        right = self.query_one("#sample-now", Pager)
        right.display = len(history.answers) > 1
        right.show(_said(now, "tuned", newest=newest))


def answer_at(history: PromptHistory, step: int | None) -> int:
    """The place of the newest answer that is not after `step`; of the first where all are."""
    if step is None:
        return len(history.answers) - 1
    return max((at for at, one in enumerate(history.answers) if one.step <= step), default=0)


def _said(one: Answer, role: str, *, newest: bool) -> list[Line]:
    when = f"now, step {one.step:,}" if newest else f"step {one.step:,}" if one.step else "before"
    first, *others = one.text.split("\n")
    return [[(f" {when}  ", role), (first, "")], *([(f"  {line}", "")] for line in others)]
