"""An export to make a card of: two stages with adapters, an evaluation of both, and a proof."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from engine.compare.arms import parse_arm
from engine.jobs.directory import JobDirectory, JobRecord
from engine.recipes.recipe import ExportRecipe, TrainRecipe, to_toml
from engine.recipes.settings import Data, Model, Samples
from engine.release.proof import Check, TargetProof
from engine.release.source import ExportSource
from tests.checkpoints.made import make_adapter, make_model
from tests.tui.building import write_run
from tests.tui.impact.evaluated import staged_results, write_evaluation

RUNS = ("emotion-lora", "child")
LOG = (
    "10:00:00 2400 training rows (8,445 trained tokens per epoch), 600 eval rows\n"
    "10:00:05 step 0: eval loss 11.0230 over 2,114 tokens of 600 rows, 1.3 s\n"
)
HOME = "/home/marguerite"


def write_source(root: Path, base: Path | None = None) -> ExportSource:
    """The last of two LoRA stages on `base`, trained on a file of somebody's home."""
    base = base or make_model(root / "models" / "tiny-base")
    runs = root / "runs"
    runs.mkdir(exist_ok=True)
    before = str(base)
    for name in RUNS:
        job = write_run(runs, name, points=20, log=LOG)
        data = Data(f"{HOME}/data/{name}.jsonl", system="You are kind.")
        samples = Samples(prompts=f"{HOME}/prompts.txt")
        recipe = TrainRecipe(name=name, model=Model(before), data=data, samples=samples)
        job.recipe_file.write_text(to_toml(recipe))
        inputs = {data.train: "ab" * 32}
        record = JobRecord(name, "train", name, 1.0, [before], inputs)
        job.record_file.write_text(json.dumps(dataclasses.asdict(record)))
        process = {"python": "3.12.1", "packages": {"torch": "2.13.0"}, "host": "gpu-box-7"}
        job.attempt(1).process.write_text(json.dumps(process))
        make_adapter(job.adapter, str(base))
        before = f"run:{name}"
    last = JobDirectory(runs / RUNS[-1])
    return ExportSource(
        parse_arm(f"run:{RUNS[-1]}"), base, last.adapter, base, base,
        runs / RUNS[0] / "adapter", base, last.path,
        tuple(runs / name for name in RUNS), None, "none",
    )  # fmt: skip


def write_measured(root: Path, base: Path, name: str = "impact-child", **more: Any) -> JobDirectory:
    """An evaluation of base and both stages."""
    results = staged_results()
    arms = {"base": f"base={base}", "emotion": "emotion=run:emotion-lora",
            "counsel": "counsel=run:child"}  # fmt: skip
    for arm, spec in arms.items():
        results["arms"][arm]["arm"] = spec
    return write_evaluation(root / "runs", name, results, arms=list(arms.values()), **more)


def list_runs(root: Path) -> list[Path]:
    return sorted(path.parent for path in (root / "runs").glob("*/job.json"))


def make_recipe(root: Path, **more: Any) -> ExportRecipe:
    targets = ["adapter", "merged", "gguf"]
    return ExportRecipe(**{"targets": targets, "out": str(root / "out" / "tiny-tuned")} | more)


def make_proofs(*targets: str, summary: str = "64 of 64 tensors differ") -> list[TargetProof]:
    names = targets or ("adapter", "merged", "gguf:bf16", "gguf:q8_0")
    checks = (
        Check("weights differ from the base", "passed", summary, {"tensors": 64}),
        Check("cost of quantising", "stated", "mean KL 0.002 nats over 3,000 tokens"),
        Check("Ollama template", "not proven", "no Ollama answered"),
    )
    return [
        TargetProof(name, name.partition(":")[0], name.partition(":")[2] or "float32", checks)
        for name in names
    ]
