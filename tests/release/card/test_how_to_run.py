"""Commands are right for their folder, whatever names they hold."""

import ast
import shlex
from dataclasses import replace

import pytest

from engine.release.card.how_to_run import HowTo, Runnable, list_ways, name_for_commands
from engine.release.card.vllm_limits import list_limits

LORA = {"peft_type": "LORA", "r": 32}
ADAPTER = Runnable(
    "adapter", "Kind Model", "google/gemma-3-270m", False, True, None, (), False, list_limits(LORA)
)
MERGED = replace(ADAPTER, form="merged", limits=None)
GGUF = replace(MERGED, form="gguf", gguf=("m-BF16.gguf", "m-Q8_0.gguf"), has_modelfile=True)


def ways(model: Runnable) -> dict[str, HowTo]:
    return {way.title: way for way in list_ways(model)}


@pytest.mark.parametrize("model", [ADAPTER, MERGED, GGUF])
@pytest.mark.parametrize("template", [True, False])
def test_all_code_can_be_parsed(model: Runnable, template: bool) -> None:
    for way in list_ways(replace(model, has_template=template)):
        if way.language == "python":
            names = {
                node.id for node in ast.walk(ast.parse(way.code)) if isinstance(node, ast.Name)
            }
            assert {"tokenizer", "model", "output"} <= names
        assert all(shlex.split(line) for line in way.code.splitlines() if way.language == "bash")


def test_an_adapter() -> None:
    found = ways(ADAPTER)
    code = found["transformers"].code
    assert 'from_pretrained("google/gemma-3-270m"' in code
    attached = code.index("PeftModel.from_pretrained(model, FOLDER)")
    settings = code.index("model.generation_config = GenerationConfig.from_pretrained(FOLDER)")
    assert attached < settings < code.index("model.generate(")
    assert "import AutoModelForCausalLM, AutoTokenizer, GenerationConfig" in code
    assert "resize" not in code
    assert found["vLLM"].code == (
        "vllm serve google/gemma-3-270m --enable-lora --max-lora-rank 32 "
        "--lora-modules kind-model=."
    )
    assert "GGUF export" in found["llama.cpp and Ollama"].text


def test_an_adapter_that_brings_more_rows_than_its_base() -> None:
    code = ways(replace(ADAPTER, rows=262_150))["transformers"].code
    assert code.index("resize_token_embeddings(262150)") < code.index("PeftModel.from_pre")


def test_the_bundled_base_and_one_that_is_not_known() -> None:
    found = ways(replace(ADAPTER, base_id="", is_bundled=True))
    assert "from engine.bundled import BASE" in found["transformers"].code
    assert "from engine.bundled import BASE" in found["vLLM"].code
    found = ways(replace(ADAPTER, base_id=""))
    assert "PATH OR ID OF THE BASE" in found["transformers"].code


def test_an_adapter_that_vllm_refuses() -> None:
    way = ways(replace(ADAPTER, limits=list_limits(LORA | {"use_dora": True})))["vLLM"]
    assert way.code == ""
    assert "DoRA" in way.text
    assert "merged" in way.text


def test_a_whole_model() -> None:
    found = ways(MERGED)
    assert "Peft" not in found["transformers"].code
    assert found["vLLM"].code == "vllm serve . --served-model-name kind-model"


def test_gguf() -> None:
    found = ways(GGUF)
    assert found["llama.cpp"].code.splitlines()[0] == "llama-cli -m m-BF16.gguf --jinja"
    assert found["Ollama"].code == "ollama create kind-model -f Modelfile\nollama run kind-model"
    assert "gguf_file=FILE" in found["transformers"].code
    assert ways(replace(GGUF, has_modelfile=False))["Ollama"].code == ""
    raw = ways(replace(GGUF, has_template=False))["llama.cpp"].code
    assert "--jinja" not in raw
    assert "-no-cnv" in raw


@pytest.mark.parametrize("name", ["a; rm -rf ~", "$(id)", "x'y\"z", "`id`", "模型", "--help", ""])
def test_names_are_no_commands(name: str) -> None:
    called = name_for_commands(name)
    assert called
    assert not called.startswith("-")
    assert set(called) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    code = ways(replace(GGUF, name=name, gguf=(f"{name}.gguf",)))["llama.cpp"].code
    assert shlex.split(code.splitlines()[0])[2] == f"{name}.gguf"
