from pathlib import Path

import pytest

from engine.checkpoints.checkpoint_list import Checkpoint, inspect, resolve, scan
from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.jobs.summary import hub_name, short_ref
from tests.checkpoints.made import make_adapter, make_repository


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub"


def cached() -> list[Checkpoint]:
    return [entry for entry in scan([], []) if entry.source == "cache"]


def test_the_snapshot_of_main_comes_first_and_others_with_their_revision(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {"b" * 40: True, "a" * 40: True}, "a" * 40)
    main, other = cached()
    assert (main.name, main.path.name, main.reason) == ("org/name", "a" * 40, None)
    assert (other.name, other.path.name, other.reason) == ("org/name@bbbbbbbb", "b" * 40, None)
    assert main.parameters == 44
    assert main.size_bytes > 100  # links are followed
    assert resolve("org/name").path == main.path
    assert resolve("org/name@bbbbbbbb").path == resolve(other.ref).path == other.path
    assert resolve(other.ref).name == other.name
    (repository / "refs" / "pr").mkdir()
    (repository / "refs" / "pr" / "1").write_text("b" * 40)
    assert cached()[1].name == "org/name@pr/1"
    assert resolve("org/name@pr/1").path == other.path
    for named in ("org/name@none", "org/name@../../x", "org/name@b"):
        with pytest.raises(EngineError, match="checkpoint not found"):
            resolve(named)


def test_an_older_snapshot_that_is_whole_beats_a_newer_config(cache: Path) -> None:
    make_repository(cache, "org/name", {"whole": True, "config": False}, "config")
    (found,) = cached()
    assert (found.name, found.path.name, found.reason) == ("org/name@whole", "whole", None)
    assert resolve("org/name").path == found.path


def test_snapshots_with_nothing_but_a_config_are_not_listed_beside_a_whole_one(
    cache: Path,
) -> None:
    make_repository(cache, "org/name", {"one": False, "two": False, "main": True}, "main")
    assert [entry.name for entry in cached()] == ["org/name"]


def test_a_config_alone_is_not_downloaded(cache: Path) -> None:
    make_repository(cache, "org/name", {"abc": False}, "abc")
    (found,) = cached()
    assert found.reason == "weights not downloaded"
    assert found.architecture == "LlamaForCausalLM"


def test_a_download_that_is_not_finished(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {"abc": False}, "abc")
    (repository / "blobs" / "0123.incomplete").write_bytes(b"x")
    (found,) = cached()
    assert found.reason == "weights not downloaded: the download is incomplete"


def test_a_download_that_has_only_begun(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {}, "abc")
    (repository / "blobs" / "0123.incomplete").write_bytes(b"x")
    (found,) = cached()
    assert found.reason == "weights not downloaded: the download is incomplete"


def test_a_link_to_a_blob_that_is_gone(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {"abc": True}, "abc")
    (repository / "blobs" / "abc-model.safetensors").unlink()
    (found,) = cached()
    assert found.reason == ("weights not downloaded: model.safetensors is a broken symlink")


def test_a_part_that_is_missing(cache: Path) -> None:
    repository = make_repository(cache, "org/name", {"abc": True}, "abc")
    snapshot = repository / "snapshots" / "abc"
    (snapshot / "model.safetensors").unlink()
    index = '{"weight_map": {"a": "model-00001-of-00001.safetensors"}}'
    (snapshot / "model.safetensors.index.json").write_text(index)
    reason = "weights not downloaded: 1 of 1 weight shards missing: {}"
    reason = reason.format("model-00001-of-00001.safetensors")
    assert cached()[0].reason == reason
    (repository / "blobs" / "0123.incomplete").write_bytes(b"x")
    assert cached()[0].reason == f"{reason}: the download is incomplete"
    with pytest.raises(EngineError) as caught:
        resolve("org/name")
    assert "finetop get org/name" in caught.value.hint


def test_a_model_that_is_not_here_can_be_fetched(cache: Path) -> None:
    with pytest.raises(EngineError) as caught:
        resolve("org/none@v1")
    assert "finetop get org/none --revision v1" in caught.value.hint
    with pytest.raises(EngineError) as caught:
        resolve("/no/such/folder")
    assert "finetop get" not in caught.value.hint


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
    monkeypatch.setenv("HUGGINGFACE_HUB_CACHE", str(tmp_path / "a"))
    assert [entry.name for entry in cached()] == ["org/a"], "its old name"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HERE", str(tmp_path))
    for moved in ("~/a", "$HERE/a", "${HERE}/a"):
        monkeypatch.setenv("HF_HUB_CACHE", moved)
        assert [entry.name for entry in cached()] == ["org/a"], moved
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    assert cached() == []


def test_a_cache_that_was_copied_without_its_links(cache: Path) -> None:
    """As on disks that know none, and by `cp -L`: the snapshots hold the files themselves."""
    repository = make_repository(cache, "org/name", {"abc": True}, "abc")
    for path in (repository / "snapshots" / "abc").iterdir():
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    for blob in (repository / "blobs").iterdir():
        blob.unlink()
    assert [(entry.name, entry.reason) for entry in cached()] == [("org/name", None)]


COMMIT = "0123456789abcdef" * 2 + "01234567"
ELSEWHERE = f"/home/alice/.cache/huggingface/hub/models--org--name/snapshots/{COMMIT}"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (ELSEWHERE, "org/name"),
        (f"{ELSEWHERE}/", "org/name"),
        ("/c/models--org--my--name", "org/my--name"),
        ("/c/models--gpt2/snapshots/abc", "gpt2"),
        (f"{ELSEWHERE}/onnx", None),
        ("/c/models/org/name", None),
        ("models--", None),
    ],
)
def test_a_path_into_a_cache_has_the_name_of_its_model(path: str, name: str | None) -> None:
    assert hub_name(path) == name
    assert short_ref(path) == (name or Path(path).name)


def test_arms_and_tokenizers_are_named_by_the_model_and_not_by_a_commit() -> None:
    assert parse_arm(ELSEWHERE).name == parse_arm("org/name").name == "name"
    assert parse_arm(f"{ELSEWHERE}+/runs/tuned@0.5").name == "name"


def test_an_adapter_on_a_snapshot_of_another_cache_finds_the_same_commit_here(
    cache: Path, tmp_path: Path
) -> None:
    repository = make_repository(cache, "org/name", {COMMIT: True, "a" * 40: True}, "a" * 40)
    found = inspect(make_adapter(tmp_path / "tuned", ELSEWHERE))
    assert found.base_path == repository / "snapshots" / COMMIT
    assert (found.base, found.reason) == ("org/name@01234567", None)
    other = inspect(make_adapter(tmp_path / "other", ELSEWHERE.replace(COMMIT, "c" * 40)))
    assert other.reason == "its base is not on this machine: org/name", "no other commit is taken"
    assert other.base == "org/name"
    here = inspect(make_adapter(tmp_path / "here", str(repository / "snapshots" / ("a" * 40))))
    assert (here.base, here.reason) == ("org/name", None)
