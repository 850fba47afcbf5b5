"""Each kind of repair, and what is none."""

from collections.abc import Callable
from typing import Any

import pytest
from json_repair import repair_json

from engine.synthesis.outcomes import BadAnswer
from engine.synthesis.repairs import MOST_BRACKETS, MOST_CHARS, RepairedObject, repair_object
from engine.worker.synthesis.answer_repair import propose_repair


def repair(
    text: str, propose: Callable[[str], Any] = propose_repair, begin: int = 0
) -> RepairedObject:
    return repair_object(text, begin, propose)


@pytest.mark.parametrize(
    ("text", "values", "kinds"),
    [
        ('{"a": 1,}', {"a": 1}, ["trailing comma"]),
        ('{"a": ["x", "y", ]}', {"a": ["x", "y"]}, ["trailing comma"]),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}, ["missing comma"]),
        ('{"a": "x"\n"b": ["y"]\n"c": 2}', {"a": "x", "b": ["y"], "c": 2}, ["missing comma"]),
        ("{'a': 'x \"y\"'}", {"a": 'x "y"'}, ["single quotes"]),
        ("{“a”: “x”, “b”: “y”}", {"a": "x", "b": "y"}, ["typographic quotes"]),
        ('{a_1: "x", b-c: 2}', {"a_1": "x", "b-c": 2}, ["unquoted key"]),
        ('{"a": 1, // b: 2\n "c": 3}', {"a": 1, "c": 3}, ["comment"]),
        ('{# "z": 1\n"a": 1 /* , */}', {"a": 1}, ["comment"]),
        ('{"a": True, "b": False, "c": None}', {"a": True, "b": False, "c": None},
         ["Python literal"]),
        ('{"a": "x\ny\r\nz"}', {"a": "x\ny\r\nz"}, ["raw line end"]),
        ('{"a": "x\ty"}', {"a": "x\ty"}, ["raw tab"]),
        ('{"a": "it\\\'s"}', {"a": "it's"}, ["escaped apostrophe"]),
        ('{"a": "an "x", he said", "b": 1}', {"a": 'an "x", he said', "b": 1},
         ["quote in a text"]),
        ('{"a": "an "x"", "b": 1}', {"a": 'an "x"', "b": 1}, ["quote in a text"]),
        ("{'a': 'it's', 'b': 1}", {"a": "it's", "b": 1}, ["single quotes", "quote in a text"]),
        ('{a: "x"\n\'b\': True,}', {"a": "x", "b": True},
         ["unquoted key", "missing comma", "single quotes", "Python literal", "trailing comma"]),
    ],
)  # fmt: skip
def test_a_repair_has_the_values_as_written(
    text: str, values: dict[str, Any], kinds: list[str]
) -> None:
    found = repair(f"see {text} end", begin=4)
    assert found.values == values
    assert [type(value) for value in found.values.values()] == list(map(type, values.values()))
    assert list(found.kinds) == kinds
    assert found.end == 4 + len(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": 1,000}', "not JSON"),
        ('{"a": 1_000,}', "not JSON"),
        ('{"a": .5}', "not JSON"),
        ('{"a": 5.}', "not JSON"),
        ('{"a": +5}', "not JSON"),
        ('{"a": 05}', "not JSON"),
        ('{"a": 0x1F}', "not JSON"),
        ('{"a": 3/5}', "not JSON"),
        ('{"a": 50%}', "not JSON"),
        ('{"a": NaN,}', "not JSON"),
        ('{"a": -Infinity,}', "not JSON"),
        ('{"a": TRUE,}', "not JSON"),
        ('{"a": undefined}', "not JSON"),
        ('{"a": agree}', "not JSON"),
        ('{"a": }', "not JSON"),
        ('{"a"}', "not JSON"),
        ('{"a" "x"}', "not JSON"),
        ('{"a"= "x"}', "not JSON"),
        ('{"a": "x"; "b": 1}', "not JSON"),
        ('{"a": "x",, "b": 1}', "not JSON"),
        ('{, "a": "x"}', "not JSON"),
        ('{"a": ["x" "y"]}', "not JSON"),
        ('{"a": ["x "y" z"]}', "not JSON"),
        ('{"a": ["x", , "y"]}', "not JSON"),
        ('{"a": ["x"}', "not JSON"),
        ('{"a": {"b": 1,}}', "not JSON"),
        ('{"a": [["x"],]}', "not JSON"),
        ('{"a": "x" + "y"}', "not JSON"),
        ('{"a": """x"""}', "not JSON"),
        ('{"a": ""x"", "b": 1}', "not JSON"),
        ('{"a": "x"", "b": 1}', "not JSON"),
        ('{"a": "an ""x"" y", "b": 1}', "not JSON"),
        ('{"a": "x" "y", "b": 1}', "not JSON"),
        ('{"a": ‘x’}', "not JSON"),
        ('{"a": ”x”}', "not JSON"),
        ('{"a": "\\x41",}', "not JSON"),
        ('{"a": "\\u12",}', "not JSON"),
        ('{"a": "\\q",}', "not JSON"),
        ('{"a": "\x07",}', "not JSON"),
        ('{"a": "x', "not JSON"),
        ('{"a": "x"', "not JSON"),
        ('{"a": "x",', "not JSON"),
        ('{"a": "x\\', "not JSON"),
        ('{"a": 1, // }', "not JSON"),
        ('{"a": 1, /* }', "not JSON"),
        ("{", "not JSON"),
        ('{"a": 1, "a": 2,}', "doubled key"),
        ("{a: 1, 'a': 1}", "doubled key"),
        ('{"a": 1e999,}', "out of range"),
        ('{"a": 0.12345678901234567890123,}', "out of range"),
    ],
)
def test_what_is_on_no_list_is_not_repaired(text: str, fault: str) -> None:
    with pytest.raises(BadAnswer) as bad:
        repair(text)
    assert bad.value.fault == fault


