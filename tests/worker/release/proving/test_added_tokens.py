"""Exports of models whose vocabulary was enlarged: proven of every family, and caught where an
added token is missing, of another type, or has a row that nobody trained."""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoints.gguf_header import read_gguf_header
from engine.errors import EngineError
from engine.release.proof import Check
from engine.release.source import ExportSource
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf.metadata_check import check_metadata
from engine.worker.release.gguf.write import write_gguf
from engine.worker.release.proving.open_shipped import add_adapter, open_run
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.proof_steps import prove
from engine.worker.release.proving.text_checks import check_texts
from engine.worker.release.proving.weight_checks import check_weights
from engine.worker.release.writing.adapter_folder import write_adapter
from engine.worker.release.writing.merged_folder import write_merged
from engine.worker.release.writing.tokenizer_folder import write_tokenizer
from tests.worker.added_tokens import ADDED, ATTENTION, enlarge_tokenizer, save_base, save_enlarged
from tests.worker.release.gguf_headers import header_of, write_header
from tests.worker.release.made_exports import spec_of, write_held_out
from tests.worker.release.sources import make_source

TURN_END = 301
TYPES = gguf.TokenType


def tick(*_: Any) -> None:
    """Nothing is shown."""


@dataclass(frozen=True)
class Export:
    """An adapter with added tokens, and what is shipped of it."""

    source: ExportSource
    folder: Path
    ends: tuple[int, ...]

    @property
    def merged(self) -> Path:
        return self.folder / "merged"

    @property
    def file(self) -> Path:
        return self.folder / "gguf" / "model-F32.gguf"

    def spec(self, shipped: Path, target: str, **changes: Any) -> ProofSpec:
        reference = self.folder / "reference"
        reference.mkdir(exist_ok=True)
        if target.startswith("gguf"):
            changes = {"checkpoint": self.merged, **changes}
        return spec_of(
            self.source, shipped, target, self.ends, rows=4, strings=200, reference=reference,
            **changes,
        )  # fmt: skip


def export(family: str, folder: Path, **settings: Any) -> Export:
    base = save_base(family, folder / "base")
    adapter, _ = save_enlarged(folder / "trained", base, **settings)
    held_out = write_held_out(folder / "held_out.jsonl", 4)
    source = make_source(base, adapter, tokenizer=adapter, held_out=held_out)
    merged = folder / "merged"
    write_merged(source, merged, torch.float32, 10**9, tick)
    ends = write_tokenizer(source, merged)
    made = Export(source, folder, ends)
    made.file.parent.mkdir()
    write_gguf(merged, made.file, "f32", ends, tick)
    return made


