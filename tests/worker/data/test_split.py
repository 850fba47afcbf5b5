"""Which rows are drawn, held out, counted as the same, and replayed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.rows import Example, Message
from engine.data.source_groups import name_group
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.worker.data.deduplicate import compare
from engine.worker.data.replay import count_rows, mix
from engine.worker.data.split import (
    RowExamples,
    describe_sources,
    drop_overlapping_groups,
    sample_rows,
    split,
)


def example(prompt: object, answer: object = "a", **more: Any) -> RowExamples:
    said = (Message("user", str(prompt)), Message("assistant", str(answer)))
    return (Example(said, "file:1", **more),)


def prompts(rows: list[RowExamples]) -> list[str]:
    return [row[0].messages[0].content for row in rows]


@pytest.fixture
def hundred(tmp_path: Path) -> Path:
    """100 good rows, and a bad one after each tenth."""
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for number in range(100):
            file.write(json.dumps({"prompt": f"{number}", "completion": "a"}) + "\n")
            if number % 10 == 9:
                file.write("oops\n")
    return path


def test_rows_are_drawn_by_the_seed_before_the_limit(hundred: Path) -> None:
    sampled = sample_rows(hundred, Data(limit=20), 7)
    assert (len(sampled.rows), sampled.read, len(sampled.rejects)) == (20, 110, 10)
    chosen = prompts(sampled.rows)
    assert len(set(chosen)) == 20
    assert max(map(int, chosen)) > 50, "not the first ones"
    assert prompts(sample_rows(hundred, Data(limit=20), 7).rows) == chosen
    assert prompts(sample_rows(hundred, Data(limit=20), 8).rows) != chosen
    everything = prompts(sample_rows(hundred, Data(), 7).rows)
    assert sorted(everything, key=int) == [str(number) for number in range(100)] != everything


def test_without_shuffling_they_are_the_first_ones(hundred: Path) -> None:
    sampled = sample_rows(hundred, Data(limit=20, shuffle=False), 7)
    assert prompts(sampled.rows) == [str(number) for number in range(20)]
    assert (sampled.read, len(sampled.rejects)) == (21, 1), "nothing more is read"


def test_each_row_is_as_likely_to_be_drawn(hundred: Path) -> None:
    sampled = [prompts(sample_rows(hundred, Data(limit=10), seed).rows) for seed in range(300)]
    counts = [sum(str(number) in chosen for chosen in sampled) for number in range(100)]
    # 300 draws of a tenth: 30 each, with a standard deviation of 5.2; of 100, none strays so far.
    assert min(counts) > 10
    assert max(counts) < 50


def test_a_limit_counts_rows_where_both_answers_are_learned(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    row = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    path.write_text((json.dumps(row) + "\n") * 9)
    sampled = sample_rows(path, Data(limit=4, answers="both"), 7)
    assert [len(row) for row in sampled.rows] == [2] * 4


def test_a_share_is_held_out() -> None:
    rows = [example(number) for number in range(50)]
    train, held = split(rows, Data(eval_fraction=0.1), 7)
    assert (len(train), len(held)) == (45, 5)
    assert {*train, *held} == {*rows}
    assert split(rows, Data(eval_fraction=0.1), 7) == (train, held)
    assert split(rows, Data(eval_fraction=0.1), 8)[1] != held
    assert split(rows, Data(eval_fraction=0), 7) == (rows, [])
    assert prompts(split(rows, Data(eval_fraction=0.1, shuffle=False), 7)[1]) == [
        str(number) for number in range(45, 50)
    ]
    assert [len(side) for side in split(rows[:2], Data(eval_fraction=0.9), 7)] == [1, 1]
    assert split(rows[:1], Data(), 7) == (rows[:1], [])


@given(
    groups=st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=60),
    share=st.floats(0.01, 0.9),
    shuffle=st.booleans(),
    seed=st.integers(0, 99),
)
def test_no_group_is_on_both_sides(
    groups: list[str], share: float, shuffle: bool, seed: int
) -> None:
    rows = [example(number, group=group) for number, group in enumerate(groups)]
    data = Data(eval_fraction=share, group="who", shuffle=shuffle)
    if len(set(groups)) == 1:
        with pytest.raises(EngineError, match="All rows have the same 'who'"):
            split(rows, data, seed)
        return
    train, held = split(rows, data, seed)
    sides = [{row[0].group for row in side} for side in (train, held)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert {*train, *held} == {*rows}
    smallest = min(groups.count(group) for group in groups)
    assert len(held) <= max(round(len(rows) * share), smallest, 1)


def test_rows_without_a_group_stand_alone() -> None:
    rows = [example(number, group="" if number < 20 else "x") for number in range(30)]
    train, held = split(rows, Data(eval_fraction=0.1, group="who"), 7)
    assert len(held) == 3
    assert {row[0].group for row in held} == {""}
    assert len(train) == 27


def test_rows_of_one_source_stay_on_one_side_without_being_asked_for() -> None:
    """Of pairs too, whatever they ask; a column of that name in another file is no source."""
    other = (Message("user", "q"), Message("assistant", "worse"))
    for rejected in ((), other):
        groups = [name_group(str(number % 12)) for number in range(60)]
        rows = [example(n, group=one, rejected=rejected) for n, one in enumerate(groups)]
        train, held = split(rows, Data(eval_fraction=0.2), 7)
        sides = [{row[0].group for row in side} for side in (train, held)]
        assert [len(side) for side in sides] == [10, 2]
        assert not sides[0] & sides[1]
    assert list(describe_sources(train, held, Data())) == [
        "rows made of raw texts stay together by their source: 10 sources to train on, 2 held out"
    ]
    assert list(describe_sources(train, held, Data(group="who"))) == []
    with pytest.raises(EngineError, match="made of one source"):
        split([example(n, group=name_group("a")) for n in range(9)], Data(eval_fraction=0.1), 7)


def test_a_file_tells_by_its_rows_that_they_were_made_of_sources(tmp_path: Path) -> None:
    path = tmp_path / "any name.jsonl"
    groups = [name_group("a"), "a", "source-1", None, 7]
    rows = [{"prompt": "q", "completion": "c", "group": group} for group in groups]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sampled = sample_rows(path, Data(shuffle=False), 7)
    assert [row[0].group for row in sampled.rows] == [name_group("a"), "", "", "", ""]
    assert sampled.unread.columns == {"group": 3}, "of the others nobody reads it"
    named = sample_rows(path, Data(shuffle=False, group="completion"), 7)
    assert [row[0].group for row in named.rows] == ["c"] * 5


def test_pairs_of_one_question_stay_on_one_side() -> None:
    other = (Message("user", "q"), Message("assistant", "worse"))
    rows = [example(number // 5, number, rejected=other) for number in range(50)]
    train, held = split(rows, Data(eval_fraction=0.2), 7)
    assert len(held) == 10
    assert not {*prompts(train)} & {*prompts(held)}


def test_rows_whose_group_is_held_out_elsewhere_are_left_out() -> None:
    rows = [example(number, group=group) for number, group in enumerate("abba")] + [example(9)]
    assert prompts(drop_overlapping_groups(rows, [example(7, group="b"), example(8)])) == [
        "0",
        "3",
        "9",
    ]


def test_the_same_words_are_the_same_row() -> None:
    train = [example("Q  one", "A"), example("q one\n", "a"), example("q two"), example("q three")]
    held = [example("Q two", "a"), example("q three", "other"), example("q four")]
    found = compare(train, held)
    assert (found.duplicates, found.leaked, found.asked) == (1, 1, 1)
    assert found.distinct == [train[0], train[3]]


def test_where_one_message_ends_and_another_begins_matters() -> None:
    assert compare([example("a b", "c"), example("a", "b c")], []).duplicates == 0
    worse = (Message("user", "q"), Message("assistant", "worse"))
    assert compare([example("q"), example("q", rejected=worse)], []).duplicates == 0
    texts = [(Example((), "f:1", text=text),) for text in ("One two", "one\ntwo", "three")]
    found = compare(texts, [texts[2]])
    assert (found.duplicates, found.leaked, found.asked) == (1, 1, 0)


@pytest.mark.parametrize(
    ("train", "share", "rows"), [(90, 0.1, 10), (70, 0.3, 30), (10, 0.9, 90), (5, 0.0, 0)]
)
def test_the_share_is_of_all_rows(train: int, share: float, rows: int) -> None:
    assert count_rows(train, share) == rows


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 9))
def test_mixing_keeps_all_and_their_orders(first: int, second: int, seed: int) -> None:
    one, other = [f"a{at}" for at in range(first)], [f"b{at}" for at in range(second)]
    mixed = mix(one, other, seed)
    assert [item for item in mixed if item[0] == "a"] == one
    assert [item for item in mixed if item[0] == "b"] == other
    assert mixed == mix(one, other, seed)


def test_what_is_mixed_in_is_spread() -> None:
    mixed = mix(["a"] * 900, ["b"] * 100, 7)
    quarters = [mixed[start : start + 250].count("b") for start in range(0, 1000, 250)]
    assert min(quarters) > 10
