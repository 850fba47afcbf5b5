"""Repetition, counted on token ids, and on characters where an answer has none."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare import answer_pairs, metrics, samples
from engine.compare.export import as_csv
from engine.compare.metrics import REPEATED, REPEATS, numbers_of
from engine.compare.paired_stats import compare
from engine.compare.repetition import basis_of, common_basis, repeated, repetition
from engine.compare.samples import Sample
from tests.compare.test_samples import sample

PROSE = (
    "The old man walked down to the harbour before sunrise. He had not slept well, and the wind "
    "from the sea was colder than he remembered. A boat lay on the stones; its paint had come off "
    "in long strips. He thought of his brother, who had sailed it when both of them were young, "
    "and of the summer in which the fish had stayed away."
)
LOOPS = {
    "inside a word": "um" * 60,
    "Chinese": "我喜欢猫。" * 12,
    "brackets": "[" * 80 + "]" * 80,
    "white space": "\n   \n" * 40,
    "sentences": PROSE[:100] + "The end of it. " * 20,
}


def answer(text: str, ids: tuple[int, ...], finish: samples.Finish = "length") -> Sample:
    return dataclasses.replace(sample(), text=text, output_ids=ids, finish=finish)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("encode", [lambda _: (), lambda text: tuple(text.encode())])
def test_loops_are_seen_with_ids_and_without(
    loop: str, encode: Callable[[str], tuple[int, ...]]
) -> None:
    looping = answer(LOOPS[loop], encode(LOOPS[loop]))
    assert numbers_of(looping)[REPEATED] == repetition(looping) > REPEATS


def test_prose_does_not_repeat_itself() -> None:
    assert repetition(answer(PROSE, ())) < 0.02
    words = {word: at for at, word in enumerate(PROSE.split())}
    assert repetition(answer(PROSE, tuple(words[word] for word in PROSE.split()))) < 0.02


def test_ids_count_before_the_text_and_the_end_token_is_apart() -> None:
    assert repetition(answer("a b c d e f g h", (1, 2, 3, 4, 1, 2, 3, 4))) == pytest.approx(1 / 5)
    ended = answer("", (1, 2, 3, 4, 1, 2, 3, 4, 0), "stop")
    assert repetition(ended) == pytest.approx(1 / 5)
    assert repetition(answer("um um um", (1, 1, 1))) == 0.0


def test_an_answer_without_ids_is_counted_by_characters_and_an_old_line_is_read() -> None:
    table = samples.to_table(answer(LOOPS["Chinese"], (1, 2)))
    del table["output_ids"]
    old = samples.from_table(table)
    assert (old.output_ids, basis_of(old)) == ((), "characters")
    assert repetition(old) > REPEATS


def test_two_arms_are_counted_on_the_same() -> None:
    local = [answer(PROSE, (1, 2, 3, 4) * 9)] * 6
    local = [dataclasses.replace(one, prompt_id=str(at)) for at, one in enumerate(local)]
    remote = [dataclasses.replace(one, output_ids=(), arm="remote") for one in local]
    assert (common_basis(local), common_basis([*local, *remote])) == ("token ids", "characters")
    by_ids, mixed = compare(local, local), compare(local, remote)
    row, other = (
        next(row for row in found.rows if row.name == REPEATED) for found in (by_ids, mixed)
    )
    assert row.left > 0.8
    assert "token 4-grams" in row.about
    assert other.left == other.right < 0.02, "one text, counted alike"
    assert "not all have token ids" in other.about
    assert (by_ids.repetition_basis, mixed.repetition_basis) == ("token ids", "characters")


def test_filters_and_exports_have_the_number_of_the_measure(tmp_path: Path) -> None:
    base, tuned = (
        dataclasses.replace(answer(LOOPS["inside a word"], (7,) * 60), arm=arm)
        for arm in ("base=bundled:demo-base", "tuned=run:a")
    )
    path = tmp_path / "samples.jsonl"
    samples.append(path, [base, tuned])
    collection = answer_pairs.Collection(path)
    collection.poll()
    (pair,) = collection.pairs(base.arm, tuned.arm)
    assert answer_pairs.lets_through(pair, "repeats")
    assert pair.right_numbers[metrics.REPEATED] == repetition(tuned)
    header, *rows = as_csv([base]).splitlines()
    assert header.endswith("repeated_4grams,repeated_counted_on")
    assert rows[-1].endswith(f"{repetition(base):.4g},token ids")
    assert json.loads(path.read_text().splitlines()[0])["output_ids"] == [7] * 60


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 6))
def test_the_share_is_of_grams_that_came_before(units: list[int], size: int) -> None:
    grams = [tuple(units[at : at + size]) for at in range(len(units) - size + 1)]
    again = sum(gram in grams[:at] for at, gram in enumerate(grams))
    assert repeated(units, size) == pytest.approx(again / len(grams) if grams else 0)
