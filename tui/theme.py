"""The dark and the light theme, with one accent for the base and one for the tuned model.

Also which theme is used: the command's option, FINETOP_THEME, the last choice by key, the
terminal's report, or dark. The last choice is one word in a file of the user's state folder.
"""

from collections.abc import Mapping
from contextlib import suppress

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


def choose(asked: str, environ: Mapping[str, str]) -> Theme:
    """The theme at start; `asked` is `light`, `dark`, or empty. Reads a small file.

    Raises EngineError where FINETOP_THEME says anything else.
    """
    wanted = environ.get("FINETOP_THEME", "").strip().lower()
    if wanted and wanted not in THEMES:
        raise EngineError(
            "FINETOP_THEME must be light or dark.",
            f"It is {one_line(wanted)!r}.",
            "Set it to light or dark, or unset it.",
        )
    name = asked or wanted or _file().load()[0] or ("light" if _is_light(environ) else "dark")
    return THEMES[name]


def other(theme: str) -> Theme:
    """The theme to switch to from the theme of this name."""
    return DARK if theme == LIGHT.name else LIGHT


def keep(theme: Theme) -> None:
    """Save the theme for the next start. Blocks; a failure to write is ignored."""
    name = next(name for name, one in THEMES.items() if one is theme)
    with suppress(OSError):
        _file().save(name)


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
