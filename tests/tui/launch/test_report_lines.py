"""What panels say of the companion's report on data."""

import pytest

from engine.chat import Message, ToolCall
from engine.data.rows import Example, Reject, Rows
from engine.data.unpaired import LABELLED_FALSE
from tests.tui.conftest import report_of
from tui.glyphs import ASCII, UNICODE
from tui.launch.pick_rows import rows_shown
from tui.launch.report_lines import facts, oddities, rows_lines


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("labelled_false", "1,200 rows labelled false: not trained on"),
        ("greetings", "1,200 rows open with an answer: it is not trained on"),
        ("marks", "the text of 1,200 rows contains special tokens"),
        ("seams", "1,200 rows have a token that spans prompt and answer"),
    ],
)
def test_what_is_odd_is_said_before_it_is_learned(part: str, words: str) -> None:
    assert list(oddities(report_of("a", "b"))) == []
    assert list(oddities(report_of("a", "b", **{part: {"rows": 1200, "example": "d:1"}}))) == [
        words
    ]


def test_what_rows_say_and_nobody_reads_is_said() -> None:
    unread = {"columns": {"source": 9, "i\x1bd": 9}, "keys": {"mood": 1}, "further": 2}
    assert list(oddities(report_of("a", "b", unread=unread))) == [
        "unread columns: source, i␛d (9 rows)",
        "unread keys of messages: mood (1 row)",
        "more unread names in 2 rows",
    ]


def test_a_row_that_is_labelled_false_is_not_called_invalid() -> None:
    rejects = [Reject("d/a.jsonl", 7, LABELLED_FALSE, ""), Reject("d/a.jsonl", 8, "no answer", "")]
    lines = rows_shown(Rows([], rejects, "prompt/completion"), UNICODE)
    assert lines == [
        [("not trained a.jsonl:7: labelled false", "dim")],
        [("invalid a.jsonl:8: no answer", "bad")],
    ]


def test_a_conversation_of_several_rows_and_what_helps_against_rejects_are_said() -> None:
    report = report_of("a", "b", divided={"examples": 2, "rows": 5}, remedy="Correct the rows.")
    report["rows"] = [report["rows"][0] | {"part": 2, "parts": 3}]
    report["rejects"] = [{"file": "d/a.jsonl", "line": 7, "reason": "no answer"}]
    lines = ["".join(text for text, _ in line) for line in rows_lines(report, ASCII)]
    assert lines[:2] == ["invalid a.jsonl:7: no answer", "Correct the rows."]
    assert any("part 2 of 3" in line for line in lines)
    assert "5 rows of 2 conversations" in facts(report)


def test_rows_show_calls_results_and_what_is_not_trained() -> None:
    talk = (
        Message("user", "Weather?"),
        Message("assistant", "", "I look.", (ToolCall("get_weather", '{"city": "Oslo"}'),)),
        Message("tool", "4 C", name="get_weather"),
        Message("assistant", "Cold.", trained=False),
        Message("assistant", "It is 4 C."),
    )
    lines = rows_shown(Rows([Example(talk, "rows.jsonl:1")], [], "messages"), UNICODE)
    texts = ["".join(text for text, _ in line) for line in lines]
    assert any('get_weather(city="Oslo")' in text for text in texts)
    assert any("I look." in text for text in texts)
    assert any("4 C" in text and text.startswith("tool") for text in texts)
    roles = {text: role for line in lines for text, role in line}
    assert (roles["It is 4 C."], roles["Cold."]) == ("tuned", "")
