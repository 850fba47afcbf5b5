"""GGUF files of tiny models in an installed llama.cpp: right ones pass, and it sees itself what was
spoiled. Skipped where its programs are not installed."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.release.gguf_targets import PERPLEXITY, find_program
from engine.release.proof import Check
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf import write
from engine.worker.release.gguf.families import describe
from engine.worker.release.proving import open_shipped
from engine.worker.release.proving.llama_answers import find_completion
from engine.worker.release.proving.llama_checks import check_llamacpp
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.reference import RunReference
from tests.worker.release.gguf.tiny_models import ENDS, configs, save_model
from tests.worker.release.made_exports import spec_of, write_held_out
from tests.worker.release.proving.test_spoiled_exports import unpermute
from tests.worker.release.sources import make_source

pytestmark = pytest.mark.skipif(
    find_completion() is None or find_program(PERPLEXITY) is None,
    reason="no llama.cpp on this machine",
)


def edit(file: Path, tensor: str, change: Callable[[Any], Any]) -> None:
    """Change the values of a tensor in the file."""
    from gguf import GGUFReader

    reader: Any = GGUFReader(str(file), "r+")
    data = next(one.data for one in reader.tensors if one.name == tensor)
    data[:] = change(np.array(data))
    reader.data.flush()


class Model:
    """A tiny model, and what it answers itself."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.path = save_model(configs()[name], folder / "model")
        held_out = write_held_out(folder / "held_out.jsonl")
        source = dataclasses.replace(make_source(self.path), held_out=held_out)
        self.spec: ProofSpec = spec_of(source, self.path, "gguf", prompts=6, rows=2)
        run = open_shipped.open_run(self.spec)
        self.tokenizer = load_tokenizer(self.path)
        self.reference = RunReference.make(self.spec, run, self.tokenizer, folder, lambda *_: None)

    def write(self, quantization: str) -> Path:
        file = self.folder / f"model-{quantization}.gguf"
        write.write_gguf(self.path, file, quantization, ENDS, lambda *_: None)
        return file

    def check(self, file: Path, quantization: str) -> tuple[Check, Check]:
        spec = dataclasses.replace(self.spec, shipped=file, dtype=quantization)
        answers, text = check_llamacpp(
            spec, self.reference, self.tokenizer, self.folder, lambda *_: None
        )
        return answers, text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    known: dict[str, Model] = {}

    def make(name: str) -> Model:
        if name not in known:
            known[name] = Model(name, tmp_path_factory.mktemp(name))
        return known[name]

    return make


# Phi-3 with a window: llama.cpp reads it without one, which the first prompts beyond it show.
@pytest.mark.parametrize("name", sorted({*configs()} - {"phi3"}))
def test_it_answers_and_reads_as_the_run(made: Callable[[str], Model], name: str) -> None:
    model = made(name)
    for check in model.check(model.write("f32"), "f32"):
        assert check.status == "passed", (check.summary, check.differences)
    assert check.facts["tokens"] == 252
    assert check.facts["divergence"] < 1e-5


def test_what_quantising_costs_is_stated(made: Callable[[str], Model]) -> None:
    model = made("llama")
    answers, text = model.check(model.write("q8_0"), "q8_0")
    assert answers.status == text.status == "stated"
    assert "perplexity" in text.summary
    assert 1e-4 < text.facts["divergence"] < 0.1


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("gemma2", "final_logit_softcapping", None),
        ("gemma2", "attn_logit_softcapping", None),
        ("qwen2", "rope.scaling.factor", 1.0),
    ],
)
@pytest.mark.parametrize("quantization", ["f32", "bf16"])
def test_it_sees_a_key_that_was_spoiled(
    made: Callable[[str], Model],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    key: str,
    value: float | None,
    quantization: str,
) -> None:
    def spoil(*given: object) -> dict[str, object]:
        fields = describe(*given) | {key: value}  # type: ignore[arg-type]
        return {one: field for one, field in fields.items() if field is not None}

    model = made(name)
    monkeypatch.setattr(write, "describe", spoil)
    _, text = model.check(model.write(quantization), quantization)
    assert text.status == "failed"
    assert "mean KL" in text.differences[0]


def test_it_sees_heads_that_were_not_permuted(made: Callable[[str], Model]) -> None:
    model = made("llama-biased")
    file = model.write("f32")
    edit(file, "blk.1.attn_q.weight", unpermute)
    answers, text = model.check(file, "f32")
    assert answers.status == text.status == "failed"
    assert "the run chooses by" in answers.differences[0]
