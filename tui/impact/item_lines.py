"""Items as lines: right or wrong under each arm, their class, how many there are of each.

Pure text, clean.
"""

from collections.abc import Mapping, Sequence

from engine.impact.changes.flips import is_right
from engine.number_format import write_number, write_percent
from tui.formatting import significant
from tui.glyphs import Glyphs
from tui.impact.cell_lines import pack
from tui.impact.item_list import ItemList, ItemRow
from tui.styled_text import Line, Piece

ROLES = {"lost": "bad", "gained": "good", "regained": "good", "kept": "", "never": "dim"}
"""Of the classes of items."""
MOST_MARKS = 24
"""Arms whose marks have room in a line."""
Scores = Sequence[Mapping[str, float]]
"""Of each arm, by item."""


def arm_marks(item: str, scores: Scores, glyphs: Glyphs) -> tuple[Piece, ...]:
    """Right or wrong under each arm, in their order."""
    return tuple(_mark(of_arm.get(item), glyphs) for of_arm in scores[:MOST_MARKS])


def _mark(score: float | None, glyphs: Glyphs) -> Piece:
    if score is None:
        return (glyphs.gap, "dim")
    if 0 < score < 1:
        return (glyphs.near, "warn")
    return (glyphs.done, "good") if is_right(score) else (glyphs.failed, "bad")


def count_lines(items: ItemList, separator: str, width: int) -> list[Line]:
    """How many items are of each class, and what McNemar's test says of them."""
    flips = items.flips
    if flips is None:
        return [[(" nats per token of each text; nothing is right or wrong", "dim")]]
    regained = f" ({items.regained:,} regained)" if items.regained else ""
    facts: list[Line] = [
        [(f"kept {len(flips.kept):,}{regained}", "")],
        [("lost ", ""), (f"{len(flips.lost):,}", "bad" if flips.lost else "")],
        [("gained ", ""), (f"{len(flips.gained):,}", "good" if flips.gained else "")],
        [(f"never {len(flips.never):,}", "")],
        [(f"McNemar exact p {_write_p(items.p)}", "strong")],
    ]
    if items.choices > 1 and flips.items:
        lost, gained = flips.adjusted(items.choices)
        text = f"lost {write_percent(lost, 1)}, gained {write_percent(gained, 1)}"
        facts.append([(f"adjusted for chance (k = {items.choices}): {text}", "")])
    if items.unpaired:
        facts.append([(f"{items.unpaired:,} items not paired", "warn")])
    return pack(facts, separator, width)


def preview_lines(
    items: ItemList, rows: Sequence[ItemRow], scores: Scores, glyphs: Glyphs
) -> list[Line]:
    """Some of the items of a cell, a line each."""
    lines: list[Line] = []
    for row in rows:
        line: list[Piece] = []
        if items.flips is None:
            values = (significant(row.before, 3), significant(row.after, 3))
            line.append((f"  {values[0]:>8}", "base"))
            line.append((f" {values[1]:>8}  ", "tuned"))
        else:
            line.append((f"  {row.label:<9}", ROLES[row.label]))
            line += [*arm_marks(row.id, scores, glyphs), ("  ", "")]
        lines.append([*line, (row.title, "")])
    return lines


def _write_p(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"= {write_number(p, 4)}"
