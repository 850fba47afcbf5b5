"""The line at the top: where one is, and what machine this is."""

from engine.text import one_line
from tui.keymap import KEYS, SCREENS
from tui.snapshots import Machine
from tui.styled_text import Line, length
from tui.widgets.cells import Cells

TABS = tuple((key.key, key.action.split("'")[1]) for key in KEYS if key.action.startswith("show('"))


class Header(Cells):
    def __init__(self, screen_name: str) -> None:
        super().__init__()
        self._screen_name = screen_name
        self._machine = Machine()

    def show(self, machine: Machine) -> None:
        self._machine = machine
        self.repaint()

    def paint(self, width: int, height: int) -> list[Line]:
        tabs: list[tuple[str, str]] = [(" finetop ", "title")]
        for digit, name in TABS:
            here = name == self._screen_name
            tabs += [("  ", ""), (digit, "dim"), (" ", "")]
            tabs.append((SCREENS[name], "strong" if here else "dim"))
        room = width - length(tabs) - 2
        facts = self._facts()
        while facts and len(f" {self.glyphs.separator} ".join(facts)) > room:
            facts.pop(0)  # the host first: one knows where one is
        right = f" {self.glyphs.separator} ".join(facts)
        gap = max(1, width - length(tabs) - len(right) - 1)
        return [[*tabs, (" " * gap, ""), (right, "dim")]]

    def _facts(self) -> list[str]:
        one = self._machine
        facts = [one_line(one.host), one_line(one.device)]
        if one.busy is not None:
            facts.append(f"{'GPU' if one.gpus else 'CPU'} {one.busy}%")
        total = one.memory_total / 1e9
        if total and one.memory_used:
            facts.append(f"{one.memory_used / 1e9:.{0 if total >= 100 else 1}f}/{total:.0f} GB")
        elif total:
            facts.append(f"{total:.0f} GB")
        return [fact for fact in facts if fact]
