"""What blind votes will make: how many pairs become rows, why others do not, and the first one."""

from collections import Counter
from collections.abc import Sequence

from engine.synthesis.outcomes import Outcome
from engine.synthesis.source_rows import SourceRow
from engine.synthesis.vote_pairs import decide_pair
from engine.text import clean, one_line
from tui.styled_text import Line

_MOST_CHARACTERS = 2_000
"""Of one text."""


def voted_lines(sources: Sequence[SourceRow]) -> list[Line]:
    """Of pairs of answers that were voted on, as `make_vote_sources` gives them; pure."""
    outcomes = [decide_pair(source) for source in sources]
    rows = [outcome for outcome in outcomes if outcome.state == "passed"]
    lines: list[Line] = [
        [("votes    ", "dim"), (f"{len(rows):,} of {len(outcomes):,} pairs make rows", "strong")]
    ]
    reasons = Counter(outcome.reasons[0].name for outcome in outcomes if outcome.reasons)
    lines += [
        [("         ", "dim"), (f"{count:,} set aside: {one_line(name)}", "")]
        for name, count in reasons.most_common()
    ]
    return [*lines, *(_row_lines(rows[0]) if rows else ())]


def _row_lines(outcome: Outcome) -> list[Line]:
    lines: list[Line] = [[], [("the first row:", "strong")]]
    for name, value in outcome.row.items():
        if isinstance(value, list):  # a conversation
            value = "\n".join(f"{one['role']}: {one['content']}" for one in value)
        texts = clean(str(value)[:_MOST_CHARACTERS]).split("\n")
        heads = [one_line(name), *[""] * (len(texts) - 1)]
        lines += [
            [(f"{head:<9}", "dim"), (text, "")] for head, text in zip(heads, texts, strict=True)
        ]
    return lines
