"""The way from the first arm to the last: which of the arms are its stages, and what each trained.

Follows the parents that the results name, also through arms that are not shown.
"""

from collections.abc import Sequence

from engine.impact.results.evaluation_results import EvaluationResults


def find_stages(results: EvaluationResults, arms: Sequence[str]) -> tuple[str, ...]:
    """The arms that lead to the last one, oldest first, the first one before all.

    An arm whose ancestors are not among them comes from the first.
    """
    path = [arm for arm in _list_ancestors(results, arms[-1]) if arm in arms[1:]]
    return tuple(dict.fromkeys((arms[0], *reversed(path))))


def find_trained(results: EvaluationResults, stages: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """By stage, the suites that it was trained on, or an ancestor since the stage before it."""
    trained: dict[str, tuple[str, ...]] = {}
    known = set(_list_ancestors(results, stages[0]))
    for stage in stages[1:]:
        since = [arm for arm in _list_ancestors(results, stage) if arm not in known]
        names = (name for arm in reversed(since) for name in results.arms[arm].trained)
        trained[stage] = tuple(dict.fromkeys(names))
        known.update(since)
    return trained


def _list_ancestors(results: EvaluationResults, arm: str) -> list[str]:
    """The arm, its parent, and so on."""
    path: list[str] = []
    while arm in results.arms and arm not in path:
        path.append(arm)
        arm = results.arms[arm].parent
    return path
