import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.checkpoints import describe
from engine.checkpoints.checkpoint_list import inspect, resolve, scan
from engine.checkpoints.describe import suggest_get
from engine.errors import EngineError
from tests.checkpoints.made import (
    HTML_PAGE,
    LFS_POINTER,
    make_adapter,
    make_model,
    make_repository,
    pack,
)


def why(path: Path) -> str:
    reason = inspect(path).reason
    assert reason is not None
    return reason


def test_a_whole_model_is_described(tmp_path: Path) -> None:
    found = inspect(make_model(tmp_path / "small"))
    assert (found.name, found.ref, found.kind) == ("small", str(tmp_path / "small"), "model")
    assert (found.architecture, found.parameters, found.dtype) == ("LlamaForCausalLM", 44, "fp16")
    assert (found.context_length, found.vocab_size, found.chat_template) == (512, 10, True)
    assert found.size_bytes == sum(file.stat().st_size for file in found.path.iterdir())
    assert found.reason is None


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"max_position_embeddings": None, "n_positions": 1024}, 1024),
        ({"max_position_embeddings": "many", "n_ctx": 77}, 77),
        ({"max_position_embeddings": True, "max_seq_len": 2048}, 2048),
        ({"max_position_embeddings": None, "text_config": {"max_position_embeddings": 9}}, 9),
        ({"max_position_embeddings": -1, "text_config": 5}, None),
    ],
)
def test_context_length_under_its_other_names(
    tmp_path: Path, config: dict[str, Any], length: int | None
) -> None:
    assert inspect(make_model(tmp_path / "m", **config)).context_length == length


@pytest.mark.parametrize(
    ("name", "content", "template"),
    [
        (
            "tokenizer_config.json",
            '{"chat_template": [{"name": "default", "template": "x"}]}',
            True,
        ),
        ("tokenizer_config.json", '{"chat_template": ""}', False),
        ("tokenizer_config.json", "{}", False),
        ("chat_template.json", '{"chat_template": "x"}', True),
        ("chat_template.jinja", "x", True),
    ],
)
def test_a_chat_template_in_each_of_its_places(
    tmp_path: Path, name: str, content: str, template: bool
) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "tokenizer_config.json").unlink()
    (folder / name).write_text(content)
    assert inspect(folder).chat_template is template


def test_what_is_stored_as_weights_but_is_none(tmp_path: Path) -> None:
    assert "git-LFS pointer" in why(make_model(tmp_path / "a", weights=LFS_POINTER))
    assert "web page" in why(make_model(tmp_path / "b", weights=HTML_PAGE))
    assert "is empty" in why(make_model(tmp_path / "c", weights=b""))
    whole = pack({"w": ("F32", [100])})
    assert "truncated" in why(make_model(tmp_path / "d", weights=whole[:-1]))
    assert "not a safetensors" in why(make_model(tmp_path / "e", weights=b"\x80\x04\x95" * 99))


def test_what_the_config_forbids(tmp_path: Path) -> None:
    mapped = {"AutoModelForCausalLM": "modeling.Mine"}
    custom = make_model(tmp_path / "a", model_type="mine", architectures=["Mine"], auto_map=mapped)
    assert why(custom) == "needs custom code (Mine), which is not supported"
    classifier = make_model(tmp_path / "b", architectures=["LlamaForSequenceClassification"])
    assert why(classifier) == "not a causal language model: LlamaForSequenceClassification"
    assert "T5ForCond" in why(
        make_model(tmp_path / "c", model_type="t5", architectures=["T5ForConditionalGeneration"])
    )
    encoder = make_model(tmp_path / "d", model_type="bert", architectures=["BertForMaskedLM"])
    assert "not a causal" in why(encoder)
    assert "not a causal" in why(make_model(tmp_path / "e", model_type="bert", architectures=None))
    assert "no model_type" in why(make_model(tmp_path / "f", model_type=None, architectures=None))
    mamba = make_model(tmp_path / "h", model_type="mamba", architectures=["MambaForCausalLM"])
    assert why(mamba).startswith("not supported: mamba models")
    assert "gptq" in why(make_model(tmp_path / "g", quantization_config={"quant_method": "gptq"}))


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]},
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
        {"model_type": "gpt2", "architectures": None},
        {
            "model_type": "phi3",
            "auto_map": {"AutoModel": "x"},
            "architectures": ["Phi3ForCausalLM"],
        },
        {"model_type": "bert", "architectures": ["BertLMHeadModel"], "is_decoder": True},
        {"model_type": "bert", "architectures": [], "is_decoder": True},
        {
            "model_type": "llama4",
            "architectures": ["Llama4ForConditionalGeneration"],
            "text_config": {},
        },
    ],
)
def test_causal_models_under_other_names_are_usable(tmp_path: Path, config: dict[str, Any]) -> None:
    assert inspect(make_model(tmp_path / "m", **config)).reason is None


