"""What a row says of itself as an item, beside what is asked: id, right answers, checks.

Cells of a table are texts: what is a list or an object in JSON may stand in one as JSON. Null, NaN
and blank texts are missing; 0 and false are values. Every fault is a `BadRow` with the reason.
Version 1 wrote the right answer of a suite's item as `answer`, and its combination as `key`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from engine.compare.checks import explain_pattern, parse_code, problem
from engine.compare.items import SCORINGS, Item, Scoring, split_answer
from engine.data.messages import read_text, read_turns
from engine.data.parse import ParsedRow
from engine.data.values import BadRow, Row, check_text, is_missing, say, write_value
from engine.written_numbers import read_number

_REFERENCES = ("answer", "target", "completion", "output")
"""Where a row names no reference, and its schema has no answer."""
_COMPARED = ("exact", "number", "choices", "code", "pattern")
"""Scores that compare with a right answer."""


@dataclass(frozen=True, slots=True)
class _RightAnswers:
    """What the right answer of version 1 says, under the names of today."""

    gold: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    checks: Mapping[str, Any] | None = None


def read_score(row: Row) -> str:
    """How the row wants to be scored; empty where it does not say.

    A number is somebody else's: what an annotator or a reward model gave. `words` is version 1's.
    """
    value = row.get("score")
    if not isinstance(value, str) or not value.strip() or read_number(value) is not None:
        return ""
    if value not in (*SCORINGS, "words"):
        raise BadRow(f"unknown score {value[:40]!r}; known: {', '.join(SCORINGS)}")
    return value


def read_name(row: Row, *fields: str) -> str:
    """The text of the first of these fields that says something; any other value as JSON."""
    for name in fields:
        value = write_value(row.get(name))
        if is_missing(value) or (isinstance(value, str) and not value.strip()):
            continue
        if not isinstance(value, str):
            value = json.dumps(value, ensure_ascii=False, default=str)
        check_text(value, f"field {name!r}")
        return value
    return ""


def read_perplexity_item(row: Row, name: str) -> Item:
    """The item whose text is read. Raises BadRow where it has none."""
    if is_missing(row.get("text")):
        raise BadRow("missing field 'text'")
    return Item(
        read_name(row, "id") or name,
        skill=read_name(row, "skill"),
        score="perplexity",
        text=read_text(row, "text"),
        group=read_name(row, "group", "key"),
        weight=_read_weight(row),
    )


def read_item(row: Row, name: str, parsed: ParsedRow, labels: Sequence[str] = ()) -> Item:
    """The item of a row that asks the parsed messages; their last answer is its reference.

    `name` is its id where it has none of its own; `labels` are those that a row of text and label
    chooses from. Raises BadRow.
    """
    requested = read_score(row)
    question, answer = split_answer(parsed.messages)
    old = _read_old_answer(row, requested) if requested else _RightAnswers()
    choices = old.choices or _read_choices(row) or tuple(labels)
    gold = old.gold or _read_gold(row, choices) or ((answer,) if labels and answer else ())
    reference = _read_reference(row, answer) or (gold[0] if gold else "")
    if requested == "pattern" and reference in gold:
        reference = ""  # an answer is found by a pattern, and need not be like it
    checks = _read_checks(row) if old.checks is None else old.checks
    score = cast(Scoring, "checks" if requested == "words" else requested)
    if not score and gold:
        score = "choices" if choices else "exact"
    if not score:
        score = "checks" if checks else "open"
    if score in _COMPARED and score != "pattern" and not gold and reference:
        gold = (reference,)
    _check_score(score, gold, choices, checks)
    return Item(
        read_name(row, "id", "question_id") or name,
        question,
        read_name(row, "skill"),
        reference,
        checks,
        score,
        gold,
        choices,
        tools=parsed.tools,
        group=read_name(row, "group", "key"),
        weight=_read_weight(row),
    )


def _read_old_answer(row: Row, score: str) -> _RightAnswers:
    """The `answer` of version 1's suites. Raises BadRow where it is not what its score needs."""
    answer = row.get("answer")
    if score == "words":
        count, topic = (_step(answer, key) for key in ("count", "topic"))
        if not isinstance(count, int) or isinstance(count, bool) or not isinstance(topic, str):
            raise BadRow("score 'words' needs an answer with 'count' and 'topic'")
        return _RightAnswers(checks={"words": count, "mentions": topic})
    if is_missing(answer):
        return _RightAnswers()
    if score == "choices" and isinstance(answer, Mapping):
        right, wrong = answer.get("right"), answer.get("wrong")
        if not isinstance(right, str) or not isinstance(wrong, list):
            raise BadRow("score 'choices' needs an answer with 'right' and 'wrong'")
        texts = _read_texts([right, *wrong], "answer")
        return _RightAnswers(texts[:1], texts)
    if score in ("exact", "code", "pattern") and not isinstance(answer, str):
        raise BadRow(f"score {score!r} needs a text as its answer")
    gold = _read_texts([answer], "answer") if score in _COMPARED else ()
    return _RightAnswers(gold)


