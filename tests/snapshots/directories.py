"""The folder of runs that most cases are on: one in each state, with all that a run can leave."""

import dataclasses
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

from engine.jobs import summary
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State
from engine.jobs.summary import UserNotes
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Method, Model, Training
from tests.snapshots.fixed_environment import NOW
from tests.tui.browse.answered import write_answers
from tests.tui.building import write_event, write_run

QUESTIONS = ("How do I cheer up a friend?", "i miss my dog")
_LOG = """\
loading bundled:demo-base
LoRA of rank 8 on 12 modules, 138,240 of 2,422,848 parameters are trained
step 10  loss 1.842  eval 1.905
step 20  loss 1.507  eval 1.561
saved checkpoint 20
step 30  loss 1.230  eval 1.274
step 40  loss 0.985  eval 1.035
"""


def write_runs(root: Path = Path("runs")) -> None:
    """Eight runs and a set of answers; the newest runs now."""
    root.mkdir(exist_ok=True)
    live = write_run(root, "live", state=State.RUNNING, points=40, created=NOW, log=_LOG)
    _answer(live, {0: ("No idea.", "ok"), 20: ("Ask what helps.", "sad"),
                   40: ("Listen first, then ask what would help.", "sadness")})  # fmt: skip
    write_run(root, "waiting", state=State.QUEUED, created=NOW - 1,
              message="#1 in the queue for cuda:0")  # fmt: skip
    child = write_run(root, "child", points=20, total=20, created=NOW - 50,
                      parents=["run:emotion-lora"], checkpoint="run:emotion-lora")  # fmt: skip
    _write_adapter(child)
    done = write_run(root, "emotion-lora", points=60, total=60, created=NOW - 100)
    _write_adapter(done)
    _start(done)
    summary.write_notes(done, UserNotes("the best so far", ["paper", "lora"]))
    rates = Training(learning_rate=2e-3, epochs=2.0)
    _recipe(done, TrainRecipe(name="emotion-lora", method=Method(rank=16), training=rates))
    error = Failure("The loss is NaN at step 21.", "", "Lower the learning rate.")
    bad = write_run(
        root, "bad-lr", state=State.FAILED, points=20, step=21, created=NOW - 200, error=error
    )
    write_event(bad.events, 21, {"train/loss": math.nan, "train/perplexity": math.nan})
    _recipe(bad, TrainRecipe(name="bad-lr", training=Training(learning_rate=0.1)))
    stopped = write_run(root, "stopped", state=State.STOPPED, points=30, created=NOW - 300)
    summary.write_notes(stopped, UserNotes(archived=True))
    write_run(root, "lost", state=State.RUNNING, points=30, created=NOW - 90_000, heartbeat=1.0)
    _write_measured(root)
    write_answers(root, created=NOW - 1000)


def _write_measured(root: Path) -> None:
    """A run that crossed its budget of forgetting."""
    job = write_run(root, "measured", points=60, total=60, created=NOW - 400, method="full",
                    message="ended at step 60: forgetting 0.31 > budget 0.1; "
                    "kept step-20 weights")  # fmt: skip
    for step, shift in ((0, 0.0), (20, 0.04), (40, 0.2), (60, 0.31)):
        write_event(job.events, step, {"forget/nll_shift": shift, "forget/kl_to_base": shift / 2})
    _answer(job, {0: ("first before", "second before"), 20: ("first at 20", "second at 20"),
                  60: ("first at 60", "second at 60\nin two lines")})  # fmt: skip
    job.checkpoints.mkdir()
    marks = {"best": 60, "within_budget": 20, "crossed_at": 40, "ended": "budget"}
    (job.checkpoints / "marks.json").write_text(json.dumps(marks))


def _answer(job: JobDirectory, answers: Mapping[int, tuple[str, ...]]) -> None:
    """What two prompts were answered at some steps, as a worker writes it at an evaluation."""
    with job.samples.open("a") as file:
        for step, texts in answers.items():
            for at, (question, text) in enumerate(zip(QUESTIONS, texts, strict=True)):
                said = [{"role": "user", "content": question}]
                row = {"step": step, "prompt_id": f"p{at}", "messages": said, "text": text}
                file.write(json.dumps(row) + "\n")


def _write_adapter(job: JobDirectory) -> None:
    """An adapter of one small matrix: what lists read is its config and the head of its weights."""
    job.adapter.mkdir()
    config = {"base_model_name_or_path": "bundled:demo-base", "peft_type": "LORA", "r": 8}
    (job.adapter / "adapter_config.json").write_text(json.dumps(config))
    tensor = {"dtype": "F32", "shape": [8, 96], "data_offsets": [0, 3072]}
    head = json.dumps({"base_model.model.layers.0.lora_A.weight": tensor}).encode()
    weights = struct.pack("<Q", len(head)) + head + bytes(3072)
    (job.adapter / "adapter_model.safetensors").write_bytes(weights)


def _start(job: JobDirectory) -> None:
    """What a worker writes of itself, and inputs of which one is gone."""
    packages = {"torch": "2.8.0", "transformers": "4.57.0", "peft": "0.17.1"}
    facts = {"host": "gpu-box", "started": NOW - 60, "device": "cpu", "packages": packages}
    job.attempt(1).process.write_text(json.dumps(facts))
    record = job.record()
    assert record is not None
    inputs = {"rows.jsonl": "ab" * 32, "gone.jsonl": "cd" * 32}
    Path("rows.jsonl").write_text('{"instruction": "Say yes.", "output": "yes"}\n')
    changed = dataclasses.replace(record, inputs=inputs)
    job.record_file.write_text(json.dumps(dataclasses.asdict(changed)))


def _recipe(job: JobDirectory, recipe: TrainRecipe) -> None:
    whole = dataclasses.replace(recipe, model=Model("bundled:demo-base"))
    job.recipe_file.write_text(recipes.to_toml(whole))
