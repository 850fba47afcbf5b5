"""How many items flipped between two arms in evaluations that are done: what a gate of them may
assume of more items.

Owns which evaluations count: those that measured both arms as they are asked now. Refuses none: one
that cannot be read tells nothing.
"""

from contextlib import suppress
from dataclasses import dataclass

from engine.compare.arms import Arm, format_nameless, parse_arms
from engine.errors import EngineError
from engine.impact.changes.skill_changes import find_change_flips, pair_items
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.results.evaluation_results import EvaluationResults
from engine.impact.results.job_results import read_job_results
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.recipes.recipe import EvaluateRecipe


@dataclass(frozen=True, slots=True)
class Discordance:
    """Of one suite."""

    share: float
    """Of items that flipped, with one more each way: an estimate above 0."""
    job: str
    """Id of the evaluation."""


def find_discordance(before: Arm, after: Arm, store: Store) -> dict[str, Discordance]:
    """By suite, of the newest evaluation that measured it under both arms."""
    newest_last = sorted(store.jobs(), key=lambda job: _created(job, store))
    discordance: dict[str, Discordance] = {}
    for job in newest_last:
        with suppress(EngineError):
            names = _find_names(job, before, after)
            if names is not None and job.results.exists():
                shares = _measure(read_job_results(job), *names)
                discordance |= {
                    suite: Discordance(share, job.path.name) for suite, share in shares.items()
                }
    return discordance


def _created(job: JobDirectory, store: Store) -> float:
    record = store.record(job)
    return 0.0 if record is None else record.created


def _find_names(job: JobDirectory, before: Arm, after: Arm) -> tuple[str, str] | None:
    """What an evaluation calls these arms; None where it is none, or lacks one of them."""
    recipe = job.recipe()
    if not isinstance(recipe, EvaluateRecipe):
        return None
    names = {format_nameless(arm): arm.name for arm in parse_arms(recipe.arms)}
    if {format_nameless(before), format_nameless(after)} <= names.keys():
        return names[format_nameless(before)], names[format_nameless(after)]
    return None


def _measure(results: EvaluationResults, before: str, after: str) -> dict[str, float]:
    """By suite; of those whose items are right or wrong, and enough for a verdict."""
    if not {before, after} <= results.arms.keys():
        return {}
    old, new = results.arms[before].suites, results.arms[after].suites
    shares = {}
    for name, facts in results.suites.items():
        measures = [suites[name].measures for suites in (old, new) if name in suites]
        if len(measures) < 2 or any(facts.measure not in each for each in measures):
            continue
        items, _ = pair_items([each[facts.measure] for each in measures])
        flips = find_change_flips(facts.measure, old[name], new[name], set(items))
        if flips is not None and len(items) >= LEAST_ITEMS:
            changed = len(flips.lost) + len(flips.gained)
            shares[name] = (changed + 2) / (len(items) + 2)
    return shares
