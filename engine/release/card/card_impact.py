"""What an evaluation found of the model that is exported: for its card, without a rendered report.

Owns which evaluation that is, and which of its arms. The whole report is not taken along: it holds
the items, and answers to them, which the terms of the data may not allow to be passed on.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import checkpoint_list
from engine.checkpoints.run_outputs import find_run
from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.impact.changes.verdicts import DELTA
from engine.impact.results.evaluation_results import EvaluationResults
from engine.impact.results.job_results import read_job_results
from engine.jobs.directory import RUN, JobDirectory
from engine.recipes.recipe import EvaluateRecipe
from engine.release.source import ExportSource
from engine.report.blocks import Grid, Plot
from engine.report.collect import collect_inputs
from engine.report.headline import say_headline
from engine.report.plots import plot_changes
from engine.report.report_values import compute_values
from engine.report.sentences import say_primary
from engine.report.short_names import find_run_id
from engine.report.table_sections import show_skills


@dataclass(frozen=True, slots=True)
class CardImpact:
    """What was gained and what was forgotten."""

    job: str
    """The evaluation's id."""
    base: str
    """The arm that it is held against; empty: it was measured alone."""
    arm: str
    """The exported model's."""
    headline: tuple[str, ...]
    """A sentence each, not cleaned."""
    tables: tuple[Grid, ...]
    plot: Plot | None


def read_impact(source: ExportSource, report: str, runs: Sequence[Path]) -> CardImpact | None:
    """What the evaluation `report` (`run:ID`) found of the source; without one, the newest among
    `runs` that measured it, and None where none did. Raises EngineError where the one that is
    named cannot be reported."""
    if report:
        return _read(*find_report(source, report, runs), runs)
    for job, arms in list_reports(source, runs):
        try:
            return _read(job, arms, runs)
        except EngineError:
            continue  # one that was not asked for, and cannot be read
    return None


def list_reports(
    source: ExportSource, runs: Sequence[Path]
) -> Iterator[tuple[JobDirectory, tuple[str, ...]]]:
    """The evaluations that measured the source, the newest first, each with the arms of it that a
    card shows: the base first and the exported model last."""
    for job in _list_evaluations(runs):
        try:
            arms = _find_arms(job, source, runs)
        except EngineError:
            continue
        if arms is not None:
            yield job, arms


def find_report(
    source: ExportSource, report: str, runs: Sequence[Path]
) -> tuple[JobDirectory, tuple[str, ...]]:
    """The evaluation `report` (`run:ID`) and the arms of it that a card shows, the base first and
    the exported model last. Raises EngineError where it did not measure that one."""
    run = find_run(report if report.startswith(RUN) else f"{RUN}{report}", runs)
    if run is None:
        raise EngineError("The evaluation was not found.", report, "finetop runs lists them.")
    job = JobDirectory(run)
    arms = _find_arms(job, source, runs)
    if arms is None:
        raise EngineError(
            "The evaluation did not measure the model that is exported.",
            f"{run.name}: {source.arm.name} is not one of its arms",
            "Name another one, or leave --report out.",
        )
    return job, arms


def _list_evaluations(runs: Sequence[Path]) -> list[JobDirectory]:
    """Evaluations with results, the newest first."""
    evaluations = []
    for run in runs:
        job = JobDirectory(run)
        try:
            record = job.record()
        except EngineError:
            continue  # not a job that can be read: one of other runs, or damaged
        if record is not None and record.kind == "evaluate" and job.results.exists():
            evaluations.append((record.created, run.name, job))
    return [job for _, _, job in sorted(evaluations, key=lambda one: one[:2], reverse=True)]


def _find_arms(
    job: JobDirectory, source: ExportSource, runs: Sequence[Path]
) -> tuple[str, ...] | None:
    """The arms to show, the base first and the exported model last; None where it is no arm of
    theirs. Raises EngineError where the results cannot be read."""
    recipe = job.recipe()
    if not isinstance(recipe, EvaluateRecipe):
        raise EngineError("This job is no evaluation.", job.path.name, "finetop runs lists them.")
    results = read_job_results(job)
    own = next(
        (name for name, arm in results.arms.items()
         if _is_model(arm.spec, source.base, source.adapter, runs)), None,
    )  # fmt: skip
    if own is None:
        return None
    others = [name for name in results.arms if name != own]
    base = next(
        (name for name in others if _is_model(results.arms[name].spec, source.root, None, runs)),
        others[0] if others else None,
    )
    if base is None:
        return (own,)
    return (base, *_list_stages(results, source, {base, own}), own)


def _list_stages(results: EvaluationResults, source: ExportSource, known: set[str]) -> list[str]:
    """The arms of the stages before the exported one, in their order."""
    named = []
    for stage in source.stages:
        for name, arm in results.arms.items():
            body = arm.spec.partition("=")[2].partition("?")[0]
            if (
                name not in known
                and "@" not in body
                and stage.name in map(find_run_id, body.split("+"))
            ):
                named.append(name)
                known.add(name)
                break
    return named


def _is_model(spec: str, base: Path, adapter: Path | None, runs: Sequence[Path]) -> bool:
    """Whether an arm is these weights, asked as they ask to be: no other strength, no change."""
    try:
        arm = parse_arm(spec)
        if arm.is_endpoint or arm.strength != 1.0 or arm.null is not None:
            return False
        places = [checkpoint_list.resolve(arm.checkpoint, runs)]
        if arm.adapter is not None:
            places.append(checkpoint_list.resolve(arm.adapter, runs))
    except EngineError:
        return False
    own = [places[-1].path] if places[-1].kind == "adapter" else [places[0].path]
    if adapter is None:
        return len(places) == 1 and places[0].kind != "adapter" and _same(own[0], base)
    if len(places) == 2 and not _same(places[0].path, base):
        return False
    return places[-1].kind == "adapter" and _same(own[0], adapter)


def _same(path: Path, other: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def _read(job: JobDirectory, arms: tuple[str, ...], runs: Sequence[Path]) -> CardImpact:
    inputs = collect_inputs([job], arms, DELTA, [JobDirectory(run) for run in runs])
    values = compute_values(inputs)
    is_alone = len(values.table.arms) < 2
    section = show_skills(values)
    blocks = section.blocks if section is not None else ()
    return CardImpact(
        job.path.name,
        "" if is_alone else values.base,
        values.last,
        tuple(say_primary(values) if is_alone else say_headline(values)),
        tuple(block for block in blocks if isinstance(block, Grid)),
        plot_changes(values),
    )
