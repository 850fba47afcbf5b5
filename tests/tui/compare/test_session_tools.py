"""A comparison with tools: they reach the companion, and each answer keeps its parts."""

import asyncio
from typing import Any

from engine.answer_parts import AnswerParts
from engine.chat import Message, ToolCall
from engine.compare.arms import Arm
from engine.recipes.settings import Decode
from tests.tui.answering import sample_of
from tests.tui.conftest import FakeCompanion
from tui.compare.session import CompareSession
from tui.compare.views import Views
from tui.glyphs import UNICODE
from tui.screens.answer_side import Side, behaviour_line, conversation_lines, told

TOOLS = ({"type": "function", "function": {"name": "f"}},)
CALL = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
COUNTED = {"words": 1, "sentences": 1, "lines": 1, "tokens": 5, "seconds": 0.5, "finish": "stop",
           "calls": 1, "reasoning_words": 2}  # fmt: skip


def answered(text: str, **more: Any) -> Side:
    side = Side(Arm("a", "b"), "b").asked((Message("user", "x?"),))
    sample = sample_of("a=b", text, []) | more
    return told(side, {"event": "done", "sample": sample, "behaviour": COUNTED})


def texts(side: Side) -> list[str]:
    lines = conversation_lines(side, "base", UNICODE)
    return ["".join(text for text, _ in line) for line in lines]


async def test_a_prompt_s_tools_reach_every_arm() -> None:
    companion = FakeCompanion()
    session = CompareSession(lambda: companion, lambda: None)  # type: ignore[arg-type, return-value]
    session.set_sides([Side(Arm("a", "b"), "b")])
    session.ask((Message("user", "x?"),), Decode(), TOOLS)
    while session.busy:
        await asyncio.sleep(0)
    assert companion.tools == TOOLS
    session.follow("and?", Decode())
    while session.busy:
        await asyncio.sleep(0)
    assert companion.tools == TOOLS, "the conversation still has them"
    session.ask((Message("user", "y?"),), Decode())
    while session.busy:
        await asyncio.sleep(0)
    assert companion.tools == ()
    session.close()


def test_a_following_turn_gets_what_the_model_wrote_or_what_the_server_delivered() -> None:
    assert answered(f"I look.{CALL}").said[-1] == Message("assistant", f"I look.{CALL}")
    parts = AnswerParts("I look.", "Hm.", (ToolCall("f", "{}", "c1"),))
    apart = answered("I look.", **parts.to_table())
    assert apart.said[-1] == Message("assistant", "I look.", "Hm.", (ToolCall("f", "{}", "c1"),))
    assert texts(apart) == ["reasoning, 1 word", "│ Hm.", "", "I look.", "", "ƒ f()"]
    assert texts(apart.followed("and?"))[3:8] == ["I look.", "", "ƒ f()", "", "> and?"]


def test_a_call_that_is_not_complete_is_text_until_the_answer_is() -> None:
    side = Side(Arm("a", "b"), "b").asked((Message("user", "x?"),)).heard("<think>Hm.</think>I")
    assert texts(side) == ["reasoning, 1 word", "│ Hm.", "", "I"]
    assert texts(side.heard(' look.<tool_call>{"na'))[-1] == 'I look.<tool_call>{"na'
    assert "malformed" not in "".join(texts(side.heard("<tool_call>{")))


def test_words_are_compared_as_they_are_spoken_and_counted_so() -> None:
    left, right = answered(f"I look.{CALL}"), answered("<think>No.</think>I look.")
    views = Views()
    views.turn_pair(2)
    found = views.to_compare([left, right])
    assert found == ("I look.", "I look.")
    views.compare(found)
    panel = "".join(text for line in views.panel([left, right], 80, UNICODE) for text, _ in line)
    assert "word diff of the text" in panel
    last = views.last([left, right], 0, UNICODE) or []
    assert ["".join(text for text, _ in line) for line in last] == ["I look.", "", "ƒ f()"]
    feet = ["".join(text for text, _ in behaviour_line(side, "·", 80)) for side in (left, right)]
    assert feet[0].startswith(" 1 word of text · 1 call · ")
    assert feet[1].startswith(" 1 word of text · 1 word of reasoning · ")
