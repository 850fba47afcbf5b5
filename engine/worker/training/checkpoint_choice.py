"""Which checkpoint `keep_best` chooses, and what that is worth on the items that did not choose it.

Scores of skills come from one half of their items, tags of scalars as they were logged. Pure
functions of the history: a run that goes on, also with another rule, chooses as if it had it
always. The words of the rule are `engine.impact.watched.keep_best`'s.
"""

import math
from collections.abc import Sequence

from engine.errors import EngineError
from engine.events.tag_names import is_higher_better
from engine.impact.watched.keep_best import KeepBest
from engine.impact.watched.skill_log import Half, SkillLog
from engine.number_format import write_number, write_percent
from engine.statistics import PairedTest, wilson
from engine.text import one_line
from engine.worker.training.eval_history import History, Series


def is_higher(rule: KeepBest, skills: SkillLog) -> bool:
    """Whether more of the objective is better."""
    if rule.direction:
        return rule.direction == "max"
    if rule.objective in skills.suites:
        return not skills.suites[rule.objective].less_is_better
    return is_higher_better(rule.objective) is True


def rule_series(history: History, rule: KeepBest) -> Series:
    """The objective at each evaluation after step 0; NaN where a condition is not met."""
    base = {name: _value(history, name, 0) for name in rule.names}
    series = []
    for step, _ in history.rows:
        if step == 0:
            continue
        values = {name: _value(history, name, step) for name in rule.names}
        meets = rule.meets(values, base)
        series.append((step, values[rule.objective] if meets else math.nan))
    return series


def check_rule(history: History, rule: KeepBest, tags: set[str]) -> None:
    """Raise EngineError where the rule names what was not measured at the first evaluation, nor is
    among `tags`, which come later."""
    step = history.last
    known = {*history.skills.suites, *(tag for _, row in history.rows for tag in row), *tags}
    for name in rule.names:
        if name in known:
            continue
        raise EngineError(
            f"keep_best names {name!r}, which is not measured.",
            f"stopping.keep_best; measured: {', '.join(sorted(map(one_line, known)))}",
            "Name a suite of evaluation.suites, or one of these tags.",
        )
    for one in rule.conditions:
        if step == 0 and one.from_base and not math.isfinite(_value(history, one.name, 0)):
            raise EngineError(
                f"keep_best compares {one.name!r} with the base, where it has no value.",
                f"stopping.keep_best: {one}",
                "Compare it with a number.",
            )


def describe_choice(history: History, rule: KeepBest, step: int) -> str:
    """The objective of the chosen step on both halves of the items, with n and 95% interval."""
    name, skills = rule.objective, history.skills
    if name not in skills.suites:
        return f"{one_line(name)} {write_number(_value(history, name, step), 4)}"
    chosen, reported = (
        _describe_half(skills, name, step, half) for half in ("selection", "report")
    )
    return f"{one_line(name)} {reported} on the half that did not choose it, {chosen} on the other"


def describe_changes(history: History, rule: KeepBest, step: int) -> list[str]:
    """Of each skill of the rule the change since step 0 on both halves, a line each."""
    lines = []
    for name in rule.names:
        if name not in history.skills.suites:
            continue
        parts = [
            _describe_change(history.skills, name, step, half) for half in ("report", "selection")
        ]
        lines.append(
            f"keep_best: {one_line(name)} {parts[0]} since step 0 on the half that did not choose "
            f"step {step}, {parts[1]} on the other"
        )
    return lines


def check_halves(log: SkillLog, names: Sequence[str]) -> None:
    """Raise EngineError where a skill of `keep_best` has no item to choose by, or none to report
    on."""
    for name in names:
        if name in log.suites:
            suite = log.suites[name]
            halves = [suite.half("selection"), suite.half("report")]
            if not all(halves):
                raise EngineError(
                    f"The suite {name!r} has too few items for keep_best.",
                    f"{len(halves[0])} of {len(suite.items)} items would choose the checkpoint, "
                    f"{len(halves[1])} would report on it",
                    "Use a suite with more items, or raise evaluation.limit.",
                )


def _value(history: History, name: str, step: int) -> float:
    """Of a skill by the half that chooses; NaN where it was not measured."""
    if name in history.skills.suites:
        return history.skills.score(name, step, "selection")
    return dict(history.series(name)).get(step, math.nan)


def _describe_half(skills: SkillLog, name: str, step: int, half: Half) -> str:
    count, score = skills.count(name, step, half), skills.score(name, step, half)
    if skills.suites[name].less_is_better:
        return f"{write_number(score, 3)} nats/token (n = {count})"
    low, high = wilson(round(score * count), count)
    reach = f"{write_percent(low, 1)} to {write_percent(high, 1)}"
    return f"{write_percent(score, 1)} ({reach}, n = {count})"


def _describe_change(skills: SkillLog, name: str, step: int, half: Half) -> str:
    test = skills.change(name, step, half)
    if test is None or not math.isfinite(test.difference):
        return "no finite change"
    return _write_change(test, in_nats=skills.suites[name].less_is_better)


def _write_change(test: PairedTest, *, in_nats: bool) -> str:
    low, high = test.interval()
    if in_nats:
        values = [write_number(-one, 3, signed=True) for one in (test.difference, high, low)]
        return f"{values[0]} nats/token ({values[1]} to {values[2]}, n = {test.items})"
    change, low, high = (100 * one for one in (test.difference, low, high))
    return f"{change:+.1f} points ({low:+.1f} to {high:+.1f}, n = {test.items})"