@pytest.fixture(scope="module")
def padded(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """A tied head, rows of the added tokens saved, rounded up to a multiple of 64."""
    return export("gemma3", tmp_path_factory.mktemp("padded"), **ATTENTION, multiple=64)


def failures(checks: list[Check]) -> dict[str, str]:
    return {one.name: "\n".join(one.differences) for one in checks if one.status == "failed"}


def test_each_target_is_proven(padded: Export) -> None:
    adapter = padded.folder / "adapter"
    write_adapter(padded.source, adapter, tick)
    assert write_tokenizer(padded.source, adapter) == padded.ends
    assert padded.ends[0] == TURN_END, "the added token that ends a trained turn comes first"
    for shipped, target in ((adapter, "adapter"), (padded.merged, "merged"), (padded.file, "gguf")):
        checks = prove(padded.spec(shipped, target), padded.folder, tick)
        assert not failures(checks), target
        assert sum(one.status == "passed" for one in checks) > 8


def test_what_the_files_say(padded: Export) -> None:
    assert json.loads((padded.merged / "config.json").read_text())["vocab_size"] == 320
    generation = json.loads((padded.merged / "generation_config.json").read_text())
    assert generation["eos_token_id"][0] == TURN_END
    reader: Any = gguf.GGUFReader(padded.file)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    assert len(tokens) == len(types) == 320
    assert tokens[300:304] == [*ADDED, "[PAD303]"]
    expected = [TYPES.CONTROL, TYPES.CONTROL, TYPES.USER_DEFINED, *[TYPES.UNUSED] * 17]
    assert types[300:] == [int(one) for one in expected]
    assert reader.fields["tokenizer.ggml.eos_token_id"].contents() == TURN_END
    assert read_gguf_header(padded.file).values["gemma3.vocab_size"] == 320


@pytest.mark.parametrize(
    "family", ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3"]
)
def test_tensors_and_keys_of_every_family(family: str, tmp_path: Path) -> None:
    targets = ["qkv_proj"] if family == "phi3" else ["q_proj"]
    made = export(family, tmp_path, target_modules=targets)
    assert not failures([check_metadata(made.merged, made.file)])
    summed = add_adapter(made.spec(made.file, "gguf"), open_run(made.spec(made.file, "gguf")))
    for shipped, target in ((made.merged, "merged"), (made.file, "gguf:f32")):
        checks = check_weights(made.spec(shipped, target), summed, tick)
        assert not failures(checks)
        assert checks[0].facts["of another shape"] >= 1


def judge_texts(made: Export, shipped: Path, target: str) -> dict[str, str]:
    spec = made.spec(shipped, target)
    return failures(check_texts(spec, load_tokenizer(spec.tokenizer), tick))


def test_an_added_token_that_is_missing_is_caught(padded: Export, tmp_path: Path) -> None:
    for token in ADDED:
        folder = tmp_path / str(ADDED.index(token))
        shutil.copytree(padded.merged, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        path = folder / "tokenizer.json"
        rules = json.loads(path.read_text())
        rules["added_tokens"] = [one for one in rules["added_tokens"] if one["content"] != token]
        path.write_text(json.dumps(rules))
        config = json.loads((folder / "tokenizer_config.json").read_text())
        for name in ("extra_special_tokens", "additional_special_tokens", "added_tokens_decoder"):
            config.pop(name, None)
        if config["eos_token"] == token:
            config["eos_token"] = "<|im_end|>"
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        found = judge_texts(padded, folder, "merged")
        assert f"'{token}' is " in found["token ids are the run's"]


def test_an_added_token_missing_from_the_gguf_file_is_caught(
    padded: Export, tmp_path: Path
) -> None:
    def drop(header: dict[str, Any]) -> None:
        header["tokenizer.ggml.tokens"][302] = "[PAD302]"
        header["tokenizer.ggml.token_type"][302] = int(TYPES.UNUSED)

    header = header_of(padded.merged, tmp_path, padded.ends)
    found = judge_texts(padded, write_header(tmp_path / "m.gguf", header, drop), "gguf:f32")
    assert "302 '[PAD302]' is unused, not user-defined" in found["token types are right"]


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        (TURN_END, TYPES.USER_DEFINED),
        (TURN_END, TYPES.NORMAL),
        (302, TYPES.CONTROL),
        (302, TYPES.NORMAL),
        (310, TYPES.NORMAL),
        (310, TYPES.USER_DEFINED),
    ],
)
def test_a_wrong_token_type_is_caught(
    padded: Export, at: int, kind: gguf.TokenType, tmp_path: Path
) -> None:
    def change(header: dict[str, Any]) -> None:
        header["tokenizer.ggml.token_type"][at] = int(kind)

    header = header_of(padded.merged, tmp_path, padded.ends)
    found = judge_texts(padded, write_header(tmp_path / "m.gguf", header, change), "gguf:f32")
    assert str(at) in found["token types are right"]


@pytest.mark.parametrize("row", [300, 302, 319])
def test_a_row_that_was_left_random_is_caught(padded: Export, row: int, tmp_path: Path) -> None:
    folder = tmp_path / "merged"
    shutil.copytree(padded.merged, folder)
    tensors = load_file(folder / "model.safetensors")
    embedding = tensors["model.embed_tokens.weight"]
    embedding[row] = torch.from_numpy(np.random.default_rng(0).normal(0, 0.02, 32)).float()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    file = tmp_path / "model.gguf"
    write_gguf(folder, file, "q8_0", padded.ends, tick)
    summed = add_adapter(padded.spec(folder, "merged"), open_run(padded.spec(folder, "merged")))
    for shipped, target in ((folder, "merged"), (file, "gguf:q8_0")):
        found = failures(check_weights(padded.spec(shipped, target), summed, tick))
        assert "embed_tokens.weight differs" in found["weights are those of the run"], target


def test_a_token_without_a_row_is_refused(padded: Export, tmp_path: Path) -> None:
    """The adapter brings no rows at all, and its tokenizer has three tokens more."""
    base, trained = padded.source.base, tmp_path / "trained"
    enlarge_tokenizer(base, trained)
    source = dataclasses.replace(padded.source, adapter=None, tokenizer=trained)
    with pytest.raises(EngineError, match="tokens that the model has no embedding for") as raised:
        write_tokenizer(source, tmp_path / "out")
    assert "<|tool|> (300), <|turn_end|> (301), <note> (302)" in raised.value.detail
    assert "the model has 300 rows" in raised.value.detail
    own = dataclasses.replace(source, root=trained)  # its root was published so
    assert TURN_END not in write_tokenizer(own, tmp_path / "out")
