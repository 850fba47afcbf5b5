"""An export of a tiny run by all real parts: written, proven, described, and checked again."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching.export import plan_export
from engine.recipes.recipe import ExportRecipe, TrainRecipe
from engine.recipes.settings import Model
from engine.release.export_folder import list_parts, read_name
from engine.release.proof import Check, read_proofs, read_remarks
from engine.worker import export
from engine.worker.release.proving import prove
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.proof_steps import prove as prove_here
from tests.worker.here import begin_here
from tests.worker.release.made_exports import lora_source
from tui.cli import main

TARGETS = ["adapter", "merged", "gguf:q8_0"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[JobDirectory, Path]:
    """A finished export, and its folder."""
    folder = tmp_path_factory.mktemp("exported")
    root, out = folder / "runs", folder / "out"
    source = lora_source(folder)
    assert source.adapter is not None
    assert source.held_out is not None
    run = directory.create(root, TrainRecipe(name="tiny", model=Model(str(source.base))))
    source.adapter.rename(run.adapter)
    source.held_out.rename(run.held_out)
    wanted = ExportRecipe(source=run.path.name, targets=TARGETS, out=str(out), proof_rows=20)
    planned = plan_export(wanted, root)
    job = directory.create(root, planned.recipe)
    attempt = begin_here(job)

    def run_proof(spec: ProofSpec, scratch: Path, tick: Any) -> list[Check]:
        """That the process is a fresh one is proven where that is tested."""
        return prove_here(spec, scratch, tick)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prove, "run_proof", run_proof)
        message = export.run(attempt)
    attempt.finish(State.DONE, message=message)
    taken = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    assert taken <= planned.need.kept, "no more than was said before"
    return job, out


def test_every_target_is_proven(made: tuple[JobDirectory, Path]) -> None:
    job, out = made
    proofs = read_proofs(job.proof)
    assert [proof.target for proof in proofs] == TARGETS
    assert all(proof.passed for proof in proofs)
    assert all((out / proof.file).exists() for proof in proofs)
    for proof in proofs:
        assert "weights differ from the base" in [check.name for check in proof.checks]


def test_the_folder_is_whole_and_says_so_again(
    made: tuple[JobDirectory, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    job, out = made
    assert sorted(path.name for path in out.iterdir()) == ["adapter", "gguf", "merged"]
    for folder in out.iterdir():
        assert {"README.md", "SHA256SUMS", "proof.json"} <= {one.name for one in folder.iterdir()}
    assert (out / "gguf" / "Modelfile").read_text().count("FROM ./") == 1
    assert (out / "merged" / "model.safetensors").is_file()
    assert any("--base-id" in remark for remark in read_remarks(job.proof))
    assert not read_remarks(out / "merged" / "proof.json"), "they are for the author alone"
    assert [read_name(folder) for folder in list_parts(out)] == ["tiny"] * 3
    assert (out / "gguf" / "tiny-Q8_0.gguf").is_file()
    assert not [path for path in out.parent.iterdir() if path.name.startswith(".")]
    assert main(["export", "--verify", str(out), "--runs", str(job.path.parent)]) == 0
    assert capsys.readouterr().out.count("the same as its SHA256SUMS") == 3
    assert str(out.parent).encode() not in b"".join(
        path.read_bytes() for path in out.rglob("*") if path.is_file()
    )


def test_the_code_in_each_card_runs_as_it_is_printed(
    made: tuple[JobDirectory, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    out = made[1]
    said: dict[str, str] = {}
    for part in list_parts(out):
        (code,) = re.findall(r"```python\n(.*?)```", (part / "README.md").read_text(), re.DOTALL)
        base = json.dumps(str(out.parent / "base"))  # no reader has it where we have it
        script = tmp_path / f"{part.name}.py"
        script.write_text(code.replace('"PATH OR ID OF THE BASE"', base))
        monkeypatch.chdir(part)
        runpy.run_path(str(script))
        said[part.name] = capsys.readouterr().out
    assert said["adapter"] == said["merged"]
    assert all(said.values())
