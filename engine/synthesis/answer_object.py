"""From a raw answer to values: the one object that it holds, or the value of one field.

What stands around an object is set aside (reasoning, a fence, prose); the object is read by the
standard decoder, and only where that refuses it, and the answer ended by itself, by a repair that
`engine.synthesis.repairs` proves. Refuses to choose among two objects or doubled keys, and to
complete what was cut. Raises BadAnswer, and nothing else whatever the answer is. Reasoning that the
prompt opened and that never ends has no mark in the text: give `Sample.spoken`, which knows of it.
"""

import json
import re
from typing import Any, NoReturn

from engine.answer_parts import split_growing
from engine.compare.samples import Finish
from engine.synthesis.field_values import Value, exact_float
from engine.synthesis.object_reader import OPENING, QUOTE_IN_TEXT
from engine.synthesis.outcomes import BadAnswer, Repair
from engine.synthesis.repairs import ProposeRepair, repair_object
from engine.synthesis.row_schema import RowSchema

CODE_FENCE, TEXT_AROUND = "code fence", "text around"
"""Kinds of repair that take something off around an answer, and change nothing within it."""
MOST_CHARS = 200_000
"""Of an answer that is read at all."""
DEEPEST = 16
"""Brackets within brackets; the decoder recurses at each."""
_FENCE = re.compile(
    r"\A\s*(?P<fence>`{3,16}|~{3,16})[^\n`]*\n(?P<inside>.*?)\n?(?P=fence)\s*\Z", re.DOTALL
)
_FENCE_LINE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})\w*[ \t]*$", re.MULTILINE)
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
_OBJECT_END = re.compile(r"[\"'”][^{}\"'”]*+\}")
"""How an object ends whose last text, or last key, has quotes; braces in prose hold none."""
_THOUGHTS_END = re.compile(r"(?:</think>|\[/THINK\])\s*(?:`{3,16}\w*\s*)?")


def strip_answer(text: str) -> str:
    """The answer without its reasoning, also one that the prompt opened, and without a fence
    around all of it."""
    spoken = split_growing(text).spoken.strip()
    fence = _FENCE.match(spoken)
    if fence is None or _FENCE_LINE.search(fence["inside"]):
        return spoken
    return fence["inside"].strip()


def read_object(
    text: str, finish: Finish, schema: RowSchema, propose: ProposeRepair | None = None
) -> tuple[dict[str, Value], tuple[Repair, ...]]:
    """The values of the one object of an answer, and what was repaired for it.

    `propose`: None repairs nothing. Raises BadAnswer.
    """
    if len(text) > MOST_CHARS:
        raise BadAnswer("too large", f"{len(text)} characters, at most {MOST_CHARS}")
    spoken = _skip_thoughts(split_growing(text).spoken.strip())
    if not spoken:
        raise BadAnswer("cut" if finish != "stop" else "empty")
    opening = OPENING.search(spoken)
    if opening is None:
        raise BadAnswer("cut" if finish != "stop" else "no object")
    begin = opening.start()
    values, end, kinds = _read_at(spoken, begin, finish, propose)
    before, after = spoken[:begin], spoken[end:]
    _check_alone(before, after)
    row = schema.take_answer(values)
    if QUOTE_IN_TEXT in kinds and not (values.keys() == schema.required and _is_bare(after)):
        raise BadAnswer("not JSON", "a quote in a text may end it")
    if not (_is_bare(before) and _is_bare(after)):
        kinds = (TEXT_AROUND, *kinds)
    if _FENCE_LINE.search(before) or _FENCE_LINE.search(after):
        kinds = (CODE_FENCE, *kinds)
    return row, tuple(Repair("", kind) for kind in kinds)


def read_field(
    text: str, finish: Finish, schema: RowSchema, name: str
) -> tuple[Value, tuple[Repair, ...]]:
    """The value that an answer to a field's own question says, and what was taken off around it.

    Raises BadAnswer.
    """
    if len(text) > MOST_CHARS:
        raise BadAnswer("too large", f"{len(text)} characters, at most {MOST_CHARS}")
    stripped = strip_answer(text)
    is_fenced = stripped != split_growing(text).spoken.strip()
    value = schema.read_value(name, stripped, finish)
    return value, (Repair(name, CODE_FENCE),) if is_fenced else ()


def _skip_thoughts(spoken: str) -> str:
    """The text without reasoning that ends right before an object, in the middle of a line."""
    for mark in _THOUGHTS_END.finditer(spoken):
        if OPENING.match(spoken, mark.end()):
            return spoken[mark.end() :]
    return spoken


def _read_at(
    text: str, begin: int, finish: Finish, propose: ProposeRepair | None
) -> tuple[dict[str, Any], int, tuple[str, ...]]:
    """The object that begins at a place, where it ends, and the kinds of its repairs."""
    _check_depth(text, begin)
    try:
        values, end = _DECODER.raw_decode(text, begin)
    except (ValueError, RecursionError) as error:
        if finish != "stop":
            raise BadAnswer("cut") from None
        if propose is None:
            raise BadAnswer("not JSON", str(error)) from None
        repaired = repair_object(text, begin, propose)
        return repaired.values, repaired.end, repaired.kinds
    return values, end, ()


def _check_depth(text: str, begin: int) -> None:
    """Raises BadAnswer where brackets are nested too deeply, as the decoder would see them."""
    depth = 0
    for match in _BRACKET.finditer(text, begin):
        depth += (match[0] in "[{") - (match[0] in "]}")
        if depth > DEEPEST:
            raise BadAnswer("nested too deeply", f"more than {DEEPEST} brackets")
        if depth <= 0:
            return


def _check_alone(before: str, after: str) -> None:
    """Raises BadAnswer where the object is not the only one, or a part of something else."""
    if OPENING.search(after):
        raise BadAnswer("two objects")
    in_list = before.rstrip().endswith("[")
    if in_list and not after.lstrip().startswith("]"):
        raise BadAnswer("not JSON", "a list around the object does not end")
    if not (_has_whole_braces(before) and _has_whole_braces(after)):
        raise BadAnswer("not JSON", "a brace around the object")
    if _OBJECT_END.search(after):
        raise BadAnswer("not JSON", "what follows the object may be a part of it")


def _has_whole_braces(prose: str) -> bool:
    """Whether each brace has its other half."""
    depth = 0
    for brace in re.findall(r"[{}]", prose):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _is_bare(around: str) -> bool:
    """Whether there is nothing but lines of a fence."""
    return not _FENCE_LINE.sub("", around).strip()


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise BadAnswer("doubled key", next(one for one in names if names.count(one) > 1)[:80])
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise BadAnswer("not JSON", f"{name} is no number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_of, parse_constant=_refuse_constant, parse_float=exact_float
)
