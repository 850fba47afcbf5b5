"""The cache of small curves: true or forgotten, never wrong and never a crash."""

import json
import math
from pathlib import Path

import pytest

from tui.feeds.spark_cache import SparkCache
from tui.snapshots import Spark


@pytest.fixture
def events(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "events"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1").write_bytes(b"some records")
    return folder


def test_what_was_saved_is_there_at_the_next_start(tmp_path: Path, events: Path) -> None:
    path = tmp_path / "state" / "sparks.json"
    sparks = {
        "loss": Spark((1.0, math.nan, math.inf), 0.5, 0.25, math.nan, True),
        "eval_loss": None,
    }
    first = SparkCache(path)
    first.put(events, sparks)
    first.save()
    found = SparkCache(path).get(events)
    assert found is not None
    assert repr(found) == repr(sparks)


def test_a_change_of_any_file_forgets(tmp_path: Path, events: Path) -> None:
    cache = SparkCache(tmp_path / "sparks.json")
    cache.put(events, {"loss": Spark((1.0,), 1.0)})
    assert cache.get(events) is not None
    with (events / "events.out.tfevents.1").open("ab") as file:
        file.write(b"one more")
    assert cache.get(events) is None
    cache.put(events, {})
    (events / "events.out.tfevents.2").touch()
    assert cache.get(events) is None


def test_a_run_that_is_gone_is_forgotten(tmp_path: Path, events: Path) -> None:
    path = tmp_path / "sparks.json"
    cache = SparkCache(path)
    cache.put(events, {})
    (events / "events.out.tfevents.1").unlink()
    events.rmdir()
    cache.save()
    assert json.loads(path.read_text())["runs"] == {}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", '{"version": 0, "runs": {}}', '{"version": 5}',
     '{"version": 5, "runs": [1]}', '{"version": 3, "runs": {}}',
     '{"version": 5, "runs": {"x": 3}}',
     '{"version": 5, "runs": {"x": {"stamp": [], "sparks": {"loss": [[1.0], 1.0]}}}}',
     '{"version": 5, "runs": {"x": {"stamp": [], "sparks": {"l": [["a"], 1.0, 1.0, 1.0, true]}}}}',
     '{"version": 5, "runs": {"x": {"stamp": [], "sparks": {"l": [[1.0], 1.0, 1.0, 1.0, 3]}}}}'],
)  # fmt: skip
def test_a_broken_or_other_file_is_as_good_as_none(
    tmp_path: Path, events: Path, content: str
) -> None:
    path = tmp_path / "sparks.json"
    path.write_text(content)
    assert SparkCache(path).get(events) is None
    assert SparkCache(path).get(Path("x")) is None


def test_a_state_folder_that_cannot_be_made_is_no_error(tmp_path: Path, events: Path) -> None:
    (tmp_path / "file").touch()
    cache = SparkCache(tmp_path / "file" / "sparks.json")
    cache.put(events, {})
    cache.save()
    assert cache.get(events) == {}
