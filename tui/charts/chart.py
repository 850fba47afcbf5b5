"""A chart of curves that writes only the cells that changed.

Gets its data through `show`, never from a disk. Drawing happens on a thread; the finished picture
comes back, is compared with what is on screen, and only spans that differ are
refreshed. (`tui.cell_diff_driver` then leaves out the cells in between that are as they were.)
"""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np
from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from engine.text import one_line
from tui import theme
from tui.background import run_in_background
from tui.charts.caption import Captions
from tui.charts.curve import Curve, Level
from tui.charts.draw import ALERT, AXIS, FAINT, LEVEL, RESTART, STRONG, ChartOptions, Picture, draw
from tui.charts.draw import across as x_of_curves
from tui.glyphs import UNICODE, Glyphs
from tui.styled_text import cells_of, width_of

ACCENTS = 8
_TITLE, _READOUT, _CURSOR = 4, 5, 6
_UNDER_CURSOR = 64
_NAMES = {AXIS: "axis", ALERT: "alert", RESTART: "restart", LEVEL: "level"}
_NAMES |= {_TITLE: "title", _READOUT: "readout", _CURSOR: "cursor"}
_Line = tuple[Sequence[str], tuple[int, ...]]
"""The text of each cell of a line, as `cells_of` has it, and the role of each."""


