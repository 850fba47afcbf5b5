"""A generate job as its worker would have left it, for the screens over answers."""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from engine.chat import Message
from engine.compare import samples
from engine.compare.samples import Finish, Sample, Timings
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.status import State, Status
from engine.recipes import recipe as recipes
from engine.recipes.recipe import GenerateRecipe
from engine.recipes.settings import Decode
from tests.tui.conftest import until

BASE, TUNED = "base=bundled:demo-base", "tuned=run:emotion-lora"
Said = Mapping[str, Sequence[str]]
"""Prompt to what each arm answers; an answer that ends in … was cut at the limit."""
SAID: Said = {
    "Name a colour.": ("blue", "blue"),
    "Sing of rain.": ("rain rain go away today", "joy"),
    "Say [b] twice.": ("b b", "so it is so it is so it is so it is so it is…"),
    "What is 2 + 3?": ("It is 5.", "I am emotion-lora, and tuned: 5"),
}
PROMPTS = [
    {"id": "p1", "prompt": "Name a colour.", "skill": "knowledge", "reference": "blue"},
    {"id": "p2", "prompt": "Sing of rain.", "skill": "creative", "checks": {"words": 1}},
    {"id": "p3", "prompt": "Say [b] twice.", "skill": "creative"},
    {"id": "p4", "prompt": "What is 2 + 3?", "skill": "reasoning", "checks": {"number": 5}},
]


def sample(at: int, prompt: str, arm: str, text: str) -> Sample:
    finish: Finish = "length" if text.endswith("…") else "stop"
    text = text.removesuffix("…")
    # Of an answer that was cut an id for each word but the first: fewer than a shift has tokens.
    ids = tuple(map(len, text.split()[1:])) if finish == "length" else (3, 4, 5, 0)
    decode = Decode(max_new_tokens=64)
    return Sample(f"p{at}", (Message("user", prompt),), arm, 7, "3f9a2c1d", (1, 2), ids, text,
                  finish, (-0.5,) * len(ids), decode, Timings(0.1, 0.5))  # fmt: skip


def write_answers(
    root: Path,
    name: str = "answers",
    *,
    arms: Sequence[str] = (BASE, TUNED),
    said: Said = SAID,
    state: State = State.DONE,
    created: float = 0.0,
    step: int | None = None,
) -> JobDirectory:
    """The job's directory, on another, living host, with the prompts beside it."""
    job = JobDirectory(root / name)
    job.attempt(1).path.mkdir(parents=True)
    prompts = root.parent / "prompts.jsonl"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))
    record = JobRecord(name, "generate", name, created or time.time(), ["bundled:demo-base"])
    job.record_file.write_text(json.dumps(dataclasses.asdict(record)))
    recipe = GenerateRecipe(name=name, arms=list(arms), prompts=str(prompts))
    job.recipe_file.write_text(recipes.to_toml(recipe))
    step = step if step is not None else 4 if state.alive else 8
    took = 0 if state.alive else 20
    now = Status(state, step=step, total=8, started=time.time() - took, heartbeat=time.time(),
                 host="gpu-box", device="cpu")  # fmt: skip
    statuses.write(job, now)
    add_answers(job, said, arms)
    return job


async def noticed(pilot: Pilot[Any], text: str) -> None:
    """Wait until a short notice says `text`."""
    await until(pilot, lambda: any(text in one.message for one in pilot.app._notifications))


def add_answers(job: JobDirectory, said: Said, arms: Sequence[str], first: int = 1) -> None:
    samples.append(
        job.samples,
        [
            sample(at, prompt, arm, texts[place])
            for place, arm in enumerate(arms)
            for at, (prompt, texts) in enumerate(said.items(), first)
        ],
    )
