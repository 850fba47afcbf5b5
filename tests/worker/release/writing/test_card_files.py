"""The folders of an export, completed: cards, recipes, curves, licenses, sums, and no leak."""

import dataclasses
import itertools
import json
import re
import socket
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.utils._validators import validate_repo_id
from safetensors.numpy import save_file

from engine.errors import EngineError
from engine.recipes.recipe import parse
from engine.release.card.hub_metadata import LICENSES, list_problems
from engine.release.card.license_terms import TERMS
from engine.release.card.licenses import find_license, obey_naming
from engine.release.card.model_card import make_metadata, write_page
from engine.release.checksums import check_sums
from engine.release.proof import decode_proofs
from engine.release.targets import FORMS
from engine.worker.release.writing.card_file import check_card, read_metadata, write_card
from engine.worker.release.writing.card_files import write_card_files
from tests.release.card.carded import (
    HOME,
    list_runs,
    make_proofs,
    make_recipe,
    write_measured,
    write_source,
)
from tests.release.card.test_model_card import make_facts, make_folder

HEAD = "---\nlicense: gemma\ntags: [a]\n---\n# Base\n"


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with a name, on a host with one, and no network."""
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", HOME)
    monkeypatch.setenv("LOGNAME", "marguerite")
    monkeypatch.setattr("socket.gethostname", lambda: "gpu-box-7")

    def refuse(*_: object) -> None:
        raise AssertionError("a card asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def fill(folder: Path) -> Path:
    """What others wrote before: weights and tokenizer."""
    for form in ("adapter", "merged", "gguf"):
        (folder / form).mkdir(parents=True)
    config = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "google/gemma-3-270m"}
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    weights = {"base_model.model.model.embed_tokens.weight": np.zeros((12, 4), np.float32)}
    save_file(weights, folder / "adapter" / "adapter_model.safetensors")
    save_file({"w": np.zeros(4, np.float32)}, folder / "merged" / "model.safetensors")
    (folder / "gguf" / "tiny-BF16.gguf").write_bytes(b"GGUF" * 9)
    (folder / "gguf" / "tiny-Q8_0.gguf").write_bytes(b"GGUF" * 5)
    (folder / "gguf" / "Modelfile").write_text("FROM ./tiny-Q8_0.gguf\n")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One export for all that only reads it."""
    root = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINETOP_STATE", str(root / "state"))
        patch.setenv("HOME", HOME)
        patch.setenv("LOGNAME", "marguerite")
        patch.setattr("socket.gethostname", lambda: "gpu-box-7")
        source = write_source(root)
        (source.root / "README.md").write_text(HEAD)
        (source.root / "LICENSE").write_text("Gemma Terms of Use\n")
        write_measured(root, source.root)
        folder = fill(root / "out" / ".tiny.partial")
        lines: list[str] = []
        recipe = make_recipe(root, base_id="google/gemma-3-270m", intended_use="For tests.",
                             limitations="By marguerite, for all.")  # fmt: skip
        said = write_card_files(folder, source, recipe, make_proofs(), list_runs(root),
                                lines.append)  # fmt: skip
    return {"root": root, "folder": folder, "said": said, "lines": lines}


def test_each_folder_is_a_repository_of_its_own(made: dict[str, Any]) -> None:
    shared = {"README.md", "LICENSE", "NOTICE", "SHA256SUMS", "recipe.toml", "versions.json",
              "proof.json", "impact.svg", "curves/child.csv", "curves/emotion-lora.csv",
              "curves/loss-1.svg", "curves/loss-2.svg", "recipes/1-emotion-lora.toml",
              "recipes/2-child.toml"}  # fmt: skip
    for form in ("adapter", "merged", "gguf"):
        folder = made["folder"] / form
        names = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        }
        assert shared <= names
        assert check_sums(folder) == ()
    assert made["said"] == ()


