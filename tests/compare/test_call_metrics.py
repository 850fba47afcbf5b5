"""Numbers of answers with calls and reasoning: texts are what is said, calls are counted apart."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.answer_parts import parts_of_reply
from engine.chat import Message
from engine.compare import export, samples
from engine.compare.answer_length import measure
from engine.compare.answer_pairs import Collection
from engine.compare.items import Item
from engine.compare.metrics import call_outcome, numbers_of
from engine.compare.paired_stats import compare
from engine.compare.samples import Sample, Timings
from engine.recipes.settings import Decode
from tui.browse.result_lines import kinds_line

CALL = '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call>'
THOUGHT = "<think>\nIt is cold, cold, cold.\n</think>\n\n"
MESSAGES = (Message("user", "Weather?"),)


def sample(prompt: str, text: str, arm: str = "base=b", **changes: Any) -> Sample:
    made = Sample(prompt, MESSAGES, arm, 7, "", (1,), (2,), text, "stop", (-0.1,), Decode(),
                  Timings(0.1, 0.2))  # fmt: skip
    return replace(made, **changes)


def lost(prompt: str, arm: str = "base=b") -> Sample:
    return sample(prompt, CALL, arm, known_parts=parts_of_reply(CALL, "", []))


def item(**changes: Any) -> Item:
    return replace(Item("p", MESSAGES), **changes)


def test_texts_are_measured_without_reasoning_and_calls() -> None:
    numbers = numbers_of(sample("p", f"{THOUGHT}I look it up.\n{CALL}"))
    assert (numbers["words"], numbers["sentences"], numbers["questions"]) == (4, 1, 0)
    assert (numbers["calls"], numbers["reasoning words"]) == (1, 5)
    counts = measure(sample("p", f"{THOUGHT}I look it up.\n{CALL}<tool_call>{{"))
    assert (counts.words, counts.calls, counts.reasoning_words) == (4, 2, 5)


def test_checks_of_texts_and_of_calls_count_together() -> None:
    wanted = item(checks={"calls": "get_weather", "words": 3, "says": "cold"})
    assert numbers_of(sample("p", f"{THOUGHT}I look up.{CALL}"), wanted)["checks met"] == 2 / 3
    assert numbers_of(lost("p"), item(checks={"calls": "get_weather"}))["checks met"] == 0
    assert numbers_of(sample("p", CALL), item(checks={"no_call": True}))["checks met"] == 0


def test_the_outcome_is_named_and_what_asks_for_no_calls_has_none() -> None:
    wanted = item(checks={"calls": "get_weather"})
    assert call_outcome(sample("p", CALL), wanted) == "right call"
    assert call_outcome(lost("p"), wanted) == "lost call"
    assert call_outcome(sample("p", "4 C"), item(checks={"words": 2})) == ""
    assert "right calls" not in numbers_of(sample("p", "4 C"), item())


def test_a_reference_that_is_calls_is_no_text_to_compare_with() -> None:
    call = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    numbers = numbers_of(sample("p", CALL), item(reference=json.dumps([call])))
    assert numbers["right calls"] == 1
    assert not {"reference F1", "contains reference"} & set(numbers)


def test_two_arms_by_the_outcomes_of_their_calls() -> None:
    wanted = item(checks={"calls": "get_weather"})
    base = [sample("a", "4 C"), lost("b"), sample("c", "<tool_call>{")]
    tuned = [sample(prompt, CALL, "tuned=t") for prompt in "abc"]
    found = compare(
        base, tuned, lambda one: numbers_of(one, wanted), lambda one: call_outcome(one, wanted)
    )
    (outcome,) = [one for one in found.kinds if one.name == "call outcome"]
    assert outcome.left == {
        "missing call": 1, "lost call": 1, "malformed call": 1,
    }  # fmt: skip
    assert outcome.right == {"right call": 3}
    assert kinds_line(outcome, "->", "...", 200).endswith("-> right call 3")
    rows = {row.name: (row.left, row.right) for row in found.rows}
    assert rows["right calls"] == (0, 1)
    assert (rows["calls"], rows["lost calls"]) == ((0, 1), (1 / 3, 0))
    assert found.has_parts


def test_answers_without_calls_have_no_rows_of_them() -> None:
    found = compare([sample("a", "one")], [sample("a", "two", "tuned=t")])
    names = {row.name for row in found.rows} | {kind.name for kind in found.kinds}
    assert not {"calls", "malformed calls", "lost calls", "reasoning words", "call outcome"} & names
    assert not found.has_parts


def test_pairs_that_differ_in_calls_alone_differ(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    other = CALL.replace("Oslo", "Bergen")
    samples.append(path, [
        sample("a", f"I look. {CALL}"), sample("a", f"I look. {other}", "tuned=t"),
        sample("b", "I look."), sample("b", f"{THOUGHT}I look.", "tuned=t"),
    ])  # fmt: skip
    collection = Collection(path)
    collection.poll()
    pairs = collection.pairs("base=b", "tuned=t")
    assert [(pair.differs, pair.differs_unspoken, pair.common) for pair in pairs] == [
        (True, True, 1.0), (True, True, 1.0),
    ]  # fmt: skip


def test_exports_hold_the_calls_that_came_apart_from_the_text() -> None:
    call = {"id": "c1", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
    apart = sample("p", "I look.", known_parts=parts_of_reply("I look.", "Hm.", [call]))
    (row,) = csv.DictReader(io.StringIO(export.as_csv([apart])))
    assert row["answer"] == 'I look.\nget_weather(city="Oslo")'
    assert row["tool_calls"] == 'get_weather(city="Oslo")'
    assert (row["reasoning"], row["words"]) == ("Hm.", "2")
    assert 'get_weather(city="Oslo")' in export.as_markdown([apart])
    assert "get_weather(city=&quot;Oslo&quot;)" in export.as_html([apart])
    assert export.written_out(sample("p", CALL)) == CALL, "what stands in the text comes once"
    tools = ({"type": "function", "function": {"name": "get_weather"}},)
    (page,) = export.pages([replace(apart, tools=tools)])
    assert page.prompt == "tools: get_weather\n\nWeather?"
