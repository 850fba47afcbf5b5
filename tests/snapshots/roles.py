"""What the style of a cell is called: a role of the style sheet, or else its colours by name."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.screen import ModalScreen

from tui.charts.chart import Chart
from tui.styled_text import ROLES
from tui.theme import THEMES

_ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike", "blink")
_LETTERS = {
    "plain": ".", "dim": "d", "strong": "s", "title": "t", "key": "k", "tuned": "u", "base": "b",
    "third": "3", "fourth": "4", "learned": "l", "good": "g", "bad/shifted": "!",
    "warn/marginal": "w", "pick": "p", "cursor": "c", "block0": "0", "block1": "1",
    "block2": "2",
}  # fmt: skip
"""Those of most cells, the same in every frame; `key` is the colour of `pick`, and so on."""
_FREE = "ABCDEFGHIJKLMNOPQRSTUVWXYZaefhijmnoqrvxyz56789+*=~^%&@#$<>/:;"


class Look(NamedTuple):
    """A style without what no terminal shows."""

    colour: str
    behind: str
    attributes: str

    def __str__(self) -> str:
        return f"{self.colour} on {self.behind} {self.attributes}".rstrip()


class Legend:
    """A letter for every look of one frame, given when it is first met."""

    def __init__(self, app: App[Any]) -> None:
        self._named = _colours(app)
        self._colours = {colour: name for name, colour in self._named.items()}
        self._roles = _roles(app)
        for chart in app.screen.query(Chart):
            for name in sorted(Chart.COMPONENT_CLASSES):
                look = _look(chart.get_component_rich_style(name, partial=True))
                said = name.replace("--", " ").replace("-", " ")
                self._roles.setdefault((look.colour, look.attributes), said)
        windows = [one for one in app.screen_stack if isinstance(one, ModalScreen)]
        for depth in range(len(windows)):
            self._veil(windows[-1 - depth].styles.background, depth)
        self._letters: dict[Look, str] = {}
        self._names: dict[Look, str] = {}

    def letter(self, style: Style | None) -> str:
        """One letter for a style; ' ' is never one."""
        look = _look(style)
        if look not in self._letters:
            name = self._name(look)
            letter = _LETTERS.get(name, "")
            if not letter or letter in self._letters.values():
                letter = next(one for one in _FREE if one not in self._letters.values())
            self._letters[look], self._names[look] = letter, name
        return self._letters[look]

    def lines(self) -> Iterator[str]:
        """Letter, role and colours of each look."""
        for look, letter in sorted(self._letters.items(), key=lambda one: one[1]):
            yield f"{letter}  {self._names[look]:<24} {look}"

    def _veil(self, veil: Color, depth: int) -> None:
        """Name what is seen behind a window; `depth` is how many of them lie before this one."""
        before = "veiled " * depth
        for colour, name in list(self._colours.items()):
            if name.startswith(before):
                self._colours.setdefault(_veiled(colour, veil), f"veiled {name}")
        for (colour, attributes), name in list(self._roles.items()):
            if name.startswith(before):
                self._roles.setdefault((_veiled(colour, veil), attributes), f"veiled {name}")

    def _name(self, look: Look) -> str:
        on = self._colours.get(look.behind, look.behind)
        if on == "row" and (look.attributes, look.colour) == ("bold", self._named["bright"]):
            return "pick"
        if on == "row" and (look.attributes, look.colour) == ("", self._named["bright"]):
            return "cursor"
        role = self._roles.get((look.colour, look.attributes), "")
        if not role:
            colour = self._colours.get(look.colour, look.colour)
            role = f"{colour} {look.attributes}".rstrip()
        blocks = {"block-blue": "block0", "block-brown": "block1", "block-green": "block2"}
        if on in blocks and role == "plain":
            return blocks[on]
        return role if on == "background" else f"{role} on {on}"


@functools.lru_cache(4096)
def _look(style: Style | None) -> Look:
    if style is None:
        return Look("default", "default", "")
    colours = [
        "default" if one is None or one.is_default else _hex(one)
        for one in (style.color, style.bgcolor)
    ]
    attributes = [name for name in _ATTRIBUTES if getattr(style, name)]
    return Look(colours[0], colours[1], " ".join(attributes))


def _hex(colour: Any) -> str:
    return Color.from_rich_color(colour).hex.lower()


def _veiled(colour: str, veil: Color) -> str:
    """As it looks behind a window."""
    return colour if colour == "default" else (Color.parse(colour) + veil).hex.lower()


def _colours(app: App[Any]) -> dict[str, str]:
    """The theme's colours by name; those that matter most come last."""
    own = next(one for one in THEMES.values() if one.name == app.theme).variables
    names = [*(name for name in own if name != "row-blurred"), "panel", "background"]
    known = {name: Color.parse(app.theme_variables[name]).hex.lower() for name in names}
    return known | {"plain": Color.parse(app.theme_variables["foreground"]).hex.lower()}


def _roles(app: App[Any]) -> dict[tuple[str, str], str]:
    """Roles that have no background of their own, by colour and attributes."""
    found = {(_colours(app)["plain"], ""): "plain"}
    for role in ROLES:
        style = app.screen.get_component_rich_style(f"cells--{role}", partial=True)
        if style.bgcolor is None:
            look = _look(style)
            key = look.colour, look.attributes
            found[key] = f"{found[key]}/{role}" if key in found else role
    return found
