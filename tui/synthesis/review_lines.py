"""The list of a review and the lines over it: what is decided, and the balance of labels. Pure."""

from collections import Counter

from engine.synthesis.accepted_rows import Standing
from engine.synthesis.outcomes import State
from engine.text import one_line
from tui.styled_text import Line, Piece
from tui.synthesis.made_feed import MadeData
from tui.synthesis.made_lines import row_text
from tui.synthesis.review_list import AT_RANDOM, ReviewSelection, filter_words
from tui.widgets.table import TableRow

STATES: dict[State, Piece] = {
    "passed": ("passed", ""), "held back": ("held", "warn"), "set aside": ("aside", "bad"),
}  # fmt: skip
STANDINGS: dict[Standing, Piece] = {
    "accepted": ("accepted", "good"), "edited": ("edited", "good"), "rejected": ("rejected", "bad"),
    "ask again": ("again", "warn"), "edit held back": ("edit held", "warn"), "undecided": ("", ""),
}  # fmt: skip
"""Short, with the role of each."""


def review_row(data: MadeData, source: str) -> TableRow:
    """A source in the list."""
    row = data.row_of(source)
    text = row_text(row, data.recipe) or one_line(source)
    state, standing = data.outcomes[source].state, data.standing_of(source)
    cells = (((text, "" if row else "dim"),), (STATES[state],), (STANDINGS[standing],))
    return TableRow(source, cells)


def review_headline(
    data: MadeData, selection: ReviewSelection, listed: int, note: str, separator: str
) -> Line:
    """How much is decided, what was decided, and how many rows are listed in which order."""
    counts = Counter(map(data.standing_of, data.outcomes))
    total, between = len(data.outcomes), f" {separator} "
    decided = total - counts["undecided"]
    line: list[Piece] = [(f" {decided:,} of {total:,} decided", "strong")]
    for standing, (_, role) in STANDINGS.items():
        if standing != "undecided" and counts[standing]:
            line.append((f"{between}{counts[standing]:,} {standing}", role))
    words = f": {filter_words(selection.shown)}" if selection.shown else ""
    line.append((f"{between}{listed:,} listed{words}", "dim"))
    if selection.order == AT_RANDOM:
        line.append((f"{between}random, seed {data.recipe.source.seed}", "dim"))
    if note:
        line.append((f"{between}note: {one_line(note)}", "warn"))
    return line


def balance_line(data: MadeData, separator: str) -> Line:
    """How often each label is among rows that are accepted, or may be."""
    line: list[Piece] = []
    for name, field in data.recipe.fields.items():
        if field.type != "label":
            continue
        counts = dict.fromkeys(field.choices, 0)
        for source in filter(lambda one: _may_be_trained(data, one), data.outcomes):
            label = data.row_of(source).get(name)
            if label in counts:
                counts[label] += 1
        facts = ", ".join(f"{one_line(label)} {count:,}" for label, count in counts.items())
        start = f" {separator} " if line else " "
        line += [(f"{start}{one_line(name)}: ", "dim"), (facts, "base")]
    return line


def _may_be_trained(data: MadeData, source: str) -> bool:
    standing = data.standing_of(source)
    undecided = standing == "undecided" and data.outcomes[source].state == "passed"
    return standing in ("accepted", "edited") or undecided
