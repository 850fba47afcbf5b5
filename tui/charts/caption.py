"""What is said around a chart: its title with facts and legend above, exact values below.

Words only; every text that comes in is cleaned here. Where a line lacks room, whole parts of it
go, and an ellipsis says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len, set_cell_size

from engine.events.series import Floats
from engine.text import one_line
from tui.charts.axes import duration, moment
from tui.charts.curve import Curve, Level
from tui.charts.draw import Picture
from tui.formatting import significant
from tui.glyphs import Glyphs

_CAPITALS = 4
"""Evaluations of so many curves are all named in a legend."""
_BY_STEP, _BY, _LAST, _SMOOTHED, _BEST, _TITLE, _SCALE, _ZOOM = range(8)
"""Parts of a title, those that go first where room is lacking first: what x is, and the last
value, the line below tells as well."""


@dataclass(frozen=True, slots=True)
class Captions:
    """Of one chart as it is shown now."""

    glyphs: Glyphs
    title: str = ""
    along: str = ""
    """What x is, where it is neither step nor time."""
    by_time: bool = False
    wall: bool = False
    smoothing: float = 0.0
    log: bool = False
    zoomed: bool = False
    curves: tuple[Curve, ...] = ()
    levels: tuple[Level, ...] = ()
    facts: Sequence[str] = ()
    """Told in the title, the most telling first."""
    left_out: Sequence[str] = ()
    """What is not drawn, and why."""
    missing: str = ""
    """Why there is nothing to draw."""

    def heading(self, picture: Picture, width: int) -> str:
        """Title, facts and legend in `width` cells; nothing where there is no chart to name."""
        if not self.title:
            return ""
        parts = [(_TITLE, one_line(self.title))]
        if self.smoothing > 0:
            parts.append((_SMOOTHED, f"smoothed {self.smoothing:g}"))
        parts.append((_BY if self.by_time or self.along else _BY_STEP, f"by {self._x_name}"))
        if self.log:
            parts.append((_SCALE, "log scale"))
        if self.zoomed:
            parts.append((_ZOOM, "zoomed"))
        ranks = (_BEST, _LAST) if len(self.facts) > 1 else (_BEST,)
        parts += zip(ranks, map(one_line, self.facts), strict=False)
        legend = self._legend(picture)
        legend += [f"{self.glyphs.level} {one_line(one.label)}" for one in self.levels]
        room = width - sum(2 + cell_len(part) for part in legend) - 2
        while len(parts) > 1 and cell_len(self._between(parts)) > room:
            # Who is who matters more.
            parts.remove(min(part for part in parts if part[0] != _TITLE))
        return self._joined(f" {self._between(parts)} ", legend, width)

    def readout(self, picture: Picture, xs: Sequence[Floats], at: float | None, width: int) -> str:
        """The exact values at `at`, or the newest ones (None), and what is not drawn."""
        known = [float(x[-1]) for x in xs if len(x)]
        if not known:
            return f" {one_line(self.missing)}" if self.missing else " no data"
        place = max(known) if at is None else at
        reach = (picture.x.high - picture.x.low) / max(picture.columns, 1) / 2
        parts = [
            f"{_named(curve, picture)} {_value(curve, x, place, reach, newest=at is None)}"
            for curve, x in zip(self.curves, xs, strict=True)
            if not curve.faint
        ]
        line, note = "  ".join([f" {self._place(place)}", *parts]), self._note(picture)
        if cell_len(line) + cell_len(note) > width:
            if cell_len(note) > width // 2:
                note = set_cell_size(note, max(width // 2 - 1, 0)) + self.glyphs.ellipsis
            line = self._joined(f" {self._place(place)}", parts, width - cell_len(note))
        return line + note

    def _note(self, picture: Picture) -> str:
        parts = [one_line(one) for one in self.left_out]
        if picture.unplaced:
            sign = "<=" if self.glyphs.is_ascii else "≤"
            parts.append(f"{picture.unplaced:,} value{'s' * (picture.unplaced != 1)} {sign} 0")
        return f"  not drawn: {'; '.join(parts)}" if parts else ""

    @property
    def _x_name(self) -> str:
        return one_line(self.along) or ("time" if self.by_time else "step")

    def _place(self, at: float) -> str:
        if self.wall:
            return moment(at, 0)
        if self.by_time:
            return duration(at)
        # Steps and tokens are whole numbers; four digits of an epoch tell its points apart.
        return f"{self._x_name} {at:.10g}" if at == int(at) else f"{self._x_name} {at:.4g}"

    def _between(self, parts: Sequence[tuple[int, str]]) -> str:
        return f" {self.glyphs.separator} ".join(text for _, text in parts if text)

    def _joined(self, beginning: str, parts: list[str], width: int) -> str:
        """As many whole parts as the line holds; an ellipsis stands for the rest."""
        line = beginning
        for at, part in enumerate(parts):
            more = 0 if at == len(parts) - 1 else 3
            if cell_len(line) + 2 + cell_len(part) + more > width:
                return f"{line}  {self.glyphs.ellipsis}"
            line += f"  {part}"
        return line

    def _legend(self, picture: Picture) -> list[str]:
        """Each curve; points that have the capital of a named curve all at once."""
        shown = [curve for curve in self.curves if not curve.faint]
        if len(shown) == 1 and one_line(self.title).endswith(one_line(shown[0].label)):
            return []  # the title names it
        labels = {curve.label for curve in shown}
        of_named = [
            one for one in shown if one.points_of in labels and one.label in picture.letters
        ]
        names = [self._signed(one, picture) for one in shown if one not in of_named]
        if of_named:
            capitals = [picture.letters[one.label] for one in of_named]
            if len(capitals) > _CAPITALS:
                capitals = [capitals[0], self.glyphs.ellipsis, capitals[-1]]
            what = of_named[0].label.removeprefix(of_named[0].points_of).strip()
            names.append(f"{' '.join(capitals)}: {one_line(what)}")
        return names

    def _signed(self, curve: Curve, picture: Picture) -> str:
        if curve.label in picture.letters:
            return _named(curve, picture)
        sign = self.glyphs.point if curve.as_points else self.glyphs.line
        return f"{sign} {one_line(curve.label)}"


def _named(curve: Curve, picture: Picture) -> str:
    """The label, after the letter by which the curve is known on the chart."""
    letter = picture.letters.get(curve.label, "")
    return f"{letter} {one_line(curve.label)}".strip()


def _value(curve: Curve, x: Floats, at: float, reach: float, *, newest: bool) -> str:
    """The newest value, or the nearest to a place; with its step where it is not at that place."""
    if not len(x):
        return "-"
    near = len(x) - 1 if newest else int(np.abs(x - at).argmin())
    value = significant(curve.values[near], 6)
    return value if abs(x[near] - at) <= reach else f"{value} at step {int(curve.steps[near]):,}"
