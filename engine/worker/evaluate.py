"""The `evaluate` job: each arm on each suite; samples, scores and `results.json`, in that order.

All arms meet the same items in the same order, the first answer greedy, so that results can be
paired. The base of an adapter is the same weights with the adapter off. What was measured is kept
row by row in `samples.jsonl` and `scores.jsonl`, so that a job that was stopped or killed goes on
where it was; its batches are those of the whole set, and its results as if it had never stopped.
Endpoints come last; one that is gone ends the job after all other arms, for it to be resumed.
"""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine import atomic
from engine.checkpoints.run_outputs import find_run
from engine.compare import endpoint_keys
from engine.compare.arm_weights import ArmWeights, locate
from engine.compare.arms import Arm, format_arm
from engine.compare.items import digest_of
from engine.errors import EngineError
from engine.impact.results.evaluation_results import SCHEMA, SuiteFacts, SuiteItem
from engine.impact.results.item_answers import sample_id
from engine.impact.suites.control_arms import ControlArm
from engine.impact.suites.endpoint_arms import (
    check_endpoints,
    describe_treatment,
    describe_unmeasured,
)
from engine.impact.suites.evaluation_plan import (
    EvaluationPlan,
    Suite,
    make_plan,
    split_encoder,
)
from engine.impact.watched.skill_log import find_losses, read_skill_log
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import open_store
from engine.recipes.recipe import EvaluateRecipe
from engine.safe_open import open_file
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.arrow import read_raw
from engine.worker.data.seen_items import SeenItems, SeenItemsFinder
from engine.worker.inference.bert_score import BertScorer
from engine.worker.inference.endpoint_batch import combine
from engine.worker.inference.endpoint_replies import EndpointGone
from engine.worker.inference.models import ModelCache
from engine.worker.inference.sample_log import SampleLog
from engine.worker.inference.score_log import Row, ScoreLog, ScoreMemory
from engine.worker.inference.shared_prefix import ROWS
from engine.worker.inference.suite_measures import SuiteMeasurer, count_work
from engine.worker.inference.weight_files import identify_weights
from engine.worker.model.loading import pick_device

_DIGITS = 16
"""Of an item's digest: 64 bits tell the items of one id apart."""


def run(attempt: Attempt) -> str:
    """Measure all arms. Raises EngineError before it starts where anything is wrong."""
    recipe = attempt.recipe
    assert isinstance(recipe, EvaluateRecipe)
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    plan = make_plan(recipe, runs, read_raw)
    check_endpoints(plan)
    endpoint_keys.check(plan.arms, attempt.directory.path.name)
    for note in (*plan.notes, *describe_unmeasured(plan)):
        attempt.log(note)
    for suite in plan.suites:
        for note in suite.notes:
            attempt.log(f"{suite.name}: {note}")
    _write_items(attempt, plan)
    weights = {arm: locate(arm, runs) for arm in plan.measured if not arm.is_endpoint}
    seen = _find_seen(attempt, plan, runs)
    encoder = _load_encoder(attempt, recipe.encoder)
    models = ModelCache(pick_device(attempt.device.kind if attempt.device else recipe.device))
    passes = [_Pass(arm, plan.suites) for arm in plan.arms]
    passes += [_Pass.of_control(control, plan.suites) for control in plan.controls]
    work = [sum(count_work(suite, one.arm) for suite in one.suites) for one in passes]
    tally = _Tally(attempt, sum(work))
    if plan.controls:
        own = len(plan.arms)
        attempt.log(f"controls: {sum(work[own:]):,} rows beside {sum(work[:own]):,} of the arms")
    _take_over(attempt, recipe.controls_of)
    scores = ScoreLog(attempt.directory.scores)
    samples = SampleLog(attempt.directory.samples)
    control_samples = SampleLog(attempt.directory.control_samples)
    measured: dict[str, dict[str, Any]] = {}
    gone: list[EndpointGone] = []
    # By base: one that is not needed any more makes room for the next. Endpoints come last.
    bases = {one.arm: str(weights[one.arm].base) for one in passes if not one.arm.is_endpoint}
    for one in sorted(passes, key=lambda one: (one.arm.is_endpoint, bases.get(one.arm, ""))):
        located = weights.get(one.arm)
        memory = ScoreMemory(scores, _identify(one, located, models.device), one.arm.name)
        log = control_samples if one.control else samples
        place = _Place(attempt, models, located, memory, log, tally, encoder)
        try:
            measured[one.arm.name] = _measure_pass(one, place)
        except EndpointGone as error:
            attempt.log(f"{one.arm.name}: {error.line}")
            gone.append(error)
    if gone:
        first = combine(gone)
        hint = f"{first.hint} finetop resume {attempt.directory.path.name} continues it."
        raise EngineError(first.title, first.detail, hint)
    refused = [
        {"arm": arm, "suite": suite, "item": item, "reason": reason}
        for arm in (arm.name for arm in plan.arms)
        for suite, result in measured[arm].items()
        for item, reason in result.get("refused", {}).items()
    ]
    attempt.directory.rejects.unlink(missing_ok=True)  # of an attempt before this one
    if refused:
        attempt.reject(refused, "answers left out")
    atomic.write_json(attempt.directory.results, _make_table(plan, measured, seen, runs))
    left = f", {len(refused):,} answers left out (see the log)" if refused else ""
    beside = f" and {len(plan.controls)} controls" if plan.controls else ""
    return f"{len(plan.arms)} arms{beside} on {len(plan.suites)} suites{left}"


