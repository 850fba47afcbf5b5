"""How often a tuned bundled model stops by itself: greedy answers to prompts that were held out.

    python -m tests.benchmarks.bench_ending [--brief]

The demo's recipe as it is, and the same rows under templates whose end of a turn the base never
saw. Answered with what the run left on disk, by its own template.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine import bundled
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm
from engine.data import rows
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import ModelCache
from tests.benchmarks.results import Outcome, Row
from tests.worker.here import train_here

BAR = 95
"""Per cent of the answers."""
LIMIT = 128
"""Tokens of an answer."""
RECIPE = bundled.DATA.parent / "recipe.toml"
PLANS = {
    "the demo's recipe": (),
    "full fine-tuning": ("method.kind=full", "training.learning_rate=2e-4"),
    "ChatML, its marks as letters": ("data.template=chatml",),
    "raw, with a system prompt": ("data.template=raw", "data.system=Answer briefly."),
}
BRIEF = ("training.max_steps=40", "training.evaluations=0", "training.saves=0",
         "samples.count=0", "forgetting.tokens=0")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ending:
    answers: int
    stopped: int
    """Those that ended by themselves, before the limit."""
    right: int
    """Those that are just what the data set answers."""

    @property
    def share(self) -> float:
        """Per cent."""
        return 100 * self.stopped / self.answers


def measure(changes: Sequence[str], prompts: int, folder: Path) -> Ending:
    """Train the demo's recipe with changes, then answer that many held-out prompts."""
    wanted = recipe.read(RECIPE, ["device=cpu", *changes])
    assert isinstance(wanted, TrainRecipe)
    job = train_here(wanted, folder)
    left = job.adapter if wanted.method.kind == "lora" else job.model
    arm = Arm("tuned", str(left))
    loaded_arm = ModelCache(torch.device("cpu")).load_arm(arm, locate(arm, []), lambda what: None)
    assert loaded_arm is not None
    held_out = rows.read(bundled.DATA / "emotion" / "eval.jsonl", limit=prompts).examples
    asked = [loaded_arm.prompt(example.messages[:-1]) for example in held_out]
    answers = BatchDecoder(loaded_arm, asked, Decode(max_new_tokens=LIMIT))
    while not answers.done:
        answers.step()
    return Ending(
        len(asked),
        sum(answer.finish == "stop" for answer in answers.answers),
        sum(
            answers.text(at).strip() == example.messages[-1].content
            for at, example in enumerate(held_out)
        ),
    )


def bench(prompts: int = 600, more: Sequence[str] = ()) -> Outcome:
    """A row for each plan."""
    found = []
    for name, changes in PLANS.items():
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("STATE", "LOCKS"):
                os.environ[f"FINETOP_{kind}"] = str(Path(folder, kind.lower()))
            Path(folder, "runs").mkdir()
            Path(folder, "locks").mkdir()
            ending = measure([*changes, *more], prompts, Path(folder, "runs"))
        print(f"{name}: {ending}", flush=True)
        what = (
            f"greedy answers to {ending.answers} held-out prompts that stop by themselves: {name}"
        )
        found.append(Row(what, f"{ending.share:.1f} %", f"at least {BAR}"))
    return Outcome(found, {"prompts": prompts, "limit": LIMIT})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", action="store_true", help="40 steps and 64 prompts")
    options = parser.parse_args()
    outcome = bench(64, BRIEF) if options.brief else bench()
    for row in outcome.rows:
        print(f"{row.measured:>8}  {row.met:3}  {row.what}")


if __name__ == "__main__":
    main()
