"""The pre-training's own job directory: events, samples, status. Loads TensorBoard's writer.

Owns what is written for people to look at later; the training itself is `pretrain`.
"""

import json
import math
import time
from pathlib import Path

import tomli_w
from torch.utils.tensorboard import SummaryWriter

from engine.atomic import write_json, write_text

PROMPTS = (
    "What is the capital of Norway?",
    "What is 47 plus 38?",
    "Translate into French: The little girl sees a black cat.",
    "Write in reverse order: lamp, river, goat, spoon",
    "Write a Python function step(x) that adds 7 to x.",
    "Compose a love song from a robot to its owner.",
)


class Keeper:
    """Writes one pre-training run as it goes."""

    def __init__(self, folder: Path, parameters: int, steps: int, seed: int) -> None:
        self.folder, self.steps = folder, steps
        self.started = time.time()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "events").mkdir(exist_ok=True)
        self.writer = SummaryWriter(str(folder / "events"))
        self.samples = (folder / "samples.jsonl").open("w", encoding="utf-8")
        self.parameters, self.seed = parameters, seed
        self.last: dict[str, float] = {}

    def log_train(
        self, step: int, loss: float, rate: float, norm: float, speed: float, tokens: int
    ) -> None:
        """One step's loss (nats per learned token), rate, gradient norm, tokens/s and tokens."""
        values = {
            "train/loss": loss,
            "train/perplexity": math.exp(min(loss, 20.0)),
            "train/learning_rate": rate,
            "train/grad_norm": norm,
            "train/tokens_per_second": speed,
            "train/tokens": float(tokens),
        }
        self.last |= values
        for tag, value in values.items():
            self.writer.add_scalar(tag, value, step)
        self.writer.flush()

    def log_eval(self, step: int, found: dict[str, float]) -> None:
        """What was measured on held-out items and text."""
        self.last |= found
        for tag, value in found.items():
            self.writer.add_scalar(tag, value, step)
        self.writer.flush()

    def log_samples(self, step: int, pairs: list[tuple[str, str]]) -> None:
        """Prompts and what the model said at this step."""
        for number, (prompt, text) in enumerate(pairs, 1):
            row = {"step": step, "prompt_id": f"p{number}", "prompt": prompt, "text": text}
            self.samples.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.samples.flush()

    def finish(self, step: int, tokens: int) -> None:
        """Close the files and write job, recipe and status; no name of the machine remains."""
        self.writer.close()
        self.samples.close()
        for file in (self.folder / "events").glob("events.out.tfevents.*"):
            stamp = file.name.split(".")[3]
            file.rename(file.with_name(f"events.out.tfevents.{stamp}.pretraining.1"))
        ended = time.time()
        write_json(
            self.folder / "job.json",
            {
                "schema": 1,
                "kind": "train",
                "id": "pretrain",
                "name": "pretrain",
                "parents": [],
                "created": self.started,
                "host": "pretraining",
            },
        )
        recipe = {"method": "from zero", "steps": step, "seed": self.seed}
        write_text(self.folder / "recipe.toml", tomli_w.dumps(recipe))
        write_json(
            self.folder / "status.json",
            {
                "schema": 1,
                "attempt": 1,
                "state": "done",
                "step": step,
                "total": step,
                "tokens": tokens,
                "tokens_per_second": tokens / (ended - self.started),
                "heartbeat": ended,
                "error": None,
            },
        )
