"""The pre-training's own job directory: events, samples, status. Loads TensorBoard's writer.

Owns what is written for people to look at later; the training itself is `training`. No name of
the machine or path of it remains in the files.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from engine.atomic import write_json, write_toml
from engine.compare.samples import Sample, to_table
from engine.recipes.versions import VERSION

HOST = "pretraining"
"""Stands where a job's files name their machine."""


class Keeper:
    """Writes one pre-training run as it goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started = time.time()
        (folder / "events").mkdir(parents=True, exist_ok=True)
        self.writer = SummaryWriter(str(folder / "events"))
        self.samples = (folder / "samples.jsonl").open("w", encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars of one step."""
        for tag, value in values.items():
            self.writer.add_scalar(tag, value, step)
        self.writer.flush()

    def log_train(
        self, step: int, loss: float, rate: float, norm: float, speed: float, tokens: int
    ) -> None:
        """One step's loss (nats per trained token), rate, gradient norm, tokens/s and tokens."""
        self.log(
            step,
            {
                "train/loss": loss,
                "train/perplexity": math.exp(min(loss, 20.0)),
                "train/learning_rate": rate,
                "train/grad_norm": norm,
                "train/tokens_per_second": speed,
                "train/tokens": float(tokens),
            },
        )

    def log_samples(self, step: int, said: Sequence[Sample]) -> None:
        """What the model said at this step."""
        for sample in said:
            row = {"step": step, **to_table(sample)}
            self.samples.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.samples.flush()

    def finish(self, step: int, tokens: int, recipe: Mapping[str, object]) -> None:
        """Close the files and write job, recipe and status."""
        self.writer.close()
        self.samples.close()
        for file in (self.folder / "events").glob("events.out.tfevents.*"):
            stamp = file.name.split(".")[3]
            file.rename(file.with_name(f"events.out.tfevents.{stamp}.{HOST}.1"))
        describe(self.folder, recipe, self.started, time.time(), step, tokens)


def describe(
    folder: Path,
    recipe: Mapping[str, object],
    started: float,
    ended: float,
    step: int,
    tokens: int,
) -> None:
    """Write `job.json`, `recipe.toml` and `status.json` of a run that is done."""
    job = {"id": "pretrain", "kind": "pretrain", "name": "pretrain", "created": started}
    write_json(folder / "job.json", {**job, "parents": [], "inputs": {}, "schema": 1})
    write_toml(folder / "recipe.toml", {"version": VERSION, "kind": "pretrain", **recipe})
    write_json(
        folder / "status.json",
        {
            "state": "done",
            "attempt": 1,
            "step": step,
            "total": step,
            "tokens": tokens,
            "tokens_per_second": round(tokens / (ended - started), 1),
            "started": started,
            "heartbeat": ended,
            "host": HOST,
            "device": "cpu",
            "schema": 1,
        },
    )
    for file in ("job.json", "recipe.toml", "status.json"):
        (folder / file).chmod(0o644)
