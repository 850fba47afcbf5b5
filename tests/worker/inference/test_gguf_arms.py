"""GGUF files as arms: their answers, what is said of them, and the same from llama.cpp itself."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from engine.chat import Message
from engine.compare.arm_weights import ArmWeights, check_answerable, locate
from engine.compare.arms import Arm, parse_arm
from engine.compare.items import Item
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.companion.handlers import Handlers
from engine.worker.inference.endpoint_batch import EndpointBatch
from engine.worker.inference.model_batch import ModelBatch
from engine.worker.inference.models import ModelCache
from engine.worker.inference.weight_files import identify_weights, size_on_device, stamped
from tests import patience
from tests.worker.gguf_files import write_gguf_file
from tests.worker.inference.arms import load_arm, raw_prompts, say
from tests.worker.release.llamacpp import open_gguf
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint

CPU = torch.device("cpu")
PROMPTS = [
    Item("sea", (Message("user", "i miss my dog"),)),
    Item("sum", (Message("user", "Two and two"),)),
]
SHORT = Decode(max_new_tokens=12)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def whole(base: Path) -> Path:
    """The model in float32, and beside it one in q8_0."""
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    folder = base.parent / "gguf"
    folder.mkdir()
    write_gguf_file(model, make_tokenizer(), folder / "m-Q8_0.gguf", "q8_0")
    return write_gguf_file(model, make_tokenizer(), folder / "m-F32.gguf")


@pytest.fixture(scope="module")
def rounded(whole: Path) -> Path:
    return whole.with_name("m-Q8_0.gguf")


def answers(batch: ModelBatch | EndpointBatch) -> dict[str, Sample]:
    """All samples of a batch, by prompt."""
    made: dict[str, Sample] = {}
    end = time.monotonic() + patience.SECONDS
    while not batch.done:
        assert time.monotonic() < end
        made |= {one.prompt_id: one for one in batch.step()}
        time.sleep(0.001)
    assert not batch.refused
    return made


def characters(made: dict[str, Sample]) -> dict[str, str]:
    """The answers without bytes that make no character: the server leaves the last of them out."""
    return {at: one.text.replace("\N{REPLACEMENT CHARACTER}", "") for at, one in made.items()}


def test_a_file_answers_as_the_model_that_it_was_made_of(base: Path, whole: Path) -> None:
    models = ModelCache(CPU)
    here, there = load_arm(models, whole), load_arm(models, base)
    assert say(here, raw_prompts()) == say(there, raw_prompts())
    assert here.ends == there.ends
    assert here.template is not None
    assert there.template is not None
    assert here.template.hash == there.template.hash
    assert here.model.context == there.model.context
    assert here.model.size == there.model.size == size_on_device(whole, CPU)


@pytest.mark.parametrize("form", ["chat", "raw"])
def test_llama_cpp_answers_the_same_behind_an_address(whole: Path, form: str) -> None:
    """The client of endpoints speaks with llama.cpp's own server, and both read the file alike."""
    local = load_arm(ModelCache(CPU), whole, form=form)
    ours = answers(ModelBatch(local.arm, local, PROMPTS, SHORT, 4))
    with open_gguf(whole) as served:
        host = served._connection.host, served._connection.port
        address = f"http://{host[0]}:{host[1]}/v1?model=m&prompt={form}"
        theirs = answers(EndpointBatch(parse_arm(f"e={address}"), PROMPTS, SHORT))
    assert characters(theirs) == characters(ours)
    assert {one.finish for one in theirs.values()} == {one.finish for one in ours.values()}


def test_weights_that_are_written_anew_are_others(rounded: Path) -> None:
    before = identify_weights(ArmWeights(rounded))
    os.utime(rounded, ns=(1, stamped(rounded).written + 1000))
    assert identify_weights(ArmWeights(rounded)) != before


def test_where_a_file_lies_and_what_it_cannot_do(
    base: Path, whole: Path, rounded: Path, tmp_path: Path
) -> None:
    assert locate(Arm("a", str(rounded)), []) == ArmWeights(rounded)
    check_answerable(Arm("a", str(rounded), form="chat"), ArmWeights(rounded))
    with pytest.raises(EngineError, match="holds 2 GGUF files") as caught:
        locate(Arm("a", str(rounded.parent)), [])
    assert "m-Q8_0.gguf" in caught.value.detail
    adapter = save_adapter(tmp_path / "adapter", base)
    with pytest.raises(EngineError, match="cannot be applied to a GGUF file"):
        locate(Arm("a", str(rounded), str(adapter)), [])
    with pytest.raises(EngineError, match="no adapter to set a strength"):
        check_answerable(Arm("a", str(rounded), strength=0.5), ArmWeights(rounded))
    bare = write_gguf_file(
        AutoModelForCausalLM.from_pretrained(base), make_tokenizer(None), tmp_path / "bare.gguf"
    )
    with pytest.raises(EngineError, match="no chat template"):
        check_answerable(Arm("a", str(bare), form="chat"), ArmWeights(bare))


def test_what_compare_says_of_run_and_files(
    base: Path, whole: Path, rounded: Path, tmp_path: Path
) -> None:
    handlers = Handlers()

    def ask(kind: str, **fields: Any) -> list[dict[str, Any]]:
        return [one for one in handlers.by_type[kind](fields, lambda: False) if one]

    ask("hello", device="cpu", runs=str(tmp_path), warm=False)
    arms = [f"run={base}", f"f32={whole}", f"q8={rounded}"]
    told = ask("facts", arms=arms, text="i miss my dog", probe=True)[-1]
    rows = {one["what"]: one["values"] for one in told["differences"]}
    assert rows == {"quantised": ["no", "no", "q8_0"]}
    assert [one["error"] for one in told["arms"]] == [None, None, None]
    assert told["kl"][0][1] == pytest.approx(0, abs=1e-9)
    assert 1e-9 < told["kl"][0][2] < 0.05
    read = ask("tokenize", tokenizers=[str(base), str(rounded)], texts=[["t", "i miss 42 dogs"]])
    first, second = (one["reading"] for one in read[:-1])
    assert first["texts"] == second["texts"] or first["tokenized"] == second["tokenized"]
