"""What can be seen to be wrong with a run's suites and its `keep_best` before it begins.

Reads the suites, as the worker does, and no weights. How many items a short run can afford, and
which of them the model can be asked, is for the worker.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import EngineError
from engine.events.event_tags import TRAIN_TAGS, list_tags
from engine.events.tag_names import is_higher_better
from engine.impact.suites.suite_reader import needs_worker
from engine.impact.watched.skill_log import half_of
from engine.impact.watched.watched_suites import (
    HELD_OUT,
    MeasuredItems,
    choose_items,
    list_watched,
    parse_rule,
)
from engine.recipes.recipe import TrainRecipe

Skills = Mapping[str, MeasuredItems | None]
"""The suites of a recipe by name; None: its items are not known here."""


def measure_skills(recipe: TrainRecipe, runs: Sequence[Path], *, has_rows: bool) -> Skills:
    """What a run of this recipe would measure. Raises EngineError for a suite that is missing or
    cannot be read, or has nothing to measure; `has_rows` is whether the run holds rows out."""
    skills: dict[str, MeasuredItems | None] = {}
    for spec in list_watched(recipe.evaluation):
        is_own = spec.ref == HELD_OUT
        if is_own and not has_rows:
            raise EngineError(
                "There are no eval rows to measure.",
                f"evaluation.suites: {HELD_OUT}",
                "Set data.eval, or data.eval_fraction above 0.",
            )
        is_later = is_own or needs_worker(spec, runs)
        skills[spec.name] = None if is_later else choose_items(spec, runs)
    return skills


def check_rule(recipe: TrainRecipe, skills: Skills) -> None:
    """Raise EngineError where `keep_best` is no rule, or names what is not measured."""
    rule = parse_rule(recipe.stopping)
    if rule is None:
        return
    tags = list_tags(recipe)
    for name in rule.names:
        if name not in skills and name not in tags:
            known = [*skills, *sorted(tags)]
            raise EngineError(
                f"keep_best names {name!r}, which is not measured.",
                f"stopping.keep_best; measured: {', '.join(known)}",
                "Name a suite of evaluation.suites, or one of these tags.",
            )
        _check_halves(name, skills.get(name))
    says_none = rule.objective not in skills and is_higher_better(rule.objective) is None
    if not rule.direction and says_none:
        raise EngineError(
            f"Whether more or less of {rule.objective!r} is better does not follow from its name.",
            f"stopping.keep_best: {recipe.stopping.keep_best}",
            f"Begin with max or min, as in: max {rule.objective}",
        )
    for condition in rule.conditions:
        if condition.from_base and condition.name in TRAIN_TAGS and condition.name not in skills:
            raise EngineError(
                f"{condition.name!r} has no value before the first step.",
                f"stopping.keep_best: {condition}",
                "Compare it with a number.",
            )


def _check_halves(name: str, measured: MeasuredItems | None) -> None:
    if measured is None:
        return
    halves = [half_of(item.id, item.group) for item in measured.items]
    if len(set(halves)) < 2:
        raise EngineError(
            f"The suite {name!r} has too few items for keep_best.",
            f"{len(halves)} items: one half chooses the checkpoint, the other one reports on it",
            "Use a suite with more items.",
        )
