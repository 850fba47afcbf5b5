"""Preference pairs: which columns hold the better and the worse answer, and both conversations.

An answer is a text, a list of turns, the whole conversation as turns, or one as a transcript.
"""

from collections.abc import Mapping

from engine.chat import Message
from engine.data.messages import (
    BadRow,
    Row,
    are_turns,
    is_transcript,
    read_conversation,
    read_system,
    read_text,
    read_transcript,
    read_turns,
)

Conversation = tuple[Message, ...]

ANSWERS: Mapping[str, str] = {
    "chosen": "rejected",
    "response_j": "response_k",
    "chosen_response": "rejected_response",
    "response_chosen": "response_rejected",
    "preferred": "dispreferred",
    "accepted": "rejected",
}
"""The better answer's column to the worse one's."""
PROMPTS = ("prompt", "question", "instruction", "query", "input")


def convert_pair(row: Row, asked: str, better: str) -> tuple[Conversation, Conversation]:
    """The conversation with the better answer, and the one with the worse.

    The other is empty where the row lacks it, or where it cannot be read: such a row can still
    teach the better answer. `asked` is empty where the answers are whole conversations. Raises
    BadRow.
    """
    chosen = converse(row, asked, better)
    worse = ANSWERS[better]
    try:
        rejected = converse(row, asked, worse) if row.get(worse) is not None else ()
    except BadRow:
        rejected = ()
    return chosen, rejected


def converse(row: Row, asked: str, answered: str) -> Conversation:
    """The conversation that ends in this answer. Raises BadRow."""
    answer = read_answer(row, answered)
    if answer[0].role == "system":
        return answer
    if answer[0].role == "user":
        return (*read_system(row), *answer)
    if not asked:
        raise BadRow(f"no prompt, and {answered!r} is an answer alone")
    return (*read_prompt(row, asked), *answer)


def read_answer(row: Row, field: str) -> Conversation:
    """One answer, or a whole conversation that begins with its prompt. Raises BadRow."""
    if are_turns(row[field]):
        return read_turns(row[field], field)
    text = read_text(row, field)
    if is_transcript(text):
        return read_transcript(text, field)
    return (Message("assistant", text),)


def read_prompt(row: Row, field: str) -> Conversation:
    """What is asked, with the row's system message. An instruction brings its input along.

    Raises BadRow.
    """
    if are_turns(row[field]):
        return read_conversation(row, field)
    if field != "instruction":
        return (*read_system(row), Message("user", read_text(row, field)))
    parts = [read_text(row, field, empty=True)]
    parts += [read_text(row, more, empty=True) for more in ("input", "context") if row.get(more)]
    prompt = "\n\n".join(part for part in parts if part.strip())
    if not prompt:
        raise BadRow("empty 'instruction'")
    return (*read_system(row), Message("user", prompt))
