"""What all arms are asked, and how they decode: the prompts, the one in hand, the settings."""

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.chat import Message, Tools
from engine.recipes.settings import Decode
from engine.text import clean, one_line
from tui.compare.difference_strip import settings_text
from tui.glyphs import Glyphs
from tui.screens.answer_side import preview
from tui.styled_text import Line, Piece, length
from tui.widgets.lines import shorten

if TYPE_CHECKING:
    from engine.compare.items import Item

TEMPERATURES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0)
LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_LEAST_PROMPT = 70
"""Cells of the prompt that must be left for the settings to stand beside it."""


class PromptSettings:
    """The same for every arm, unless an arm says otherwise itself."""

    def __init__(self) -> None:
        self.prompts: list[Item] = []
        self.messages: tuple[Message, ...] = ()
        self.decode = Decode()
        self._at = 0

    def offer(self, prompts: "list[Item]") -> bool:
        """Prompts to turn through; whether the first of them is in hand now."""
        self.prompts = prompts
        if self.messages or not prompts:
            return False
        self.messages = prompts[0].messages
        return True

    def turn(self, by: int) -> None:
        if self.prompts:
            self._at = (self._at + by) % len(self.prompts)
            self.messages = self.prompts[self._at].messages

    def write(self, text: str) -> None:
        """A prompt of the user's own."""
        self.messages = (Message("user", text),)

    @property
    def prompt(self) -> "Item | None":
        """The prompt in hand, where it is one of those that were offered."""
        return next((each for each in self.prompts if each.messages == self.messages), None)

    @property
    def tools(self) -> Tools:
        """The tools of the prompt in hand, where it brings some."""
        prompt = self.prompt
        return () if prompt is None else prompt.tools

    @property
    def text(self) -> str:
        """The last user turn, to be edited."""
        turns = [message.content for message in self.messages if message.role == "user"]
        return clean(turns[-1]) if turns else ""

    def warm(self, by: int) -> None:
        value = _step(TEMPERATURES, self.decode.temperature, by)
        self.decode = replace(self.decode, temperature=value)

    def lengthen(self, by: int) -> None:
        value = int(_step(LENGTHS, self.decode.max_new_tokens, by))
        self.decode = replace(self.decode, max_new_tokens=value)

    def reseed(self) -> None:
        self.decode = replace(self.decode, seed=self.decode.seed + 1)

    def line(self, width: int, glyphs: Glyphs) -> Line:
        """The prompt, and at the right the settings where there is room for both."""
        line = self._prompt_line()
        settings = settings_text(self.decode, glyphs)
        room = width - length(line) - len(settings) - 4
        if room >= 0:
            return [*line, (" " * room, ""), (f"   {settings}", "dim")]
        if not self.has_room(width, glyphs):
            return line
        prompt = shorten(line, width - len(settings) - 4, glyphs.ellipsis)
        gap = width - length(prompt) - len(settings) - 4
        return [*prompt, (" " * gap, ""), (f"   {settings}", "dim")]

    def has_room(self, width: int, glyphs: Glyphs) -> bool:
        """Whether the settings stand beside the prompt, and not in the strip below."""
        settings = len(settings_text(self.decode, glyphs)) + 4
        return width - settings >= min(_LEAST_PROMPT, length(self._prompt_line()))

    def _prompt_line(self) -> list[Piece]:
        if not self.messages:
            return [(" no prompt yet: press e to write one", "dim")]
        line: list[Piece] = []
        bundled = self.prompt
        if bundled is None:
            line.append((" your prompt  ", "dim"))
        else:
            at = self.prompts.index(bundled) + 1
            line.append((f" prompt {at}/{len(self.prompts)}  ", "dim"))
            if bundled.skill:
                line.append((f"{one_line(bundled.skill)}  ", "warn"))
        return [*line, (preview(self.messages), "strong")]


def _step(values: tuple[float, ...] | tuple[int, ...], now: float, by: int) -> float:
    nearest = min(range(len(values)), key=lambda at: abs(values[at] - now))
    return values[max(0, min(nearest + by, len(values) - 1))]
