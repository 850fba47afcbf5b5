"""What a gate holds against what: the arm that is judged, and the one it is held against.

Owns how both are named in a command, and which base an arm has where none is named: the root, where
the first stage began. Whether the weights are there is looked up when the job is started.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.bundled import DATA, SUITES
from engine.checkpoints.run_outputs import find_producer
from engine.compare import arm_weights
from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.impact.results.evaluation_results import EvaluationResults
from engine.impact.suites.evaluation_plan import Suite, list_specs, make_plan
from engine.impact.suites.suite_reader import needs_worker
from engine.impact.suites.suite_specs import SuiteSpec, format_suite, parse_suite
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import Store
from engine.launching.evaluation_tree import list_tree_arms
from engine.recipes.recipe import EvaluateRecipe, TrainRecipe

ROOT, PARENT = "root", "parent"
_GRAMMAR_SIGNS = frozenset("=+@?")


@dataclass(frozen=True, slots=True)
class GateArms:
    before: Arm
    after: Arm
    others: tuple[tuple[str, Arm], ...] = ()
    """Of a later stage, what else it may be held against, by the word for it: root or parent."""


def find_gate_arms(run: str, against: str, store: Store) -> GateArms:
    """The arms that `run` and `against` mean: a run by its name, id or path, or an arm in the
    grammar; of `against` also `root` and `parent`.

    A base that is looked up is asked in the same way as the arm. Raises EngineError where there is
    none.
    """
    after = _read_arm(run, store)
    others: tuple[tuple[str, Arm], ...] = ()
    if against in (ROOT, PARENT):
        stages = _list_stages(after, store)
        bases = {ROOT: stages[0], PARENT: stages[-1]}
        before = bases.pop(against)
        others = tuple(bases.items()) if len(stages) > 1 else ()
        weights = before.checkpoint
        before = replace(after, name=before.name, checkpoint=weights, adapter=None, strength=1.0)
    else:
        before = _read_arm(against, store)
    if before.name == after.name:
        before = replace(before, name=f"{before.name} (base)")
    return GateArms(before, after, others)


def find_measured_arms(
    results: EvaluationResults, against: str, arm: str, where: str
) -> tuple[str, str]:
    """Before and after, of an evaluation that is done: its last arm, unless `arm` names one, and
    the first one as the root. Raises EngineError where an arm is missing; `where` is the job."""
    names = tuple(results.arms)
    shown = f"{where}: {', '.join(names)}"

    def check(name: str) -> str:
        if name not in names:
            raise EngineError(f"Unknown arm {name!r}.", shown, "Use one of these names.")
        return name

    if len(names) < 2:
        raise EngineError("There are no two arms to compare.", shown, "Evaluate a base as well.")
    after = check(arm or names[-1])
    parent = results.arms[after].parent
    before = check({ROOT: names[0], PARENT: parent or names[0]}.get(against, against))
    if before == after:
        raise EngineError(
            "There are no two arms to compare.", shown, "Use --arm NAME and --against NAME."
        )
    return before, after


def read_gate_suite(text: str) -> SuiteSpec:
    """A suite in the grammar; a bare name that no file has is that of a bundled one. Raises
    EngineError."""
    spec = parse_suite(text)
    if os.path.exists(os.path.expanduser(spec.ref)):
        return spec
    if (SUITES / f"{spec.ref}.jsonl").is_file() or (spec.ref and (DATA / spec.ref).is_dir()):
        return replace(spec, ref=f"bundled:{spec.ref}")
    return spec


def read_gate_suites(recipe: EvaluateRecipe, runs: Sequence[Path]) -> dict[str, Suite]:
    """The suites of an evaluation by name, but for those that only a worker can read. Raises
    EngineError as `make_plan`."""
    readable = [spec for spec in list_specs(recipe) if not needs_worker(spec, runs)]
    if not readable:
        return {}
    plan = make_plan(replace(recipe, suites=[format_suite(spec) for spec in readable]), runs)
    return {suite.name: suite for suite in plan.suites}


def _read_arm(text: str, store: Store) -> Arm:
    """An arm in the grammar, or a run as `Store.find` finds it."""
    if not _GRAMMAR_SIGNS & set(text):
        path = os.path.expanduser(text)
        is_ref = ":" in text or (os.path.exists(path) and not os.path.exists(f"{path}/job.json"))
        if text.startswith(RUN) or not is_ref:
            return _name_run(store.find(text.removeprefix(RUN)))
    return parse_arm(text)


def _name_run(job: JobDirectory) -> Arm:
    recipe, record = job.recipe(), job.record()
    if not isinstance(recipe, TrainRecipe):
        raise EngineError(
            "This job has no model to judge.",
            f"{job.path.name} is a job of kind {recipe.kind}",
            "Name a training run, an arm, or an evaluation that is done: finetop runs.",
        )
    return Arm(record.name if record is not None else job.path.name, f"{RUN}{job.path.name}")


def _list_stages(arm: Arm, store: Store) -> list[Arm]:
    """What an arm was made of, oldest first: of a run its base and the stages before it, of an
    adapter its base."""
    runs = [job.path for job in store.jobs()]
    run = find_producer(arm.checkpoint, runs) if arm.adapter is None else None
    if run is not None and isinstance(JobDirectory(run).recipe(), TrainRecipe):
        return [parse_arm(stage) for stage in list_tree_arms(run.name, (), store)[:-1]]
    if arm.adapter is not None:
        return [Arm("base", arm.checkpoint)]
    if not arm.is_endpoint:
        weights = arm_weights.locate(arm, runs)
        if weights.adapter is not None:
            return [Arm("base", str(weights.base))]
    raise EngineError(
        f"The base of {arm.name} is not known.",
        f"{arm.checkpoint} is a full model, and not the output of a run.",
        "Name what it is held against: --against NAME=CHECKPOINT.",
    )
