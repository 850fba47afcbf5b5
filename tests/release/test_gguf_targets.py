"""What of a GGUF export is refused before the queue."""

import json
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.release.gguf_targets import MODEL_TYPES, QUANTIZE, check_gguf_targets, find_quantizer
from engine.release.targets import parse_targets


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Llama, on a machine without llama.cpp."""
    monkeypatch.delenv("FINETOP_LLAMACPP", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return make_checkpoint(tmp_path, "llama")


def make_checkpoint(folder: Path, model_type: str) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    return folder


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_what_we_write_ourselves_needs_no_program(checkpoint: Path, model_type: str) -> None:
    make_checkpoint(checkpoint, model_type)
    check_gguf_targets(parse_targets(["gguf", "gguf:f16", "gguf:bf16", "merged"]), checkpoint)


def test_k_quants_need_the_program(checkpoint: Path) -> None:
    targets = parse_targets(["gguf:Q4_K_M"])
    with pytest.raises(EngineError, match="Q4_K_M needs llama-quantize, which is not"):
        check_gguf_targets(targets, checkpoint)
    program = checkpoint / QUANTIZE
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_quantizer() == program
    check_gguf_targets(targets, checkpoint)


def test_types_are_checked_by_name(checkpoint: Path) -> None:
    with pytest.raises(EngineError, match="Unknown GGUF type 'q9'") as refused:
        check_gguf_targets(parse_targets(["gguf:q9"]), checkpoint)
    assert "iq4_xs" in refused.value.hint


def test_other_families_need_a_checkout(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_checkpoint(checkpoint, "gemma3")
    targets = parse_targets(["gguf"])
    with pytest.raises(EngineError, match="No GGUF mapping for the model type gemma3") as refused:
        check_gguf_targets(targets, checkpoint)
    assert "gemma3_text" in refused.value.detail
    check_gguf_targets(parse_targets(["merged"]), checkpoint)
    monkeypatch.setenv("FINETOP_LLAMACPP", str(checkpoint))
    with pytest.raises(EngineError, match="names no checkout"):
        check_gguf_targets(targets, checkpoint)
    (checkpoint / "convert_hf_to_gguf.py").touch()
    check_gguf_targets(targets, checkpoint)