def test_each_card_is_one_that_the_hub_takes(made: dict[str, Any]) -> None:
    libraries = {"adapter": "peft", "merged": "transformers", "gguf": "gguf"}
    for form, library in libraries.items():
        folder = made["folder"] / form
        card: Any = ModelCard((folder / "README.md").read_text())
        metadata = card.data.to_dict()
        assert list_problems(metadata, {path.name for path in folder.iterdir()}) == ()
        assert metadata["base_model"] == "google/gemma-3-270m"
        assert (metadata["library_name"], metadata["license"]) == (library, "gemma")
        assert "counsel against base" in card.text
        assert "resize_token_embeddings(12)" in card.text or form != "adapter"
        for line in card.text.splitlines():
            if "](" in line and "http" not in line:
                assert (folder / line.rpartition("](")[2].partition(")")[0]).is_file(), line


def test_a_card_of_each_license_is_one_that_the_hub_takes(tmp_path: Path) -> None:
    """Read by the Hub's own library, offline: of all licenses that it knows, of data without one,
    and of what a license asks of a name."""
    known = make_facts(tmp_path / "base")
    stage = dataclasses.replace(known.stages[0], data_set="dair-ai/emotion", data_terms="")
    stated = [{"license": one} for one in sorted(LICENSES - {"other"})]
    stated += [{}, {"license": "free for all"}]
    stated += [{"license": "other", "license_name": terms.name, "license_link": "LICENSE"}
               for terms in TERMS if terms.id == "other"]  # fmt: skip
    (tmp_path / "base" / "LICENSE").write_text("Terms of a model that nobody has read.\n")
    for metadata, form in zip(stated, itertools.cycle(FORMS), strict=False):
        described = make_folder(form)
        found = find_license(tmp_path / "base", "", metadata)
        name = obey_naming("mood-1.0", found)
        facts = dataclasses.replace(known, license=found, name=name, stages=(stage,))
        head = make_metadata(facts, form)
        write_card(tmp_path, head, write_page(facts, described, make_proofs(form)), described.files)
        card: Any = ModelCard.load(tmp_path / "README.md")
        assert card.data.to_dict() == head, metadata
        assert card.data.datasets == ["dair-ai/emotion"]
        assert "License or terms of the data: unknown." in card.text
        assert f"\n# {name}\n" in f"\n{card.text}"
        is_llama = re.match("llama[34]", str(metadata.get("license"))) is not None
        assert name.startswith("Llama-") == is_llama
        if found.terms is not None:
            asked = (found.terms.limit, found.terms.built_with)
            assert [one for one in asked if one and f"**{one}**" not in card.text] == []
        validate_repo_id(f"org/{name}-{form}")
        validate_repo_id(card.data.base_model)


def test_each_proof_is_that_of_its_folder(made: dict[str, Any]) -> None:
    for form, targets in (("adapter", ["adapter"]), ("gguf", ["gguf:bf16", "gguf:q8_0"])):
        proofs = decode_proofs(json.loads((made["folder"] / form / "proof.json").read_text()))
        assert [proof.target for proof in proofs] == targets


def test_recipes_are_recipes(made: dict[str, Any]) -> None:
    folder = made["folder"] / "merged"
    first = (folder / "recipes" / "1-emotion-lora.toml").read_text()
    assert parse(tomllib.loads(first)).model.checkpoint == "google/gemma-3-270m"  # type: ignore[union-attr]
    assert "# emotion-lora.jsonl: SHA-256 abab" in first
    last = parse(tomllib.loads((folder / "recipe.toml").read_text()))
    assert last.model.checkpoint == "run:emotion-lora"  # type: ignore[union-attr]
    versions = json.loads((folder / "versions.json").read_text())
    assert versions["trained"]["child"] == {"python": "3.12.1", "torch": "2.13.0"}
    assert {"python", "torch", "safetensors"} <= versions["exported"].keys()


def test_nothing_of_this_machine_is_in_any_file(made: dict[str, Any]) -> None:
    private = [HOME, str(made["root"]), "gpu-box-7", "1700000000"]
    for path in made["folder"].rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert [one for one in private if one.encode() in content] == [], path


