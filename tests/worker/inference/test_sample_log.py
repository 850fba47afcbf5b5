"""Answers of an evaluation on disk: known again by their row, whatever cut the file."""

import json
from pathlib import Path

import pytest

from engine.chat import Message
from engine.compare import samples
from engine.compare.items import Item
from engine.compare.samples import Sample, Timings
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.inference.sample_log import SampleLog


def _sample(name: str, text: str) -> Sample:
    return Sample(
        name, (Message("user", "?"),), "a=x", 7, "", (1,), (2, 3), text, "stop", (-0.5, -0.25),
        Decode(), Timings(0.1, 0.2),
    )  # fmt: skip


def test_answers_are_known_again(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    item = Item("one", gold=("joy",))
    SampleLog(path).add([("r1", _sample("s/one", "joy \ud800"), item)], "s")
    with path.open("a") as file:
        file.write('{"prompt_id": "s/two", "row": "r2", "te')
    again = SampleLog(path)
    found = again.find("r1")
    assert found is not None
    assert (found.text, found.output_ids) == ("joy \ud800", (2, 3))
    assert again.find("r2") is None
    again.add([("r1", _sample("s/one", "other"), item), ("r2", _sample("s/two", "y"), item)], "s")
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    assert [(row["row"], row["item"], row["gold"]) for row in rows] == [
        ("r1", "one", ["joy"]), ("r2", "one", ["joy"])
    ]  # fmt: skip
    assert [one.prompt_id for one in samples.read(path)] == ["s/one", "s/two"]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").mkdir()
    with pytest.raises(EngineError, match="samples cannot be read"):
        SampleLog(tmp_path / "samples.jsonl")
