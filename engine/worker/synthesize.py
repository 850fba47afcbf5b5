"""The `synthesize` job: rows to train on, made of raw texts by one arm, with the reason of each
that could not be made or is held back.

Sources are read once and pinned in `sources.jsonl`; answers stand in `samples.jsonl`, good and bad;
a line of `outcomes.jsonl` says what became of a source. All three only grow, so that the job goes
on where it was, however it ended. One of endpoints alone imports no library of models.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine import atomic
from engine.compare import endpoint_hosts, endpoint_keys
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm, answering_arms, parse_arm
from engine.data.dataset_list import find_path
from engine.jobs.store import open_store
from engine.recipes.recipe import SynthesizeRecipe
from engine.safe_open import read_lines
from engine.synthesis.outcomes import Outcome, Reason, read_outcomes
from engine.synthesis.remaining import NO_ANSWER, RemainingSource, find_remaining
from engine.synthesis.repairs import ProposeRepair
from engine.synthesis.reviews import read_reviews
from engine.synthesis.row_modes import RowMode, find_mode
from engine.synthesis.row_schema import RowSchema, make_schema
from engine.synthesis.source_reader import read_source
from engine.synthesis.source_rows import SourceRow, read_sources, write_sources
from engine.worker.attempt import Attempt
from engine.worker.data.arrow import read_raw
from engine.worker.synthesis.answer_log import AnswerLog
from engine.worker.synthesis.final_rows import write_final_rows
from engine.worker.synthesis.generator import Generator
from engine.worker.synthesis.row_job import RowJob
from engine.worker.synthesis.source_work import SourceWork

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
        generator = _open_generator(attempt, recipe, schema, mode, runs)
        judge_row = _open_gates(outcomes)
        job = RowJob(attempt, recipe, generator, log, judge_row, outcomes, len(sources))

        def begin(one: RemainingSource) -> SourceWork:
            return SourceWork(recipe, schema, mode, one, generator, log, propose)

        try:
            job.run(remaining, begin)
        finally:
            notes |= generator.notes
            for note in notes:
                attempt.log(note)
            _reject(attempt, outcomes)
    if written := write_final_rows(directory, recipe, runs):
        attempt.log(written)
        notes[written] = None
    return _summarise(attempt, outcomes, len(sources), job.reached if job else "", list(notes))


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


def _open_generator(
    attempt: Attempt,
    recipe: SynthesizeRecipe,
    schema: RowSchema,
    mode: RowMode,
    runs: Sequence[Path],
) -> Generator:
    """The arm that writes, ready to be asked. Raises EngineError."""
    arm = parse_arm(recipe.asking.generator)
    decode = arm.decoding(recipe.decode)
    is_held = mode.one_object and recipe.asking.grammar != "off"
    if arm.is_endpoint:
        from engine.worker.synthesis.endpoint_generator import EndpointGenerator

        return EndpointGenerator(
            arm,
            decode,
            recipe.asking.in_flight,
            schema.json_schema() if is_held else None,
            needs_schema=recipe.asking.grammar == "on",
        )
    choices = {name: schema.fields[name].choices for name in schema.asked if not mode.one_object}
    held = {name: one for name, one in choices.items() if one and recipe.asking.grammar != "off"}
    return _open_model(attempt, arm, recipe, runs, held)


def _open_model(
    attempt: Attempt,
    arm: Arm,
    recipe: SynthesizeRecipe,
    runs: Sequence[Path],
    choices: Mapping[str, Sequence[str]],
) -> Generator:
    """A local model; a grammar that holds its answers to the schema belongs here."""
    from engine.worker.inference.models import ModelCache
    from engine.worker.model.loading import pick_device
    from engine.worker.synthesis.model_generator import ModelGenerator

    attempt.progress(0, 0, message=f"{arm.name}: loading")
    device = attempt.device.kind if attempt.device else recipe.device
    models = ModelCache(pick_device(device), budget=0)
    loaded_arm = models.load_arm(arm, locate(arm, runs), attempt.log)
    assert loaded_arm is not None, "no other arm answers"
    return ModelGenerator(arm, loaded_arm, arm.decoding(recipe.decode), choices)


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


def _open_gates(outcomes: Mapping[str, Outcome]) -> Callable[[SourceWork], tuple[Reason, ...]]:
    """The gates of the recipe, with the rows that passed them already."""
    return lambda work: ()


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
    outcomes: Mapping[str, Outcome],
    total: int,
    reached: str,
    notes: Sequence[str],
) -> str:
    """Write what came of it, and say it in a line."""
    counts = {
        state: sum(one.state == state for one in outcomes.values())
        for state in ("passed", "held back", "set aside")
    }
    left = total - len(outcomes)
    unanswered = sum(
        NO_ANSWER in {reason.name for reason in one.reasons} for one in outcomes.values()
    )
    atomic.write_json(
        attempt.directory.results,
        {
            "sources": total, "states": counts, "left": left, "reached": reached,
            "unanswered": unanswered, "notes": list(notes),
        },
    )  # fmt: skip
    words = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    parts = [f"{words or 'no rows made'} of {total:,} sources"]
    if left:
        why = f"budget of {reached} reached: " if reached else ""
        parts.append(f"{why}{left:,} left")
    return "; ".join([*parts, *notes])
