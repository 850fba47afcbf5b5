"""Preference pairs: the conversation with the better answer, and the one with the worse.

An answer is a text, a list of turns, the whole conversation as turns, or one as a transcript.
"""

from engine.chat import Message
from engine.data.messages import (
    are_turns,
    is_transcript,
    read_prompt,
    read_system,
    read_text,
    read_transcript,
    read_turns,
)
from engine.data.schemas import ANSWERS
from engine.data.values import BadRow, Row, is_missing

Conversation = tuple[Message, ...]


def parse_pair(row: Row, prompt: str, better: str) -> tuple[Conversation, Conversation]:
    """The conversation with the better answer, and the one with the worse.

    The other is empty where the row lacks it, or where it cannot be read: such a row can still
    teach the better answer. `prompt` is empty where the answers are whole conversations. Raises
    BadRow.
    """
    chosen = converse(row, prompt, better)
    worse = ANSWERS[better]
    try:
        rejected = converse(row, prompt, worse) if not is_missing(row.get(worse)) else ()
    except BadRow:
        rejected = ()
    return chosen, rejected


def converse(row: Row, prompt: str, answered: str) -> Conversation:
    """The conversation that ends in this answer. Raises BadRow."""
    answer = read_answer(row, answered)
    if answer[0].role == "system":
        return answer
    if answer[0].role == "user":
        return (*read_system(row), *answer)
    if not prompt:
        raise BadRow(f"no prompt: {answered!r} has only an answer")
    return (*read_prompt(row, prompt), *answer)


def read_answer(row: Row, field: str) -> Conversation:
    """One answer, or a whole conversation that begins with its prompt. Raises BadRow."""
    if are_turns(row[field]):
        return read_turns(row[field], field)
    text = read_text(row, field)
    if is_transcript(text):
        return read_transcript(text, field)
    return (Message("assistant", text),)
