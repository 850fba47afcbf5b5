"""A raw row, its schema known, as what it teaches: the one door from fields to messages.

Knows no file and no column of the user's: rows come under the schema's own names. Each kind of
schema has one parser. Every fault is a `BadRow` whose text is the reason.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.chat import Message, Tools
from engine.data.history import put_history
from engine.data.labels import parse_label
from engine.data.messages import (
    are_turns,
    read_conversation,
    read_prompt,
    read_system,
    read_text,
    read_turns,
)
from engine.data.preferences import converse, parse_pair
from engine.data.schemas import WITH_HISTORY, FieldSchema
from engine.data.tool_fields import read_tools
from engine.data.values import BadRow, Row, is_missing, say
from engine.recipes.settings import Data


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """What one row teaches: a conversation, maybe with a worse one, or a plain text."""

    messages: tuple[Message, ...] = ()
    rejected: tuple[Message, ...] = ()
    text: str = ""
    tools: Tools = field(default=(), hash=False)


def parse_row(
    row: object,
    schema: FieldSchema,
    data: Data,
    labels: Sequence[str] = (),
    *,
    answered: bool = True,
) -> list[ParsedRow]:
    """What a row teaches; two things where both answers of a pair are to be learned.

    A conversation has at least one user turn and one answer that is not empty; of rows that are
    only asked (`answered` is False), a user turn. `labels` are all those of the file. Raises BadRow
    with the reason.
    """
    if not isinstance(row, Mapping):
        raise BadRow(f"a row must be an object, not {say(row)}")
    missing = [field for field in schema.fields if is_missing(row.get(field))]
    if missing and not (schema.kind == "pair" and schema.answers[0] not in missing):
        raise BadRow(f"missing field {' and '.join(repr(field) for field in missing)}")
    if schema.kind == "text":
        return [ParsedRow(text=read_text(row, schema.fields[0]))]
    if schema.kind == "label":
        text, label = schema.fields
        return [ParsedRow(parse_label(row, text, label, data.label_prompt, labels))]
    if schema.kind == "pair":
        parsed_rows = _parse_answers(row, schema, data.answers)
    else:
        parsed_rows = [ParsedRow(_check(_PARSERS[schema.kind](row, schema), answered=answered))]
    tools = read_tools(row) if data.tools == "keep" else ()
    return [_apply_options(replace(parsed, tools=tools), data) for parsed in parsed_rows]


def _apply_options(parsed: ParsedRow, data: Data) -> ParsedRow:
    """The row without the reasoning that the recipe leaves out."""
    if data.reasoning == "keep":
        return parsed
    messages, rejected = (
        tuple(replace(message, reasoning="") for message in conversation)
        for conversation in (parsed.messages, parsed.rejected)
    )
    return replace(parsed, messages=messages, rejected=rejected)


def _check(messages: tuple[Message, ...], *, answered: bool = True) -> tuple[Message, ...]:
    if not any(message.role == "user" for message in messages):
        raise BadRow("no user message to answer")
    if answered and not any(message.role == "assistant" for message in messages):
        raise BadRow("no answer to train on")
    return messages


def _parse_answers(row: Row, schema: FieldSchema, answers: str) -> list[ParsedRow]:
    """The better answer beside the worse, or the worse one alone, or each for itself."""
    better, worse = schema.answers
    prompt = "" if schema.fields[0] == better else schema.fields[0]
    if answers == "chosen":
        chosen, rejected = parse_pair(row, prompt, better)
        return [ParsedRow(_check(chosen), rejected)]
    if is_missing(row.get(worse)):
        raise BadRow(f"missing field {worse!r}")
    learned = [worse] if answers == "rejected" else [better, worse]
    return [ParsedRow(_check(converse(row, prompt, better, answer))) for answer in learned]


def _parse_answer(row: Row, schema: FieldSchema) -> tuple[Message, ...]:
    """A prompt and an answer, each a text or turns, after earlier turns; the answer's turns may
    begin with the prompt's.
    """
    prompt, answer = schema.fields
    if not are_turns(row[answer]):
        messages = (*read_prompt(row, prompt), Message("assistant", read_text(row, answer)))
    else:
        turns = read_turns(row[answer], answer)
        is_whole = turns[0].role != "assistant"
        messages = (
            read_conversation(row, answer) if is_whole else (*read_prompt(row, prompt), *turns)
        )
    return put_history(row, messages) if prompt in WITH_HISTORY else messages


def _parse_turns(row: Row, schema: FieldSchema) -> tuple[Message, ...]:
    return read_conversation(row, schema.fields[0])


def _parse_prompt(row: Row, schema: FieldSchema) -> tuple[Message, ...]:
    (prompt,) = schema.fields
    messages = read_prompt(row, prompt)
    return put_history(row, messages) if prompt in WITH_HISTORY else messages


def _parse_questions(row: Row, schema: FieldSchema) -> tuple[Message, ...]:
    """The first of MT-Bench's questions, which follow on each other's answers; or turns."""
    (field,) = schema.fields
    questions = list_questions(row[field])
    if questions:
        return (*read_system(row), Message("user", read_text({field: questions[0]}, field)))
    return read_conversation(row, field)


def list_questions(value: object) -> list[str]:
    """The texts of a list of nothing but texts, be it JSON in a cell; else none."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    texts = [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
    return texts if isinstance(value, list) and len(texts) == len(value) else []


def _parse_sample(row: Row, schema: FieldSchema) -> tuple[Message, ...]:
    """A prompt and what a model answered; only an answer that ended by itself can teach to end.

    Its reasoning and its calls are read where they stand beside the text: of an endpoint's answer
    the text alone does not hold them.
    """
    if row["finish"] != "stop":
        raise BadRow(f"the answer is truncated: {str(row['finish'])[:40]!r}")
    asked = read_turns(row["messages"], "messages")
    if is_missing(row.get("spoken")):
        return (*asked, Message("assistant", read_text(row, "text")))
    if not is_missing(row.get("malformed_calls")) or not is_missing(row.get("lost_calls")):
        raise BadRow("the answer has a tool call that is malformed or was lost")
    answer = {
        "role": "assistant",
        "content": row["spoken"],
        "reasoning_content": row.get("reasoning"),
        "tool_calls": row.get("tool_calls"),
    }
    return (*asked, *read_turns([answer], "answer"))


_PARSERS: Mapping[str, Callable[[Row, FieldSchema], tuple[Message, ...]]] = {
    "answer": _parse_answer,
    "prompt": _parse_prompt,
    "questions": _parse_questions,
    "turns": _parse_turns,
    "sample": _parse_sample,
}