def test_bart_is_not_taken_for_a_decoder(tmp_path: Path) -> None:
    named = ["BartForConditionalGeneration"]
    folder = make_model(
        tmp_path / "m", model_type="bart", architectures=named, is_encoder_decoder=True
    )
    assert "not a causal" in why(folder)


def test_four_bits_are_named(tmp_path: Path) -> None:
    table = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    found = inspect(make_model(tmp_path / "m", quantization_config=table))
    assert (found.dtype, found.reason) == ("4-bit bnb", None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"model_type": "llama",}', "config.json is not valid JSON: "),
        (b"\xff\xfe{", "config.json is not valid JSON"),
        (b"[" * 100_000, "config.json is not valid JSON"),
        (b"[]", "config.json is not a JSON object"),
        (b"", "config.json is empty"),
        (LFS_POINTER, "config.json is a git-LFS pointer"),
        (b'{"architectures": 5, "model_type": [], "text_config": 3}', "not a causal"),
        (b'{"architectures": [{}], "model_type": "llama", "vocab_size": 1e400}', None),
    ],
)
def test_a_config_that_lies_is_survived(tmp_path: Path, content: bytes, reason: str | None) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "config.json").write_bytes(content)
    found = inspect(folder)
    assert found.reason is None if reason is None else reason in str(found.reason)
    assert found.parameters == 44


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert why(folder).startswith("pickle only (pytorch_model.bin)")


def test_other_formats_are_named(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "model.Q4_K_M.gguf")
    assert "GGUF" in why(folder)
    (folder / "model.Q4_K_M.gguf").rename(folder / "model.fp16.safetensors")
    assert "no model.safetensors" in why(folder)
    (folder / "model.fp16.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    assert "model.safetensors.index.json is missing" in why(folder)


def test_missing_parts_of_a_folder(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "tokenizer.json").write_text('{"model": {"vocab"')
    assert why(folder) == "tokenizer.json is truncated or not JSON"
    (folder / "tokenizer.json").unlink()
    assert why(folder).startswith("missing tokenizer")
    (folder / "tokenizer.model").write_bytes(b"\x0a\x05")
    assert inspect(folder).reason is None
    (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["x", null]}}')
    assert "custom code" in why(folder)
    (folder / "config.json").unlink()
    assert why(folder) == "config.json is missing"


def make_sharded(folder: Path, parts: dict[str, list[str]]) -> Path:
    make_model(folder)
    (folder / "model.safetensors").unlink()
    for part, names in parts.items():
        (folder / part).write_bytes(pack({name: ("BF16", [3]) for name in names}))
    table = {name: part for part, names in parts.items() for name in names}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    return folder


def test_sharded_weights_are_added_up(tmp_path: Path) -> None:
    folder = make_sharded(tmp_path / "m", {"one.safetensors": ["a", "b"], "two.safetensors": ["c"]})
    found = inspect(folder)
    assert (found.parameters, found.dtype, found.reason) == (9, "bf16", None)
    (folder / "one.safetensors").write_bytes(pack({"a": ("BF16", [3])}))
    assert "lacks tensors" in why(folder)
    (folder / "one.safetensors").unlink()
    assert why(folder) == "1 of 2 weight shards missing: one.safetensors"


@pytest.mark.parametrize("table", [5, {}, {"a": 5}, {"a": "../../secret"}, {"a": "\0"}])
def test_an_index_that_lies_is_refused(tmp_path: Path, table: object) -> None:
    folder = make_sharded(tmp_path / "m", {"one.safetensors": ["a"]})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    assert inspect(folder).reason is not None


