"""What the Hub calls a base: found by its place, remembered by its weights, never guessed."""

import json
from pathlib import Path

import pytest

from engine.bundled import BASE
from engine.errors import EngineError
from engine.release.card.base_identity import (
    digest_weights,
    find_base_id,
    find_base_revision,
    is_hub_id,
    remember_base_id,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "state"))


def make_model(folder: Path, weights: bytes = b"\1" * 3_000_000) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_snapshot_of_the_hub_s_cache_is_named_by_its_folder(tmp_path: Path) -> None:
    root = make_model(tmp_path / "hub" / "models--google--gemma-3-270m" / "snapshots" / COMMIT)
    assert find_base_id(root) == "google/gemma-3-270m"
    assert find_base_revision(root) == COMMIT


def test_an_id_is_remembered_for_the_same_weights_wherever_they_lie(tmp_path: Path) -> None:
    root = make_model(tmp_path / "model")
    assert find_base_id(root) == ""
    remember_base_id(root, "google/gemma-3-270m")
    assert find_base_id(root) == "google/gemma-3-270m"
    assert find_base_id(make_model(tmp_path / "copy")) == "google/gemma-3-270m"
    assert find_base_revision(root) == ""


def test_a_fine_tune_with_the_same_shapes_is_another_model(tmp_path: Path) -> None:
    root = make_model(tmp_path / "model")
    remember_base_id(root, "google/gemma-3-270m")
    tuned = make_model(tmp_path / "tuned", b"\1" * 1_500_000 + b"\2" * 1_500_000)
    assert find_base_id(tuned) == ""
    assert digest_weights(tuned) != digest_weights(root)


def test_a_damaged_note_is_no_id(tmp_path: Path) -> None:
    root = make_model(tmp_path / "model")
    remember_base_id(root, "google/gemma-3-270m")
    (note,) = (tmp_path / "state" / "base_ids").iterdir()
    note.write_text('{"schema": 1, "base_id": "../../etc"}')
    assert find_base_id(root) == ""


def test_the_bundled_model_is_not_on_the_hub() -> None:
    assert find_base_id(BASE) == ""


@pytest.mark.parametrize("text", ["google/gemma-3-270m", "a/b", "meta-llama/Llama-3.2-1B", "o_r/n"])
def test_ids_of_the_hub(text: str) -> None:
    assert is_hub_id(text)


@pytest.mark.parametrize(
    "text",
    ["", "gpt2", "/models/x", "a/b/c", "a//b", "a/.b", "a/b.", "-a/b", "a/b--c", "a/b..c", "a/b\n",
     "a b/c", "bundled:demo-base", "a/b.git", "a/" + "b" * 97, "á/b"],
)  # fmt: skip
def test_what_is_no_id_is_not_remembered(text: str, tmp_path: Path) -> None:
    assert not is_hub_id(text)
    with pytest.raises(EngineError, match="not a model id"):
        remember_base_id(make_model(tmp_path / "model"), text)
