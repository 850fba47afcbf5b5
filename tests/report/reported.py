"""Jobs to report on: a base, two stages, and an evaluation of all three with its answers."""

from pathlib import Path
from typing import Any

from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import TrainRecipe, to_toml
from engine.recipes.settings import Data, Model
from tests.tui.building import write_run
from tests.tui.impact.evaluated import add_staged_samples, staged_results, write_evaluation


def write_jobs(root: Path, results: dict[str, Any] | None = None) -> JobDirectory:
    """The evaluation `impact-child` beside the runs `emotion-lora` and `child` of its arms."""
    for run, base in (("emotion-lora", "bundled:demo-base"), ("child", "run:emotion-lora")):
        job = write_run(root, run, points=30)
        recipe = TrainRecipe(name=run, model=Model(base), data=Data("/home/somebody/rows.jsonl"))
        job.recipe_file.write_text(to_toml(recipe))
    job = write_evaluation(root, results=results or staged_results())
    add_staged_samples(job)
    return job


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