def _find_seen(
    attempt: Attempt, plan: EvaluationPlan, runs: Sequence[Path]
) -> dict[str, SeenItems]:
    """By arm, which items stand in rows that it was trained on. Raises Stopped."""

    def tick(run: str, rows: int) -> None:
        if attempt.stop_requested():
            raise Stopped
        attempt.progress(0, 0, message=f"reading the rows of {run}: {rows:,}")

    finder = SeenItemsFinder(
        {suite.name: suite.plain for suite in plan.suites},
        [suite.spec for suite in plan.suites],
        runs,
        tick,
    )
    by_name = {arm.name: arm for arm in plan.arms}
    seen = {
        arm.name: finder.find(arm, by_name.get(plan.parents.get(arm.name, ""))) for arm in plan.arms
    }
    for arm, one in seen.items():
        for note in one.notes:
            attempt.log(f"{arm}: {note}")
    return seen


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where an arm is measured, and where its values go."""

    attempt: Attempt
    models: ModelCache
    weights: ArmWeights | None
    """None of an endpoint."""
    memory: ScoreMemory
    samples: SampleLog
    tally: "_Tally"
    encoder: BertScorer | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Pass:
    """An arm with all that is asked of it."""

    arm: Arm
    suites: tuple[Suite, ...]
    control: ControlArm | None = None

    @classmethod
    def of_control(cls, control: ControlArm, suites: Sequence[Suite]) -> "_Pass":
        """A control is measured by its first answers alone: only these are scored."""
        chosen = tuple(
            dataclasses.replace(suite, items=control.choose_items(suite.items), samples=1)
            for suite in suites
        )
        return cls(control.arm, chosen, control)

    @property
    def rows(self) -> int:
        """Most rows side by side: fewer where an arm is measured once more, so that what batches
        make of a score is seen as well."""
        return ROWS // 3 if self.control and self.control.kind == "identity" else ROWS


def _take_over(attempt: Attempt, controls_of: str) -> None:
    """What a finished evaluation has measured, so that its arms are not measured again."""
    job, source = attempt.directory, JobDirectory(Path(controls_of))
    if not controls_of or job.scores.exists():
        return
    if not source.scores.exists():
        attempt.log(f"{controls_of} is missing: its arms are measured again")
        return
    for name in ("samples", "control_samples", "scores"):  # the last one says that all are here
        before: Path = getattr(source, name)
        if before.exists():
            with open_file(before) as file:
                atomic.write_lines(
                    getattr(job, name), (line.decode(errors="replace") for line in file)
                )


def _measure_pass(one: _Pass, place: _Place) -> dict[str, Any]:
    """By suite, what was measured of an arm, as JSON knows it. Raises Stopped, EngineError."""
    arm = one.arm
    about = place.encoder.about if place.encoder is not None else ""
    whole: dict[str, Row] = {
        suite.name: (0, [suite.digest, _options_of(suite), about]) for suite in one.suites
    }
    memory = {suite.name: place.memory.of(f"{suite.name}, result") for suite in one.suites}
    found = {name: memory[name].find(row) for name, row in whole.items()}
    measurer: SuiteMeasurer | None = None
    for suite in one.suites:
        known = found[suite.name] is not None
        if not known and measurer is None:
            place.tally.begin(f"{arm.name}: loading", 0)
            measurer = _load(one, place)
        place.tally.begin(f"{arm.name}: {suite.name}", work := count_work(suite, arm))
        if known or measurer is None:
            place.tally.tick(work)
            continue
        result = measurer.measure(suite, place.tally.tick).to_json()
        # What a server refused is asked for again by the next attempt, and the rest is known.
        if not (arm.is_endpoint and result.get("refused")):
            memory[suite.name].add([(whole[suite.name], result)])
        found[suite.name] = result
    return found


def _load(one: _Pass, place: _Place) -> SuiteMeasurer:
    arm, loaded_arm = one.arm, None
    if place.weights is not None:
        loaded_arm = place.models.load_arm(arm, place.weights, place.attempt.log)
        assert loaded_arm is not None, "without a budget there is always room"
        for note in loaded_arm.notes:
            place.attempt.log(note)
    return SuiteMeasurer(arm, loaded_arm, place.memory, place.samples, place.encoder, one.rows)


def _load_encoder(attempt: Attempt, written: str) -> BertScorer | None:
    """The encoder that a recipe names; it stays on the CPU."""
    if not written:
        return None
    encoder = BertScorer(*split_encoder(written))
    attempt.log(f"BERTScore by {encoder.about}")
    return encoder


def _identify(one: _Pass, weights: ArmWeights | None, device: torch.device) -> list[object]:
    """What an arm's rows are known again by: its words, its weights as written, and the device; of
    an endpoint its words alone. A control has rows of its own: it is never answered by what was
    measured of the arm itself."""
    kind = [one.control.kind] if one.control else []
    if weights is None:
        return [format_arm(one.arm), *kind]
    return [format_arm(one.arm), identify_weights(weights), device.type, *kind]


def _options_of(suite: Suite) -> list[object]:
    """All that a suite's result depends on beside its items."""
    return [
        dataclasses.asdict(suite.spec.options),
        dataclasses.asdict(suite.decode),
        suite.samples,
        suite.temperature,
    ]


