"""What a report says of the runs behind its arms: settings, versions, curves in few points.

Owns which settings and curves matter. Reads a job's directory; steps are kept, times are not.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import EngineError
from engine.events.log_dir import LogDir
from engine.events.series import Series, thin
from engine.events.summary import Gap, gap, summarise
from engine.events.tag_names import in_order
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.summary import view
from engine.recipes.recipe import TrainRecipe, to_table
from engine.report.short_names import ShortNames, find_run_id

COLUMNS = 160
"""A curve is drawn from the lowest and the highest point of so many parts of its steps."""
MOST_CURVES = 24
_LEFT_OUT = ("machine/", "train/tokens", "train/epoch", "train/perplexity", "eval/perplexity")
_ALWAYS = (
    "data.train", "training.learning_rate", "training.epochs", "training.batch_size",
    "training.lr_scheduler_type", "training.seed",
)  # fmt: skip
_REFS = frozenset(
    ("data.train", "data.eval", "data.template", "replay.data", "forgetting.probe",
     "samples.prompts", "model.checkpoint")
)  # fmt: skip
_NOT_SHOWN = ("kind", "version", "name", "device", "samples.", "model.checkpoint",
              "training.saves", "training.save_total_limit", "training.evaluations")  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunCurve:
    """One logged scalar: its ends, its best, and points to draw it from."""

    tag: str
    points: int
    """As logged."""
    first: tuple[int, float]
    """Step and value."""
    best: tuple[int, float] | None
    """None where the tag does not say which values are better."""
    last: tuple[int, float]
    not_finite: int
    steps: tuple[float, ...]
    values: tuple[float, ...]
    """NaN where a point is not finite."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    id: str
    method: str
    """Short: `LoRA r8`."""
    base: str
    """What it began with."""
    parent: str
    """The run that it began with; empty: none."""
    state: str
    """As it was written: whether a worker still lives is no fact to take away."""
    step: int
    total: int
    tokens: int
    """Trained on, as far as the run counted them."""
    settings: Mapping[str, str] = field(hash=False)
    """Those that are always of interest, and those that are not the default."""
    packages: Mapping[str, str] = field(hash=False)
    """Versions."""
    curves: tuple[RunCurve, ...]
    gap: tuple[int, float, float] | None
    """At the last evaluation: its step, the mean training loss since the one before, and the
    held-out loss."""
    problems: tuple[str, ...] = ()

    @property
    def loss_unit(self) -> str:
        """Of `train/loss` and `eval/loss`."""
        is_dpo = self.settings.get("training.objective") == "dpo"
        return "nats per pair (DPO)" if is_dpo else "nats per token"


def list_runs(
    refs: Sequence[str], known: Mapping[str, JobDirectory]
) -> tuple[list[JobDirectory], list[str]]:
    """The runs behind these checkpoints, each after those that it began with; and the ids of runs
    that are not among `known`."""
    found: dict[str, JobDirectory] = {}
    missing: dict[str, None] = {}
    for ref in refs:
        chain: list[JobDirectory] = []
        run = find_run_id(ref)
        while run and run not in found and all(one.path.name != run for one in chain):
            if run not in known:
                missing[run] = None
                break
            chain.append(known[run])
            run = find_run_id(_read_checkpoint(known[run]))
        found.update({job.path.name: job for job in reversed(chain)})
    return list(found.values()), list(missing)


def read_run(job: JobDirectory, names: ShortNames) -> RunFacts:
    """The facts of a run. Nothing is raised for what cannot be read: it is said in `problems`."""
    shown, status = view(job), statuses.read(job)
    recipe = shown.recipe if shown is not None else None
    checkpoint = _read_checkpoint(job)
    log = LogDir(job.events)
    log.poll()
    problems = ["its event files hold errors"] if log.problems else []
    problems += ["its recipe cannot be read"] if not isinstance(recipe, TrainRecipe) else []
    return RunFacts(
        job.path.name,
        shown.method if shown is not None and isinstance(recipe, TrainRecipe) else "unknown",
        names.name_ref(checkpoint),
        find_run_id(checkpoint),
        read_state(job),
        status.step if status else 0,
        status.total if status else 0,
        status.tokens if status else 0,
        dict(_list_settings(recipe, names)) if isinstance(recipe, TrainRecipe) else {},
        read_packages(job),
        tuple(_list_curves(log.series)),
        _read_gap(gap(log.series)),
        tuple(problems),
    )


def read_packages(job: JobDirectory) -> dict[str, str]:
    """The versions that a job's last start worked with; none where they are not known."""
    table = read_json(job.attempt(job.latest_attempt()).process) or {}
    packages = table.get("packages")
    found = {"python": table.get("python"), **(packages if isinstance(packages, dict) else {})}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def read_state(job: JobDirectory) -> str:
    """How a job ended, as it was written: whether a worker still lives is no fact to take away."""
    status = statuses.read(job)
    return str(status.state) if status is not None and status.state.final else "not finished"


def _read_checkpoint(job: JobDirectory) -> str:
    try:
        recipe = job.recipe()
    except EngineError:
        return ""
    return recipe.model.checkpoint if isinstance(recipe, TrainRecipe) else ""


def _list_settings(recipe: TrainRecipe, names: ShortNames) -> Iterator[tuple[str, str]]:
    usual = dict(_flatten(to_table(TrainRecipe())))
    own = dict(_flatten(to_table(recipe)))
    rest = [key for key in own if key not in _ALWAYS and own[key] != usual.get(key)]
    for key in (*_ALWAYS, *rest):
        if not key.startswith(_NOT_SHOWN):
            yield key, _write_setting(key, own[key], names)


def _flatten(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{before}{key}.")
        else:
            yield before + key, value


def _write_setting(key: str, value: object, names: ShortNames) -> str:
    if key in _REFS:
        return names.name_ref(str(value)) or "none"
    if isinstance(value, list):
        return ", ".join(names.clear_text(str(one)) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _list_curves(series: Mapping[str, Series]) -> Iterator[RunCurve]:
    tags = [tag for tag in in_order(series) if not tag.startswith(_LEFT_OUT) and len(series[tag])]
    for tag in tags[:MOST_CURVES]:
        summary = summarise(series[tag], tags=series)
        assert summary is not None, "it has points"
        steps, values = thin(series[tag].steps, series[tag].values, COLUMNS)
        kept = np.where(np.isfinite(values), values, np.nan)
        yield RunCurve(
            tag,
            summary.points,
            (summary.first.step, summary.first.value),
            (summary.best.step, summary.best.value) if summary.best else None,
            (summary.last.step, summary.last.value),
            summary.not_finite,
            tuple(steps.tolist()),
            tuple(kept.tolist()),
        )


def _read_gap(found: Gap | None) -> tuple[int, float, float] | None:
    return None if found is None else dataclasses.astuple(found)
