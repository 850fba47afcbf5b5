"""Skills that another harness measured, of some arms: its files, as the results of an evaluation.

A task is a skill, its metrics are measures of it. Owns which files of a folder are meant, which
metric becomes which measure, and that arms are held against each other on the same items only.
Refuses to guess what a metric means where nothing says that more is better.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.impact.results.evaluation_results import (
    FLEXIBLE,
    LIKELIHOOD,
    LIKELIHOOD_NORM,
    STRICT,
    ArmSuite,
    SuiteFacts,
)
from engine.impact.suites.imported_scores import (
    ImportedScores,
    NoUsableMetric,
    check_same_items,
    read_inspect,
    read_lm_eval,
    split_name,
)
from engine.impact.suites.suite_specs import SuiteSpec
from engine.safe_open import read_bounded

_LM_EVAL = "lm-eval:"
_LARGEST = 64 << 20
"""Bytes of a `results_TIME.json`."""
_LESS_IS_BETTER = frozenset(
    ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score", "loss",
     "nll", "wer", "cer", "ter")
)  # fmt: skip
"""Metrics of lm-evaluation-harness, where no `results_TIME.json` lies beside that says it."""


@dataclass(frozen=True, slots=True)
class ImportedSuites:
    """Parts of an `EvaluationResults`."""

    suites: Mapping[str, SuiteFacts] = field(default_factory=dict)
    arms: Mapping[str, Mapping[str, ArmSuite]] = field(default_factory=dict)
    """By arm and suite."""


def import_suites(
    specs: Sequence[SuiteSpec],
    arms: Sequence[str],
    taken: Sequence[str] = (),
    say: Callable[[str], object] = lambda note: None,
) -> ImportedSuites:
    """The scores that these suites name, of these arms; `taken` are names of other suites.

    `say` is told which tasks of a folder have no score that can be a skill's. Raises EngineError
    where a file cannot be read, an arm is not one of these, a name is taken, an arm has a skill
    twice, or two arms were not measured on the same items.
    """
    tasks: dict[str, dict[str, _Task]] = {}
    for spec in specs:
        if spec.options.arm not in arms:
            raise EngineError(
                f"There is no arm {spec.options.arm!r}.", spec.ref, f"Arms: {', '.join(arms)}."
            )
        for task in _read_tasks(spec, say):
            of_arms = tasks.setdefault(task.name, {})
            if task.name in taken or spec.options.arm in of_arms:
                raise EngineError(
                    f"Two suites have the name {task.name!r}.",
                    f"{task.path}, arm {spec.options.arm}",
                    "Give each a name: NAME=SUITE.",
                )
            of_arms[spec.options.arm] = task
    suites: dict[str, SuiteFacts] = {}
    measured: dict[str, dict[str, ArmSuite]] = {}
    for name, of_arms in tasks.items():
        check_same_items([task.first for task in of_arms.values()])
        suites[name] = _describe(name, list(of_arms.values()))
        for arm, task in of_arms.items():
            measured.setdefault(arm, {})[name] = task.result
    return ImportedSuites(suites, measured)


@dataclass(frozen=True, slots=True)
class _Task:
    """One task of one arm."""

    name: str
    path: Path
    first: ImportedScores
    """Any of its metrics: all are of the same items."""
    result: ArmSuite
    measure: str
    """That is the skill's score."""


def _read_tasks(spec: SuiteSpec, say: Callable[[str], object]) -> list[_Task]:
    if not spec.ref.startswith(_LM_EVAL):
        path = Path(spec.ref.partition(":")[2]).expanduser()
        return [_make_task(spec, read_inspect(path), {"source": "inspect_ai"})]
    paths = _find_files(Path(spec.ref.removeprefix(_LM_EVAL)).expanduser())
    tasks: list[_Task] = []
    for path in paths:
        try:
            tasks.append(_make_task(spec, *_read_lm_eval(path)))
        except NoUsableMetric as error:
            if len(paths) == 1:
                raise
            say(f"{error.title} {error.detail}")
    if spec.name and len(tasks) > 1:
        raise EngineError(
            f"A folder of {len(tasks)} tasks cannot be one suite.",
            f"{spec.name}: {', '.join(task.first.task for task in tasks)}",
            "Name a file of samples, or give no name: each task has its own.",
        )
    return tasks


def _find_files(path: Path) -> list[Path]:
    """A file, or of a folder the newest file of each task; also of the only folder in it."""
    if not path.is_dir():
        return [path]
    found = _newest(path)
    folders = sorted(one.parent for one in path.glob("*/samples_*.jsonl")) if not found else []
    if len(set(folders)) > 1:
        names = ", ".join(dict.fromkeys(folder.name for folder in folders))
        raise EngineError("This folder has samples of several models.", f"{path}: {names}",
                          "Name the folder of one model for each arm.")  # fmt: skip
    found = found or (_newest(folders[0]) if folders else [])
    if not found:
        raise EngineError(
            "This folder has no samples of lm-evaluation-harness.",
            str(path),
            "It writes them with --log_samples --output_path DIR.",
        )
    return found