class Chart(Widget):
    """Several curves on common axes, with a title, a legend in words and a readout."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"chart--{name}" for name in _NAMES.values()),
        *(f"chart--accent-{accent}" for accent in range(ACCENTS)),
    }
    DEFAULT_CSS = """
    Chart {
        height: 1fr;
        .chart--axis { color: $text-muted; }
        .chart--title { color: $text; }
        .chart--readout { color: $text-muted; }
        .chart--alert { color: $error; }
        .chart--level { color: $warning; }
        .chart--restart { color: $text-muted; }
        .chart--cursor { color: $text; }
        .chart--accent-0 { color: $accent; }
        .chart--accent-1 { color: $primary; }
        .chart--accent-2 { color: $success; }
        .chart--accent-3 { color: #b07ad8; }
        .chart--accent-4 { color: #2aa8b8; }
        .chart--accent-5 { color: #d0679d; }
        .chart--accent-6 { color: #9a9a28; }
        .chart--accent-7 { color: #8a8f98; }
    }
    """

    smoothing: reactive[float] = reactive(0.0)
    """Weight of the moving average, from 0 (none) to below 1."""
    log_scale: reactive[bool] = reactive(False)
    by_time: reactive[bool] = reactive(False)
    """Along x: time since the first point, instead of steps."""
    cursor: reactive[float | None] = reactive(None)
    """The x that is read out; None reads the newest points."""

    def __init__(
        self,
        title: str = "",
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._title = one_line(title)
        self._glyphs = glyphs
        self._curves: tuple[Curve, ...] = ()
        self._levels: tuple[Level, ...] = ()
        self._total = 0.0
        self._begin = 0.0
        self._along = self._missing = ""
        self._facts: Sequence[str] = ()
        self._left_out: Sequence[str] = ()
        self._wall = False
        self._window: tuple[float, float] | None = None
        self._picture: Picture | None = None
        self._lines: list[_Line] = []
        self._styles: dict[int, Style] = {}
        self._busy = False
        self._stale = False

    @property
    def settled(self) -> bool:
        """Whether everything that was given has been drawn."""
        return not self._busy and not self._stale

    def show(
        self,
        curves: Sequence[Curve],
        *,
        title: str | None = None,
        total: float = 0,
        levels: Sequence[Level] = (),
        begin: float = 0,
        along: str = "",
        wall: bool = False,
        window: tuple[float, float] | None = None,
        facts: Sequence[str] = (),
        left_out: Sequence[str] = (),
        missing: str = "",
    ) -> None:
        """Take new curves. `total` is the last step that the run will have, `begin` the wall time
        of its first point; each is 0 where it is not known. `along` names x where it is neither
        step nor time, `wall` says that it is the clock's; `window` is the part of x to draw;
        `facts` are told after the title, the most telling first; `left_out` is what is not drawn
        of several, `missing` says why there is nothing to draw."""
        self._along, self._wall, self._window = one_line(along), wall, window
        self._facts, self._left_out, self._missing = facts, left_out, missing
        self._curves = tuple(curves)
        self._levels = tuple(levels)
        self._total = total
        self._begin = begin
        if title is not None:
            self._title = one_line(title)
        self._redraw()

    def move_cursor(self, columns: int) -> None:
        """Put the cursor on the next points to the right (or, negative, to the left)."""
        picture = self._picture
        if picture is None or not len(picture.stops):
            return
        stops = picture.stops
        if self.cursor is None:
            at = len(stops) - (columns < 0)
        else:
            at = int(np.abs(stops - self.cursor).argmin())
        self.cursor = float(stops[min(max(at + columns, 0), len(stops) - 1)])

    @property
    def span(self) -> tuple[float, float] | None:
        """The part of x that is drawn; None before anything is."""
        picture = self._picture
        return (picture.x.low, picture.x.high) if picture else None

    def clear_cursor(self) -> None:
        self.cursor = None

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if not 0 <= y < len(self._lines) or len(self._lines[y][1]) != width:
            return Strip.blank(width, self.rich_style)
        text, roles = self._lines[y]
        segments: list[Segment] = []
        start = 0
        for at in range(1, width + 1):
            if at == width or roles[at] != roles[start]:
                segments.append(Segment("".join(text[start:at]), self._style(roles[start])))
                start = at
        return Strip(segments, width)

    def watch_virtual_size(self) -> None:
        # Not on_resize: Textual sends a new widget none where its place was looked up meanwhile.
        self._redraw()

    def _take_picture(self, picture: Picture) -> None:
        self._busy = False
        self._picture = picture
        if self._stale:
            self._redraw()
        self._compose_lines()

    def watch_smoothing(self) -> None:
        self._redraw()

    def watch_log_scale(self) -> None:
        self._redraw()

    def watch_by_time(self) -> None:
        self.cursor = None
        self._redraw()

    def watch_cursor(self) -> None:
        self._compose_lines()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()

    def _options(self) -> ChartOptions:
        return ChartOptions(
            self.smoothing,
            self.log_scale,
            self.by_time,
            self._total,
            self._levels,
            self._begin,
            self._glyphs,
            self._wall,
            self._window,
        )

    def _redraw(self) -> None:
        if not self.is_mounted or not self.size:
            return
        if self._busy:
            self._stale = True
            return
        self._busy, self._stale = True, False
        size = self.size
        above, below = _rows_around(size.height)
        height = max(size.height - above - below, 1)
        work = partial(draw, self._curves, self._options(), size.width, height, self._picture)
        run_in_background(self, work, self._take_picture, group="drawing")

    def _compose_lines(self) -> None:
        """Put title, picture, cursor and readout together, and refresh what differs."""
        picture, size = self._picture, self.size
        if picture is None or not size:
            return
        above, below = _rows_around(size.height)
        lines: list[_Line] = list(zip(picture.texts, picture.roles, strict=True))
        if self.cursor is not None:
            canvas = [self._with_cursor(picture, *line) for line in lines[: picture.rows]]
            lines = canvas + lines[picture.rows :]
        words = self._captions
        if above:
            lines.insert(0, self._whole_line(words.heading(picture, size.width), _TITLE))
        if below:
            xs = x_of_curves(self._curves, self._options())
            readout = words.readout(picture, xs, self.cursor, size.width)
            lines.append(self._whole_line(readout, _READOUT))
        old, self._lines = self._lines, lines
        if [len(line[1]) for line in old] != [len(line[1]) for line in lines]:
            self.refresh()
            return
        dirty: list[Region] = []
        for y, (before, after) in enumerate(zip(old, lines, strict=True)):
            if before != after:
                start, stop = _span(before, after)
                dirty.append(Region(start, y, stop - start, 1))
        if dirty:
            self.refresh(*dirty)

    @property
    def _captions(self) -> Captions:
        return Captions(
            self._glyphs,
            self._title,
            self._along,
            self.by_time,
            self._wall,
            self.smoothing,
            self.log_scale,
            self._window is not None,
            self._curves,
            self._levels,
            self._facts,
            self._left_out,
            self._missing,
        )

    def _with_cursor(self, picture: Picture, text: Sequence[str], roles: tuple[int, ...]) -> _Line:
        assert self.cursor is not None
        at = picture.column_of(self.cursor)
        if not picture.left <= at < len(text):
            return text, roles
        blank = text[at] == " "
        role = _CURSOR if blank else roles[at] + _UNDER_CURSOR
        character = self._glyphs.pipe if blank else text[at]
        return (
            "".join([*text[:at], character, *text[at + 1 :]]),
            (*roles[:at], role, *roles[at + 1 :]),
        )

    def _whole_line(self, text: str, role: int) -> _Line:
        width = self.size.width
        if self._glyphs.is_ascii:  # of a terminal that may have no other letters
            text = "".join(c if width_of(c) == 1 else "?" * width_of(c) for c in text)
        return cells_of(set_cell_size(text, width)), (role,) * width

    def _style(self, role: int) -> Style:
        if role not in self._styles:
            self._styles[role] = self._make_style(role)
        return self._styles[role]

    def _make_style(self, role: int) -> Style:
        if role >= _UNDER_CURSOR:
            return self._make_style(role - _UNDER_CURSOR) + Style(reverse=True)
        if role < FAINT:
            return self.get_component_rich_style(f"chart--{_NAMES.get(role, 'axis')}")
        strong = role >= STRONG
        accent = (role - (STRONG if strong else FAINT)) % ACCENTS
        style = self.get_component_rich_style(f"chart--accent-{accent}")
        if strong or style.color is None or style.bgcolor is None:
            return style
        if theme.has_sixteen_colors(self.app.theme):
            # No darker shade of a colour is among them, and the nearest to one is black.
            return style + Style(color=self.get_component_rich_style("chart--axis").color)
        front = Color.from_rich_color(style.color)
        back = Color.from_rich_color(style.bgcolor)
        return style + Style(color=back.blend(front, 0.45).rich_color)


def _rows_around(height: int) -> tuple[int, int]:
    """Rows for the title above and the readout below a chart of so many rows."""
    return int(height >= 5), int(height >= 8)


def _span(before: _Line, after: _Line) -> tuple[int, int]:
    """First column in which two lines of one length differ, and the one after the last.

    No wide character of either is parted: its second cell is empty.
    """
    pairs = zip(*before, *after, strict=True)
    differ = [at for at, pair in enumerate(pairs) if pair[:2] != pair[2:]]
    start, stop = differ[0], differ[-1] + 1
    cells, width = (before[0], after[0]), len(before[0])
    while start and any(not line[start] for line in cells):
        start -= 1
    while stop < width and any(not line[stop] for line in cells):
        stop += 1
    return start, stop
