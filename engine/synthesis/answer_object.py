"""From a raw answer to values: the one object that it holds, or the value of one field.

What stands around an object is set aside (reasoning, fences, prose); the object is read by the
standard decoder, and only where that refuses it, and the answer ended by itself, by a repair that
`engine.synthesis.repairs` proves. Refuses to choose among two objects or doubled keys, and to
complete what was cut. Raises BadAnswer, and nothing else whatever the answer is.
"""

from collections.abc import Callable
from typing import Any

from engine.compare.samples import Finish
from engine.synthesis.field_values import Value
from engine.synthesis.outcomes import Repair
from engine.synthesis.row_schema import RowSchema

ProposeRepair = Callable[[str], Any]
"""What a text that begins and ends with the braces of one object is taken to mean; raises
ValueError. The worker's is json-repair, which is not trusted."""


def strip_answer(text: str) -> str:
    """The answer without its reasoning, also one that the prompt opened, and without a fence
    around all of it."""
    raise NotImplementedError


def read_object(
    text: str, finish: Finish, schema: RowSchema, propose: ProposeRepair | None = None
) -> tuple[dict[str, Value], tuple[Repair, ...]]:
    """The values of the one object of an answer, and what was repaired for it.

    `propose`: None repairs nothing. Raises BadAnswer.
    """
    raise NotImplementedError
