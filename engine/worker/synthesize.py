"""The `synthesize` job: rows to train on, made of raw texts by one arm, with the reason of each
that could not be made or is held back.

Sources are read once and pinned in `sources.jsonl`; answers stand in `samples.jsonl`, good and bad;
a line of `outcomes.jsonl` says what became of a source. All three only grow, so that the job goes
on where it was, however it ended. One of endpoints alone imports no library of models.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine import atomic
from engine.compare import endpoint_hosts, endpoint_keys
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm, answering_arms, parse_arm
from engine.data.dataset_list import find_path
from engine.jobs.store import open_store
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.settings import Decode
from engine.safe_open import read_lines
from engine.synthesis.gates.candidate import standing_candidates
from engine.synthesis.gates.gate_set import GateSet
from engine.synthesis.outcomes import Outcome, read_outcomes
from engine.synthesis.remaining import RemainingSource, find_remaining
from engine.synthesis.repairs import ProposeRepair
from engine.synthesis.reviews import read_reviews
from engine.synthesis.row_modes import RowMode, find_mode
from engine.synthesis.row_schema import RowSchema, make_schema
from engine.synthesis.source_reader import read_source
from engine.synthesis.source_rows import SourceRow, read_sources, write_sources
from engine.synthesis.tally import measure_progress, read_tally
from engine.worker.attempt import Attempt
from engine.worker.data.arrow import read_raw
from engine.worker.synthesis.answer_log import AnswerLog
from engine.worker.synthesis.endpoint_generator import EndpointGenerator
from engine.worker.synthesis.final_rows import measure_made_rows, write_final_rows
from engine.worker.synthesis.generator import Generator
from engine.worker.synthesis.row_job import RowJob
from engine.worker.synthesis.row_judging import JudgeArm, RowJudging
from engine.worker.synthesis.source_work import SourceWork

if TYPE_CHECKING:
    from engine.worker.inference.models import LoadedArm, ModelCache
    from engine.worker.synthesis.judge_gate import AskJudge

_JUDGE_TOKENS = 512
"""Of its answer, which is one word; one that reasons first needs more."""
NO_REPAIRS = "json-repair is not installed: answers that are not quite JSON are asked for again"


def run(attempt: Attempt) -> str:
    """Make the rows that are missing. Raises EngineError before it asks where anything is wrong."""
    recipe = attempt.recipe
    assert isinstance(recipe, SynthesizeRecipe)
    directory = attempt.directory
    arms = [parse_arm(text) for text in answering_arms(recipe)]
    endpoint_keys.check(arms, directory.path.name)
    endpoint_hosts.check(arms, directory.path.name)
    runs = [job.path for job in open_store(directory.path.parent).jobs()]
    mode = find_mode(recipe.mode)
    sources, columns = _pin_sources(attempt, recipe, runs)
    schema = make_schema(recipe.fields, columns, one_object=mode.one_object)
    before = read_outcomes(directory.outcomes)
    remaining = find_remaining(sources, before, read_reviews(directory.reviews))
    notes: dict[str, None] = {}
    job: RowJob | None = None
    outcomes = {
        name: outcome
        for name, outcome in before.items()
        if name not in {one.source.id for one in remaining}
    }
    if remaining:
        log = AnswerLog(directory.samples)
        propose = _find_repairs(mode, notes)
        models = ModelShelf(attempt, recipe.device, runs)
        generator = _open_generator(models, recipe, schema, mode)
        gates = _open_gates(attempt, recipe, models, log, runs)
        gates.add_all(
            standing_candidates(recipe, {one.id: one for one in sources}, outcomes.values())
        )
        judging = RowJudging(recipe, gates)
        job = RowJob(attempt, recipe, generator, log, judging, outcomes, len(sources))

        def begin(one: RemainingSource) -> SourceWork:
            return SourceWork(recipe, schema, mode, one, generator, log, propose)

        try:
            job.run(remaining, begin)
        finally:
            notes |= generator.notes
            for note in notes:
                attempt.log(note)
            _reject(attempt, outcomes)
    return _summarise(attempt, recipe, job.reached if job else "", list(notes), runs)


def _pin_sources(
    attempt: Attempt, recipe: SynthesizeRecipe, runs: Sequence[Path]
) -> tuple[list[SourceRow], tuple[str, ...]]:
    """The sources as they were read by the first attempt, and the names of their columns."""
    directory = attempt.directory
    sources = read_sources(directory.sources)
    if not sources:
        attempt.progress(0, 0, message="reading the source")
        found = read_source(find_path(recipe.source.data, runs), recipe.source, read_raw)
        if found.faults:
            attempt.reject(
                [
                    {"file": one.file, "line": one.line, "reason": one.reason, "text": one.text}
                    for one in found.faults
                ],
                "rows of the source cannot be used",
            )
        write_sources(directory.sources, found.rows)
        sources = found.rows
    return sources, tuple(dict.fromkeys(name for one in sources for name in one.columns))


class ModelShelf:
    """The local models of a job; the first of the heavy libraries is loaded with the first one."""

    def __init__(self, attempt: Attempt, device: str, runs: Sequence[Path]) -> None:
        self._attempt = attempt
        self._device = device
        self._runs = runs
        self._models: ModelCache | None = None

    def load(self, arm: Arm) -> "LoadedArm":
        """The arm, ready to answer. Raises EngineError."""
        from engine.worker.inference.models import ModelCache
        from engine.worker.model.loading import pick_device

        self._attempt.progress(0, 0, message=f"{arm.name}: loading")
        if self._models is None:
            device = self._attempt.device.kind if self._attempt.device else self._device
            self._models = ModelCache(pick_device(device))
        loaded_arm = self._models.load_arm(arm, locate(arm, self._runs), self._attempt.log)
        assert loaded_arm is not None, "no other arm answers"
        return loaded_arm


def _open_generator(
    models: ModelShelf, recipe: SynthesizeRecipe, schema: RowSchema, mode: RowMode
) -> Generator:
    """The arm that writes, ready to be asked. Raises EngineError."""
    is_held = recipe.asking.grammar != "off"
    arm = parse_arm(recipe.asking.generator)
    if arm.is_endpoint:
        return EndpointGenerator(
            arm,
            arm.decoding(recipe.decode),
            recipe.asking.in_flight,
            schema.json_schema() if is_held and mode.one_object else None,
            needs_schema=recipe.asking.grammar == "on",
        )
    choices = {name: schema.fields[name].choices for name in schema.asked if not mode.one_object}
    held = {name: one for name, one in choices.items() if one and is_held}
    return _open_model(models, arm, recipe.decode, held)


def _open_model(
    models: ModelShelf, arm: Arm, decode: Decode, choices: Mapping[str, Sequence[str]]
) -> Generator:
    """A local model; a grammar that holds its answers to the schema belongs here."""
    from engine.worker.synthesis.model_generator import ModelGenerator

    return ModelGenerator(arm, models.load(arm), arm.decoding(decode), choices)


def _find_repairs(mode: RowMode, notes: dict[str, None]) -> ProposeRepair | None:
    """What repairs JSON; None where nothing is read as JSON, or the library is not there."""
    if not mode.one_object:
        return None
    try:
        from engine.worker.synthesis.answer_repair import propose_repair
    except ImportError:
        notes[NO_REPAIRS] = None
        return None
    return propose_repair


def _open_gates(
    attempt: Attempt,
    recipe: SynthesizeRecipe,
    models: ModelShelf,
    log: AnswerLog,
    runs: Sequence[Path],
) -> GateSet:
    """The gates of the recipe, with nothing to compare with yet. Raises EngineError."""
    from engine.worker.synthesis.all_gates import make_gates
    from engine.worker.synthesis.held_out import read_held_out

    if recipe.source.held_out:
        attempt.progress(0, 0, message="reading the evaluation side")
    held_out = read_held_out(recipe.source.held_out, runs, attempt.log)
    ask_judge: AskJudge | None = None
    if recipe.gates.judge:
        arm, decode = parse_arm(recipe.gates.judge), Decode(max_new_tokens=_JUDGE_TOKENS)
        judge: Generator
        if arm.is_endpoint:
            judge = EndpointGenerator(arm, arm.decoding(decode), 1, None)
        else:
            judge = _open_model(models, arm, decode, {})
        ask_judge = JudgeArm(attempt, judge, log).ask
    return make_gates(recipe, held_out, ask_judge)


def _reject(attempt: Attempt, outcomes: Mapping[str, Outcome]) -> None:
    """Write the rows of the source that could not be used, and the sources that were set aside."""
    rows = [table for table in _read_rejects(attempt.directory.rejects) if "line" in table]
    rows += [
        {"source": one.source, "reason": "; ".join(reason.name for reason in one.reasons)}
        for one in outcomes.values()
        if one.state == "set aside"
    ]
    if rows:
        attempt.reject(rows, "rows could not be made")
    else:
        attempt.directory.rejects.unlink(missing_ok=True)
        attempt.update(rejected=0)


def _read_rejects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_lines(path, "The rejects") if line.strip()]


def _summarise(
    attempt: Attempt,
    recipe: SynthesizeRecipe,
    reached: str,
    notes: Sequence[str],
    runs: Sequence[Path],
) -> str:
    """Write what came of it, the rows as well where nobody is to review them, and say it in a
    line. Raises OSError."""
    tally = read_tally(attempt.directory, recipe)
    now = measure_progress(tally, attempt.running_seconds, recipe.budget)
    left = tally.sources - tally.finished
    table = tally.to_table() | {
        "progress": dataclasses.asdict(now), "left": left, "reached": reached,
        "notes": list(notes),
    }  # fmt: skip
    if written := write_final_rows(attempt.directory, recipe, runs):
        attempt.log(written)
        notes = [*notes, written]
    if tally.passed.count:
        table["rows"] = measure_made_rows(attempt.directory, recipe)
    atomic.write_json(attempt.directory.results, table)
    words = ", ".join(f"{count:,} {state}" for state, count in tally.states.items() if count)
    parts = [f"{words or 'no rows made'} of {tally.sources:,} sources"]
    if left:
        why = f"budget of {reached} reached: " if reached else ""
        parts.append(f"{why}{left:,} left")
    return "; ".join([*parts, *notes])
