"""Files beside the weights that are spoiled in one way each, which no answer of the model shows."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.release.proof import Check
from engine.release.source import ExportSource
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.proving.file_checks import check_files
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.writing.tokenizer_folder import write_tokenizer
from tests.worker.release.made_exports import lora_source, spec_of

Spoil = Callable[[Path], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportSource, dict[str, Path]]:
    """A run, with the folders of its adapter and of a whole model; what weights are in them is for
    other checks."""
    folder = tmp_path_factory.mktemp("files")
    source = lora_source(folder)
    assert source.adapter is not None
    parts = {"adapter": folder / "shipped", "merged": folder / "merged"}
    shutil.copytree(source.adapter, parts["adapter"])
    shutil.copytree(source.base, parts["merged"])
    for part in parts.values():
        write_tokenizer(source, part)
    return source, parts


def look(spec: ProofSpec) -> Check:
    return check_files(spec, load_tokenizer(spec.tokenizer))


def change(name: str, **settings: Any) -> Spoil:
    """Set these of a JSON file."""

    def spoil(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))

    return spoil


def add_pickle(folder: Path) -> None:
    torch.save({}, folder / "pytorch_model.bin")


def add_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def add_shards(folder: Path) -> None:
    save_file({"a": torch.zeros(1)}, folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")


def end_template(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text() + "\n")


def drop_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def break_json(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"eos_token_id": ')


CONFIG, GENERATION, TOKENIZER = "config.json", "generation_config.json", "tokenizer_config.json"
RULES, ADAPTER = "tokenizer.json", "adapter_config.json"
SPOILED: dict[str, tuple[str, Spoil, str]] = {
    "another class": ("merged", change(CONFIG, architectures=["LlamaModel"]), "architectures is"),
    "quantised": ("merged", change(CONFIG, quantization_config={"bits": 4}), "quantised weights"),
    "another type": ("merged", change(CONFIG, dtype="float16"), "dtype is torch.float16"),
    "tied": ("merged", change(CONFIG, tie_word_embeddings=True), "the stored head is not the"),
    "another end": ("merged", change(CONFIG, eos_token_id=77), "eos_token_id is 77"),
    "another BOS": ("merged", change(CONFIG, bos_token_id=77), "bos_token_id is 77"),
    "ends too early": ("merged", change(GENERATION, eos_token_id=[1, 50]), "ends at 50"),
    "one token": ("merged", change(GENERATION, max_new_tokens=1), "max_new_tokens is 1"),
    "ends suppressed": ("merged", change(GENERATION, suppress_tokens=[1]), "suppress_tokens"),
    "hot": ("adapter", change(GENERATION, temperature=9.0), "temperature is 9.0"),
    "another padding": ("adapter", change(GENERATION, pad_token_id=57), "pad_token_id is 57"),
    "cut JSON": ("merged", break_json, "cannot be read"),
    "padding side": ("merged", change(TOKENIZER, padding_side="right"), "padding_side is"),
    "length": ("merged", change(TOKENIZER, model_max_length=3), "model_max_length is 3"),
    "code": ("merged", change(TOKENIZER, auto_map={"AutoTokenizer": "a.B"}), "auto_map asks for"),
    "code of the model": ("merged", change(CONFIG, auto_map={"AutoModel": "a.B"}), "auto_map asks"),
    "decoder": ("merged", change(RULES, decoder={"type": "Fuse"}), "decoder is"),
    "truncation": ("adapter", change(RULES, truncation={"max_length": 4}), "truncation is"),
    "end of template": ("merged", end_template, "chat_template.jinja is another file"),
    "no template": ("adapter", drop_template, "chat_template.jinja is missing"),
    "pickle": ("merged", add_pickle, "pytorch_model.bin is a file that was not proven"),
    "stray adapter": ("merged", add_adapter, "adapter_config.json is a file that was not"),
    "stray shards": ("merged", add_shards, "model-00001-of-00001.safetensors is a file"),
    "alpha": ("adapter", change(ADAPTER, lora_alpha=8.01), "lora_alpha is 8.01"),
    "transposed": ("adapter", change(ADAPTER, fan_in_fan_out=True), "fan_in_fan_out is True"),
    "biases": ("adapter", change(ADAPTER, bias="all"), "bias is 'all'"),
    "modules": ("adapter", change(ADAPTER, modules_to_save=["lm_head"]), "modules_to_save is"),
    "no task": ("adapter", change(ADAPTER, task_type=None), "task_type is None"),
}


@pytest.mark.parametrize("target", ["adapter", "merged"])
def test_files_that_are_not_spoiled_pass(
    made: tuple[ExportSource, dict[str, Path]], target: str
) -> None:
    source, parts = made
    check = look(spec_of(source, parts[target], target))
    assert check.status == "passed", check.differences


def test_names_of_the_base_and_order_are_free(
    made: tuple[ExportSource, dict[str, Path]], tmp_path: Path
) -> None:
    source, parts = made
    folder = tmp_path / "shipped"
    shutil.copytree(parts["adapter"], folder)
    names = json.loads((folder / ADAPTER).read_text())["target_modules"]
    change(ADAPTER, base_model_name_or_path="org/name", target_modules=names[::-1])(folder)
    assert look(spec_of(source, folder, "adapter")).status == "passed"


@pytest.mark.parametrize("kind", SPOILED)
def test_each_spoiled_file_is_named(
    made: tuple[ExportSource, dict[str, Path]], tmp_path: Path, kind: str
) -> None:
    source, parts = made
    target, spoil, sentence = SPOILED[kind]
    folder = tmp_path / "shipped"
    shutil.copytree(parts[target], folder)
    spoil(folder)
    check = look(spec_of(source, folder, target))
    assert check.status == "failed"
    assert sentence in "\n".join(check.differences)
    assert str(tmp_path) not in "\n".join(check.differences)