def _newest(folder: Path) -> list[Path]:
    """By task, in its order; the time stands in the name, and sorts as it reads."""
    newest: dict[str, Path] = {}
    for path in sorted(folder.glob("samples_*.jsonl"), key=lambda one: split_name(one)[1]):
        newest[split_name(path)[0]] = path
    return [newest[task] for task in sorted(newest)]


def _read_lm_eval(path: Path) -> tuple[list[ImportedScores], dict[str, Any]]:
    """The metrics of which more is better, and how the task was asked."""
    task, time = split_name(path)
    about = _read_about(path.with_name(f"results_{time}.json")) if time else {}
    higher = _step(about, "higher_is_better", task)
    read = read_lm_eval(path)
    kept: list[ImportedScores] = []
    left_out: list[ImportedScores] = []
    for one in read:
        stated = higher.get(one.metric) if isinstance(higher, Mapping) else None
        is_more_better = one.metric not in _LESS_IS_BETTER if stated is None else stated is True
        (kept if is_more_better else left_out).append(one)
    if not kept:
        raise NoUsableMetric(
            "Of no metric of this file more is better.",
            f"{path}: {', '.join(one.metric for one in left_out)}",
            "Its texts can be measured here: a suite of items with the score perplexity.",
        )
    asked: dict[str, Any] = {"source": "lm-evaluation-harness"}
    if isinstance(shots := _step(about, "n-shot", task), int):
        asked["fewshot"] = shots
    if "chat_template" in about:
        asked["template"] = "own" if about["chat_template"] else "raw"
    if isinstance(model := about.get("model_name"), str):
        asked["model"] = model
    return kept, asked


def _read_about(path: Path) -> Mapping[str, Any]:
    """The file that the harness writes beside the samples; nothing where it is not there."""
    try:
        table = json.loads(read_bounded(path, _LARGEST))
    except (EngineError, OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}


def _step(table: Mapping[str, Any], *keys: str) -> object:
    value: object = table
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _make_task(spec: SuiteSpec, read: Sequence[ImportedScores], asked: Mapping[str, Any]) -> _Task:
    first = read[0]
    measures: dict[str, Mapping[str, float]] = {}
    notes = list(first.notes)
    for one in read:
        if not all(0 <= value <= 1 for value in one.scores.values()):
            notes.append(f"left out, since not between 0 and 1: {one.metric}")
            continue
        name = _measure_of(one, measures)
        measures[name] = one.scores
    if not measures:
        raise NoUsableMetric("No metric of this file is a score from 0 to 1.",
                          f"{first.path}: {', '.join(one.metric for one in read)}")  # fmt: skip
    wanted = spec.options.measure
    if wanted and wanted not in measures:
        raise EngineError(
            f"These scores have no measure {wanted!r}.",
            f"{first.path}: {', '.join(measures)}",
            "Use one of these, or none.",
        )
    if first.model:
        asked = {**asked, "model": first.model}
    picked = {LIKELIHOOD: dict(first.likeliest)} if LIKELIHOOD in measures else {}
    result = ArmSuite(measures, dict(asked), picked=picked, notes=tuple(notes))
    name = spec.name or first.task
    return _Task(name, first.path, first, result, wanted or next(iter(measures)))


def _measure_of(one: ImportedScores, known: Mapping[str, object]) -> str:
    """Our name of a metric that says right or wrong of each item; else its own."""
    own = f"{one.metric} · {one.variant}" if one.variant else one.metric
    if any(value not in (0, 1) for value in one.scores.values()):
        return own
    if one.likeliest:
        name = {"acc": LIKELIHOOD, "acc_norm": LIKELIHOOD_NORM}.get(one.metric, own)
    else:
        name = FLEXIBLE if "flexible" in one.variant else STRICT
    return own if name in known else name


def _describe(name: str, tasks: Sequence[_Task]) -> SuiteFacts:
    first = tasks[0].first
    digest = hashlib.sha256(json.dumps(sorted(first.digests.items())).encode()).hexdigest()
    measures = {task.measure for task in tasks}
    if len(measures) > 1:
        raise EngineError(
            f"{name}: the arms were not scored by one metric.",
            "; ".join(f"{task.path}: {', '.join(task.result.measures)}" for task in tasks),
            "Measure both with the same version of the task.",
        )
    return SuiteFacts(
        name, {item: first.items[item] for item in first.scores}, measures.pop(), digest
    )
