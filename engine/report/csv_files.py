"""The tables of a report as CSV: every skill and measure, every change, every item, every curve.

A text that a spreadsheet would take for a formula (=, +, -, @ or a tab at its start) gets an
apostrophe before it; numbers are left as they are. What is not known or not finite is empty.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping

from engine.impact.changes.classified_suite import WAY_WORDS
from engine.impact.changes.flips import flip_of
from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_rows import SkillRow
from engine.impact.scores.measure_kinds import RIGHT_OR_WRONG
from engine.report.json_values import round_number
from engine.report.report_values import ReportValues
from engine.text import spreadsheet_cell

Cell = str | int | float | None
LONGEST_PROMPT = 300
"""Characters of a question in `items.csv`; whole ones are in `data/results.json`."""
_BLOCK = 1000
"""Rows turned into text at a time."""


def list_skills(values: ReportValues) -> Iterator[Iterable[Cell]]:
    """A row for each skill, measure and arm."""
    yield ("skill", "measure", "primary", "arm", "score", "low", "high", "interval", "n",
           "bits_per_byte", "cut", "not_finite", "seen_in_training")  # fmt: skip
    for row in _rows(values):
        for arm, result in row.results.items():
            low, high = result.interval or (None, None)
            yield (row.name, row.measure, _yes(row.is_primary), arm, result.score, low, high,
                   result.estimate.method, len(result.scores), result.bits_per_byte,
                   len(result.cut), len(result.diverged),
                   "unknown" if result.seen is None else len(result.seen))  # fmt: skip


def list_changes(values: ReportValues) -> Iterator[Iterable[Cell]]:
    """A row for each skill, measure and pair of arms."""
    yield ("skill", "measure", "unit", "before", "after", "difference", "low", "high",
           "confidence", "p", "test", "verdict", "family", "n", "lost", "gained",
           "items_needed")  # fmt: skip
    for row in _rows(values):
        for change in (*row.changes.values(), *row.stage_changes.values()):
            yield (row.name, row.measure, row.unit, *_list_change(change))


def list_items(values: ReportValues) -> Iterator[Iterable[Cell]]:
    """A row for each item of each skill: its score under each arm by the skill's own measure, and
    whether it is kept, lost, gained or never right against the first arm."""
    table = values.table
    arms = table.arms
    yield ("skill", "item", "group", "measure", "prompt", "gold",
           *(f"score {arm}" for arm in arms), *(f"flip {arm}" for arm in arms[1:]))  # fmt: skip
    for row in table.skills:
        scores = [row.results[arm].scores if arm in row.results else {} for arm in arms]
        is_right = row.measure in RIGHT_OR_WRONG
        for id, item in table.results.suites[row.name].items.items():
            each = [one.get(id) for one in scores]
            flips = (
                flip_of(each[0], one)
                if is_right and each[0] is not None and one is not None
                else None
                for one in each[1:]
            )
            yield (row.name, id, item.group, row.measure, item.prompt[:LONGEST_PROMPT],
                   " / ".join(item.gold), *each, *flips)  # fmt: skip


def list_labels(values: ReportValues) -> Iterator[Iterable[Cell]]:
    """A row for each suite of labels, arm, way and label."""
    yield ("skill", "way", "arm", "label", "n", "predicted", "right", "precision", "recall", "f1",
           "f1_low", "f1_high")  # fmt: skip
    for suite in values.classified:
        for arm, found in suite.arms.items():
            for one in found.by_label():
                yield (suite.name, WAY_WORDS[suite.way], arm, one.label, one.items, one.predicted,
                       one.right, one.precision, one.recall, one.f1, *one.f1_interval)  # fmt: skip


def list_aspects(values: ReportValues) -> Iterator[Iterable[Cell]]:
    """A row for each arm and number of its answers."""
    yield ("arm", "base", "group", "aspect", "before", "after", "difference", "low", "high", "n")
    for aspects in values.facts.aspects:
        for row in aspects.rows:
            yield (aspects.arm, aspects.base, row.group, row.name, row.before, row.after,
                   row.after - row.before, row.low, row.high, row.items)  # fmt: skip


def list_judgements(values: ReportValues) -> Iterator[Iterable[Cell]]:
    """A row for each pair that a judge was asked about, under each rubric: what it said of the two
    answers with the left arm's shown first, and with the right arm's."""
    yield ("judge", "rubric", "pair", "left", "right", "left_characters", "right_characters",
           "left_first", "right_first", "left_first_problem", "right_first_problem",
           "votes")  # fmt: skip
    for judge in values.facts.judges:
        for rubric in judge.rubrics:
            for pair in rubric.pairs:
                orders = (pair.left_first, pair.right_first)
                yield (judge.id, rubric.rubric, pair.pair, judge.left, judge.right, pair.left_size,
                       pair.right_size, *(one.verdict for one in orders),
                       *(one.problem for one in orders),
                       " ".join(judge.votes.get(pair.pair, ())))  # fmt: skip


def list_tradeoff(values: ReportValues) -> Iterator[Iterable[Cell]]:
    """A row for each arm but the base: what it gained and retained, in shares of a score."""
    yield ("arm", "base", "gained", "gained_low", "gained_high", "retained", "retained_low",
           "retained_high", "front", "target_skills", "other_skills", "n")  # fmt: skip
    if values.tradeoff is None:
        return
    found = values.tradeoff.tradeoff
    skills = (len(found.targets), len(found.others), found.items)
    for point in found.points:
        ends = (
            end for one in (point.gained, point.retained) for end in (one.value, one.low, one.high)
        )
        yield (point.arm, found.base, *ends, _yes(point.is_on_front), *skills)


def list_curves(values: ReportValues) -> Iterator[Iterable[Cell]]:
    """A row for each point that is drawn."""
    yield ("run", "tag", "step", "value")
    for run in values.facts.runs:
        for curve in run.curves:
            for step, value in zip(curve.steps, curve.values, strict=True):
                yield run.id, curve.tag, int(step), value


CSV_FILES: Mapping[str, Callable[[ReportValues], Iterator[Iterable[Cell]]]] = {
    "tables/skills.csv": list_skills,
    "tables/changes.csv": list_changes,
    "tables/items.csv": list_items,
    "tables/labels.csv": list_labels,
    "tables/aspects.csv": list_aspects,
    "tables/tradeoff.csv": list_tradeoff,
    "tables/judgements.csv": list_judgements,
    "tables/curves.csv": list_curves,
}
"""By name, in the order of the folder."""


def write_csv(rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    """CSV in pieces, lines ended by a newline alone."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for at, row in enumerate(rows, 1):
        writer.writerow([_write(cell) for cell in row])
        if at % _BLOCK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _write(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return spreadsheet_cell(cell.replace("\0", "␀"))
    if isinstance(cell, float):
        rounded = round_number(cell)
        return "" if rounded is None else repr(rounded)
    return str(cell)


def _rows(values: ReportValues) -> tuple[SkillRow, ...]:
    return (*values.table.skills, *values.table.secondary)


def _list_change(change: SkillChange) -> tuple[Cell, ...]:
    verdict = change.verdict
    flips = (len(change.lost), len(change.gained)) if change.flips is not None else (None, None)
    return (change.before, change.after, change.difference, change.low, change.high,
            change.confidence, change.p, change.test.name, verdict.words if verdict else "diverged",
            change.family, change.test.items, *flips,
            verdict.items_needed
            if verdict and verdict.word == "not enough evidence" else None)  # fmt: skip


def _yes(value: bool) -> str:
    return "yes" if value else "no"
