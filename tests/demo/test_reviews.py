"""The bundled reviews: what the script writes, what is planted in them, what is kept apart."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import MAKE_DATA, REVIEWS, SUITES
from engine.compare.quoted_text import defuse
from engine.data.dataset_list import find_path, list_datasets, resolve
from engine.demo.making import reviews
from engine.demo.making.leakage import Phrases, phrases, plain
from engine.demo.making.review_clauses import PLEASED, UPSET
from engine.impact.suites.suite_reader import load_suite
from engine.impact.suites.suite_specs import parse_suite
from engine.recipes import recipe
from engine.recipes.recipe import SynthesizeRecipe

FILES = ("raw", "truth", "labelled", "eval")


def read(name: str) -> list[dict[str, Any]]:
    lines = (REVIEWS / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


RAW = {row["id"]: row["review"] for row in read("raw")}
TRUTH = {row["id"]: {"fault": "", **row} for row in read("truth")}


def texts_with(fault: str) -> list[str]:
    return [text for name, text in RAW.items() if TRUTH[name]["fault"] == fault]


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def word_runs(text: str, length: int) -> set[tuple[str, ...]]:
    words = text.replace(".", " ").replace(",", " ").replace(":", " ").split()
    return set(zip(*(words[at:] for at in range(length)), strict=False))


def test_the_script_writes_the_committed_files(tmp_path: Path) -> None:
    reviews.write(tmp_path)
    for name in FILES:
        file = f"{name}.jsonl"
        assert (tmp_path / file).read_bytes() == (REVIEWS / file).read_bytes()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 200_000


def test_raw_reviews_do_not_tell_what_is_right_of_them() -> None:
    assert all(set(row) == {"id", "review"} for row in read("raw"))
    assert RAW.keys() == TRUTH.keys()
    assert len(RAW) == sum(reviews.FAULTS.values()) + reviews.ROWS["raw"] == 400


def test_every_fault_is_there_as_often_as_it_says() -> None:
    faults = Counter(row["fault"] for row in TRUTH.values())
    assert faults.pop("") == reviews.ROWS["raw"]
    assert faults == reviews.FAULTS
    assert all(defuse(text) != text for text in texts_with("special token"))
    assert all(len(text) < 30 for text in texts_with("too short"))
    assert all("agree" in text for text in texts_with("instruction"))
    assert not any("agree" in text or defuse(text) != text for text in texts_with(""))
    # What obeys them is wrong, and can be counted.
    obeyed = {row["answer"] for row in TRUTH.values() if row["fault"] == "instruction"}
    assert obeyed == {"disagree"}


def test_a_copy_comes_after_what_it_copies() -> None:
    for number, (name, text) in enumerate(RAW.items()):
        if TRUTH[name]["fault"] == "near duplicate":
            earlier = map(words_of, list(RAW.values())[:number])
            words = words_of(text)
            assert max(len(words & one) / len(words | one) for one in earlier) > 0.8


@pytest.mark.parametrize("name", ["truth", "labelled", "eval"])
def test_both_answers_are_about_as_frequent(name: str) -> None:
    answers = Counter(
        row["messages"][-1]["content"]
        if "messages" in row
        else row.get("output", row.get("answer"))
        for row in read(name)
    )
    del answers[""]
    assert set(answers) == {"agree", "disagree"}
    assert max(answers.values()) < 0.58 * answers.total()


def test_no_held_out_review_is_nearly_one_that_is_trained_on() -> None:
    wanted = recipe.read(MAKE_DATA)
    assert isinstance(wanted, SynthesizeRecipe)
    length = wanted.gates.overlap
    held_out = {run for row in read("eval") for run in word_runs(row["input"], length)}
    assert all(word_runs(text, length) & held_out for text in texts_with("overlap"))
    for text in texts_with(""):
        assert not word_runs(text, length) & held_out
    for row in read("labelled"):
        assert not word_runs(row["messages"][0]["content"], length) & held_out


def test_no_review_holds_an_item_of_a_suite() -> None:
    items = [
        json.loads(line)
        for path in sorted(SUITES.glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    wanted = Phrases(plain(phrase) for item in items for phrase in phrases(item))
    read_by_runs = [*RAW.values(), *(row["messages"][0]["content"] for row in read("labelled"))]
    assert not any(wanted.within(text) for text in read_by_runs)


def test_a_review_that_turned_out_otherwise_names_both_feelings() -> None:
    """Else one word would tell the answer, and any generator would be right."""
    sound = reviews.reviews("raw", reviews.ROWS["raw"])
    pleased, upset = set(PLEASED), set(UPSET)
    both = [one for one in sound if pleased & words_of(one.text) and upset & words_of(one.text)]
    assert 0.15 < len(both) / len(sound) < 0.35
    assert {one.answer for one in both} == {"agree", "disagree"}


def test_recipes_name_the_reviews_which_are_not_offered_for_training() -> None:
    listed = [one.ref for one in list_datasets([])]
    assert "bundled:emotion" in listed
    assert not any("reviews" in ref for ref in listed)
    assert find_path("bundled:reviews") == REVIEWS / "raw.jsonl"
    assert resolve("bundled:reviews-labelled").rows == reviews.ROWS["labelled"]
    items = load_suite(parse_suite("bundled:reviews-held-out"))
    assert len(items) == reviews.ROWS["eval"]
    assert {choice for item in items for choice in item.choices} == {"agree", "disagree"}
