"""The bundled data sets: what the scripts write, and a split that means something."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import DATA, SUITES
from engine.data.rows import read
from engine.demo.making import counsel, emotion, rehearsal
from engine.demo.making.corpus.feelings import FEELINGS


def rows(name: str, split: str) -> list[dict[str, Any]]:
    text = (DATA / name / f"{split}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("emotion", emotion.write),
        ("counsel", counsel.write),
        ("rehearsal", rehearsal.write),
    ],
)
def test_the_script_writes_the_committed_files(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path)
    for split in ("train", "eval"):
        file = f"{split}.jsonl"
        assert (tmp_path / file).read_bytes() == (DATA / name / file).read_bytes()


@pytest.mark.parametrize(
    ("name", "split", "count"),
    [("emotion", "train", 2400), ("emotion", "eval", 600), ("counsel", "train", 1200),
     ("counsel", "eval", 300), ("rehearsal", "train", 1200), ("rehearsal", "eval", 200)],
)  # fmt: skip
def test_every_row_can_be_learned_from(name: str, split: str, count: int) -> None:
    found = read(DATA / name / f"{split}.jsonl")
    assert (len(found.examples), len(found.rejects)) == (count, 0)


@pytest.mark.parametrize(("name", "field"), [("emotion", "input"), ("counsel", "prompt")])
def test_no_question_is_in_both_splits_or_comes_twice(name: str, field: str) -> None:
    train = [row[field] for row in rows(name, "train")]
    held = [row[field] for row in rows(name, "eval")]
    assert len(set(train)) == len(train)
    assert len(set(held)) == len(held)
    assert not set(train) & set(held)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_emotions_are_six_and_unequal(split: str) -> None:
    counts = Counter(row["output"] for row in rows("emotion", split))
    assert set(counts) == set(emotion.LABELS)
    shares = [count / counts.total() for count in counts.values()]
    assert min(shares) > 0.05
    assert 0.2 < max(shares) < 0.35


def test_no_line_names_its_label_and_many_name_another_feeling() -> None:
    families = {feeling.name: set(feeling.adjectives) for feeling in FEELINGS}
    misleading = 0
    for row in rows("emotion", "train"):
        said = set(row["input"].replace(",", " ").split())
        assert row["output"] not in said
        others = set().union(*(words for name, words in families.items() if name != row["output"]))
        misleading += bool(said & others)
    assert misleading > 400


def test_a_good_answer_listens_and_is_longer_than_a_bad_one() -> None:
    for row in rows("counsel", "train"):
        assert row["chosen"] != row["rejected"]
        assert len(row["chosen"]) > len(row["rejected"])
        assert 2 <= sum(row["chosen"].count(mark) for mark in ".?") <= 6


def test_the_rehearsal_asks_of_every_skill_and_never_what_is_tested() -> None:
    asked = {turn["content"] for row in rows("rehearsal", "train") for turn in row["messages"]}
    tested = {
        item["messages"][-1]["content"]
        for path in SUITES.glob("*.jsonl")
        for item in map(json.loads, path.read_text("utf-8").splitlines())
        if "messages" in item
    }
    assert len(tested) > 1000
    assert not asked & tested
    said = "\n".join(asked)
    for sign in ("```python", "French", "numbered list", "times"):
        assert sign in said
