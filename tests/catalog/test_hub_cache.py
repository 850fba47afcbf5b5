from pathlib import Path

import pytest

from engine.catalog.checkpoints import Checkpoint, inspect, resolve, scan
from tests.catalog.made import make_adapter, make_repository


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub"


def cached() -> list[Checkpoint]:
    return [entry for entry in scan([], []) if entry.source == "cache"]


def test_the_snapshot_of_main_is_shown(cache: Path) -> None:
    make_repository(cache, "org/name", {"new": True, "old": True}, "old")
    (found,) = cached()
    assert (found.name, found.path.name, found.reason) == ("org/name", "old", None)
    assert found.parameters == 44
    assert found.size_bytes > 100  # links are followed
    assert resolve("org/name").path == found.path
    assert resolve(found.ref).name == "org/name"


def test_an_older_snapshot_that_is_whole_beats_a_newer_config(cache: Path) -> None:
    make_repository(cache, "org/name", {"whole": True, "config": False}, "config")
    (found,) = cached()
    assert (found.path.name, found.reason) == ("whole", None)


def test_a_config_alone_is_not_downloaded(cache: Path) -> None:
    make_repository(cache, "org/name", {"abc": False}, "abc")
    (found,) = cached()
    assert found.reason == "weights not downloaded"
    assert found.architecture == "LlamaForCausalLM"


def test_a_download_that_is_not_finished(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {"abc": False}, "abc")
    (repository / "blobs" / "0123.incomplete").write_bytes(b"x")
    (found,) = cached()
    assert found.reason == "weights not downloaded: the download is not finished"


def test_a_download_that_has_only_begun(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {}, "abc")
    (repository / "blobs" / "0123.incomplete").write_bytes(b"x")
    (found,) = cached()
    assert found.reason == "weights not downloaded: the download is not finished"


def test_a_link_to_a_blob_that_is_gone(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {"abc": True}, "abc")
    (repository / "blobs" / "abc-model.safetensors").unlink()
    (found,) = cached()
    assert found.reason == "weights not downloaded"


def test_a_part_that_is_missing(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {"abc": True}, "abc")
    snapshot = repository / "snapshots" / "abc"
    (snapshot / "model.safetensors").unlink()
    index = '{"weight_map": {"a": "model-00001-of-00001.safetensors"}}'
    (snapshot / "model.safetensors.index.json").write_text(index)
    assert cached()[0].reason == "weights not downloaded"


def test_not_a_causal_model_says_so_first(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {"abc": False}, "abc")
    config = repository / "blobs" / "abc-config.json"
    config.write_text('{"model_type": "t5", "architectures": ["T5Model"]}')
    assert cached()[0].reason == "not a causal language model: T5Model"


def test_an_adapter_in_the_cache(cache: Path) -> None:
    repository = make_repository(cache, "org/adapter", {}, "abc")
    folder = make_adapter(repository / "snapshots" / "abc", "/gone")
    (folder / "adapter_model.safetensors").unlink()
    (found,) = cached()
    assert (found.kind, found.base, found.reason) == ("adapter", "/gone", "weights not downloaded")


def test_a_cache_given_as_a_folder(cache: Path, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "moved", "org/name", {"abc": True}, "abc")
    found = [entry for entry in scan([tmp_path / "moved"], []) if entry.source != "bundled"]
    assert [(one.name, one.source) for one in found] == [("org/name", "cache")]
    assert inspect(repository / "snapshots" / "abc").source == "cache"


def test_no_ref_no_cache_and_a_ref_that_lies(cache: Path) -> None:
    assert cached() == []
    repository = make_repository(cache, "org/name", {"abc": True}, "../../../etc")
    assert cached()[0].path.name == "abc"
    (repository / "refs" / "main").unlink()
    assert cached()[0].path.name == "abc"


def test_the_hubs_own_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(tmp_path / "a", "org/a", {"abc": True}, "abc")
    make_repository(tmp_path / "b" / "hub", "org/b", {"abc": True}, "abc")
    make_repository(tmp_path / "c" / "huggingface" / "hub", "org/c", {"abc": True}, "abc")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "a"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "b"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    assert [entry.name for entry in cached()] == ["org/a"]
    monkeypatch.delenv("HF_HUB_CACHE")
    assert [entry.name for entry in cached()] == ["org/b"]
    monkeypatch.delenv("HF_HOME")
    assert [entry.name for entry in cached()] == ["org/c"]
