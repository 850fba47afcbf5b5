"""Scores of lm-evaluation-harness and inspect_ai: read; paired only where items are the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EngineError
from engine.impact.suites.imported_scores import (
    ImportedScores,
    check_same_items,
    read_inspect,
    read_lm_eval,
)


def _lm_eval(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _row(item: int, **more: Any) -> dict[str, Any]:
    return {
        "doc_id": item,
        "doc": {"question": f"{item} + 1 = ?"},
        "target": str(item + 1),
        "arguments": [],
        "resps": [["x"]],
        "filtered_resps": ["x"],
        "doc_hash": "a", "prompt_hash": "b", "target_hash": "c",
    } | more  # fmt: skip


def test_the_metrics_of_a_choice_task(tmp_path: Path) -> None:
    path = _lm_eval(
        tmp_path / "samples_arc_easy_2026-02-03T10-11-12.345678.jsonl",
        _row(0, metrics=["acc", "acc_norm"], filter="none", acc=1.0, acc_norm=0.0),
        _row(1, metrics=["acc", "acc_norm"], filter="none", acc=0, acc_norm=True),
    )
    acc, acc_norm = read_lm_eval(path)
    assert (acc.task, acc.metric, acc.variant) == ("arc_easy", "acc", "")
    assert acc.scores == {"0": 1.0, "1": 0.0}
    assert acc_norm.scores == {"0": 0.0, "1": 1.0}
    assert acc.name == "arc_easy · acc"


def test_each_filter_is_a_score_of_its_own(tmp_path: Path) -> None:
    rows = [
        _row(item, metrics=["exact_match"], filter=name, exact_match=value)
        for item in (0, 1)
        for name, value in (("strict-match", 0.0), ("flexible-extract", 1.0))
    ]
    strict, flexible = read_lm_eval(_lm_eval(tmp_path / "gsm8k.jsonl", *rows))
    assert (strict.variant, set(strict.scores.values())) == ("strict-match", {0.0})
    assert (flexible.variant, set(flexible.scores.values())) == ("flexible-extract", {1.0})
    assert strict.name == "gsm8k · exact_match · strict-match"


def test_older_files_name_no_metrics(tmp_path: Path) -> None:
    (acc,) = read_lm_eval(_lm_eval(tmp_path / "a.jsonl", _row(0, acc=1.0), _row(1, acc=0.0)))
    assert acc.scores == {"0": 1.0, "1": 0.0}


def test_what_is_no_number_an_item_is_named(tmp_path: Path) -> None:
    """Corpus metrics log a pair an item; an infinite one is none."""
    row = _row(0, metrics=["bleu", "acc", "nll"], acc=1, bleu=["a", "b"], nll=float("inf"))
    (acc,) = read_lm_eval(_lm_eval(tmp_path / "a.jsonl", row))
    assert acc.notes == ("not a number an item: bleu, nll",)
    row = _row(0, metrics=["bleu"], bleu=["a", "b"])
    with pytest.raises(EngineError, match="No metric is a number") as raised:
        read_lm_eval(_lm_eval(tmp_path / "b.jsonl", row))
    assert "bleu" in raised.value.detail


@pytest.mark.parametrize("text", ["[1]\n", "{\n", '{"id": 1}\n', '{"doc_id": 1}\nnot json\n'])
def test_other_files_are_refused_by_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(EngineError, match="no file of samples") as raised:
        read_lm_eval(path)
    assert f"{path}:{text.count(chr(10))}" in raised.value.detail


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(EngineError, match="No metric") as raised:
        read_lm_eval(tmp_path / "a.jsonl")
    assert "empty" in raised.value.detail


def _inspect(path: Path, *samples: dict[str, Any], **more: Any) -> Path:
    log = {"version": 2, "status": "success", "eval": {"task": "facts", "model": "m"},
           "samples": list(samples)} | more  # fmt: skip
    path.write_text(json.dumps(log))
    return path


def _sample(item: int | str, value: Any, **more: Any) -> dict[str, Any]:
    asked = [{"id": f"random-{item}-{id(value)}", "role": "user", "content": f"question {item}"}]
    return {"id": item, "epoch": 1, "input": asked, "target": "x",
            "scores": {"match": {"value": value, "answer": "x"}}} | more  # fmt: skip


def test_letters_numbers_and_epochs_of_inspect(tmp_path: Path) -> None:
    path = _inspect(
        tmp_path / "log.json",
        _sample(1, "C"), _sample(1, "I", epoch=2), _sample(2, "P"), _sample("three", 0.25),
    )  # fmt: skip
    (match,) = read_inspect(path)
    assert match.scores == {"1": 0.5, "2": 0.5, "three": 0.25}
    assert (match.task, match.variant, match.model) == ("facts", "match", "m")


def test_a_scorer_of_several_values_and_samples_without(tmp_path: Path) -> None:
    path = _inspect(
        tmp_path / "log.json",
        _sample(1, {"style": 1, "facts": True, "why": "said"}),
        _sample(2, None, scores=None),
        status="error",
    )
    style, facts = read_inspect(path)
    assert (style.metric, facts.metric, facts.scores) == ("style", "facts", {"1": 1.0})
    assert style.notes == ("1 samples without a score", "the log's status is 'error'")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "no log of inspect_ai"),
        ('{"eval": {}, "samples": null}', "no log of inspect_ai"),
        ('{"eval": {}, "samples": [{}]}', "has no id"),
        ('{"eval": {}, "samples": [{"id": 1}]}', "has a score"),
    ],
)
def test_other_logs_are_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "log.json"
    path.write_text(content)
    with pytest.raises(EngineError, match=words):
        read_inspect(path)


def test_the_packed_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="eval format") as raised:
        read_inspect(tmp_path / "log.eval")
    assert "inspect log convert" in raised.value.hint


def _read(path: Path, *rows: dict[str, Any]) -> ImportedScores:
    return read_lm_eval(_lm_eval(path, *rows))[0]


def test_only_the_same_items_are_paired(tmp_path: Path) -> None:
    base = _read(tmp_path / "base.jsonl", _row(0, acc=1), _row(1, acc=1))
    same = _read(tmp_path / "same.jsonl", _row(1, acc=0), _row(0, acc=0, doc_hash="other"))
    check_same_items([base, same, base])
    fewer = _read(tmp_path / "fewer.jsonl", _row(0, acc=1))
    for pair in ([base, fewer], [fewer, base]):
        with pytest.raises(EngineError, match="not of the same items") as raised:
            check_same_items(pair)
        assert "lacks 1 of 2 items" in raised.value.detail
    edited = _read(tmp_path / "edited.jsonl", _row(0, acc=1), _row(1, acc=1, target="3"))
    with pytest.raises(EngineError, match="not of the same items") as raised:
        check_same_items([base, edited])
    assert "1 item has another document or target" in raised.value.detail


def test_messages_are_compared_without_their_random_ids(tmp_path: Path) -> None:
    one = read_inspect(_inspect(tmp_path / "a.json", _sample(1, "C")))
    other = read_inspect(_inspect(tmp_path / "b.json", _sample(1, "I")))
    check_same_items([*one, *other])


def test_one_id_is_one_item(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="two different items"):
        _read(tmp_path / "a.jsonl", _row(0, acc=1), _row(0, acc=1, target="9"))
