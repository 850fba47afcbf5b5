"""The schemas of data rows: which fields a row has, by name, and what kind of row that makes it.

One schema a file: which one is told by the names of the fields, so that a row that lacks one can be
refused by the field's name. `engine.data.columns` picks one. Reads no value: what the fields hold
is `engine.data.parse`.
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
_TURN = (
    {"role", "content"},
    {"from", "value"},
    {"role", "tool_calls"},
    {"role", "function_call"},
)
PROMPTS = ("prompt", "question", "instruction", "query", "input")
CONVERSATIONS = ("messages", "conversations")
TOOL_COLUMNS = ("tools", "functions")
"""`functions` is OpenAI's older name."""
MEDIA = ("images", "image", "videos", "video", "audios", "audio")
"""Read only to refuse a row that has one."""
WITH_HISTORY = ("instruction", "prompt", "query")
"""Prompts that earlier turns stand beside: of LLaMA-Factory, ChatGLM and ms-swift. Beside a
question, `history` may be a school subject."""
_ALWAYS = ("system", *TOOL_COLUMNS, *MEDIA)


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One way in which the rows of a schema may name their fields."""

    name: str
    """Of the schema; several may share it."""
    fields: tuple[str, ...]
    """A row must have them all."""
    kind: str
    more: tuple[str, ...] = _ALWAYS
    """Fields that are read where they are there."""

    @property
    def answers(self) -> tuple[str, str]:
        """Of a pair: the fields of the better and of the worse answer."""
        better = next(field for field in self.fields if field in ANSWERS)
        return better, ANSWERS[better]


def is_pair(name: str) -> bool:
    """Whether rows of the schema of this name may be preference pairs."""
    return any(schema.kind == "pair" for schema in FIELD_SCHEMAS if schema.name == name)


def is_turn(value: object) -> bool:
    """Whether a value is one turn, by its keys; those of lists are columns of turns."""
    if not isinstance(value, Mapping) or not any(map(value.keys().__ge__, _TURN)):
        return False
    return not isinstance(value["role" if "role" in value else "from"], list)


def are_turns(value: object) -> bool:
    """Whether a value is a conversation by itself: a list of nothing but turns."""
    return isinstance(value, list) and bool(value) and all(map(is_turn, value))


def _beside(prompt: str) -> tuple[str, ...]:
    """The fields that are read beside a prompt."""
    more = ("input", "context") if prompt == "instruction" else ()
    return (*_ALWAYS, *more, *(("history",) if prompt in WITH_HISTORY else ()))


def _field_schemas() -> Iterator[FieldSchema]:
    yield FieldSchema("samples", ("messages", "text", "finish", "output_ids"), "sample", ())
    for field in CONVERSATIONS:
        yield FieldSchema(field, (field,), "turns", (*_ALWAYS, "label"))
    for prompt, answer in (("instruction", "output"), ("instruction", "response")):
        more = (*_beside(prompt), "label")
        yield FieldSchema(f"{prompt}/{answer}", (prompt, answer), "answer", more)
    for better, worse in ANSWERS.items():
        for prompt in (*PROMPTS, *CONVERSATIONS):
            more = (*_beside(prompt), worse)
            yield FieldSchema(f"{prompt}/{better}/{worse}", (prompt, better), "pair", more)
        yield FieldSchema(f"{better}/{worse}", (better, worse), "pair")
    for prompt, answer in (
        ("prompt", "completion"), ("prompt", "response"), ("prompt", "answer"),
        ("question", "answer"), ("question", "response"), ("query", "response"),
        ("input", "output"),
    ):  # fmt: skip
        more = (*_beside(prompt), "label")
        yield FieldSchema(f"{prompt}/{answer}", (prompt, answer), "answer", more)
    for text in _TEXTS:
        for label in _LABELS:
            yield FieldSchema(LABEL, (text, label), "label")
    yield FieldSchema("text", ("text",), "text", MEDIA)


FIELD_SCHEMAS = tuple(_field_schemas())
"""In the order in which they are tried."""

PROMPT_SCHEMAS = (
    FieldSchema("messages", ("messages",), "turns"),
    FieldSchema("conversations", ("conversations",), "turns"),
    *(FieldSchema(field, (field,), "prompt", _beside(field)) for field in ("prompt", "text")),
    *(FieldSchema(field, (field,), "prompt", _beside(field)) for field in PROMPTS[1:]),
    FieldSchema("turns", ("turns",), "questions"),
)
"""Of rows that are asked and need no answer: nothing is trained on them."""
