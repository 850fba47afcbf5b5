"""Results as they are read: version 2, what version 1 becomes, and what is refused."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from engine.impact.changes.skill_table import build_table
from engine.impact.results.evaluation_results import (
    LIKELIHOOD,
    NLL,
    STRICT,
    EvaluationResults,
    read_results,
)
from tests.impact.damage import VALUES, list_places, replace_value
from tests.impact.made_results import measured, scores_of, suite_of, table_of

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
                    "lost_at": {"b": 40},
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
    facts_of_base = base.suites["facts"]
    assert facts_of_base.measures[STRICT] == {"a": 1.0, "b": 0.0}
    assert facts_of_base.measures["gold_nll"] == {"a": math.inf, "b": 0.5}
    assert (facts_of_base.seen, facts_of_base.notes) == ({"a": "question"}, ("one note",))
    assert (tuned.parent, tuned.trained, base.parent) == ("base", ("facts",), "")


def test_version_1_is_read_as_the_same() -> None:
    results = _read(VERSION_1)
    assert list(results.suites) == ["mixed", "mixed, perplexity", "labels"]
    suites = results.arms["base"].suites
    assert suites["mixed"].measures == {STRICT: {"a": 1.0, "b": 0.0}}
    assert suites["mixed, perplexity"].measures == {NLL: {"t": math.inf}}
    assert suites["mixed, perplexity"].tokens == {"t": 9}
    assert set(suites["labels"].measures) == {LIKELIHOOD, STRICT}
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


def _make_measured() -> dict[str, Any]:
    """Three stages, two of them on texts as well, with enough items for a verdict."""
    texts = {f"i{at}": 2.0 + at for at in range(20)}
    counts = dict.fromkeys(texts, 9)
    right = measured(
        scores_of(12, 20),
        asked={"fewshot": 1, "decode": {"top_p": 1.0}},
        finish={"i0": "stop"},
        picked={"strict": {"i0": "a"}},
        seen={"i1": "question"},
        notes=["n"],
    )
    return table_of(
        {
            "facts": suite_of(20, choices=["a", "b"], gold=["a"], weight=2.0, group="g"),
            "texts": suite_of(20, "nll"),
        },
        {
            "base": {"facts": right, "texts": measured(texts, "nll", tokens=counts, bytes=counts)},
            "A": {
                "parent": "base",
                "trained": ["facts"],
                "suites": {
                    "facts": measured(scores_of(8, 20), seen={}),
                    "texts": measured(texts, "nll", tokens=counts),
                },
            },
            "B": {"parent": "A", "suites": {"facts": measured(scores_of(15, 20))}},
        },
    )


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("make", [lambda: VERSION_1, lambda: VERSION_2, _make_measured])
def test_a_wrong_value_is_refused_or_harmless(
    make: Callable[[], dict[str, Any]], number: int
) -> None:
    """Of whatever type and size: ValueError and nothing else, or a table that JSON takes."""
    table = make()
    for place in list(list_places(table))[number::4][:60]:
        for value in VALUES:
            try:
                results = read_results(replace_value(table, place, value))
            except ValueError:
                continue
            if results.arms:
                made = build_table(results)
                assert made.arms == tuple(results.arms), (place, value)


def test_results_that_are_too_deep_are_refused() -> None:
    table = _make_measured()
    asked: dict[str, Any] = {}
    for _ in range(500):
        asked = {"a": asked}
    table["arms"]["base"]["suites"]["facts"]["asked"] = asked
    with pytest.raises(ValueError, match="too deep"):
        read_results(table)
