"""Gained against retained as rows and lines: the list of arms, what is said of one, and of all.

Pure text, clean. What follows from the numbers is worded in `engine.impact.changes.tradeoff_words`.
"""

from collections.abc import Iterator, Sequence

from engine.impact.changes.forgetting import StageMeasure
from engine.impact.changes.tradeoff import Tradeoff, TradeoffPoint
from engine.impact.changes.tradeoff_words import (
    list_notes,
    say_alike,
    say_front,
    say_pairs,
    write_measure,
)
from engine.text import one_line
from tui.charts.scatter import Interval, ScatterPoint
from tui.glyphs import Glyphs
from tui.impact.tradeoff_reader import TradeoffSnapshot
from tui.styled_text import Line, Piece
from tui.widgets.table import Column, TableRow

COLUMNS = (
    Column("arm", 18, 30),
    Column("gained, points", 21),
    Column("retained, points", 21),
    Column("front", 5),
    Column("what differs", 14, 60),
)


def letter_of(place: int) -> str:
    """By which a point is known: a to z, then A to Z, then +."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[place] if place < len(letters) else "+"


def list_rows(snapshot: TradeoffSnapshot, text: str, glyphs: Glyphs) -> list[TableRow]:
    """The arms whose name or settings hold a text, each with its letter on the chart."""
    tradeoff = snapshot.tradeoff
    word = text.casefold()
    rows = []
    for place, point in enumerate(tradeoff.points if tradeoff is not None else ()):
        facts = ", ".join(map(one_line, snapshot.settings.get(point.arm, ())))
        if word not in f"{one_line(point.arm)} {facts}".casefold():
            continue
        mark = glyphs.done if point.is_on_front else ""
        cells: tuple[tuple[Piece, ...], ...] = (
            ((f"{letter_of(place)} ", "key"), (one_line(point.arm), "tuned")),
            ((write_measure(point.gained), ""),),
            ((write_measure(point.retained), ""),),
            ((mark, "good"),),
            ((facts, "dim"),),
        )
        rows.append(TableRow(point.arm, cells))
    return rows


def list_points(tradeoff: Tradeoff, shown: Sequence[str]) -> list[ScatterPoint]:
    """All points in points of a score; those of arms that are not listed have no letter."""
    return [
        ScatterPoint(
            100 * (point.gained.value or 0.0),
            100 * (point.retained.value or 0.0),
            letter_of(place) if point.arm in shown else "",
            _interval(point.gained),
            _interval(point.retained),
            point.is_on_front,
        )
        for place, point in enumerate(tradeoff.points)
    ]


def point_lines(snapshot: TradeoffSnapshot, point: TradeoffPoint) -> list[Line]:
    """What is said of the point under the cursor, a fact each: its numbers stand in its row."""
    facts: list[Line] = [[(one_line(point.arm), "strong")]]
    facts += [
        [(f"{measure.name}: {measure.reason}", "dim")]
        for measure in (point.gained, point.retained)
        if measure.reason
    ]
    facts.append([("on the front by point estimates" if point.is_on_front else "not on the front",
                   "good" if point.is_on_front else "dim")])  # fmt: skip
    if point.same_as:
        names = ", ".join(map(one_line, point.same_as))
        facts.append([(f"not told apart from {names}", "warn")])
    facts += [[(one_line(fact), "dim")] for fact in snapshot.settings.get(point.arm, ())]
    return facts


def list_sentences(snapshot: TradeoffSnapshot) -> Iterator[Line]:
    """What can be said of all points, then what should be known before."""
    tradeoff, table = snapshot.tradeoff, snapshot.table
    if tradeoff is None or table is None:
        return
    named = any(pair.is_less_forgotten for pair in tradeoff.pairs)
    for sentence in say_pairs(tradeoff):
        yield [(f" {one_line(sentence)}", "strong" if named else "")]
    yield [(f" {one_line(say_front(tradeoff))}", "")]
    if alike := say_alike(tradeoff):
        yield [(f" {one_line(alike)}", "")]
    yield from ([(f" {one_line(note)}", "dim")] for note in list_notes(tradeoff, table))


def _interval(measure: StageMeasure) -> Interval | None:
    if measure.low is None or measure.high is None:
        return None
    return 100 * measure.low, 100 * measure.high