def _write_items(attempt: Attempt, plan: EvaluationPlan) -> None:
    """The items under the ids of their samples, for whoever reads the answers."""
    lines = [
        json.dumps(item.to_json() | {"id": sample_id(suite.name, item.id)}, ensure_ascii=False)
        for suite in plan.suites
        for item in suite.items
    ]
    atomic.write_text(attempt.directory.items, "".join(f"{line}\n" for line in lines))


def _make_table(
    plan: EvaluationPlan,
    measured: Mapping[str, Mapping[str, Any]],
    seen: Mapping[str, SeenItems],
    runs: Sequence[Path],
) -> dict[str, Any]:
    """`results.json`, as `engine.impact.results.evaluation_results` reads it."""
    imported = plan.imported
    arms: dict[str, Any] = {}
    for arm in plan.arms:
        known, losses = seen[arm.name], _find_losses(arm, plan, runs)
        own = {
            name: result
            | {"seen": None if known.suites is None else known.suites[name]}
            | ({"lost_at": losses[name]} if losses.get(name) else {})
            for name, result in measured[arm.name].items()
        }
        others = {name: one.to_json() for name, one in imported.arms.get(arm.name, {}).items()}
        arms[arm.name] = {
            "arm": format_arm(arm),
            "parent": plan.parents.get(arm.name, ""),
            "trained": list(known.trained),
            "notes": [*known.notes, *describe_treatment(arm, plan)],
            "suites": own | others,
        }
    for control in plan.controls:
        arms[control.arm.name] = {
            "arm": format_arm(control.arm),
            "control": control.kind,
            "of": control.of,
            "suites": dict(measured[control.arm.name]),
        }
    suites = {suite.name: _describe(suite) for suite in plan.suites}
    facts = {name: one.to_json() for name, one in imported.suites.items()}
    return {"schema": SCHEMA, "suites": suites | facts, "arms": arms}


def _find_losses(arm: Arm, plan: EvaluationPlan, runs: Sequence[Path]) -> dict[str, dict[str, int]]:
    """By suite, the items that the arm's own run lost while it trained, with the step."""
    ref = arm.adapter or arm.checkpoint
    run = find_run(ref, runs) if ref.startswith(RUN) else None
    if run is None:
        return {}
    log = read_skill_log(JobDirectory(run).skills)
    return {suite.name: find_losses(log, suite.plain, suite.measure) for suite in plan.suites}


def _describe(suite: Suite) -> dict[str, Any]:
    """A suite without any arm: its items, in their order."""
    items = {
        item.id: SuiteItem(
            item.text or (item.messages[-1].content if item.messages else ""),
            item.gold,
            item.choices,
            item.group,
            item.weight,
            item.score,
            digest_of([item])[:_DIGITS],
        )
        for item in suite.items
    }
    facts = SuiteFacts(suite.name, items, suite.measure, suite.digest, suite.notes)
    return {"ref": suite.spec.ref, **facts.to_json()}


class _Tally:
    """How many rows are done, over all parts of the job, and how long the others will take."""

    def __init__(self, attempt: Attempt, total: int) -> None:
        self._attempt = attempt
        self._total = total
        self._before = 0
        self._part = 0
        self._what = ""
        self._began: tuple[float, int] | None = None

    def begin(self, what: str, rows: int) -> None:
        """The part before is done; this one comes."""
        self._before += self._part
        self._part, self._what = rows, what
        self.tick(0)

    def tick(self, done: int) -> None:
        """`done` rows of this part are done. Raises Stopped where somebody asked for it."""
        if self._attempt.stop_requested():
            raise Stopped
        at = self._before + done
        self._attempt.progress(
            at, self._total, message=self._what, eta_seconds=self._seconds_left(at)
        )

    def _seconds_left(self, at: int) -> float | None:
        """By the mean rate since the first row that was measured and not found."""
        now = time.monotonic()
        if self._began is None or at < self._began[1]:
            self._began = (now, at)
        began, first = self._began
        if at <= first or now <= began:
            return None
        return (self._total - at) * (now - began) / (at - first)
