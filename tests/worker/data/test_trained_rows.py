"""The rows that a run was trained on, read again: the same as `prepare` gave the run."""

import json
import random
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.data.source_groups import name_group
from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import GenerateRecipe, TrainRecipe
from engine.recipes.settings import Data, Replay, Training
from engine.worker.data.chat_template import choose_template
from engine.worker.data.prepare import prepare
from engine.worker.data.trained_rows import TICK_ROWS, read_trained_rows
from tests.worker.tiny import make_tokenizer

TOKENIZER = make_tokenizer()
TEMPLATE = choose_template(TOKENIZER)
MARK = re.compile(r"row\d+x")


def _write(path: Path, rows: Iterable[object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def _rows(first: int, count: int) -> list[dict[str, Any]]:
    """Rows with marks of their own, some of which say the same as another or have a group."""
    drawn = random.Random(first)
    rows = [
        {"prompt": f"row{at}x", "completion": "yes", "source": f"g{at % 7}"}
        for at in range(first, first + count)
    ]
    return rows + drawn.sample(rows, count // 4)


def _job(root: Path, recipe: TrainRecipe, files: Iterable[str] = ()) -> JobDirectory:
    return directory.create(root, recipe, (), list(map(Path, files)))


def _marks(texts: Iterable[str]) -> list[str]:
    return sorted(mark for text in texts for mark in MARK.findall(text))


CASES: dict[str, dict[str, Any]] = {
    "all": {"eval_fraction": 0},
    "split": {"eval_fraction": 0.3},
    "limit": {"limit": 23, "eval_fraction": 0.2},
    "first": {"limit": 23, "shuffle": False, "eval_fraction": 0.2},
    "group": {"group": "source", "eval_fraction": 0.3},
    "made of sources": {"eval_fraction": 0.3},
    "deduplicate": {"deduplicate": True, "eval_fraction": 0.3},
    "everything": {"limit": 40, "group": "source", "deduplicate": True, "eval_fraction": 0.3},
}


@pytest.mark.parametrize("held_out", ["share", "file"])
@pytest.mark.parametrize("with_replay", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_they_are_those_of_the_run(
    tmp_path: Path, case: str, with_replay: bool, held_out: str
) -> None:
    train = _rows(100, 60)
    group_of = name_group if case == "made of sources" else str
    for row in train:
        row["group"] = group_of(row["source"])
    data = Data(train=_write(tmp_path / "rows.jsonl", train), **CASES[case])
    if held_out == "file":
        other = [*_rows(300, 20), *train[:5]]
        for row in other:
            row["source"] = "g9" if row["source"] != "g3" else "g3"
            row["group"] = group_of(row["source"])
        data = replace(data, eval=_write(tmp_path / "other.jsonl", other))
    replay = Replay()
    if with_replay:  # some of them are held out, and are not replayed
        old = [*train[:20], *_rows(500, 40)]
        for row in old[20:]:
            row["group"] = group_of(row["source"])
        replay = Replay(_write(tmp_path / "old.jsonl", old), 0.4)
    prepared = prepare(data, TOKENIZER, TEMPLATE, 7, replay=replay)
    expected = _marks(TOKENIZER.decode(row.input_ids) for row in prepared.train)
    recipe = TrainRecipe(data=data, replay=replay, training=Training(seed=7))
    read = read_trained_rows(_job(tmp_path / "runs", recipe), ())
    found = _marks(message.content for _, messages in read for message in messages)
    assert found == expected
    assert len(expected) > 5
    if case != "all" and held_out == "share":
        assert len(expected) < len(train) + prepared.counts.replayed


def test_no_source_is_on_both_sides_of_a_run(tmp_path: Path) -> None:
    """Nor does a replayed row bring one that is held out."""
    rows = _rows(100, 60)
    old = _rows(500, 40)
    source_of = {MARK.findall(row["prompt"])[0]: row["source"] for row in (*rows, *old)}
    for row in (*rows, *old):
        row["group"] = name_group(row["source"])
    data = Data(train=_write(tmp_path / "rows.jsonl", rows), eval_fraction=0.3)
    replay = Replay(_write(tmp_path / "old.jsonl", old), 0.3)
    prepared = prepare(data, TOKENIZER, TEMPLATE, 7, replay=replay)
    sides = [
        {source_of[mark] for mark in _marks(TOKENIZER.decode(row.input_ids) for row in side)}
        for side in (prepared.train, prepared.eval)
    ]
    assert prepared.counts.replayed
    assert all(sides)
    assert not sides[0] & sides[1]
    assert "5 sources to train on, 2 held out" in prepared.counts.sources


def test_what_the_run_refused_is_not_trained_on(tmp_path: Path) -> None:
    rows = [{"prompt": f"row{at}x " + "word " * (200 * (at == 3)), "completion": "yes"}
            for at in range(6)]  # fmt: skip
    data = Data(train=_write(tmp_path / "rows.jsonl", rows), too_long="drop", eval_fraction=0)
    job = _job(tmp_path / "runs", TrainRecipe(data=data))
    prepared = prepare(data, TOKENIZER, TEMPLATE, 7)
    _write(job.rejects, prepared.rejects)
    with job.rejects.open("a") as file:
        file.write('{"cut by the death of its wri')
    read = list(read_trained_rows(job, ()))
    assert [source for source, _ in read] == [f"{data.train}:{line}" for line in (1, 2, 3, 5, 6)]
    part = {"file": data.train, "line": 1, "reason": "training row 2 of 3: too long", "text": ""}
    _write(job.rejects, [part])
    assert len(list(read_trained_rows(job, ()))) == 6, "the rest of that conversation was learned"


def test_both_answers_of_a_pair_and_texts_are_read(tmp_path: Path) -> None:
    pairs = [{"prompt": f"row{at}x", "chosen": "good", "rejected": "bad"} for at in range(2)]
    data = Data(train=_write(tmp_path / "pairs.jsonl", pairs), eval_fraction=0)
    recipe = TrainRecipe(data=data, training=Training(objective="dpo"))
    read = list(read_trained_rows(_job(tmp_path / "runs", recipe), ()))
    assert [messages[-1].content for _, messages in read] == ["good", "bad"] * 2
    data = Data(train=_write(tmp_path / "t.jsonl", [{"text": "It rained."}]), eval_fraction=0)
    ((_, (message,)),) = read_trained_rows(_job(tmp_path / "runs", TrainRecipe(data=data)), ())
    assert (message.role, message.content) == ("user", "It rained.")


def test_data_that_is_gone_or_changed_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "rows.jsonl", _rows(0, 8))
    job = _job(tmp_path / "runs", TrainRecipe(data=Data(train=path)), [path])
    assert list(read_trained_rows(job, ()))
    _write(Path(path), _rows(0, 9))
    with pytest.raises(EngineError, match="was changed since"):
        read_trained_rows(job, ())
    Path(path).unlink()
    with pytest.raises(EngineError, match="not found"):
        read_trained_rows(job, ())
    with pytest.raises(EngineError, match="no training run"):
        read_trained_rows(directory.create(tmp_path / "runs", GenerateRecipe()), ())


def test_rows_are_counted_while_they_are_read(tmp_path: Path) -> None:
    rows = [{"prompt": str(at), "completion": "a"} for at in range(2 * TICK_ROWS + 5)]
    data = Data(train=_write(tmp_path / "rows.jsonl", rows), eval_fraction=0)
    counts: list[int] = []
    job = _job(tmp_path / "runs", TrainRecipe(data=data))
    assert len(list(read_trained_rows(job, (), counts.append))) == len(rows)
    assert counts == [TICK_ROWS, 2 * TICK_ROWS]
