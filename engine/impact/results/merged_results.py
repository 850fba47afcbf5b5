"""Several evaluations as one: arms that were measured at different times, on the same suites.

Owns what makes their items the same: an item that was edited in between keeps its id and is another
item, so that what arms scored on it is not compared. Refuses to measure anything anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.errors import EngineError
from engine.impact.results.evaluation_results import (
    ArmResults,
    ArmSuite,
    EvaluationResults,
    SuiteFacts,
    SuiteItem,
)
from engine.text import number_name, one_line

_Value = TypeVar("_Value")


def merge_results(evaluations: Sequence[EvaluationResults]) -> EvaluationResults:
    """All their arms, those of the first evaluation first; a suite is as the first one that has it.

    An arm of the same name and in the same words is one arm, and what was measured twice is taken
    from the first; one in other words gets a number after its name. Raises ValueError for none.
    """
    if not evaluations:
        raise ValueError("no evaluations")
    first, *others = evaluations
    merged = EvaluationResults(dict(first.arms), dict(first.suites), dict(first.controls))
    for other in others:
        merged = _merge(merged, other)
    return merged


def choose_arms(results: EvaluationResults, wanted: Sequence[str]) -> tuple[str, ...]:
    """The arms of these names, in their order; all where none is named. Raises EngineError for a
    name that no arm has, or that is named twice, and for results without arms."""
    unknown = [name for name in wanted if name not in results.arms]
    if unknown or len(set(wanted)) < len(wanted):
        raise EngineError(
            f"Unknown arm {one_line(unknown[0])!r}." if unknown else "An arm is named twice.",
            f"Arms: {', '.join(map(one_line, results.arms))}.",
            "Name them in order: --arms A,B.",
        )
    if not results.arms:
        raise EngineError("The results have no arms.")
    return tuple(wanted) or tuple(results.arms)


def _merge(first: EvaluationResults, other: EvaluationResults) -> EvaluationResults:
    suites = dict(first.suites)
    edited: dict[str, frozenset[str]] = {}
    for name, facts in other.suites.items():
        if name not in suites:
            suites[name], edited[name] = facts, frozenset()
            continue
        edited[name] = _find_edited(suites[name], facts)
        suites[name] = replace(suites[name], items={**facts.items, **suites[name].items})
    names = {arm.name: _name_arm(arm, first.arms) for arm in other.arms.values()}
    return EvaluationResults(
        _merge_arms(first.arms, other.arms, edited, names),
        suites,
        _merge_arms(first.controls, other.controls, edited, names),
    )


def _merge_arms(
    first: Mapping[str, ArmResults],
    others: Mapping[str, ArmResults],
    edited: Mapping[str, frozenset[str]],
    names: Mapping[str, str],
) -> dict[str, ArmResults]:
    """`names` are those that the arms of the other evaluation have now."""
    arms = dict(first)
    for arm in others.values():
        measured = {
            suite: _drop(each, edited.get(suite, frozenset())) for suite, each in arm.suites.items()
        }
        name = _name_arm(arm, first)
        known = arms.get(name)
        arms[name] = replace(
            known or arm,
            name=name,
            suites={**measured, **(known.suites if known else {})},
            parent=names.get(arm.parent, arm.parent),
            of=names.get(arm.of, arm.of),
        )
    return arms


def _find_edited(first: SuiteFacts, other: SuiteFacts) -> frozenset[str]:
    """Ids that both have, of items that are not the same."""
    if first.digest and first.digest == other.digest:
        return frozenset()
    is_whole = bool(first.digest and other.digest)  # version 1 knew the prompt alone
    return frozenset(
        item
        for item, one in other.items.items()
        if item in first.items and not _is_same(first.items[item], one, is_whole=is_whole)
    )


def _is_same(first: SuiteItem, other: SuiteItem, *, is_whole: bool) -> bool:
    return first == other if is_whole else first.prompt == other.prompt


def _name_arm(arm: ArmResults, arms: Mapping[str, ArmResults]) -> str:
    others = {name for name, other in arms.items() if other.spec != arm.spec}
    return number_name(arm.name, others)


def _drop(suite: ArmSuite, items: frozenset[str]) -> ArmSuite:
    if not items:
        return suite

    def keep(values: Mapping[str, _Value]) -> dict[str, _Value]:
        return {item: value for item, value in values.items() if item not in items}

    verb = "item was" if len(items) == 1 else "items were"
    note = f"the suite was edited between two evaluations: {len(items):,} {verb} another then"
    return replace(
        suite,
        measures={measure: keep(values) for measure, values in suite.measures.items()},
        finish=keep(suite.finish),
        picked={measure: keep(values) for measure, values in suite.picked.items()},
        seen=None if suite.seen is None else keep(suite.seen),
        notes=(*suite.notes, note + ", and no score of it is compared."),
    )
