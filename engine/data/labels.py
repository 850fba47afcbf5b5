"""Texts with a label: the label's name, the labels of a whole file, the instruction made of them.

The words of the instruction are the recipe's `label_prompt`; its own are given here.
"""

from collections.abc import Iterable, Mapping, Sequence

from engine.chat import Message
from engine.data.messages import BadRow, Row, check_text, read_system, read_text
from engine.data.values import say, write_value
from engine.errors import EngineError

LISTED_PROMPT = "Which label fits this text? Answer with one of: {labels}.\n\n{text}"
PLAIN_PROMPT = "Which label fits this text?\n\n{text}"
"""For sets of more than MOST_LISTED labels."""
MOST_LISTED = 50
_MOST = 10_000
"""Different labels in a file; beyond, they are no labels."""


def check_prompt(prompt: str) -> None:
    """Raise EngineError for a label prompt that would lose the text."""
    if prompt and "{text}" not in prompt:
        raise EngineError(
            "The label prompt has no {text}.",
            f"data.label_prompt = {prompt!r}",
            "Use {text} for the text and {labels} for the list of labels.",
        )


def wants_labels(prompt: str) -> bool:
    """Whether the labels of the whole file must be known to write the prompt."""
    return not prompt or "{labels}" in prompt


def read_label(row: Row, field: str) -> str:
    """The label's name; a number's digits. Raises BadRow."""
    value = write_value(row[field])
    if not isinstance(value, str):
        raise BadRow(f"field {field!r} must be text or an integer, not {say(value)}")
    check_text(value, f"field {field!r}")
    if not value.strip():
        raise BadRow(f"empty {field!r}")
    return value.strip()


def collect(rows: Iterable[object], field: str, where: str) -> tuple[str, ...]:
    """The different labels of all rows, sorted: numbers by size, else by the alphabet.

    Raises EngineError where there are so many that they cannot be labels.
    """
    labels: set[str] = set()
    for row in rows:
        if not isinstance(row, Mapping) or row.get(field) is None:
            continue
        try:
            labels.add(read_label(row, field))
        except BadRow:
            continue  # refused when it is parsed
        if len(labels) > _MOST:
            raise EngineError(
                f"the column {field!r} has more than {_MOST:,} labels",
                where,
                "Set the schema (data.schema) or the columns (data.columns).",
            )
    numbers = all(label.lstrip("-").isdecimal() for label in labels)
    return tuple(sorted(labels, key=int) if numbers else sorted(labels))


def parse_label(
    row: Row, text_field: str, label_field: str, prompt: str, labels: Sequence[str]
) -> tuple[Message, ...]:
    """The instruction with this row's text, and its label as the answer. Raises BadRow."""
    text, label = read_text(row, text_field), read_label(row, label_field)
    usual = LISTED_PROMPT if 0 < len(labels) <= MOST_LISTED else PLAIN_PROMPT
    before, _, after = (prompt or usual).partition("{text}")
    # The text comes last, so that no brace in it is taken for a place to fill.
    before, after = (part.replace("{labels}", ", ".join(labels)) for part in (before, after))
    question = f"{before}{text}{after.replace('{text}', text)}"
    return (*read_system(row), Message("user", question), Message("assistant", label))
