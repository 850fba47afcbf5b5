"""A card says what was collected, whatever kind of folder it lies in, and nothing else."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from engine.release.card.card_facts import BaseFacts, CardFacts, DataFile, StageFacts
from engine.release.card.card_impact import CardImpact
from engine.release.card.how_to_run import Runnable
from engine.release.card.hub_metadata import list_problems
from engine.release.card.licenses import find_license
from engine.release.card.model_card import CardFolder, make_metadata, write_page
from engine.release.card.vllm_limits import list_limits
from engine.release.proof import Check, TargetProof
from engine.release.targets import FORMS, Form
from engine.report.blocks import grid
from engine.report.run_facts import RunCurve, RunFacts
from tests.release.card.carded import make_proofs

SECTIONS = [
    "What it is", "Intended use", "Limits", "What it gained and what it forgot", "How to run it",
    "How it was made", "Data", "Proof", "License", "Files",
]  # fmt: skip
READER = MarkdownIt("commonmark").enable("table")


def make_run(name: str = "emotion-1a2b", **more: Any) -> RunFacts:
    curve = RunCurve("eval/loss", 5, (0, 9.5), (100, 0.25), (120, 0.5), 0, (0.0, 120.0), (9.5, 0.5))
    values: dict[str, Any] = {
        "id": name, "method": "LoRA r8", "base": "gemma-3-270m", "parent": "", "state": "done",
        "step": 120, "total": 120, "tokens": 310_317,
        "settings": {"data.train": "train.jsonl", "training.objective": "sft",
                     "method.kind": "lora", "training.learning_rate": "0.0002"},
        "packages": {"torch": "2.13.0"}, "curves": (curve,), "gap": None,
    }  # fmt: skip
    return RunFacts(**values | more)


def make_facts(folder: Path, stated: str = "gemma", **more: Any) -> CardFacts:
    folder.mkdir(exist_ok=True)
    base = BaseFacts("google/gemma-3-270m", "ab" * 20, "google/gemma-3-270m", False,
                     "Gemma3ForCausalLM", 268_098_176, "bf16", 32_768, 262_144)  # fmt: skip
    stage = StageFacts(make_run(), 2400, 8445, 600, "2,114 tokens", "train.jsonl", "", "",
                       (DataFile("train.jsonl", "cd" * 32),), False)  # fmt: skip
    values: dict[str, Any] = {
        "name": "kind-model", "base": base, "stated": None, "data_license": "",
        "license": find_license(folder, "", {"license": stated}), "intended_use": "",
        "limitations": "", "stages": (stage,), "run": "emotion-1a2b", "step": "",
        "quantized": "none", "impact": None,
    }  # fmt: skip
    return CardFacts(**values | more)


def make_folder(form: Form = "adapter", **more: Any) -> CardFolder:
    files = {
        "adapter": {"adapter_model.safetensors": 9, "LICENSE": 3},
        "merged": {"model.safetensors": 9, "LICENSE": 3},
        "gguf": {"m-BF16.gguf": 9, "m-Q8_0.gguf": 5, "Modelfile": 1, "LICENSE": 3},
    }[form]
    limits = list_limits({"peft_type": "LORA", "r": 32}) if form == "adapter" else None
    shipped = tuple(name for name in files if name.endswith(".gguf"))
    runnable = Runnable(form, "kind-model", "google/gemma-3-270m", False, True, None, shipped,
                        form == "gguf", limits)  # fmt: skip
    values: dict[str, Any] = {
        "form": form, "files": files, "dtype": "bfloat16", "runnable": runnable,
        "figures": (("curves/loss-1.svg", "Loss."),), "impact_figure": "",
    }  # fmt: skip
    return CardFolder(**values | more)


def render(facts: CardFacts, form: Form = "adapter", **more: Any) -> str:
    targets = ("gguf:bf16", "gguf:q8_0") if form == "gguf" else (form,)
    return "".join(write_page(facts, make_folder(form, **more), make_proofs(*targets)))


def headings(page: str, level: int = 2) -> list[str]:
    tokens = READER.parse(page)
    return [
        tokens[at + 1].content for at, one in enumerate(tokens) if one.tag == f"h{level}"
        and one.type == "heading_open"
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_kind_of_folder_has_a_whole_card(tmp_path: Path, form: Form) -> None:
    facts = make_facts(tmp_path / "base")
    page = render(facts, form)
    assert headings(page, 1) == ["kind-model"]
    assert headings(page) == SECTIONS
    assert "[google/gemma-3-270m](https://huggingface.co/google/gemma-3-270m)" in page
    assert "64 of 64 tensors differ" in page
    assert "2,400" in page
    assert "8,445" in page
    assert "eval/loss | nats per token | 9.50 | 0.250 (100) | 0.500 | 5 |" in page
    assert "600 rows, 2,114 tokens" in page
    assert "curves/loss-1.svg" in page
    assert "More Information Needed" not in page
    assert "TODO" not in page
    if form == "gguf":
        results = ("| not proven |", "| stated |", "| passed |")
        places = [page.index(result) for result in results]
        assert places == sorted(places), "what a reader has to know stands above what passed"


def test_metadata_is_what_the_hub_takes_for_each_kind(tmp_path: Path) -> None:
    facts = make_facts(tmp_path / "base")
    libraries = {"adapter": "peft", "merged": "transformers", "gguf": "gguf"}
    relations = {"adapter": "adapter", "merged": "finetune", "gguf": "finetune"}
    for form in FORMS:
        metadata = make_metadata(facts, form)
        assert list_problems(metadata, make_folder(form).files) == ()
        assert metadata["library_name"] == libraries[form]
        assert metadata["base_model_relation"] == relations[form]
        assert metadata["license"] == "gemma"
        assert {"finetop", "sft", "lora"} <= set(metadata["tags"])
        assert "datasets" not in metadata
        assert "language" not in metadata


def test_what_is_not_known_is_left_out_of_the_head_and_said_in_the_page(tmp_path: Path) -> None:
    facts = make_facts(tmp_path / "base", "")
    facts = replace(facts, base=replace(facts.base, id="", revision="", name="my-base"))
    metadata = make_metadata(facts, "merged")
    assert list_problems(metadata, ()) == ()
    assert metadata["license"] == "unknown"
    assert "base_model" not in metadata
    page = render(facts, "merged")
    assert "my-base (its id on the Hub is not known)" in page
    assert "Of the base: unknown." in page
    assert "License or terms of the data: unknown." in page
    assert page.count("Not stated by the author.") == 2


def test_data_sets_of_the_hub_and_a_stated_license(tmp_path: Path) -> None:
    facts = make_facts(tmp_path / "base", stated="mit")
    stage = replace(facts.stages[0], data_set="dair-ai/emotion")
    facts = replace(facts, stages=(stage, stage), stated=("other", "own", "https://a.example/l"),
                    data_license="research only")  # fmt: skip
    metadata = make_metadata(facts, "merged")
    assert list_problems(metadata, ()) == ()
    assert metadata["datasets"] == ["dair-ai/emotion"]
    page = render(facts, "merged")
    assert "as its author states: [own](https://a.example/l)" in page
    assert "Of the base: MIT License" in page
    assert "License or terms of the data: research only" in page
    stage = replace(stage, data_terms="cc-by-4.0")
    page = render(replace(facts, stages=(stage,), data_license=""), "merged")
    assert "| dair-ai/emotion | cc-by-4.0 |" in page
    assert "terms of the data" not in page


@pytest.mark.parametrize(
    ("license_id", "words"),
    [
        ("gemma", ["Gemma is provided under and subject to", "Prohibited Use Policy"]),
        ("llama3.1", ["**Built with Llama**", "Llama 3.1 is licensed under"]),
        ("llama3", ["**Built with Meta Llama 3**"]),
        ("cc-by-nc-4.0", ["**No commercial use"]),
    ],
)
def test_what_a_license_asks_for_is_in_the_card(
    tmp_path: Path, license_id: str, words: list[str]
) -> None:
    page = render(make_facts(tmp_path / "base", license_id), "merged")
    assert [one for one in words if one not in page] == []


def test_research_only_is_said_at_the_top(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "LICENSE").write_text("Qwen RESEARCH LICENSE AGREEMENT")
    page = render(make_facts(tmp_path / "base"), "merged")
    assert page.index("Research only") < page.index("## What it is")
    assert "[Qwen Research License Agreement](LICENSE)" in page
    assert "Copied from the base: `LICENSE`" in page


def test_impact_is_told_or_said_to_be_missing(tmp_path: Path) -> None:
    facts = make_facts(tmp_path / "base")
    assert "finetop evaluate --tree emotion-1a2b" in render(facts)
    table = grid(("skill", "n", "base", "tuned"), [("facts", "100", "0.97", "0.07")])
    impact = CardImpact("job-1", "base", "tuned", ("Lost: facts -90.0 points.",), (table,), None)
    page = render(replace(facts, impact=impact))
    assert "tuned against base, evaluation job-1" in page
    assert "- Lost: facts -90.0 points." in page
    assert "| facts | 100 | 0.97 | 0.07 |" in page
    assert "finetop evaluate" not in page
    elsewhere = render(replace(facts, stages=(), run=""))
    assert "Not measured" in elsewhere
    assert "it was not trained by a run of finetop" in elsewhere
    assert "finetop evaluate" not in elsewhere


def test_a_checkpoint_on_the_way_and_a_quantised_base_are_said(tmp_path: Path) -> None:
    page = render(replace(make_facts(tmp_path / "base"), step="checkpoint-50", quantized="4bit"))
    assert "emotion-1a2b, checkpoint-50" in page
    assert "quantised (4bit)" in page


def test_what_failed_gets_no_card(tmp_path: Path) -> None:
    facts = make_facts(tmp_path / "base")
    failed = TargetProof("adapter", "adapter", "float32", (Check("weights", "failed", "equal"),))
    for proofs in ((), (failed,), (*make_proofs("adapter"), failed)):
        with pytest.raises(ValueError, match="not proven"):
            "".join(write_page(facts, make_folder(), proofs))


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from([
        "# Heading", "---\nlicense: mit\n---", "```\n</code>", "<script>alert(1)</script>",
        "[x](javascript:alert(1))", "![x](https://evil.example/t.png)", "| a | b |\n|---|---|",
        "https://evil.example", "\x1b]0;owned\x07", "\u202egpj.exe", "a\r\nb", "1. one", "- x",
        "> quote", "&lt;b&gt;", "`code`", "**bold**", "$$x$$", "\\", "\\[x](y)", "x" * 5000, "",
        "<!-- ", "~~~", "\ud800", "a\u2028b", "    indented", "\ttab", "    ", "   ", "===",
        "* * *", "[a]: b",
    ]),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=HOSTILE, form=st.sampled_from(FORMS))
def test_no_text_means_anything(
    text: str, form: Form, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain = make_facts(_folder(tmp_path_factory))
    run = make_run(text, base=text, settings={text: text, "data.train": text}, packages={"t": text},
                   problems=(text,), method=text)  # fmt: skip
    stage = replace(plain.stages[0], run=run, data=text, data_terms=text,
                    files=(DataFile(text, text),), evaluated=text)  # fmt: skip
    table = grid((text, "n"), [(text, text)], title=text)
    impact = CardImpact(text, text, text, (text,), (table,), None)
    facts = replace(
        plain, name=text, stages=(stage,), run=text, step=text, data_license=text,
        intended_use=text, limitations=text, impact=impact,
        base=replace(plain.base, id="", name=text, architecture=text, revision=text, dtype=text),
        license=replace(plain.license, basis=text, link=text),
    )  # fmt: skip
    proofs = [
        TargetProof(form, form, text, (Check(text, "passed", text), Check(text, "stated", text)))
    ]
    folder = make_folder(form, dtype=text)
    page = "".join(write_page(facts, replace(folder, files={text: 3, **folder.files}), proofs))
    assert headings(page) == SECTIONS
    assert len(headings(page, 1)) == 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
    tokens = [one for token in READER.parse(page) for one in (token, *(token.children or ()))]
    assert not [one for one in tokens if one.type in ("html_block", "html_inline", "code_block",
                                                      "blockquote_open")]  # fmt: skip
    assert {one.attrs["src"] for one in tokens if one.type == "image"} == {"curves/loss-1.svg"}
    links = {str(one.attrs["href"]) for one in tokens if one.type == "link_open"}
    own = {text} if re.fullmatch(r"(https://)?[A-Za-z0-9][A-Za-z0-9._-]*", text) else set()
    assert links <= own  # the address of a license, and a file that is there


def _folder(factory: pytest.TempPathFactory) -> Path:
    place = factory.getbasetemp() / "plain-base"
    place.mkdir(exist_ok=True)
    return place
