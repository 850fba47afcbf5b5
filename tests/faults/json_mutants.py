"""Mutants of JSON and TOML files: of a Trainer, jobs of version 1, evaluations, judges, exports.

A job's bad file is one row with a reason, and takes nothing away from the other jobs; what still
parses is read as it stands there. Parsed here by Python's own parsers and nothing of `engine`.
"""

import dataclasses
import json
import math
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from engine.compare import annotations, samples, votes
from engine.errors import EngineError
from engine.events.trainer_state import TrainerLog
from engine.jobs import overview, summary
from engine.jobs.directory import JobDirectory, JobRecord, read_json
from engine.jobs.status import State, Status
from engine.jobs.store import Store
from engine.jobs.summary import JobView, UserNotes
from tests.faults.evaluation_mutants import check_evaluation
from tests.faults.event_mutants import RETRY, Clock
from tests.faults.event_oracle import same_key
from tests.faults.export_mutants import check_export
from tests.faults.json_damage import damage
from tests.faults.judge_mutants import check_judge
from tests.faults.sweep_mutants import check_sweep
from tests.faults.verdict import (
    HANG_SECONDS,
    LostError,
    Result,
    Verdict,
    WrongError,
    judge_error,
    time_limit,
)

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "version1" / "runs"
JOBS = ("alarm-4bce", "answers-ffa7", "measured-170b")
FILES = (
    "alarm-4bce/job.json", "alarm-4bce/status.json", "alarm-4bce/user.json",
    "alarm-4bce/recipe.toml", "answers-ffa7/job.json", "answers-ffa7/status.json",
    "answers-ffa7/samples.jsonl", "answers-ffa7/remarks.json",
    "answers-ffa7/votes-ada-fdee430d.jsonl", "measured-170b/status.json",
    "measured-170b/results.json",
)  # fmt: skip
HISTORY = [
    entry
    for step in range(1, 40)
    for entry in (
        {"step": step, "epoch": step / 10, "loss": 3 / step, "grad_norm": math.nan},
        {"step": step, "epoch": step / 10, "eval_loss": 2 / step},
    )
]


def check_trainer_state(random: Random, folder: Path) -> None:
    """A damaged state is read as it stands there, or its trouble is named; a whole one returns."""
    state = {"best_metric": 0.5, "global_step": 39, "log_history": HISTORY, "max_steps": 39}
    whole = json.dumps(state, indent=random.choice((None, 2))).encode()
    data = damage(random, whole)
    path = folder / "trainer_state.json"
    path.write_bytes(data)
    clock = Clock()
    log = TrainerLog(folder, clock=clock)
    log.poll()
    expected = _expected_curves(data)
    _compare_curves(log, expected or {})
    if expected is None and not log.problems:
        raise LostError("a state that is none is not named")
    path.write_bytes(whole)
    clock.now += 20 + RETRY
    log.poll()
    _compare_curves(log, _expected_curves(whole) or {})
    if log.problems:
        raise WrongError("a whole state is said to be damaged")


def check_job(random: Random, folder: Path) -> None:
    """One file of one job is damaged. Raises LostError, WrongError."""
    for name in JOBS:
        shutil.copytree(FIXTURES / name, folder / name)
    name = random.choice(FILES)
    victim, path = folder / name.partition("/")[0], folder / name
    before = _views(folder)
    path.write_bytes(damage(random, path.read_bytes()))
    os.utime(path, (0, 0))  # for so long that nobody is about to finish it
    after = _views(folder)
    if before.keys() - after.keys():
        raise LostError(f"{name}: not listed: {', '.join(before.keys() - after.keys())}")
    for other in before.keys() - {victim.name}:
        if after[other] != before[other]:
            raise WrongError(f"{name}: changed {other}")
    _check_view(path, after[victim.name])
    _check_answers(path)


CHECKS: dict[str, Callable[[Random, Path], None]] = {
    "trainer_state.json": check_trainer_state,
    "a job's file": check_job,
    "an evaluation's file": check_evaluation,
    "a sweep's file": check_sweep,
    "a judge's file": check_judge,
    "an export's file": check_export,
}


def run(seed: int, numbers: Sequence[int]) -> Iterator[Result]:
    for number in numbers:
        kind = list(CHECKS)[number % len(CHECKS)]
        verdict, detail = Verdict.SURVIVED, ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                with time_limit(HANG_SECONDS):
                    CHECKS[kind](Random(f"{seed}/json/{number}"), Path(folder))
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                verdict, detail = judge_error(error), f"{type(error).__name__}: {error}"[:300]
        yield Result(kind, number, verdict, detail)


