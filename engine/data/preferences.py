"""Preference pairs: the conversation with the better answer, and the one with the worse.

An answer is a text, a turn, a list of turns, the whole conversation as turns, or one as a
transcript. What is asked is a text or a conversation: where that ends in one of the two answers, it
is what is before; where it ends in a third one, nobody can say which of them is to be learned.
"""

from engine.chat import Message
from engine.data.history import put_history
from engine.data.messages import (
    are_turns,
    is_transcript,
    read_conversation,
    read_prompt,
    read_system,
    read_text,
    read_transcript,
    read_turns,
)
from engine.data.schemas import ANSWERS, CONVERSATIONS, WITH_HISTORY
from engine.data.values import BadRow, Row, is_missing
from engine.errors import EngineError

Conversation = tuple[Message, ...]


def parse_pair(row: Row, prompt: str, better: str) -> tuple[Conversation, Conversation]:
    """The conversation with the better answer, and the one with the worse.

    The other is empty where the row lacks it, or where it cannot be read: such a row can still
    teach the better answer. `prompt` is empty where the answers are whole conversations. Raises
    BadRow.
    """
    chosen = converse(row, prompt, better, better)
    worse = ANSWERS[better]
    try:
        rejected = converse(row, prompt, better, worse) if not is_missing(row.get(worse)) else ()
    except BadRow:
        rejected = ()
    return chosen, rejected


def refuse_without_pairs(data: str) -> EngineError:
    """The error of a data set for DPO of which no row has a rejected answer."""
    return EngineError(
        "DPO needs preference pairs, and this dataset has none.",
        data,
        "Set the columns (data.columns.chosen, data.columns.rejected), or set "
        "training.objective = sft.",
    )


def converse(row: Row, prompt: str, better: str, answered: str) -> Conversation:
    """The conversation that ends in this answer of a pair, `better` or its other. Raises BadRow."""
    answer = read_answer(row, answered)
    if answer[0].role == "user":
        answer = (*read_system(row), *answer)
    elif answer[0].role != "system":
        if not prompt:
            raise BadRow(f"no prompt: {answered!r} has only an answer")
        answer = (*_read_question(row, prompt, better), *answer)
    return put_history(row, answer) if prompt in WITH_HISTORY else answer


def _read_question(row: Row, prompt: str, better: str) -> Conversation:
    """What is asked; of a conversation that ends in one of the two answers, what is before it."""
    if is_missing(row.get(prompt)):
        raise BadRow(f"missing field {prompt!r}")
    read = read_conversation if prompt in CONVERSATIONS else read_prompt
    asked = read(row, prompt)
    if asked[-1].role != "assistant":
        return asked
    for field in (better, ANSWERS[better]):
        answer = _texts(_read_if_there(row, field))
        if answer and _texts(asked)[-len(answer) :] == answer:
            return asked[: -len(answer)]
    raise BadRow(f"{prompt!r} ends in an answer that is neither of the two")


def _read_if_there(row: Row, field: str) -> Conversation:
    """An answer; nothing where there is none, or where it cannot be read."""
    try:
        return () if is_missing(row.get(field)) else read_answer(row, field)
    except BadRow:
        return ()


def _texts(messages: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.content.strip()) for message in messages]


def read_answer(row: Row, field: str) -> Conversation:
    """One answer, or a whole conversation that begins with its prompt. Raises BadRow."""
    if are_turns(row[field]):
        return read_turns(row[field], field)
    text = read_text(row, field)
    if is_transcript(text):
        return read_transcript(text, field)
    return (Message("assistant", text),)
