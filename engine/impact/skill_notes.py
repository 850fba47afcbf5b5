"""What should be known before the numbers of a skill are read, in sentences.

Owns the words for what makes two scores less comparable than they look, and for what was left out.
Names come from files and are not cleaned: that is for whoever shows them.
"""

from collections.abc import Mapping, Sequence

from engine.impact.evaluation_results import ArmSuite, EvaluationResults, SuiteFacts
from engine.impact.skill_rows import SkillRow

ASKED = {
    "fewshot": "solved items before each question",
    "template": "template",
    "template_hash": "chat template",
    "decode": "decoding",
    "measure": "measure",
}
"""The ways of asking that arms must share for their change to be that of the models."""


def of_row(
    row: SkillRow,
    facts: SuiteFacts,
    suites: Mapping[str, ArmSuite],
    arms: Sequence[str],
) -> tuple[str, ...]:
    """Of one skill by one measure; `suites` are those of the arms that have it."""
    notes: list[str] = []
    if not suites:
        notes.append(_say_nothing(facts))
    else:
        notes += [f"{arm} was not measured on it." for arm in arms if arm not in suites]
    if row.unpaired:
        notes.append(f"{row.unpaired:,} items are not in all arms and count in no change.")
    return tuple(notes)


def of_table(results: EvaluationResults, arms: Sequence[str]) -> tuple[str, ...]:
    """Of all skills."""
    del results, arms
    return ()


def _say_nothing(facts: SuiteFacts) -> str:
    if not facts.items:
        return "The suite has no items: nothing was measured."
    return f"No arm has a score by {facts.measure}: its items say nothing of what is right."
