"""What should be known before the numbers of a skill are read, in sentences.

Owns the words for what makes two scores less comparable than they look, and for what was left out.
Names come from files and are not cleaned: that is for whoever shows them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.impact.changes.skill_rows import SkillResult, SkillRow
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.results.evaluation_results import (
    NLL,
    SERVER,
    ArmSuite,
    EvaluationResults,
    SuiteFacts,
)
from engine.number_format import write_number

SCOPE = "these checkpoints, not their recipes; one seed"
"""What every verdict is about, for footers."""
_MANNERS = {
    "fewshot": "solved items before each question",
    "template": "template",
    "template_hash": "chat template",
    "decode": "decoding",
}
"""What arms must share in how they were asked for their change to be that of the models."""
_ALIKE = 3
"""Arms that share a value, from which on they are not named one by one."""
_MOST_NAMED = 5
"""Measures that are named one by one."""


def of_row(
    row: SkillRow,
    facts: SuiteFacts,
    suites: Mapping[str, ArmSuite],
    arms: Sequence[str],
) -> tuple[str, ...]:
    """Of one skill by one measure. `suites` are all that arms have of the skill, by arm."""
    return tuple(_list_notes(row, facts, suites, arms))


def of_table(results: EvaluationResults, arms: Sequence[str]) -> tuple[str, ...]:
    """Of all skills."""
    unknown = [
        arm
        for arm in arms
        if any(suite.seen is None for suite in results.arms[arm].suites.values())
    ]
    alike: dict[str, list[str]] = {}
    for arm in arms:
        for note in results.arms[arm].notes:
            alike.setdefault(note, []).append(arm)
    notes = tuple(f"{_join(whose)}: {note}." for note, whose in alike.items())
    if not unknown:
        return notes
    whom = "any arm" if len(unknown) == len(arms) > 1 else _join(unknown)
    return (f"Whether {whom} saw these items in training is unknown.", *notes)


def of_rows(results: EvaluationResults, rows: Sequence[SkillRow]) -> Iterator[str]:
    """The notes of several rows, each with the name of its skill; what is true of many is said
    once, after what is true of one alone."""
    cuts: dict[str, dict[str, int]] = {}
    groups: dict[str, int] = {}
    for row in rows:
        facts, shared = results.suites[row.name], set[str]()
        for arm, result in row.results.items():
            if result.cut:
                cuts.setdefault(row.name, {})[arm] = len(result.cut)
                shared.add(_say_cut(arm, len(result.cut)))
        if row.is_primary and (count := _count_groups(facts)):
            groups[row.name] = count
            shared.add(_say_groups(count))
        name = row.name if row.is_primary else f"{row.name}, {row.measure}"
        yield from (f"{name}: {note}" for note in row.notes if note not in shared)
    if cuts:
        counts = (
            f"{name} {_join([f'{count:,} of {arm}' for arm, count in of_arms.items()])}"
            for name, of_arms in cuts.items()
        )
        yield f"Answers cut by the length limit, scored by that part: {'; '.join(counts)}."
    if groups:
        counts = (f"{count:,} of {name}" for name, count in groups.items())
        yield f"Groups of items, which are what intervals and tests count: {', '.join(counts)}."


def _list_notes(
    row: SkillRow,
    facts: SuiteFacts,
    suites: Mapping[str, ArmSuite],
    arms: Sequence[str],
) -> Iterator[str]:
    if not row.results:
        yield _say_nothing(row, facts, suites)
        return
    why: dict[str, list[str]] = {}
    for arm in arms:
        if arm not in row.results:
            why.setdefault(row.not_measured.get(arm, ""), []).append(arm)
    for reason, missing in why.items():
        yield f"Not measured: {_join(missing)}{f' ({reason})' if reason else ''}."
    if row.items < LEAST_ITEMS:
        yield f"{_count(row.items, 'item gives', 'items give')} no verdict: read them one by one."
    if row.is_primary:
        yield from facts.notes
        yield from _say_unscored(row, facts)
        yield from say_manners({arm: suites[arm].asked for arm in arms if arm in suites})
    if row.unpaired:
        verb = _count(row.unpaired, "item is", "items are")
        yield f"{verb} not in all arms, and no change counts {_them(row.unpaired)}."
    yield from _say_items(row, facts)
    if row.measure == NLL and _is_split_differently(row, suites):
        yield (
            "The arms split these texts into different tokens: compare bits per byte, not "
            "perplexities. The change is per token of the arm that is held against."
        )
    for arm, result in row.results.items():
        yield from _say_result(arm, result)
    if row.is_primary:
        for arm, suite in suites.items():
            yield from (f"{arm}: {note}" for note in suite.notes)


def say_manners(asked: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """How the arms were not asked alike, by arm how each was."""
    differing = []
    for key, words in _MANNERS.items():
        # Of a server it is said once, in the notes of the arm.
        values = {
            arm: manner[key]
            for arm, manner in asked.items()
            if key in manner and manner[key] != SERVER
        }
        if all(isinstance(value, Mapping) for value in values.values()):
            parts = sorted({part for value in values.values() for part in value})
            split = [
                (part, {arm: value.get(part) for arm, value in values.items()}) for part in parts
            ]
            differing += [_name_values(part, each) for part, each in split if _differ(each)]
        elif _differ(values):
            is_hash = key == "template_hash"  # which says nothing to a reader
            differing.append(words if is_hash else _name_values(words, values))
    if differing:
        yield (
            f"The arms were not asked alike ({'; '.join(differing)}): a change may be that of how "
            "they were asked."
        )


def _say_nothing(row: SkillRow, facts: SuiteFacts, suites: Mapping[str, ArmSuite]) -> str:
    if not facts.items:
        return "The suite has no items: nothing was measured."
    why = next(iter(row.not_measured.values()), "its items do not say what is right")
    text = f"No score by {facts.measure}: {why}."
    others = dict.fromkeys(
        name for suite in suites.values() for name, values in suite.measures.items() if values
    )
    if not others:
        return text
    shown = ", ".join([*others][:_MOST_NAMED]) + (" ..." if len(others) > _MOST_NAMED else "")
    return f"{text} Measured of them: {shown} (finetop impact JOB --all)."


def _say_unscored(row: SkillRow, facts: SuiteFacts) -> Iterator[str]:
    known = {item for result in row.results.values() for item in result.scores}
    count = sum(item not in known for item in facts.items)
    if count:
        verb = _count(count, "item has", "items have")
        counts = "counts" if count == 1 else "count"
        yield f"{verb} no score by {row.measure} in any arm, and {counts} nowhere."


def _say_items(row: SkillRow, facts: SuiteFacts) -> Iterator[str]:
    if row.is_primary and (groups := _count_groups(facts)):
        yield _say_groups(groups)
    if row.is_weighted and row.is_primary:
        yield (
            "Its items have weights: scores and changes are weighted means, and their intervals "
            "those of as many items as the weights leave (Kish)."
        )


def _count_groups(facts: SuiteFacts) -> int:
    """How many groups the items come in; 0 where each is one of its own."""
    alone = sum(not one.group for one in facts.items.values())
    groups = alone + len({one.group for one in facts.items.values() if one.group})
    return groups if groups < len(facts.items) else 0


def _say_groups(groups: int) -> str:
    return f"Its items come in {groups:,} groups, which are what intervals and tests count."


def _say_cut(arm: str, count: int) -> str:
    verb = _count(count, "answer was", "answers were")
    return f"{arm}: {verb} cut by the length limit: the score is that of a part."


def _say_result(arm: str, result: SkillResult) -> Iterator[str]:
    if result.diverged:
        items = _count(len(result.diverged), "item", "items")
        yield f"{arm} is not finite on {items}: it diverged, and its change is not tested."
    if result.cut:
        yield _say_cut(arm, len(result.cut))
    if result.seen:
        left = f"{write_number(result.unseen.value, 3)} without" if result.unseen else "all of them"
        verb = _count(len(result.seen), "item was", "items were")
        yield (
            f"{arm}: {verb} seen in training: "
            f"{write_number(result.score, 3)} with {_them(len(result.seen))}, {left}."
        )


def _is_split_differently(row: SkillRow, suites: Mapping[str, ArmSuite]) -> bool:
    found = [suites[arm].tokens for arm in row.results]
    return any(one[item] != found[0].get(item, one[item]) for one in found[1:] for item in one)


def _differ(values: Mapping[str, Any]) -> bool:
    return any(value != next(iter(values.values())) for value in values.values())


def _name_values(words: str, values: Mapping[str, Any]) -> str:
    """The value of each arm; that of most arms once, where it is that of three or more."""
    counts = Counter(map(repr, values.values()))
    usual, count = counts.most_common(1)[0]
    others = {arm: one for arm, one in values.items() if count < _ALIKE or repr(one) != usual}
    named = [f"{value} for {arm}" for arm, value in others.items()]
    rest = next((value for arm, value in values.items() if arm not in others), None)
    return f"{words} " + ", ".join(
        [*named, *([f"{rest} for all others"] if count >= _ALIKE else [])]
    )


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _join(names: Sequence[str]) -> str:
    return ", ".join(names)
