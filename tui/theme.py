"""The dark and the light theme, with one accent for the base and one for the tuned model.

Each also for terminals of sixteen colours, where the nearest of these would be grey for most roles.

Also which theme is used: the command's option, FINETOP_THEME, the last choice by key, the
terminal's report, or dark. The last choice is one word in a file of the user's state folder.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from textual.theme import Theme

from engine.errors import EngineError
from engine.state_files import StateFile, UnusableState, state_folder
from engine.text import one_line

DARK = Theme(
    name="finetop-dark",
    primary="#7aa2c8",
    secondary="#e0a458",
    warning="#d9b44a",
    error="#e06c66",
    success="#7fb77e",
    accent="#e0a458",
    foreground="#c9ced6",
    background="#101317",
    surface="#101317",
    panel="#1a1f26",
    dark=True,
    variables={
        "base-arm": "#7aa2c8",
        "tuned-arm": "#e0a458",
        "third-arm": "#b594d6",
        "fourth-arm": "#6fb8ac",
        "quiet": "#7b8492",
        "rule": "#2b323c",
        "row": "#243040",
        "row-blurred": "#1a1f26",
        "bright": "#f2f4f8",
        "block-blue": "#1e3046",
        "block-brown": "#3a2c18",
        "block-green": "#1f3524",
    },
)
LIGHT = Theme(
    name="finetop-light",
    primary="#2b5f8f",
    secondary="#9a5b00",
    warning="#7d6000",
    error="#b3261e",
    success="#2f6f3a",
    accent="#9a5b00",
    foreground="#22262c",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#efefea",
    dark=False,
    variables={
        "base-arm": "#2b5f8f",
        "tuned-arm": "#9a5b00",
        "third-arm": "#6b3f99",
        "fourth-arm": "#1d6f66",
        "quiet": "#6a717c",
        "rule": "#d5d6d0",
        "row": "#dbe6f2",
        "row-blurred": "#efefea",
        "bright": "#000000",
        "block-blue": "#d6e4f3",
        "block-brown": "#f3e4c9",
        "block-green": "#d8ebd6",
    },
)
THEMES = {"dark": DARK, "light": LIGHT}
BLACK, RED, GREEN, BROWN, BLUE, MAGENTA, CYAN, GREY = (
    "#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
)  # fmt: skip
DARK_GREY, LIGHT_RED, LIGHT_GREEN, YELLOW, LIGHT_BLUE, PINK, LIGHT_CYAN, WHITE = (
    "#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
)  # fmt: skip
"""As Rich has the sixteen: each becomes its own code, and the terminal says how that looks. No text
is dark grey, which some palettes make the colour of the background."""
DARK_SIXTEEN = replace(
    DARK,
    name="finetop-dark-16",
    primary=LIGHT_BLUE,
    secondary=BROWN,
    warning=YELLOW,
    error=LIGHT_RED,
    success=LIGHT_GREEN,
    accent=BROWN,
    foreground=WHITE,
    background=BLACK,
    surface=BLACK,
    panel=BLACK,
    variables={
        "base-arm": LIGHT_BLUE,
        "tuned-arm": BROWN,
        "third-arm": PINK,
        "fourth-arm": LIGHT_CYAN,
        "quiet": GREY,
        "rule": GREY,
        "row": BLUE,
        "row-blurred": DARK_GREY,
        "bright": WHITE,
        "block-blue": BLUE,
        "block-brown": DARK_GREY,
        "block-green": CYAN,
    },
)
LIGHT_SIXTEEN = replace(
    LIGHT,
    name="finetop-light-16",
    primary=BLUE,
    secondary=MAGENTA,
    warning=BROWN,
    error=RED,
    success=GREEN,
    accent=MAGENTA,
    foreground=BLACK,
    background=WHITE,
    surface=WHITE,
    panel=WHITE,
    variables={
        "base-arm": BLUE,
        "tuned-arm": MAGENTA,
        "third-arm": CYAN,
        "fourth-arm": LIGHT_BLUE,
        "quiet": DARK_GREY,
        "rule": GREY,
        "row": LIGHT_CYAN,
        "row-blurred": GREY,
        "bright": BLACK,
        "block-blue": LIGHT_CYAN,
        "block-brown": YELLOW,
        "block-green": LIGHT_GREEN,
    },
)
SIXTEEN = {"dark": DARK_SIXTEEN, "light": LIGHT_SIXTEEN}


def choose(asked: str, environ: Mapping[str, str]) -> str:
    """Which theme is used at start, `light` or `dark`; `asked` is one of them or empty.

    Reads a small file. Raises EngineError where FINETOP_THEME says anything else.
    """
    wanted = environ.get("FINETOP_THEME", "").strip().lower()
    if wanted and wanted not in THEMES:
        raise EngineError(
            "FINETOP_THEME must be light or dark.",
            f"It is {one_line(wanted)!r}.",
            "Set it to light or dark, or unset it.",
        )
    return asked or wanted or _file().load()[0] or ("light" if _is_light(environ) else "dark")


def other(theme: str) -> Theme:
    """The theme to switch to from the theme of this name."""
    family = SIXTEEN if has_sixteen_colors(theme) else THEMES
    return next(one for one in family.values() if one.name != theme)


def has_sixteen_colors(theme: str) -> bool:
    """Whether the theme of this name holds to the sixteen colours."""
    return theme in (DARK_SIXTEEN.name, LIGHT_SIXTEEN.name)


def keep(theme: Theme) -> None:
    """Save the theme for the next start. Blocks; a failure to write is ignored."""
    with suppress(OSError):
        _file().save("dark" if theme.dark else "light")


def _file() -> StateFile[str]:
    return StateFile(state_folder() / "theme", "theme", _decode, lambda name: f"{name}\n".encode())


def _decode(content: bytes) -> str:
    name = content.decode("ascii", "replace").strip()
    if name not in THEMES:
        raise UnusableState("holds something else")
    return name


def _is_light(environ: Mapping[str, str]) -> bool:
    """Whether the terminal reports a light background (COLORFGBG, as rxvt and others)."""
    return environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
