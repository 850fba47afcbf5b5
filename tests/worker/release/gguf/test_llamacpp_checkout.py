"""Other families, through a checkout of llama.cpp that the user names."""

import os
from pathlib import Path
from typing import Any

import pytest
from transformers import GPT2Config, Olmo2Config

from engine.checkpoints.gguf_header import read_gguf_values
from engine.errors import EngineError
from engine.release.gguf_targets import find_quantizer
from tests.worker.release.gguf.tiny_models import save_model, write_file

CHECKOUT = os.environ.get("FINETOP_LLAMACPP")
VOCABULARIES = os.environ.get("FINETOP_TEST_VOCABULARIES")
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


def save_words(folder: Path) -> None:
    """The tokenizer of GPT-2, which the converter knows by what it makes of a text."""
    from gguf import GGUFReader
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    reader: Any = GGUFReader(f"{VOCABULARIES}/ggml-vocab-gpt-2.gguf")
    words, merges = (
        [bytes(field.parts[at]).decode() for at in field.data]
        for field in (reader.fields[f"tokenizer.ggml.{key}"] for key in ("tokens", "merges"))
    )
    pairs = [(one.split(" ")[0], one.split(" ")[1]) for one in merges]
    made: Any = Tokenizer(
        models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=pairs)
    )
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    end = "<|endoftext|>"
    wrap: Any = PreTrainedTokenizerFast
    tokenizer = wrap(tokenizer_object=made, eos_token=end, bos_token=end)
    tokenizer.save_pretrained(folder)


@pytest.mark.skipif(
    CHECKOUT is None or VOCABULARIES is None, reason="no checkout of llama.cpp is named"
)
@pytest.mark.parametrize("quantization", ["f32", "q4_k_m"])
def test_a_real_converter_writes_a_family_that_we_do_not(tmp_path: Path, quantization: str) -> None:
    if quantization != "f32" and find_quantizer() is None:
        pytest.skip("no llama-quantize on this machine")
    config = Olmo2Config(
        vocab_size=50257, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=256,
    )  # fmt: skip
    folder = save_model(config, tmp_path / "model")
    save_words(folder)
    file = write_file(folder, quantization)
    values = read_gguf_values(file)
    assert values["general.architecture"] == "olmo2"
    assert values["tokenizer.ggml.pre"] == "gpt-2"
    assert values["general.name"] == "model"
