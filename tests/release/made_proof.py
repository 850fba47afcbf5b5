"""Proofs as an export leaves them, made by hand."""

from pathlib import Path

from engine import atomic
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State, Status
from engine.recipes import recipe as recipes
from engine.recipes.recipe import ExportRecipe
from engine.release.proof import Check, TargetProof, encode_proofs
from tests.tui.building import write_run

DIFFERS = Check(
    "greedy answers are the run's", "failed", "19 of 20 are equal.",
    differences=("prompt 3: 'sadness', the run: 'joy'",),
)  # fmt: skip
_CHECKS = (
    Check("weights differ from the base", "passed", "42 of 42 trained tensors differ.",
          {"tensors": 42}),
    Check("cost of the type", "stated", "Mean KL 0.0012 nats a token over 100 rows, first choice "
          "equal at 99.4% of 3,120 places."),
    Check("template in Ollama", "not proven", "No Ollama answers on this machine."),
)  # fmt: skip


def make_proofs(*, failed: bool = False) -> tuple[TargetProof, ...]:
    """Of an adapter and a GGUF file; with `failed` the file fails a check."""
    checks = (*_CHECKS, DIFFERS) if failed else _CHECKS
    return (
        TargetProof("adapter", "adapter", "float16", _CHECKS[:1]),
        TargetProof("gguf:q8_0", "gguf/mine-Q8_0.gguf", "q8_0", checks),
    )


def write_export(root: Path, *, failed: bool, created: float = 0.0) -> JobDirectory:
    """An export that has ended."""
    job = write_run(root, "export-mine", step=8, total=8, parents=["run:mine"], created=created)
    recipe = ExportRecipe(name="export-mine", source="mine=run:mine", targets=["adapter", "gguf"],
                          out="/elsewhere/mine")  # fmt: skip
    job.recipe_file.write_text(recipes.to_toml(recipe))
    record = job.record_file.read_text().replace('"train"', '"export"')
    job.record_file.write_text(record)
    atomic.write_json(job.proof, encode_proofs(make_proofs(failed=failed)))
    if failed:
        error = Failure("The export is not what was trained: gguf:q8_0 failed.")
        status.write(job, Status(State.FAILED, step=6, total=8, error=error, host="gpu-box"))
    return job
