"""Results as they are read: version 2, what version 1 becomes, and what is refused."""

import math
from typing import Any

import pytest

from engine.impact.evaluation_results import (
    LIKELIHOOD,
    NLL,
    STRICT,
    EvaluationResults,
    read_results,
)

VERSION_1: dict[str, Any] = {
    "schema": 1,
    "arms": {
        "base": {
            "arm": "base=bundled:demo-base",
            "suites": {
                "mixed": {
                    "scores": {"a": 1.0, "b": 0.0},
                    "prompts": {"a": "2 + 2", "b": "3 + 3"},
                    "groups": {"a": "sums", "b": "sums"},
                    "nll": {"t": None},
                    "text_tokens": {"t": 9},
                },
            },
            "choices": {
                "labels": ["joy", "fear"],
                "likelihood": {"scores": {"x": 1.0}, "answers": {"x": "joy"}},
                "generated": {"scores": {"x": 0.0}, "answers": {"x": "Hm"}, "prompts": {"x": "?"}},
            },
        }
    },
}
VERSION_2: dict[str, Any] = {
    "schema": 2,
    "suites": {
        "facts": {
            "measure": "likelihood",
            "digest": "ab",
            "items": {
                "a": {"prompt": "?", "gold": ["x"], "choices": ["x", "y"], "score": "choices"},
                "b": {"prompt": "!", "gold": ["y"], "choices": ["x", "y"], "score": "choices"},
            },
        }
    },
    "arms": {
        "base": {
            "arm": "base=bundled:demo-base",
            "suites": {
                "facts": {
                    "asked": {"fewshot": 5},
                    "measures": {"strict": {"a": 1, "b": 0}, "gold_nll": {"a": None, "b": 0.5}},
                    "finish": {"a": "stop", "b": "length"},
                    "picked": {"strict": {"a": "x", "b": ""}},
                    "seen": {"a": "question"},
                    "notes": ["one note"],
                }
            },
        },
        "tuned": {"arm": "tuned=run:r", "parent": "base", "trained": ["facts"], "suites": {}},
    },
}


def _read(table: dict[str, Any]) -> EvaluationResults:
    return read_results(table)


def test_version_2() -> None:
    results = _read(VERSION_2)
    facts, base, tuned = results.suites["facts"], results.arms["base"], results.arms["tuned"]
    assert (facts.measure, facts.choices, facts.labels) == (LIKELIHOOD, 2, ("x", "y"))
    measured = base.suites["facts"]
    assert measured.measures[STRICT] == {"a": 1.0, "b": 0.0}
    assert measured.measures["gold_nll"] == {"a": math.inf, "b": 0.5}
    assert (measured.seen, measured.notes) == ({"a": "question"}, ("one note",))
    assert (tuned.parent, tuned.trained, base.parent) == ("base", ("facts",), "")


def test_version_1_is_read_as_the_same() -> None:
    results = _read(VERSION_1)
    assert list(results.suites) == ["mixed", "mixed, perplexity", "labels"]
    measured = results.arms["base"].suites
    assert measured["mixed"].measures == {STRICT: {"a": 1.0, "b": 0.0}}
    assert measured["mixed, perplexity"].measures == {NLL: {"t": math.inf}}
    assert measured["mixed, perplexity"].tokens == {"t": 9}
    assert set(measured["labels"].measures) == {LIKELIHOOD, STRICT}
    assert results.suites["labels"].labels == ("fear", "joy")
    assert results.suites["mixed"].items["a"].group == "sums"
    assert results.suites["mixed, perplexity"].measure == NLL


@pytest.mark.parametrize(
    "table",
    [{}, {"schema": 3}, {"schema": 2, "arms": {}}, {"schema": 2, "suites": [], "arms": {}}],
)
def test_anything_else_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"schema|no results"):
        _read(table)