def _step(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, Mapping) else None


def _read_gold(row: Row, choices: Sequence[str]) -> tuple[str, ...]:
    """One right answer or a list of them. A number that is none of the choices counts them from 0,
    as in lm-evaluation-harness."""
    value = row.get("gold")
    if is_missing(value) or value == "":
        return ()
    golds = _read_texts(value if isinstance(value, list) else [value], "gold")
    return tuple(
        choices[int(gold)]
        if gold not in choices and gold.isdecimal() and int(gold) < len(choices)
        else gold
        for gold in golds
    )


def _read_choices(row: Row) -> tuple[str, ...]:
    """A list of texts, also as JSON in a cell, and ARC's `{"text": […], "label": […]}`."""
    value = _read_cell(row, "choices")
    if isinstance(value, Mapping):
        value = value.get("text")
    if is_missing(value) or value == "":
        return ()
    if not isinstance(value, list):
        raise BadRow(f"field 'choices' must be a list of texts, not {say(value)}")
    return _read_texts(value, "choices")


def _read_texts(values: Sequence[object], field: str) -> tuple[str, ...]:
    texts = []
    for value in values:
        text = _write_text(value)
        if text is None:
            raise BadRow(f"field {field!r} must hold texts, not {say(value)}")
        if not text.strip():
            raise BadRow(f"field {field!r} holds an empty text")
        check_text(text, f"field {field!r}")
        texts.append(text)
    return tuple(texts)


def _write_text(value: object) -> str | None:
    """A text, a number or a boolean as text; None for anything else."""
    if is_missing(value):
        return None
    value = write_value(value)
    return str(value) if isinstance(value, str | float) else None


def _read_reference(row: Row, answer: str) -> str:
    """What the row calls its reference, else its schema's answer, else what is named like one.

    Of MT-Bench's references, one for each turn, the first.
    """
    value = row.get("reference")
    if isinstance(value, list) and value and "turns" in row:
        value = value[0]
    text = _read_answer(value, "reference")
    if text is None and not is_missing(value):
        raise BadRow(f"field 'reference' must be text, not {say(value)}")
    if text or answer:
        return text or answer
    references = (_read_answer(row.get(name), name) for name in _REFERENCES)
    return next(filter(None, references), "")


def _read_answer(value: object, field: str) -> str | None:
    """A text, a number, or turns of which the last is the answer; None for anything else."""
    if isinstance(value, list) and value and all(isinstance(turn, Mapping) for turn in value):
        return split_answer(read_turns(value, field))[1]
    text = _write_text(value)
    if text is None:
        return None
    check_text(text, f"field {field!r}")
    return text if text.strip() else ""


def _read_checks(row: Row) -> Mapping[str, Any]:
    value = _read_cell(row, "checks")
    if is_missing(value) or value == "":
        return {}
    if wrong := problem(value):
        raise BadRow(wrong)
    checks: dict[str, Any] = dict(cast(Mapping[str, Any], value))
    check_text(json.dumps(checks, ensure_ascii=False), "field 'checks'")
    return checks


def _read_cell(row: Row, field: str) -> object:
    """A field's value; that of a text which is a list or an object as JSON. Raises BadRow."""
    value = row.get(field)
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return cast(object, json.loads(value))
    except (ValueError, RecursionError) as error:
        raise BadRow(f"field {field!r} is not valid JSON") from error


def _read_weight(row: Row) -> float:
    value = _write_text(row.get("weight"))
    if value is None or not value.strip():
        return 1.0
    number = read_number(value)
    if number is None or number < 0:
        raise BadRow(f"field 'weight' must be a number from 0, not {value[:40]!r}")
    return float(number)


def _check_score(
    score: Scoring, gold: Sequence[str], choices: Sequence[str], checks: Mapping[str, Any]
) -> None:
    """Raise BadRow where an item lacks what its score compares with."""
    if score == "pattern" and not gold:
        raise BadRow("score 'pattern' needs a regular expression: gold or answer")
    if score in _COMPARED and not gold:
        raise BadRow(f"score {score!r} needs a right answer: gold, answer or reference")
    if score == "pattern" and (reasons := list(filter(None, map(explain_pattern, gold)))):
        raise BadRow(reasons[0])
    if score == "code" and any(parse_code(one) is None for one in gold):
        raise BadRow("score 'code' needs Python that parses: other languages are not supported")
    if score == "number" and any(read_number(one) is None for one in gold):
        raise BadRow("score 'number' needs a number as its answer")
    if score == "choices":
        absent = [one for one in gold if one not in choices]
        if not choices or absent:
            raise BadRow(
                f"the right answer {absent[0][:40]!r} is not one of the choices"
                if choices
                else "score 'choices' needs choices, or an answer with 'right' and 'wrong'"
            )
    if score == "checks" and not checks:
        raise BadRow("score 'checks' needs checks")
