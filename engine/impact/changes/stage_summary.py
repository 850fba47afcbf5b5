"""The summary of a skill table: what became of the skills over the stages, in a few numbers.

Owns which scores go into the matrix of `engine.impact.changes.forgetting`: each skill's own
measure, where it is a score, on the items that all measured stages have. Perplexities are not
averaged with them.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.impact.changes.forgetting import (
    SkillMatrix,
    SkillScores,
    StageMeasure,
    average_score,
    backward_transfer,
    general_change,
    peak_forgetting,
    relative_forgetting,
)
from engine.impact.changes.skill_changes import pair_items, weights_of
from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.stage_path import find_trained
from engine.impact.changes.verdicts import LEAST_ITEMS, Word
from engine.impact.results.evaluation_results import SuiteItem


@dataclass(frozen=True, slots=True)
class StageSummary:
    """What to read first, and what stands beside it."""

    stages: tuple[str, ...]
    general: StageMeasure
    """Mean change of the skills that no stage trained."""
    others: tuple[StageMeasure, ...]
    """Backward transfer, average, peak and relative forgetting."""
    words: dict[Word, int]
    """How many skills have each verdict, last stage against the root."""
    seen: int | None
    """Items of all skills that the last arm has seen in training; None: unknown."""
    notes: tuple[str, ...] = ()
    """What should be known before these numbers are read, a sentence each; not cleaned."""

    @property
    def measures(self) -> tuple[StageMeasure, ...]:
        return (self.general, *self.others)


def summarize(table: SkillTable) -> StageSummary:
    """Takes some 0.4 s of ten skills of 300 items: these are resampled."""
    matrix = build_matrix(table)
    last = table.arms[-1]
    words = Counter(
        change.verdict.word
        for row in table.skills
        if (change := row.changes.get(last)) is not None and change.verdict is not None
    )
    found = [row.results[last].seen for row in table.skills if last in row.results]
    seen = [len(one) for one in found if one is not None]
    return StageSummary(
        table.stages,
        general_change(matrix),
        (
            backward_transfer(matrix),
            average_score(matrix),
            peak_forgetting(matrix),
            relative_forgetting(matrix),
        ),
        dict(words),
        sum(seen) if seen and len(seen) == len(found) else None,
        tuple(_list_notes(table, matrix)),
    )


def build_matrix(table: SkillTable) -> SkillMatrix:
    """R over the stages of the table; a skill that no stage was measured on is left out, and one of
    fewer than 20 items, which would count as much as one of a thousand."""
    trained = find_trained(table.results, table.stages)
    skills = {
        row.name: replace(scores, trained_at=_find_stage(row.name, table.stages, trained))
        for row in table.skills
        if row.unit == "score"
        and (scores := score_skill(table, row, table.stages)) is not None
        and len(scores.items) >= LEAST_ITEMS
    }
    return SkillMatrix(table.stages, skills)


def score_skill(table: SkillTable, row: SkillRow, arms: Sequence[str]) -> SkillScores | None:
    """What these arms score on the items that all of them have which were measured; None where
    there is no such item. Which stage trained the skill is left open."""
    measured = [arm for arm in arms if arm in row.results]
    if not measured:
        return None
    items, _ = pair_items([row.results[arm].scores for arm in measured])
    if not items:
        return None
    values = np.full((len(arms), len(items)), math.nan)
    for at, arm in enumerate(arms):
        if arm in row.results:
            values[at] = [row.results[arm].scores[item] for item in items]
    facts = table.results.suites[row.name]
    nothing = SuiteItem("")
    # A group's name may be an item's id as well.
    groups = [
        f"group {group}" if (group := facts.items.get(item, nothing).group) else f"item {item}"
        for item in items
    ]
    weights = tuple(weights_of(facts, items))
    return SkillScores(tuple(items), values, tuple(groups), None, facts.choices, weights)


def _find_stage(
    skill: str, stages: Sequence[str], trained: Mapping[str, Sequence[str]]
) -> int | None:
    """The first stage that trained a skill."""
    return next((at for at, stage in enumerate(stages) if skill in trained.get(stage, ())), None)


def _list_notes(table: SkillTable, matrix: SkillMatrix) -> Iterator[str]:
    if len(table.stages) < 2:
        return
    few = [
        row.name
        for row in table.skills
        if row.results and row.unit == "score" and row.name not in matrix.skills
    ]
    if few:
        yield f"Not in these means, with fewer than {LEAST_ITEMS} paired items: {', '.join(few)}."
    if matrix.skills and all(skill.trained_at is None for skill in matrix.skills.values()):
        yield "No stage is known to have been trained on one of these skills."