def _views(folder: Path) -> dict[str, JobView]:
    """Every row of the list of runs, with all that its overview reads."""
    views = {}
    for job in Store(folder).jobs():
        view = summary.view(job)
        if view is not None:
            overview.gather(job)
            views[job.path.name] = view
    return views


def _check_view(path: Path, view: JobView) -> None:
    """The row of the damaged job has what its file holds, or a reason."""
    if path.name == "recipe.toml":
        if view.recipe is None and not view.problem:
            raise LostError("recipe.toml: no reason")
        try:
            tomllib.loads(path.read_bytes().decode())
        except (ValueError, RecursionError):
            if view.recipe is not None:
                raise WrongError("recipe.toml does not parse, and is read") from None
        return
    readers: dict[str, tuple[type, object]] = {
        "job.json": (JobRecord, view.record),
        "status.json": (Status, view.status),
        "user.json": (UserNotes, view.notes),
    }
    if path.name not in readers:
        return
    cls, value = readers[path.name]
    table = _parse(path.read_bytes())
    if table is not None and not view.problem and value is not None:
        _check_fields(path.name, cls, table, value)
    elif not view.problem:
        raise LostError(f"{path.name}: no reason")


def _check_fields(name: str, cls: type, table: dict[str, object], value: object) -> None:
    """Each field is what the file says, or its default where the file does not say it."""
    for field in dataclasses.fields(cls):
        actual = getattr(value, field.name)
        if field.name not in table or field.name == "error":
            continue
        if isinstance(actual, State):
            actual = str(actual)
        expected = table[field.name]
        same = actual == expected or (actual != actual and expected != expected)
        if not same or isinstance(actual, bool) is not isinstance(expected, bool):
            raise WrongError(f"{name}: {field.name} is {actual!r}, not {expected!r}")


def _check_answers(path: Path) -> None:
    """Answers, votes and notes: refused in words, or every line that is whole is read."""
    job = JobDirectory(path.parent)
    lines = [table for line in path.read_bytes().split(b"\n") if (table := _parse(line))]
    try:
        if path.name == "samples.jsonl":
            actual = [sample.prompt_id for sample in samples.read(job.samples)]
            expected = [str(table["prompt_id"]) for table in lines if "prompt_id" in table]
            if actual != expected:
                raise LostError(f"{len(expected)} answers, {len(actual)} read")
        elif path.name.startswith("votes-"):
            votes.read(path)
        elif path.name == "remarks.json":
            remarks = annotations.read(path.parent)
            table = _parse(path.read_bytes()) or {}
            if not set(remarks) <= set(table):
                raise WrongError("a note on a prompt that has none")
        elif path.name == "results.json" and read_json(path) != _parse(path.read_bytes()):
            raise WrongError("results.json is read otherwise")
    except EngineError:
        return


def _parse(data: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _expected_curves(data: bytes) -> dict[str, list[tuple[int, float, float]]] | None:
    """The points of a state by tag; None where it is none."""
    state = _parse(data)
    if state is None or "log_history" not in state:
        return None
    history = state["log_history"]
    curves: dict[str, list[tuple[int, float, float]]] = {}
    for entry in history if isinstance(history, list) else []:
        step = entry.get("step") if isinstance(entry, dict) else None
        if type(step) is not int or abs(step) >= 1 << 63:
            continue
        for key, value in entry.items():
            if key == "step" or type(value) not in (int, float):
                continue
            tag = key.replace("eval_", "eval/", 1) if key.startswith("eval_") else f"train/{key}"
            curves.setdefault(tag, []).append(same_key((step, math.nan, _as_float(value))))
    return curves


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _compare_curves(log: TrainerLog, expected: dict[str, list[tuple[int, float, float]]]) -> None:
    actual = {
        tag: [
            same_key((step, math.nan, value))
            for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True)
        ]
        for tag, series in log.series.items()
    }
    for tag in expected.keys() | actual.keys():
        if len(actual.get(tag, [])) < len(expected.get(tag, [])):
            raise LostError(f"{tag!r}: {len(expected[tag]) - len(actual.get(tag, []))} not read")
        if actual.get(tag) != expected.get(tag):
            raise WrongError(f"{tag!r}: other points than are there")
