"""`llama-quantize`: where it is found, how it fails, and one real run where it is there."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from engine.errors import EngineError
from engine.release.gguf_targets import QUANTIZE, find_quantizer
from engine.worker.release.gguf import write
from engine.worker.release.gguf.metadata_check import check_metadata
from tests.worker.release.gguf.tiny_models import ENDS, configs, save_model, write_file

REAL = find_quantizer()


def make_program(folder: Path, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / QUANTIZE
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantize") / "model"
    config = configs()["llama"]
    return save_model(config, folder, torch.bfloat16)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH with nothing but what is put into its folder."""
    monkeypatch.delenv("FINETOP_LLAMACPP", raising=False)
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_checkout_comes_before_the_path(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_quantizer() is None
    on_path = make_program(bare, "")
    assert find_quantizer() == on_path
    monkeypatch.setenv("FINETOP_LLAMACPP", str(tmp_path / "checkout"))
    assert find_quantizer() == on_path
    built = make_program(tmp_path / "checkout" / "build" / "bin", "")
    assert find_quantizer() == built
    built.chmod(0o644)
    assert find_quantizer() == on_path


def test_without_the_program_it_is_said_how_to_get_it(bare: Path, checkpoint: Path) -> None:
    before = sorted(checkpoint.parent.iterdir())
    with pytest.raises(EngineError, match="Q4_K_M needs llama-quantize") as refused:
        write_file(checkpoint, "q4_k_m")
    assert "github.com/ggml-org/llama.cpp/releases" in refused.value.hint
    assert sorted(checkpoint.parent.iterdir()) == before


def test_an_unknown_type_is_refused(checkpoint: Path) -> None:
    with pytest.raises(EngineError, match="Unknown GGUF type 'q4_x'") as refused:
        write_file(checkpoint, "q4_x")
    assert "q4_k_m" in refused.value.hint


@pytest.mark.parametrize(
    ("body", "title", "detail"),
    [
        ("echo first; echo cannot quantize >&2; exit 3", r"failed \(exit code 3\)", "quantize"),
        ("kill -9 $$", r"failed \(signal 9, often too little memory\)", ""),
        ("echo did nothing", "wrote no GGUF file", "did nothing"),
        ('echo text > "$2"', "wrote no GGUF file", ""),
    ],
)
def test_a_program_that_fails_leaves_nothing(
    body: str, title: str, detail: str, bare: Path, checkpoint: Path
) -> None:
    make_program(bare, body)
    before = sorted(checkpoint.parent.iterdir())
    with pytest.raises(EngineError, match=title) as failed:
        write_file(checkpoint, "q4_k_m")
    assert detail in failed.value.detail
    assert sorted(checkpoint.parent.iterdir()) == before


def test_it_is_given_the_file_in_the_own_type(bare: Path, checkpoint: Path) -> None:
    """That which lies beside it, or one that is written for this and removed."""
    copy = shutil.which("cp", path=os.defpath)
    make_program(bare, f'[ "$3" = Q4_K_M ] && {copy} "$1" "$2"')
    before = sorted(checkpoint.parent.iterdir())
    quantized = write_file(checkpoint, "q4_k_m")
    assert sorted(checkpoint.parent.iterdir()) == sorted([*before, quantized])
    own = write_file(checkpoint)
    assert quantized.read_bytes() == own.read_bytes()
    own.write_bytes(own.read_bytes() + b"end")
    assert write_file(checkpoint, "q4_k_m").read_bytes().endswith(b"end")
    quantized.unlink()
    own.unlink()


def test_it_is_ended_where_the_job_is_stopped(bare: Path, checkpoint: Path) -> None:
    """Its process id stands in a file, and nobody has that id afterwards."""
    note = bare / "process"
    sleep = shutil.which("sleep", path=os.defpath)
    make_program(bare, f'echo $$ > "{note}"; exec {sleep} 600')
    own = write_file(checkpoint)
    before = sorted(checkpoint.parent.iterdir())

    def stop(done: int, total: int) -> None:
        if note.exists() and note.read_text().strip():
            raise KeyboardInterrupt

    file = checkpoint.parent / "model-Q4_K_M.gguf"
    with pytest.raises(KeyboardInterrupt):
        write.write_gguf(checkpoint, file, "q4_k_m", ENDS, stop)
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert sorted(checkpoint.parent.iterdir()) == before
    own.unlink()


@pytest.mark.skipif(REAL is None, reason="no llama-quantize on this machine")
def test_a_real_one_quantises(checkpoint: Path) -> None:
    file = write_file(checkpoint, "q4_k_m")
    check = check_metadata(checkpoint, file)
    assert check.status == "passed", check.differences
    assert check.facts["file_type"] == "q4_k_m"
    # 64 and 96 columns are no multiples of 256.
    assert "rows that are no multiple of 256" in check.summary
