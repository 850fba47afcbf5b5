"""The skill table as lines of a terminal: a line of scores a skill, and one of its verdict."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from engine.number_format import write_number
from engine.text import one_line

if TYPE_CHECKING:
    from engine.impact.skill_changes import SkillChange
    from engine.impact.skill_rows import SkillResult, SkillRow, SkillTable
    from engine.impact.stage_summary import StageSummary

_NAME, _COUNT = 18, 6
_SCORE = 18
"""Of a score with its interval."""


def list_lines(table: "SkillTable", summary: "StageSummary") -> Iterator[str]:
    """All of it, 80 columns wide."""
    yield _cells("skill", "n", [one_line(arm) for arm in table.arms])
    for row in table.skills:
        yield from _row_lines(row, table.arms)
    yield ""
    yield f"delta {write_number(100 * table.delta, 0)} points"
    del summary


def _cells(name: str, count: str, cells: Sequence[str]) -> str:
    text = f"{name[: _NAME - 1]:{_NAME}}{count:>{_COUNT}}"
    return text + "".join(f"  {cell[: _SCORE - 2]:{_SCORE - 2}}" for cell in cells)


def _row_lines(row: "SkillRow", arms: Sequence[str]) -> Iterator[str]:
    cells = [_score(row, row.results.get(arm)) for arm in arms]
    yield _cells(one_line(row.name), f"{row.items:,}", cells)
    for change in row.changes.values():
        yield f"  {_describe(row, change)}"


def _score(row: "SkillRow", result: "SkillResult | None") -> str:
    if result is None:
        return "not measured"
    text = write_number(result.score, 2)
    if result.interval is not None:
        text += " [{}, {}]".format(*(write_number(one, 2) for one in result.interval))
    return f"ppl {text}" if row.is_perplexity else text


def _describe(row: "SkillRow", change: "SkillChange") -> str:
    words = change.verdict.words if change.verdict else "diverged"
    low, high = (write_number(one, 3, signed=True) for one in (change.low, change.high))
    return (
        f"{one_line(change.after)} - {one_line(change.before)}: {words}: "
        f"{write_number(change.difference, 3, signed=True)} [{low}, {high}]; {change.test.name}"
    )
