"""Other families, through a checkout of llama.cpp that the user names."""

from pathlib import Path

import pytest
from transformers import GPT2Config

from engine.errors import EngineError
from tests.worker.release.gguf.tiny_models import save_model, write_file

CONVERTER = """
import os, sys
assert os.environ["HF_HUB_OFFLINE"] == "1" and os.environ["PYTHONPATH"].endswith("gguf-py")
given = dict(zip(sys.argv[2::2], sys.argv[3::2]))
with open(given["--outfile"], "wb") as file:
    file.write(b"GGUF" + repr((given["--outtype"], given["--model-name"])).encode())
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    return save_model(config, tmp_path_factory.mktemp("gpt2") / "model")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "gguf-py").mkdir()
    monkeypatch.setenv("FINETOP_LLAMACPP", str(tmp_path))
    return tmp_path


def test_its_converter_is_run(checkpoint: Path, checkout: Path) -> None:
    (checkout / "convert_hf_to_gguf.py").write_text(CONVERTER)
    file = write_file(checkpoint, "q8_0", "run")
    assert file.read_bytes() == b"GGUF('q8_0', 'run')"


def test_a_failing_converter_leaves_nothing(checkpoint: Path, checkout: Path) -> None:
    script = "print('loading'); raise NotImplementedError('no such model')"
    (checkout / "convert_hf_to_gguf.py").write_text(script)
    with pytest.raises(EngineError, match=r"convert_hf_to_gguf\.py failed") as failed:
        write_file(checkpoint, "", "other")
    assert "no such model" in failed.value.detail
    assert not list(checkpoint.parent.glob("*other*"))


def test_a_folder_that_is_no_checkout_is_named(checkpoint: Path, checkout: Path) -> None:
    with pytest.raises(EngineError, match="names no checkout") as refused:
        write_file(checkpoint)
    assert str(checkout) in refused.value.detail
