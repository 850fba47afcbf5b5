"""GGUF files among the checkpoints: listed by their headers, used to answer, refused to train."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from engine.checkpoints import checkpoint_list
from engine.checkpoints.checkpoint_list import Checkpoint
from engine.checkpoints.describe import inspect, inspect_repository
from engine.checkpoints.gguf_file import as_trained, check_trainable
from engine.checkpoints.stages import find_stage
from engine.errors import EngineError
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Model
from tests.checkpoints.made import ANSWERING, make_adapter, make_gguf, make_model, make_repository


def tensors(kind: str = "f32") -> dict[str, Any]:
    one = np.ones((6, 32), dtype=np.float32)
    rounded = gguf.quantize(one, gguf.GGMLQuantizationType.Q8_0)
    return {"token_embd.weight": one if kind == "f32" else rounded}


def usable(path: Path, kind: str = "f32", **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_gguf(path, tensors=tensors(kind), **{**ANSWERING, **more})


def listed(folder: Path) -> dict[str, Checkpoint]:
    """What is found below a folder, by its path there."""
    found = checkpoint_list.scan([folder], [])
    inside = (one for one in found if one.path.is_relative_to(folder))
    return {str(one.path.relative_to(folder)): one for one in inside}


def test_each_file_is_listed_with_what_its_header_says(tmp_path: Path) -> None:
    usable(tmp_path / "gguf" / "m-F32.gguf")
    usable(tmp_path / "gguf" / "m-Q8_0.GGUF", "q8_0")
    found = listed(tmp_path)
    assert sorted(found) == ["gguf/m-F32.gguf", "gguf/m-Q8_0.GGUF"]
    one = found["gguf/m-Q8_0.GGUF"]
    assert (one.kind, one.source, one.reason, one.name) == ("model", "folder", None, "m-Q8_0.GGUF")
    assert (one.architecture, one.dtype, one.parameters) == ("LlamaForCausalLM", "q8_0", 192)
    assert (one.context_length, one.vocab_size, one.chat_template) == (512, 6, True)
    assert one.size_bytes == one.path.stat().st_size
    assert found["gguf/m-F32.gguf"].dtype == "fp32"
    assert one.ref == str(one.path)
    assert checkpoint_list.resolve(one.ref) == one


def test_a_file_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    file = usable(tmp_path / "m.gguf")
    assert inspect(file).dtype == "fp32"
    usable(file, "q8_0", llama__context_length=1024)
    assert (inspect(file).dtype, inspect(file).context_length) == ("q8_0", 1024)


def test_a_folder_with_one_file_is_that_file_and_with_several_must_be_told(tmp_path: Path) -> None:
    file = usable(tmp_path / "one" / "m.gguf")
    assert checkpoint_list.resolve(str(file.parent)).path == file
    usable(file.with_name("n.gguf"))
    with pytest.raises(EngineError, match="one holds 2 GGUF files"):
        checkpoint_list.resolve(str(file.parent))


def test_beside_other_weights_both_are_listed(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "both")
    usable(folder / "m.gguf")
    assert sorted(listed(tmp_path)) == ["both", "both/m.gguf"]
    assert checkpoint_list.resolve(str(folder)).path == folder
    usable(tmp_path / "config" / "m.gguf")
    (tmp_path / "config" / "config.json").write_text('{"model_type": "llama"}')
    assert sorted(listed(tmp_path / "config")) == ["m.gguf"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"split__count": 2}, "one of 2 parts of a GGUF file"),
        ({"general__type": "adapter"}, "a LoRA adapter in GGUF"),
        ({"general__type": "mmproj"}, "not a causal language model: llama"),
        ({"llama__context_length": 0}, "m.gguf cannot be used: llama.context_length is '0'"),
        ({"tokenizer__ggml__model": ""}, "it has no tokenizer"),
    ],
)
def test_what_cannot_be_used_says_why(more: dict[str, Any], reason: str, tmp_path: Path) -> None:
    file = usable(tmp_path / "m.gguf", **more)
    assert str(inspect(file).reason).startswith(reason)
    with pytest.raises(EngineError, match="cannot be used"):
        checkpoint_list.resolve(str(file))


def test_of_a_split_file_the_first_part_is_listed(tmp_path: Path) -> None:
    for part in (1, 2, 3):
        usable(tmp_path / f"m-{part:05}-of-00003.gguf", split__count=3)
    assert sorted(listed(tmp_path)) == ["m-00001-of-00003.gguf"]


def test_a_damaged_file_and_one_that_is_gone_say_so(tmp_path: Path) -> None:
    file = usable(tmp_path / "m.gguf")
    file.write_bytes(file.read_bytes()[:100])
    assert "cannot be read as GGUF" in str(inspect(file).reason)
    file.unlink()
    assert inspect(file).reason == "the file is missing"
    with pytest.raises(EngineError, match="checkpoint not found"):
        checkpoint_list.resolve(str(file))


def test_files_of_the_hubs_cache_have_its_name(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "org/tiny", {"a" * 40: False}, main="a" * 40)
    snapshot = repository / "snapshots" / ("a" * 40)
    (snapshot / "config.json").unlink()
    usable(snapshot / "m-Q8_0.gguf", "q8_0")
    (one,) = inspect_repository(repository)
    assert (one.name, one.source, one.reason) == ("org/tiny/m-Q8_0.gguf", "cache", None)


def test_a_file_is_not_trained_and_takes_no_adapter(tmp_path: Path) -> None:
    file = usable(tmp_path / "m.gguf")
    with pytest.raises(EngineError, match="A GGUF file cannot be trained") as caught:
        find_stage(TrainRecipe(model=Model(checkpoint=str(file))), [])
    assert "the model that it was made of" in caught.value.hint
    check_trainable(inspect(make_model(tmp_path / "m")))
    assert as_trained(inspect(file)).reason == "a GGUF file can answer, but cannot be trained"
    assert as_trained(inspect(tmp_path / "m")).reason is None
    adapter = inspect(make_adapter(tmp_path / "adapter", str(file)))
    assert adapter.reason == "its base is a GGUF file, which takes no adapter"