@pytest.mark.parametrize(
    "proposed",
    [{"a": 2}, {"a": 1.0}, {"a": True}, {"a": "1"}, {"b": 1}, {"a": 1, "b": 2}, {}, [{"a": 1}], "",
     None, {"a": [1]}],
)  # fmt: skip
def test_a_proposal_that_changes_a_value_is_a_fault(proposed: object) -> None:
    assert repair('{"a": 1,}', lambda text: {"a": 1}).values == {"a": 1}
    with pytest.raises(BadAnswer) as bad:
        repair('{"a": 1,}', lambda text: proposed)
    assert bad.value.fault == "changed by its repair"


def test_a_proposal_that_fails_is_a_fault() -> None:
    def fail(text: str) -> Any:
        raise ValueError("Multiple top-level JSON elements found in strict mode.")

    with pytest.raises(BadAnswer, match="no repair is proposed"):
        repair('{"a": 1,}', fail)


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ('{"a": "x", "b": "cut he', {"a": "x", "b": "cut he"}),
        ('{"a": "x", "a": "y",}', {"a": "y"}),
        ('{"n": 1,000}', {"n": "1,000"}),
        ('{"n": 03}', {"n": 3}),
        ('{"n": 1e999,}', {"n": float("inf")}),
        ('{"a": "\\x41",}', {"a": "A"}),
        ('{"a": ""Nice"",}', {"a": "Nice"}),
        ('{"a": ["x" "y"]}', {"a": ["x", "y"]}),
    ],
)
def test_what_json_repair_does_alone_is_refused(text: str, alone: object) -> None:
    """Should one of these fail by what is `alone`, json-repair has changed: look here again."""
    assert repair_json(text, return_objects=True, strict=True) == alone
    with pytest.raises(BadAnswer):
        repair(text)


@pytest.mark.parametrize(
    "said", ["Great value, fits well.", 'Keys like "b": 5', "```json\\n{1}\\n```", "ends with \\\""]
)  # fmt: skip
def test_a_text_that_nothing_could_end_is_not_shown(said: str) -> None:
    """json-repair alone changes each of these: it cuts at commas and takes fences off."""
    seen: list[str] = []

    def propose(text: str) -> Any:
        seen.append(text)
        return propose_repair(text)

    plain = said.replace('\\"', '"').replace("\\n", "\n")
    assert repair(f"{{“a”: “{said}”, 'text': 1,}}", propose).values == {"a": plain, "text": 1}
    assert "text" in seen[0]
    assert said not in seen[0]


def test_names_in_place_of_texts_are_not_taken_for_them() -> None:
    text = '{"a": "text0", "text1": "textt2", "b": "an "x" textt0",}'
    values = {"a": "text0", "text1": "textt2", "b": 'an "x" textt0'}
    assert repair(text).values == values
    assert repair('{"a": "x", text0: 1, text1: 2}').values == {"a": "x", "text0": 1, "text1": 2}


def test_pairs_of_escapes_are_one_character() -> None:
    text = '{"a": "\\ud83d\\ude00 \\u00e9 \\ud800x \\udc00", "b": 1,}'
    assert repair(text).values["a"] == "😀 é \ud800x \udc00"
    text = '{"a": "so "\\ud83d\\ude00x" y", "b": 1}'
    apart = {"text0": 'so "\ud83d\ude00x" y', "text1": 1}
    assert repair(text, lambda shown: apart).values == {"a": 'so "😀x" y', "b": 1}


def test_what_is_too_large_is_not_shown_to_a_library() -> None:
    def fail(text: str) -> Any:
        raise AssertionError("it was asked")

    with pytest.raises(BadAnswer, match="characters"):
        repair('{"a": "' + "x" * MOST_CHARS + '",}', fail)
    brackets = '{"a": "an "x" ' + "[" * MOST_BRACKETS + 'y",}'
    with pytest.raises(BadAnswer, match="brackets"):
        repair(brackets, fail)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ['"', '" ', '"/*', '"//', "'#", '": "', '", ', "\\\\", "x\n", "“"]
)
def test_time_is_bounded_by_length(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    for quotes in ('""', "''", "“”"):
        with pytest.raises(BadAnswer):
            repair(f'{{"a": {quotes[0]}{text}{quotes[1]}, "b": +}}')
