"""Evaluations: choices by likelihood beside plain transformers, and what skills cost a training.

    python -m tests.benchmarks evaluate [--brief]

The model is the bundled one, in float32 on the CPU. Both ways of scoring choices run in this
process, in turn, on the same rows; every row of the plain way is a whole question with one label.
"""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.bundled import BASE, RECIPE
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.impact.suites.suite_reader import load_suite
from engine.impact.suites.suite_specs import parse_suite
from engine.jobs import launch, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import training
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.worker.data.encode import IGNORE_INDEX, Encoded, collate
from engine.worker.inference.choice_scores import choice_scores, encode_choices
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.inference.shared_prefix import ROWS
from tests.benchmarks.parts import Part, measure
from tests.benchmarks.results import Outcome

_SHARE = re.compile(r"skills .* ([0-9.]+)% of the time since the start")
SUITES = "bundled:facts,bundled:arithmetic,bundled:french"


@dataclass(frozen=True, slots=True)
class Effort:
    items: int = 300
    rounds: int = 5
    epochs: float = 3.0
    """Of the bundled recipe, as it is."""


BRIEF = Effort(items=12, rounds=1, epochs=0.1)


def bench(effort: Effort) -> Outcome:
    """All parts. Those that fail are not measured, and said so."""
    settings = {
        "items": effort.items, "rounds": effort.rounds, "epochs": effort.epochs, "batch": ROWS,
        "threads": torch.get_num_threads(),
    }  # fmt: skip
    return Outcome(measure(PARTS, effort), settings)


def _choices(effort: Effort, folder: Path) -> list[str]:
    """Seconds of both ways, in turn, and whether they pick the same."""
    arm = Arm("base", "bundled:demo-base")
    loaded_arm = ModelCache(torch.device("cpu")).load_arm(arm, ArmWeights(BASE), lambda _: None)
    assert loaded_arm is not None
    items = load_suite(parse_suite("bundled:emotion"), limit=effort.items)
    ways: dict[str, Callable[[], list[list[float]]]] = {
        "plain": lambda: _score_plainly(loaded_arm, items),
        "ours": lambda: [list(one.sums) for one in choice_scores(loaded_arm, items)],
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    sums: dict[str, list[list[float]]] = {}
    for _ in range(effort.rounds):
        for way, score in ways.items():
            began = time.monotonic()
            sums[way] = score()
            seconds[way].append(time.monotonic() - began)
    worst = max(
        abs(one - other)
        for row, others in zip(sums["plain"], sums["ours"], strict=True)
        for one, other in zip(row, others, strict=True)
    )
    assert worst < 1e-3, f"the two ways differ by {worst}"
    ratios = [one / other for one, other in zip(seconds["ours"], seconds["plain"], strict=True)]
    return [
        f"{statistics.median(seconds['plain']):.2f} s",
        f"{statistics.median(seconds['ours']):.2f} s",
        f"{statistics.median(ratios):.3f}",
    ]


def _score_plainly(loaded_arm: LoadedArm, items: Sequence[Item]) -> list[list[float]]:
    """Each question with each label as a row of its own, those of like length together."""
    rows = []
    for item in items:
        case = encode_choices(loaded_arm, item)
        for tail, counted in zip(case.tails, case.is_target, strict=True):
            labels = [one if on else IGNORE_INDEX for one, on in zip(tail, counted, strict=True)]
            rows.append((case.context + tail, [IGNORE_INDEX] * len(case.context) + labels))
    order = sorted(range(len(rows)), key=lambda at: -len(rows[at][0]))
    sums = [0.0] * len(rows)
    for start in range(0, len(order), ROWS):
        chosen = order[start : start + ROWS]
        batch = collate([_encoded(*rows[at]) for at in chosen])
        wanted = batch.pop("labels")[:, 1:]
        with torch.inference_mode():
            logits = loaded_arm.forward(**batch, use_cache=False).logits
        logs = torch.log_softmax(logits[:, :-1].float(), dim=-1)
        picked = logs.gather(-1, wanted.clamp(min=0).unsqueeze(-1)).squeeze(-1).double()
        for at, value in zip(chosen, (picked * (wanted >= 0)).sum(1).tolist(), strict=True):
            sums[at] = value
    each = iter(sums)
    return [[next(each) for _ in item.choices] for item in items]


def _encoded(ids: list[int], labels: list[int]) -> Encoded:
    return Encoded(ids, labels, 0, kept=True, reason="")


def _training(effort: Effort, folder: Path) -> list[str]:
    """Which part of its time a run of the bundled recipe spends on three skills, by its own log."""
    changes = [f"training.epochs={effort.epochs}", "device=cpu", f"evaluation.suites={SUITES}"]
    wanted = recipe.read(RECIPE, changes)
    assert isinstance(wanted, TrainRecipe)
    shares = []
    for _ in range(max(1, effort.rounds // 2)):
        job = training.launch_training(wanted, folder)
        done = launch.wait(lambda job=job: _has_ended(job), seconds=1200)  # type: ignore[misc]
        final = status.read(job)
        assert done, "it does not end"
        assert final is not None, "it has no status"
        assert final.state is State.DONE, final
        shares.append(float(_SHARE.findall(job.attempt(1).log.read_text())[-1]) / 100)
    return [f"{statistics.median(shares):.3f}"]


def _has_ended(job: JobDirectory) -> bool:
    return status.derive(job, status.read(job)).final


PARTS: tuple[Part[Effort], ...] = (
    Part(
        (
            (
                "six labels to each question by likelihood: plain transformers",
                "",
            ),
            ("the same: a question once for all its labels", ""),
            ("time, ours to theirs", "at most 0.6"),
        ),
        _choices,
    ),
    Part(
        (("part of a training's time that three skills take by default", "at most 0.05"),),
        _training,
    ),
)
