"""What the fields of a data row mean, and what is learned from such a row.

One schema a file: which one is told by the names of the fields, so that a row that lacks one can be
refused by the field's name. `engine.data.columns` lets a recipe say otherwise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.chat import Message
from engine.data.labels import convert_label
from engine.data.messages import (
    BadRow,
    Row,
    are_turns,
    read_conversation,
    read_text,
    read_turns,
    say,
)
from engine.data.preferences import ANSWERS, PROMPTS, converse, convert_pair, read_prompt
from engine.recipes.settings import Data

__all__ = [
    "FIELD_SCHEMAS",
    "LABEL",
    "BadRow",
    "FieldSchema",
    "ParsedRow",
    "convert",
    "recognise",
]

LABEL = "text/label"
_TEXTS = ("text", "sentence", "review")
_LABELS = ("label_name", "label_text", "label", "labels", "class", "category", "sentiment")
"""Names before numbers, where a file has both."""


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One way in which the rows of a schema may name their fields."""

    name: str
    """Of the schema; several may share it."""
    fields: tuple[str, ...]
    """A row must have them all."""
    kind: str
    more: tuple[str, ...] = ("system",)
    """Fields that are read where they are there."""


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """What one row teaches: a conversation, maybe with a worse one, or a plain text."""

    messages: tuple[Message, ...] = ()
    rejected: tuple[Message, ...] = ()
    text: str = ""


def recognise(row: object) -> str | None:
    """The schema's name by the fields that a row has; None where no schema fits."""
    if not isinstance(row, Mapping):
        return None
    return next(
        (one.name for one in FIELD_SCHEMAS if all(field in row for field in one.fields)), None
    )


def convert(
    row: object, schema: FieldSchema, data: Data, labels: Sequence[str] = ()
) -> list[ParsedRow]:
    """What a row teaches; two things where both answers of a pair are to be learned.

    A conversation has at least one user turn and one answer that is not empty. `labels` are all
    those of the file. Raises BadRow with the reason.
    """
    if not isinstance(row, Mapping):
        raise BadRow(f"a row must be an object with fields, this is {say(row)}")
    missing = [field for field in schema.fields if row.get(field) is None]
    if missing:
        raise BadRow(f"missing field {' and '.join(repr(field) for field in missing)}")
    if schema.kind == "text":
        return [ParsedRow(text=read_text(row, schema.fields[0]))]
    if schema.kind == "label":
        text, label = schema.fields
        return [ParsedRow(convert_label(row, text, label, data.label_prompt, labels))]
    if schema.kind == "pair":
        return _convert_pair(row, schema, data.answers)
    return [ParsedRow(_check(_CONVERTERS[schema.kind](row, schema)))]


def _check(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if not any(message.role == "user" for message in messages):
        raise BadRow("no user message to answer")
    if not any(message.role == "assistant" for message in messages):
        raise BadRow("no answer to learn")
    return messages


def _convert_pair(row: Row, schema: FieldSchema, answers: str) -> list[ParsedRow]:
    """The better answer beside the worse, or the worse one alone, or each for itself."""
    better = next(field for field in schema.fields if field in ANSWERS)
    asked = "" if schema.fields[0] == better else schema.fields[0]
    if answers == "chosen":
        chosen, rejected = convert_pair(row, asked, better)
        return [ParsedRow(_check(chosen), rejected)]
    worse = ANSWERS[better]
    if row.get(worse) is None:
        raise BadRow(f"missing field {worse!r}")
    wanted = [worse] if answers == "rejected" else [better, worse]
    return [ParsedRow(_check(converse(row, asked, answer))) for answer in wanted]


def _convert_answer(row: Row, schema: FieldSchema) -> tuple[Message, ...]:
    """A prompt and an answer, each a text or a list of turns; the answer's may begin with it."""
    asked, answered = schema.fields
    if not are_turns(row[answered]):
        return (*read_prompt(row, asked), Message("assistant", read_text(row, answered)))
    turns = read_turns(row[answered], answered)
    return turns if turns[0].role != "assistant" else (*read_prompt(row, asked), *turns)


def _convert_turns(row: Row, schema: FieldSchema) -> tuple[Message, ...]:
    return read_conversation(row, schema.fields[0])


def _convert_sample(row: Row, schema: FieldSchema) -> tuple[Message, ...]:
    """A prompt and what a model answered; only an answer that ended by itself can teach to end."""
    if row["finish"] != "stop":
        raise BadRow(f"the answer did not end by itself: {str(row['finish'])[:40]!r}")
    return (*read_turns(row["messages"], "messages"), Message("assistant", read_text(row, "text")))


_CONVERTERS: Mapping[str, Callable[[Row, FieldSchema], tuple[Message, ...]]] = {
    "answer": _convert_answer,
    "turns": _convert_turns,
    "sample": _convert_sample,
}


def _field_schemas() -> Iterator[FieldSchema]:
    yield FieldSchema("samples", ("messages", "text", "finish", "output_ids"), "sample", ())
    for field in ("messages", "conversations"):
        yield FieldSchema(field, (field,), "turns")
    for asked, answered in (("instruction", "output"), ("instruction", "response")):
        more = ("system", "input", "context")
        yield FieldSchema(f"{asked}/{answered}", (asked, answered), "answer", more)
    for better, worse in ANSWERS.items():
        for asked in PROMPTS:
            more = ("system", worse, *(("input", "context") if asked == "instruction" else ()))
            yield FieldSchema(f"{asked}/{better}/{worse}", (asked, better), "pair", more)
        yield FieldSchema(f"{better}/{worse}", (better, worse), "pair")
    for asked, answered in (
        ("prompt", "completion"), ("prompt", "response"), ("prompt", "answer"),
        ("question", "answer"), ("question", "response"), ("query", "response"),
        ("input", "output"),
    ):  # fmt: skip
        yield FieldSchema(f"{asked}/{answered}", (asked, answered), "answer")
    for text in _TEXTS:
        for label in _LABELS:
            yield FieldSchema(LABEL, (text, label), "label")
    yield FieldSchema("text", ("text",), "text", ())


FIELD_SCHEMAS = tuple(_field_schemas())
"""In the order in which they are tried: the first that fits a row is its own."""
