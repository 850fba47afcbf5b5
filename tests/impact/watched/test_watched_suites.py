"""What of a suite is measured while training: by its items, its rows, its options."""

import json
from pathlib import Path

import pytest

from engine.impact.suites.suite_specs import SuiteSpec, parse_suite
from engine.impact.watched.watched_suites import choose_items


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def suite(path: Path) -> SuiteSpec:
    return parse_suite(f"s={path}")


@pytest.mark.parametrize(
    ("ref", "measure", "count"),
    [
        ("bundled:facts", "strict", 320), ("bundled:facts?measure=likelihood", "likelihood", 320),
        ("bundled:facts?template=raw", "likelihood", 320), ("bundled:facts?limit=7", "strict", 7),
        ("bundled:french", "strict", 320), ("bundled:prose", "nll", 320),
        ("bundled:emotion", "likelihood", 600), ("bundled:counsel", "gold_nll", 300),
    ],
)  # fmt: skip
def test_the_measure_of_what_is_bundled(ref: str, measure: str, count: int) -> None:
    chosen = choose_items(parse_suite(ref))
    assert (chosen.measure, len(chosen.items), chosen.notes) == (measure, count, ())


def test_rows_with_few_different_answers_are_labels_of_all_rows(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{at}", "completion": ("joy", "fear")[at % 2]} for at in range(4)]
    chosen = choose_items(suite(write(tmp_path / "a.jsonl", *rows)))
    assert [item.gold for item in chosen.items] == [("joy",), ("fear",)] * 2
    assert {item.choices for item in chosen.items} == {("fear", "joy")}
    many = [{"prompt": f"p{at}", "completion": f"answer {at}"} for at in range(4)]
    chosen = choose_items(suite(write(tmp_path / "b.jsonl", *many)))
    assert chosen.measure == "gold_nll"
    same = [{"prompt": f"p{at}", "completion": "joy"} for at in range(4)]
    chosen = choose_items(suite(write(tmp_path / "c.jsonl", *same)))
    assert chosen.measure == "gold_nll", "one label is no choice"


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mixed.jsonl",
        {"prompt": "a", "answer": "b", "score": "exact"},
        {"prompt": "open?"},
        {"text": "read me", "score": "perplexity"},
    )
    chosen = choose_items(suite(path))
    assert (chosen.measure, len(chosen.items)) == ("strict", 1)
    assert chosen.notes == (
        "texts are not measured beside questions: 1",
        "items without a right answer are left out: 1",
    )


def test_a_suite_of_choices_and_others_is_answered(tmp_path: Path) -> None:
    path = write(
        tmp_path / "both.jsonl",
        {"prompt": "a", "answer": "b", "score": "exact"},
        {"prompt": "c", "gold": "d", "choices": ["d", "e"], "score": "choices"},
    )
    assert choose_items(suite(path)).measure == "strict"


def test_examples_come_from_all_items_and_stand_before_each(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{at}", "answer": f"a{at}", "score": "exact"} for at in range(9)]
    path = write(tmp_path / "solved.jsonl", *rows)
    chosen = choose_items(parse_suite(f"s={path}?fewshot=2&limit=3"))
    assert [len(item.messages) for item in chosen.items] == [5, 5, 5]
    shown = {turn.content for item in chosen.items for turn in item.messages[:-1]}
    assert shown - {f"{kind}{at}" for kind in "pa" for at in range(3)}, "others than the first 3"


def test_what_the_run_holds_out_is_read_from_its_own_file(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{at}", "reference": ("joy", "fear")[at % 2]} for at in range(4)]
    path = write(tmp_path / "held_out.jsonl", *rows)
    chosen = choose_items(parse_suite("held-out"), limit=3, own=path)
    assert (chosen.measure, len(chosen.items)) == ("likelihood", 3)
