"""The characters that screens are drawn with, chosen in this one place.

Two sets: blocks and braille, or plain ASCII where the locale or the terminal lacks them. Both sets
have a character for each meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tui.terminal_abilities import takes_unicode

_BARE_TERMINALS = frozenset({"linux", "dumb", "vt100", "vt102", "vt220", "ansi", "cons25"})
_YES = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters by meaning; each is one cell wide."""

    name: str
    spark: str
    """Levels of a sparkline, lowest first."""
    gap: str
    """Where a value is missing or not finite."""
    bar_full: str
    bar_empty: str
    running: str
    waiting: str
    done: str
    failed: str
    stopped: str
    lost: str
    branch: str
    """Tree lines: a child, the last child, and `trunk` beside a subtree."""
    last: str
    trunk: str
    opening: str
    """Before and after trained tokens."""
    closing: str
    ellipsis: str
    separator: str
    """Between facts on one line."""
    arrow: str
    call: str
    """Before a tool call; `result` before what a tool returned."""
    result: str
    line: str
    """A rule across; `pipe` is one down."""
    pipe: str
    restart: str
    """Vertical line at the step of a resume."""
    level: str
    """Horizontal line at a marked value."""
    point: str
    """A separate point on a chart, such as an evaluation."""
    pin: str
    """Beside pinned rows, which stay on top of a list in any sort order."""
    rising: str
    """Beside the column that a list is sorted by; `falling` where the largest comes first."""
    falling: str
    near: str
    """A change too small to be of interest."""
    corners: str
    """Of a frame: top left, top right, bottom left, bottom right."""
    missing: str
    """A NaN or an infinity on a chart."""
    dots: bool
    """Whether braille may be drawn."""

    @property
    def is_ascii(self) -> bool:
        return not self.dots


UNICODE = Glyphs(
    name="unicode",
    spark="▁▂▃▄▅▆▇█",
    gap="·",
    bar_full="█",
    bar_empty="░",
    running="●",
    waiting="◌",
    done="✓",
    failed="✗",
    stopped="■",
    lost="?",
    branch="├",
    last="└",
    trunk="│",
    opening="⟦",
    closing="⟧",
    ellipsis="…",
    separator="·",
    arrow="→",
    call="ƒ",
    result="↳",
    line="─",
    pipe="│",
    restart="┊",
    level="╌",
    point="◆",
    pin="↑",
    rising="▲",
    falling="▼",
    near="≈",
    corners="╭╮╰╯",
    missing="×",
    dots=True,
)

ASCII = Glyphs(
    name="ascii",
    spark="_.-~=+*#",
    gap=" ",
    bar_full="#",
    bar_empty=".",
    running="*",
    waiting="o",
    done="+",
    failed="x",
    stopped="=",
    lost="?",
    branch="|",
    last="`",
    trunk="|",
    opening="{",
    closing="}",
    ellipsis="~",
    separator="-",
    arrow=">",
    call="@",
    result="=",
    line="-",
    pipe="|",
    restart=":",
    level="-",
    point="O",
    pin="^",
    rising="^",
    falling="v",
    near="~",
    corners="++++",
    missing="X",
    dots=False,
)


def detect(environ: Mapping[str, str], encoding: str | None) -> Glyphs:
    """The set for a terminal: `environ` as in os.environ, `encoding` that of standard output.

    FINETOP_ASCII=1 or =0 overrides the detection.
    """
    asked = environ.get("FINETOP_ASCII", "").strip().lower()
    if asked:
        return ASCII if asked in _YES else UNICODE
    if environ.get("TERM", "").split("-")[0] in _BARE_TERMINALS:
        return ASCII
    return UNICODE if takes_unicode(environ, encoding) else ASCII
