"""What of a suite is measured while training: by its items, its rows, its options."""

import json
from pathlib import Path

import pytest

from engine.impact.suite_specs import parse_suite
from engine.impact.watched_suites import choose_items, find_suite


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("ref", "measure", "count"),
    [
        ("bundled:facts", "likelihood", 320), ("bundled:facts?measure=strict", "strict", 320),
        ("bundled:french", "strict", 320), ("bundled:prose", "nll", 320),
        ("bundled:emotion", "likelihood", 600), ("bundled:counsel", "gold_nll", 300),
    ],
)  # fmt: skip
def test_the_measure_of_what_is_bundled(ref: str, measure: str, count: int) -> None:
    spec = parse_suite(ref)
    path = find_suite(spec, [])
    assert path is not None
    chosen = choose_items(spec, path)
    assert (chosen.measure, len(chosen.items), chosen.notes) == (measure, count, ())


def test_rows_with_few_different_answers_are_labels_of_all_rows(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{at}", "completion": ("joy", "fear")[at % 2]} for at in range(4)]
    chosen = choose_items(parse_suite("s"), write(tmp_path / "a.jsonl", *rows))
    assert [item.gold for item in chosen.items] == [("joy",), ("fear",)] * 2
    assert {item.choices for item in chosen.items} == {("fear", "joy")}
    many = [{"prompt": f"p{at}", "completion": f"answer {at}"} for at in range(4)]
    chosen = choose_items(parse_suite("s"), write(tmp_path / "b.jsonl", *many))
    assert chosen.measure == "gold_nll"
    same = [{"prompt": f"p{at}", "completion": "joy"} for at in range(4)]
    chosen = choose_items(parse_suite("s"), write(tmp_path / "c.jsonl", *same))
    assert chosen.measure == "gold_nll", "one label is no choice"


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mixed.jsonl",
        {"prompt": "a", "answer": "b", "score": "exact"},
        {"prompt": "open?"},
        {"text": "read me", "score": "perplexity"},
    )
    chosen = choose_items(parse_suite("s"), path)
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
    assert choose_items(parse_suite("s"), path).measure == "strict"
