"""The conversations that every template is asked to write."""

from engine.chat import ROLES, message_from_json
from engine.release.conversations import probe_conversations


def test_there_are_twenty_of_every_kind() -> None:
    asked = probe_conversations(["<|a|>", "<|b|>"])

    assert len({one.name for one in asked}) == len(asked) == 20
    turns = [turn for one in asked for turn in one.messages]
    assert {turn.role for turn in turns} == set(ROLES)
    assert {one.answer_next for one in asked} == {True, False}
    assert sum(bool(one.tools) for one in asked) == 5
    assert sum(one.messages[0].role == "system" for one in asked) == 8
    assert any(turn.reasoning for turn in turns)
    assert any(len(turn.tool_calls) == 2 for turn in turns)
    assert any(turn.role == "user" and not turn.content for turn in turns)
    assert any(turn.role == "user" and "<|a|><|b|>" in turn.content for turn in turns)
    assert any(not turn.content.isascii() for turn in turns)


def test_turns_end_with_a_question_where_an_answer_is_next() -> None:
    for one in probe_conversations():
        assert one.answer_next == (one.messages[-1].role != "assistant"), one.name


def test_results_belong_to_calls() -> None:
    for one in probe_conversations():
        calls = {call.id for turn in one.messages for call in turn.tool_calls}
        assert calls == {turn.tool_call_id for turn in one.messages if turn.role == "tool"}


def test_they_are_messages_as_a_file_has_them() -> None:
    for one in probe_conversations():
        for turn in one.messages:
            assert message_from_json(turn.to_json()) == turn
