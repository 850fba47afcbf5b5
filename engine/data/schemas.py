"""The schemas of data rows: which fields a row has, by name, and what kind of row that makes it.

One schema a file: which one is told by the names of the fields, so that a row that lacks one can be
refused by the field's name. `engine.data.columns` lets a recipe say otherwise. Reads no value:
what the fields hold is `engine.data.parse`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LABEL = "text/label"
_TEXTS = ("text", "sentence", "review")
_LABELS = ("label_name", "label_text", "label", "labels", "class", "category", "sentiment")
"""Names before numbers, where a file has both."""
ANSWERS: Mapping[str, str] = {
    "chosen": "rejected",
    "response_j": "response_k",
    "chosen_response": "rejected_response",
    "response_chosen": "response_rejected",
    "preferred": "dispreferred",
    "accepted": "rejected",
}
"""The better answer's column to the worse one's."""
_TURN = ({"role", "content"}, {"from", "value"})
PROMPTS = ("prompt", "question", "instruction", "query", "input")


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


def recognise(row: object) -> str | None:
    """The schema's name by the fields that a row has; None where no schema fits."""
    if not isinstance(row, Mapping):
        return None
    return next(
        (one.name for one in FIELD_SCHEMAS if all(field in row for field in one.fields)), None
    )


def are_turns(value: object) -> bool:
    """Whether a value is a conversation by itself: a list of nothing but turns."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, Mapping) and any(map(turn.keys().__ge__, _TURN)) for turn in value)
    )


def _field_schemas() -> Iterator[FieldSchema]:
    yield FieldSchema("samples", ("messages", "text", "finish", "output_ids"), "sample", ())
    for field in ("messages", "conversations"):
        yield FieldSchema(field, (field,), "turns")
    for prompt, answer in (("instruction", "output"), ("instruction", "response")):
        more = ("system", "input", "context")
        yield FieldSchema(f"{prompt}/{answer}", (prompt, answer), "answer", more)
    for better, worse in ANSWERS.items():
        for prompt in PROMPTS:
            more = ("system", worse, *(("input", "context") if prompt == "instruction" else ()))
            yield FieldSchema(f"{prompt}/{better}/{worse}", (prompt, better), "pair", more)
        yield FieldSchema(f"{better}/{worse}", (better, worse), "pair")
    for prompt, answer in (
        ("prompt", "completion"), ("prompt", "response"), ("prompt", "answer"),
        ("question", "answer"), ("question", "response"), ("query", "response"),
        ("input", "output"),
    ):  # fmt: skip
        yield FieldSchema(f"{prompt}/{answer}", (prompt, answer), "answer")
    for text in _TEXTS:
        for label in _LABELS:
            yield FieldSchema(LABEL, (text, label), "label")
    yield FieldSchema("text", ("text",), "text", ())


FIELD_SCHEMAS = tuple(_field_schemas())
"""In the order in which they are tried: the first that fits a row is its own."""

PROMPT_SCHEMAS = (
    FieldSchema("messages", ("messages",), "turns"),
    FieldSchema("conversations", ("conversations",), "turns"),
    FieldSchema("prompt", ("prompt",), "prompt"),
    FieldSchema("text", ("text",), "prompt"),
    FieldSchema("question", ("question",), "prompt"),
    FieldSchema("instruction", ("instruction",), "prompt", ("system", "input", "context")),
    FieldSchema("query", ("query",), "prompt"),
    FieldSchema("input", ("input",), "prompt"),
    FieldSchema("turns", ("turns",), "questions"),
)
"""Of rows that are asked and need no answer: nothing is trained on them."""