def test_a_change_is_seen(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    assert inspect(folder).reason is None
    (folder / "model.safetensors").write_bytes(LFS_POINTER)
    assert "git-LFS" in why(folder)


def test_nothing_and_files_instead_of_folders(tmp_path: Path) -> None:
    assert "No such file" in why(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    assert "Not a directory" in why(tmp_path / "file")
    assert "cannot be read" in why(Path("a\0b"))
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read" in why(tmp_path / "loop")


def test_an_unreadable_folder_is_listed_with_its_reason() -> None:
    """Run as a user without rights, since root may read everything."""
    with tempfile.TemporaryDirectory(prefix="finetop-") as name:
        locked = make_model(Path(name) / "locked")
        repository = make_repository(Path(name) / "hub", "org/name", {"abc": True}, "abc")
        script = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from engine.checkpoints.checkpoint_list import inspect, scan\n"
            "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            "print(inspect(Path(sys.argv[1])).reason)\n"
            "folder, hub = map(Path, sys.argv[1:])\n"
            "for found in scan([folder, hub], [folder / 'run'])[1:]: print(found.reason)\n"
        )
        for folder in (locked, repository):
            folder.chmod(0)
        Path(name).chmod(0o755)
        told = subprocess.run(
            [sys.executable, "-c", script, str(locked), str(repository.parent)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for folder in (locked, repository):
            folder.chmod(0o700)
    assert told.splitlines()[:2] == ["the folder cannot be read: Permission denied"] * 2, told
    # Then the unreadable repository, and the home that the tests gave to root alone.
    assert told.count("Permission denied") >= 4


def test_the_search_is_shallow_and_survives_loops(tmp_path: Path) -> None:
    make_model(tmp_path / "one")
    make_model(tmp_path / "a" / "b" / "three")
    make_model(tmp_path / "a" / "b" / "c" / "four")
    make_model(tmp_path / ".hidden" / "five")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "one")
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "config.json").write_text('{"port": 80}')
    found = [entry.name for entry in scan([tmp_path, tmp_path], []) if entry.source == "folder"]
    assert found == ["one", "three"]


def test_bundled_comes_first_and_is_found_by_its_ref(tmp_path: Path) -> None:
    first = scan([], [])[0]
    assert (first.ref, first.source, first.path) == ("bundled:demo-base", "bundled", BASE)
    assert resolve("bundled:demo-base") == first
    with pytest.raises(EngineError, match="no bundled checkpoint"):
        resolve("bundled:other")


def test_resolve_gives_what_can_be_used(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    assert resolve(str(folder)) == inspect(folder)
    (folder / "config.json").unlink()
    with pytest.raises(EngineError, match="m cannot be used: config"):
        resolve(str(folder))
    for wrong in (str(tmp_path / "absent"), "", "a\0b", "~nobody-here/x", "org/name"):
        with pytest.raises(EngineError, match="checkpoint not found:"):
            resolve(wrong)


def test_of_hundreds_only_what_changed_is_read_again(tmp_path: Path) -> None:
    folders = [make_model(tmp_path / f"m{number}") for number in range(200)]
    scan([tmp_path], [])
    before = describe._describe.cache_info()
    assert len(scan([tmp_path], [])) >= 201
    (folders[7] / "model.safetensors").write_bytes(LFS_POINTER)
    assert len(scan([tmp_path], [])) >= 201
    after = describe._describe.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits >= 399) == (1, True)


def test_it_needs_no_heavy_library() -> None:
    code = (
        "import sys, engine.checkpoints.checkpoint_list, engine.checkpoints.search_paths\n"
        "import engine.data.dataset_list\n"
        "print({'torch', 'transformers', 'numpy', 'safetensors'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def test_a_pipe_in_a_folder_does_not_hang(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert why(folder) == "config.json is missing"


def test_an_adapter_beside_a_whole_model_is_the_model(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "adapter_config.json").write_text("{}")
    assert inspect(folder).kind == "model"
    make_adapter(folder, None)
    assert inspect(folder).kind == "adapter"


@pytest.mark.parametrize("named", ["./gone", "../gone", "~/gone", "/gone"])
def test_a_folder_that_is_not_there_is_not_said_to_lie_on_the_hub(named: str) -> None:
    assert suggest_get(named) == ""
    assert suggest_get("owner/gone")
