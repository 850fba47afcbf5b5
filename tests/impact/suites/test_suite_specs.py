"""The grammar of suites: names, options, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.impact.suites.suite_specs import (
    SuiteOptions,
    SuiteSpec,
    format_suite,
    parse_suite,
    parse_suites,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("bundled:facts", "facts"),
        ("bundled:facts?fewshot=5&template=raw", "facts, 5-shot, raw"),
        ("/data/song.jsonl.gz", "song"),
        ("/data/folder/", "folder"),
        ("run:emotion-1", "held-out of emotion-1"),
        ("lm-eval:/logs/samples_arc.jsonl?arm=base", ""),
        ("arc=lm-eval:/logs/samples_arc.jsonl?arm=base", "arc"),
        ("mine=run:emotion-1", "mine"),
    ],
)
def test_a_suite_has_a_name(text: str, name: str) -> None:
    assert parse_suite(text).name == name


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(
    TEXTS, TEXTS, st.integers(0, 64), st.sampled_from(["own", "raw"]), st.integers(0, 9),
    st.floats(-1, 10),
)  # fmt: skip
def test_a_suite_is_written_and_read_again(
    name: str, ref: str, fewshot: int, template: str, limit: int, temperature: float
) -> None:
    options = SuiteOptions(fewshot=fewshot, template=template, limit=limit, temperature=temperature)
    suite = SuiteSpec(name, ref, options)
    assert parse_suite(format_suite(suite)) == suite


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the suite is missing"),
        ("=bundled:facts", "the name is missing"),
        ("bundled:facts?shots=5", "not one of fewshot="),
        ("bundled:facts?fewshot=-1", "fewshot must be at least 0"),
        ("bundled:facts?fewshot=1&fewshot=2", "fewshot is set twice"),
        ("bundled:facts?template=chatml", "template"),
        ("bundled:facts?measure=luck", "measure"),
        ("bundled:facts?arm=base", "arm= is for scores"),
        ("lm-eval:a.jsonl", "arm= is missing"),
        ("inspect:a.json?arm=base&fewshot=5", "fewshot= cannot change"),
    ],
)
def test_what_is_wrong_is_named(text: str, why: str) -> None:
    with pytest.raises(EngineError, match="Invalid suite") as caught:
        parse_suite(text)
    assert why in str(caught.value)
    assert ("?arm=NAME" in caught.value.hint) == text.startswith(("lm-eval:", "inspect:"))


def test_two_suites_of_one_name() -> None:
    assert len(parse_suites(["bundled:facts", "bundled:facts?fewshot=5"])) == 2
    with pytest.raises(EngineError, match="Two suites have the name 'facts'"):
        parse_suites(["bundled:facts", "/x/facts.jsonl"])


def test_scores_of_others_are_of_an_arm_each() -> None:
    texts = ["arc=lm-eval:a.jsonl?arm=base", "arc=lm-eval:b.jsonl?arm=a%26b", "lm-eval:c?arm=base"]
    specs = parse_suites([*texts, "lm-eval:d?arm=base"])
    assert [spec.options.arm for spec in specs] == ["base", "a&b", "base", "base"]
    assert parse_suites(map(format_suite, specs)) == specs
    with pytest.raises(EngineError, match="Two suites have the name 'arc'"):
        parse_suites([texts[0], "arc=lm-eval:b.jsonl?arm=base"])
    with pytest.raises(EngineError, match="Two suites have the name 'arc'"):
        parse_suites(["arc=bundled:facts", "arc=bundled:prose"])
