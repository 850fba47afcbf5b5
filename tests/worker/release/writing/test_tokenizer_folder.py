"""The tokenizer and ends of an export are those of training, and name no place."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, GenerationConfig

from engine.worker.data.chat_template import choose_template
from engine.worker.model.loading import load_tokenizer
from engine.worker.model.saving import keep_template
from engine.worker.release.writing.tokenizer_folder import make_generation_config, write_tokenizer
from tests.worker.release.sources import make_source
from tests.worker.tiny import CHATML, make_tokenizer, save_checkpoint

READ: Any = AutoTokenizer.from_pretrained
TEXT = "i miss my dog <|im_end|> 2026  and\n\nfour"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Documents end with </s>, turns as its template has it with another token."""
    path = save_checkpoint(tmp_path / "base")
    tokenizer = make_tokenizer(CHATML, eos_token="</s>")
    tokenizer.chat_template = {"default": CHATML, "rag": "{{ messages[0].content }}"}
    tokenizer.save_pretrained(path)
    config = {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 40, "max_length": 20,
              "eos_token_id": 3, "output_attentions": True, "_from_model_config": True}  # fmt: skip
    (path / "generation_config.json").write_text(json.dumps(config))
    return path


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_files_are_as_the_run_had_them(base: Path, tmp_path: Path) -> None:
    trained = tmp_path / "adapter"
    tokenizer = load_tokenizer(base)
    keep_template(choose_template(tokenizer, "chat", "You are terse."), tokenizer)
    tokenizer.save_pretrained(trained)
    change(trained / "tokenizer_config.json", name_or_path="/home/me/base", _commit_hash="0123",
           tokenizer_file="/home/me/base/tokenizer.json", auto_map={"AutoTokenizer": ["a.B", None]},
           )  # fmt: skip
    ends = write_tokenizer(make_source(base, tokenizer=trained), tmp_path / "out")
    out, again = tmp_path / "out", READ(tmp_path / "out")
    assert (out / "tokenizer.json").read_bytes() == (trained / "tokenizer.json").read_bytes()
    for name in ("chat_template.jinja", "additional_chat_templates/rag.jinja"):
        assert (out / name).read_bytes() == (trained / name).read_bytes()
    assert "You are terse." in (out / "chat_template.jinja").read_text()
    assert again(TEXT)["input_ids"] == tokenizer(TEXT)["input_ids"]
    for path in out.rglob("*.json"):
        assert "/home/me" not in path.read_text()
        assert "auto_map" not in path.read_text(), "no code is written"
        assert str(tmp_path) not in path.read_text()
        assert "0123" not in path.read_text() or path.name == "tokenizer.json"
    turn, document = again.convert_tokens_to_ids(["<|im_end|>", "</s>"])
    assert ends == (turn, *sorted({3, document}))
    config = json.loads((out / "generation_config.json").read_text())
    assert config["eos_token_id"] == list(ends)
    assert {name: config[name] for name in ("temperature", "top_p", "top_k")} == {
        "temperature": 0.7, "top_p": 0.9, "top_k": 40,
    }  # fmt: skip
    assert set(config) == {"do_sample", "eos_token_id", "pad_token_id", "temperature", "top_k",
                           "top_p"}  # fmt: skip
    read: Any = GenerationConfig.from_pretrained
    read(out).validate(strict=True)
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def test_an_end_and_a_pad_that_the_model_has_no_embedding_for_are_none(
    base: Path, tmp_path: Path
) -> None:
    """The tokenizer has more tokens than the model: Gemma 3 1B, CodeLlama 34B."""
    tokenizer = load_tokenizer(base)
    rows = json.loads((base / "config.json").read_text())["vocab_size"]
    tokenizer.add_special_tokens({"pad_token": "<later>", "eos_token": "<end>"})
    assert tokenizer.convert_tokens_to_ids("<later>") >= rows
    tokenizer.save_pretrained(base)
    change(base / "generation_config.json", eos_token_id=[3, rows + 5], pad_token_id=rows + 1)
    ends = write_tokenizer(make_source(base), tmp_path / "out")
    assert 3 in ends
    assert max(ends) < rows
    config = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert "pad_token_id" not in config
    assert len(READ(tmp_path / "out")) == len(tokenizer)


def test_a_tokenizer_without_a_template_is_written(base: Path, tmp_path: Path) -> None:
    make_tokenizer(None, eos_token="</s>").save_pretrained(tmp_path / "plain")
    ends = write_tokenizer(make_source(base, tokenizer=tmp_path / "plain"), tmp_path / "out")
    assert READ(tmp_path / "out").chat_template is None
    assert READ(tmp_path / "out").eos_token_id in ends


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ({"temperature": 0.6, "top_p": 0.9}, {}),
        ({"do_sample": True, "temperature": 0.0, "top_p": 1.5, "top_k": -1},
         {"do_sample": True}),
        ({"do_sample": True, "min_p": 0.1, "typical_p": 0.5, "repetition_penalty": 1.05},
         {"do_sample": True, "min_p": 0.1, "typical_p": 0.5, "repetition_penalty": 1.05}),
        ({"temperature": float("nan"), "do_sample": True, "max_new_tokens": 64, "cache": "/x"},
         {"do_sample": True, "max_new_tokens": 64}),
        ({"bos_token_id": 1, "pad_token_id": 9, "use_cache": False}, {"bos_token_id": 1}),
    ],
)  # fmt: skip
def test_settings_that_are_sensible_are_kept(own: dict[str, Any], kept: dict[str, Any]) -> None:
    assert make_generation_config(own, [2], 5) == kept | {"eos_token_id": 2}
