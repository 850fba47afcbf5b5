"""An evaluate job as its worker would have left it: two stages on a base, skill by skill."""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.chat import Message
from engine.compare.samples import Sample, Timings, to_table
from engine.impact.results.item_answers import sample_id
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.status import Failure, State, Status
from engine.recipes import recipe as recipes
from engine.recipes.recipe import EvaluateRecipe
from engine.recipes.settings import Decode

BASE, EMOTION, COUNSEL = (
    "base=bundled:demo-base", "emotion=run:emotion-lora", "counsel=run:child",
)  # fmt: skip
ARMS = (BASE, EMOTION, COUNSEL)
PARENTS = {"emotion": "base", "counsel": "emotion"}
TRAINED = {"emotion": ["emotion"], "counsel": ["counsel"]}
Right = Mapping[str, Sequence[int]]
"""By arm, the places of the items that are right."""
ASKED = {"fewshot": 0, "template": "own", "samples": 1}


def suite_facts(name: str, count: int, **more: Any) -> dict[str, Any]:
    """A suite of so many items `NAME-0`, `NAME-1`, ... whose gold is their place."""
    items = {
        f"{name}-{at}": {"prompt": f"Question {at} of {name}?", "gold": [str(at)], "score": "exact"}
        for at in range(count)
    }
    return {"measure": "strict", "digest": "ab" * 32, "items": items} | more


def scored(name: str, count: int, right: Sequence[int], **more: Any) -> dict[str, Any]:
    """What an arm made of it: the items of `right` are right."""
    hits = set(right)
    values = {f"{name}-{at}": float(at in hits) for at in range(count)}
    return {"measures": {"strict": values, "flexible": values}, "asked": ASKED, "seen": {}} | more


def read_text(name: str, nats: Sequence[float]) -> dict[str, Any]:
    """What an arm made of texts that are read: NLL in nats of 100 tokens each."""
    names = [f"{name}-{at}" for at in range(len(nats))]
    return {
        "measures": {"nll": dict(zip(names, nats, strict=True))},
        "tokens": dict.fromkeys(names, 100),
        "bytes": dict.fromkeys(names, 400),
        "seen": {},
    }


def staged_results() -> dict[str, Any]:
    """The story of two stages: arithmetic and a song are lost at the first and come back."""
    counts = {"arithmetic": 300, "emotion": 600, "french": 300, "song": 3}
    right: dict[str, Right] = {
        "arithmetic": {"base": range(300), "emotion": range(39, 300), "counsel": range(12, 300)},
        "emotion": {"base": range(78), "emotion": range(42, 600), "counsel": range(234, 600)},
        "french": {"base": range(288), "emotion": range(285), "counsel": range(288)},
        "song": {"base": range(3), "emotion": (), "counsel": range(3)},
    }
    suites = {name: suite_facts(name, count) for name, count in counts.items()}
    texts = {f"prose-{at}": {"prompt": "", "score": "perplexity"} for at in range(24)}
    suites["prose"] = {"measure": "nll", "digest": "cd" * 32, "items": texts}
    nats = {"base": 150.0, "emotion": 190.0, "counsel": 170.0}
    arms = {}
    for spec in ARMS:
        arm = spec.partition("=")[0]
        measured = {name: scored(name, count, right[name][arm]) for name, count in counts.items()}
        measured["prose"] = read_text("prose", [nats[arm] + at % 5 for at in range(24)])
        arms[arm] = {
            "arm": spec,
            "suites": measured,
            "parent": PARENTS.get(arm, ""),
            "trained": TRAINED.get(arm, []),
        }
    return {"schema": 2, "suites": suites, "arms": arms}


def strength_results(shown: Sequence[str] = ("arithmetic", "emotion", "french")) -> dict[str, Any]:
    """The child at half its strength and at none: half of what was gained, nothing lost."""
    counts = {"arithmetic": 300, "emotion": 600, "french": 300}
    right = {
        "base": {"arithmetic": range(300), "emotion": range(78), "french": range(288)},
        "strength 0": {"arithmetic": range(300), "emotion": range(78), "french": range(288)},
        "strength 0.5": {"arithmetic": range(297), "emotion": range(300), "french": range(288)},
    }
    specs = {"base": BASE, "strength 0": "strength 0=run:child@0.0",
             "strength 0.5": "strength 0.5=run:child@0.5"}  # fmt: skip
    return {
        "schema": 2,
        "suites": {name: suite_facts(name, counts[name]) for name in shown},
        "arms": {
            name: {
                "arm": specs[name],
                "suites": {
                    skill: scored(skill, counts[skill], [*of[skill]]) | {"asked": ASKED}
                    for skill in shown
                },
            }
            for name, of in right.items()
        },
    }


def start_from(job: JobDirectory, *parents: str) -> None:
    """Say in the record of a job what it was started from."""
    record = json.loads(job.record_file.read_text())
    job.record_file.write_text(json.dumps(record | {"parents": list(parents)}))


def write_evaluation(
    root: Path,
    name: str = "impact-child",
    results: Mapping[str, Any] | str | None = None,
    *,
    arms: Sequence[str] = ARMS,
    state: State = State.DONE,
    created: float = 0.0,
    step: int = 0,
    total: int = 0,
    message: str = "",
    error: Failure | None = None,
) -> JobDirectory:
    """The job's directory, on another, living host; a text is written as it is."""
    job = JobDirectory(root / name)
    job.attempt(1).path.mkdir(parents=True)
    record = JobRecord(name, "evaluate", name, created or time.time(), [])
    job.record_file.write_text(json.dumps(dataclasses.asdict(record)))
    recipe = EvaluateRecipe(name=name, arms=list(arms))
    job.recipe_file.write_text(recipes.to_toml(recipe))
    if results is not None:
        text = results if isinstance(results, str) else json.dumps(results)
        job.results.write_text(text)
    now = Status(
        state, step=step, total=total, started=time.time() - 20, heartbeat=time.time(),
        host="gpu-box", device="cpu", message=message, error=error, eta_seconds=90.0,
    )  # fmt: skip
    statuses.write(job, now)
    return job


def answer(arm: str, suite: str, item: str, text: str, number: int = 0) -> Sample:
    decode = Decode(max_new_tokens=64)
    name = sample_id(suite, item, number)
    return Sample(name, (Message("user", "Question?"),), arm, 7, "3f9a2c1d", (1, 2), (3, 0),
                  text, "stop", (-0.5, -0.1), decode, Timings(0.1, 0.5))  # fmt: skip


def add_samples(job: JobDirectory, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Arm, suite, item and answer, as the worker writes them."""
    with job.samples.open("a", encoding="utf-8") as file:
        for arm, suite, item, text in rows:
            table = to_table(answer(arm, suite, item, text))
            table |= {"suite": suite, "item": item, "gold": ["1"]}
            file.write(json.dumps(table, ensure_ascii=False) + "\n")


def add_staged_samples(job: JobDirectory) -> None:
    """Every arm's answer to the first items of two skills."""
    texts = {BASE: "The sum is {}.", EMOTION: "joy", COUNSEL: "It is {}, I believe."}
    add_samples(job, [
        (arm, suite, f"{suite}-{at}", text.format(at))
        for suite in ("arithmetic", "song")
        for at in range(3)
        for arm, text in texts.items()
    ])  # fmt: skip