@pytest.mark.parametrize(
    ("form", "name", "content"),
    [
        ("adapter", "adapter_config.json", f'{{"base_model_name_or_path": "{HOME}/base", "r": 1}}'),
        ("merged", "config.json", '{"_name_or_path": "gpu-box-7"}'),
        ("gguf", "tiny-BF16.gguf", f"GGUF\0general.source\0{HOME}/x"),
        ("merged", "generation_config.json", '{"by": "marguerite"}'),
    ],
)
def test_a_leak_is_a_failed_export(tmp_path: Path, form: str, name: str, content: str) -> None:
    source = write_source(tmp_path)
    folder = fill(tmp_path / "out")
    (folder / form / name).write_text(content)
    with pytest.raises(EngineError, match="of this machine") as caught:
        write_card_files(folder, source, make_recipe(tmp_path), make_proofs(), [], str)
    assert name in caught.value.detail


def test_a_private_path_of_the_job_is_sought_too(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    folder = fill(tmp_path / "out")
    (folder / "merged" / "config.json").write_text('{"x": "/scratch/jobs/export-1a2b/merged"}')
    with pytest.raises(EngineError, match="of this machine"):
        write_card_files(folder, source, make_recipe(tmp_path), make_proofs(), [], str,
                         [(Path("/scratch/jobs/export-1a2b"), "the job")])  # fmt: skip


def test_a_model_that_was_made_elsewhere_has_a_card(tmp_path: Path) -> None:
    source = dataclasses.replace(write_source(tmp_path), run=None, stages=())
    folder = fill(tmp_path / "out")
    said = write_card_files(folder, source, make_recipe(tmp_path), make_proofs(), [], str)
    card = (folder / "merged" / "README.md").read_text()
    assert "it was not trained by a run of finetop" in card
    assert "license: unknown" in card
    assert not (folder / "merged" / "recipe.toml").exists()
    assert any("--base-id" in line for line in said)


@pytest.mark.parametrize("form", ["adapter", "merged", "gguf"])
def test_one_target_alone(tmp_path: Path, form: str) -> None:
    source = write_source(tmp_path)
    folder = tmp_path / "out"
    fill(tmp_path / "all")
    folder.mkdir()
    (tmp_path / "all" / form).rename(folder / form)
    recipe = make_recipe(tmp_path, targets=[form])
    proofs = make_proofs("gguf:bf16" if form == "gguf" else form)
    write_card_files(folder, source, recipe, proofs, [], str)
    assert [path.name for path in folder.iterdir()] == [form]


def test_a_card_that_breaks_a_rule_is_refused(tmp_path: Path) -> None:
    good = {"license": "mit", "library_name": "peft", "pipeline_tag": "text-generation"}
    write_card(tmp_path, good, ["# A\n"], ())
    assert read_metadata(tmp_path) == good
    with pytest.raises(EngineError, match="rules of the Hub") as caught:
        write_card(tmp_path, good | {"license": "free\n---\nevil"}, ["# A\n"], ())
    assert "license" in caught.value.detail
    with pytest.raises(EngineError, match="rules of the Hub"):
        check_card(tmp_path, good, ())
    with pytest.raises(EngineError, match="page is empty"):
        write_card(tmp_path, good, [" \n"], ())


@pytest.mark.parametrize(
    "content",
    ["", "no head", "---\n[1, 2]\n---\n", "---\na: [\n---\n", "---\n" + "a: &a [*a]\n---\n",
     "---\n" + "[" * 4000 + "\n---\n", "\xff\xfe", "---\n!!python/object:os.system x\n---\n"],
)  # fmt: skip
def test_a_damaged_card_of_a_base_states_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "README.md").write_bytes(content.encode("latin-1"))
    assert read_metadata(tmp_path).get("license") is None


def test_the_card_of_a_base_is_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(HEAD)
    assert read_metadata(tmp_path) == {"license": "gemma", "tags": ["a"]}
    assert read_metadata(tmp_path / "none") == {}
