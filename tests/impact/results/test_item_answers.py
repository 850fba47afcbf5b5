"""The answers to one item, found among all samples of an evaluation."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from engine.chat import Message
from engine.compare.samples import Sample, Timings, to_table
from engine.errors import EngineError
from engine.impact.results.item_answers import read_answers, read_version_1_answers, sample_id
from engine.recipes.settings import Decode


def row(arm: str, prompt_id: str, text: str, **more: Any) -> dict[str, Any]:
    timings, decode = Timings(0.1, 0.2), Decode()
    message = Message("user", "What?")
    sample = Sample(prompt_id, (message,), arm, 1, "", (1,), (2,), text, "stop", (-0.1,), decode,
                    timings)  # fmt: skip
    return to_table(sample) | more


def write(path: Path, *rows: dict[str, Any], ascii_only: bool = False) -> Path:
    text = "".join(json.dumps(one, ensure_ascii=ascii_only) + "\n" for one in rows)
    path.write_text(text, encoding="utf-8")
    return path


def texts(path: Path, suite: str, item: str) -> dict[str, list[str]]:
    answers = read_answers(path, suite, item)
    return {arm: [sample.text for sample in found] for arm, found in answers.items()}


def test_only_the_answers_to_this_item_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "samples.jsonl",
        row("a=x", "sums/q1", "one", suite="sums", item="q1"),
        row("a=x", "sums/q10", "ten", suite="sums", item="q10"),
        row("b=y", "sums/q1", "eins", suite="sums", item="q1"),
        row("a=x", "words/q1", "word", suite="words", item="q1"),
    )
    assert texts(path, "sums", "q1") == {"a=x": ["one"], "b=y": ["eins"]}
    assert texts(path, "sums", "q10") == {"a=x": ["ten"]}
    assert texts(path, "sums", "q2") == {}


def test_further_answers_follow_in_order_and_the_newest_of_each_counts(tmp_path: Path) -> None:
    path = write(
        tmp_path / "samples.jsonl",
        row("a=x", "s/q#10", "eleventh"),
        row("a=x", "s/q#2", "third"),
        row("a=x", "s/q", "old"),
        row("a=x", "s/q#1", "second"),
        row("a=x", "s/q", "first"),
    )
    assert texts(path, "s", "q") == {"a=x": ["first", "second", "third", "eleventh"]}


def test_an_id_that_looks_like_a_further_answer_is_an_item_of_its_own(tmp_path: Path) -> None:
    path = write(
        tmp_path / "samples.jsonl",
        row("a=x", "s/q", "of q", suite="s", item="q"),
        row("a=x", sample_id("s", "q#1"), "of q#1", suite="s", item="q#1"),
        row("a=x", "s/q/1", "of q/1", suite="s", item="q/1"),
    )
    assert texts(path, "s", "q") == {"a=x": ["of q"]}
    assert texts(path, "s", "q#1") == {"a=x": ["of q#1"]}
    assert texts(path, "s", "q/1") == {"a=x": ["of q/1"]}


def test_no_two_answers_have_one_id() -> None:
    """Whatever stands in the names: votes and notes are kept by it, and pairs are made by it."""
    suites = ("s", "s/q", "s%2Fq", "s#1", "")
    items = ("q", "q#1", "q#1#1", "q%231", "q/q", "q/q#1", "%", "#1", "q#x", "q#1\n")
    ids = [sample_id(*each) for each in product(suites, items, (0, 1, 2))]
    assert len(set(ids)) == len(ids)
    assert sample_id("facts", "capital-12", 3) == "facts/capital-12#3"


@pytest.mark.parametrize("ascii_only", [False, True])
def test_ids_in_any_script_are_found_however_they_are_written(
    tmp_path: Path, ascii_only: bool
) -> None:
    item = 'é"日本\x1b[31m\u202e'
    path = write(
        tmp_path / "samples.jsonl", row("a=x", f"s/{item}", "found"), ascii_only=ascii_only
    )
    assert texts(path, "s", item) == {"a=x": ["found"]}


def test_lines_that_are_no_samples_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "samples.jsonl", row("a=x", "s/q", "whole"))
    with path.open("a") as file:
        file.write('{"prompt_id": "s/q"}\n["s/q"]\n"s/q"\n' + "[" * 5000 + '"s/q"\n')
        file.write(json.dumps(row("a=x", "s/q", "cut"))[:-9])
    assert texts(path, "s", "q") == {"a=x": ["whole"]}


def test_no_file_has_no_answers_and_a_folder_is_refused(tmp_path: Path) -> None:
    assert read_answers(tmp_path / "none.jsonl", "s", "q") == {}
    with pytest.raises(EngineError, match=r"answers cannot be read"):
        read_answers(tmp_path, "s", "q")


def test_results_of_version_1_hold_the_answers_themselves() -> None:
    arm = {
        "suites": {"facts": {"answers": {"q": "Paris"}}, "sums": {"scores": {"q": 1.0}}},
        "choices": {"likelihood": {}, "generated": {"answers": {"rows:1": "joy"}}},
    }
    answers = read_version_1_answers({"schema": 1, "arms": {"base": arm}})
    assert answers == {"base": {"facts": {"q": "Paris"}, "labels": {"rows:1": "joy"}}}
    assert read_version_1_answers({"schema": 2, "arms": {"base": arm}}) == {}
