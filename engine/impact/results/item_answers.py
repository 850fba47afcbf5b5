"""The answers of an evaluation's arms to one item, found among its samples.

Of a file with the answers to very many items only the lines of this one are parsed. Owns how a
sample names its item: by the keys `suite` and `item`, else by the prompt id "SUITE/ITEM", of a
further answer to the same item "SUITE/ITEM#K". Scores nothing.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.compare.samples import Sample, from_table
from engine.safe_open import read_lines

_FURTHER = re.compile(r"#(?=\d+\Z)")


def sample_id(suite: str, item: str, number: int = 0) -> str:
    """What the answer to an item is called in `samples.jsonl`, 0 the first: no two are the same.

    A slash in a suite's name, and an item's id that ends like a further answer to another one, are
    written as %XX, and so is the sign itself.
    """
    named = _FURTHER.sub("%23", item.replace("%", "%25"))
    return f"{suite.replace('%', '%25').replace('/', '%2F')}/{named}" + (
        f"#{number}" if number else ""
    )


def read_answers(path: Path, suite: str, item: str) -> dict[str, list[Sample]]:
    """By arm, in the grammar, its answers to the item: the one that is scored first.

    A later line replaces an earlier one of the same answer; lines that hold no sample are passed
    over. No file: no answers. Raises EngineError where it cannot be read.
    """
    prompt_id = sample_id(suite, item)
    # As it stands in a line, whether the writer escapes letters or not.
    names = {json.dumps(prompt_id, ensure_ascii=escaped)[:-1] for escaped in (False, True)}
    marks = [name.encode("utf-8", "surrogatepass") for name in names]
    found: dict[str, dict[int, Sample]] = {}
    for line in read_lines(path, "The answers"):
        if any(mark in line for mark in marks):
            _take(line, suite, item, found)
    return {arm: [answers[number] for number in sorted(answers)] for arm, answers in found.items()}


def _take(line: bytes, suite: str, item: str, found: dict[str, dict[int, Sample]]) -> None:
    try:
        table = json.loads(line)
        number = _number_of(table, suite, item)
        sample = from_table(table) if number is not None else None
    except (ValueError, RecursionError, TypeError, AttributeError):
        return  # cut by the death of its writer, or none of ours
    if sample is not None and number is not None:
        found.setdefault(sample.arm, {})[number] = sample


def _number_of(table: Mapping[str, Any], suite: str, item: str) -> int | None:
    """Which answer to this item a row is, 0 the first; None: it answers another one."""
    prompt_id, first = str(table["prompt_id"]), sample_id(suite, item)
    if (table.get("suite", suite), table.get("item", item)) != (suite, item):
        return None
    rest = prompt_id.removeprefix(first)
    if rest == prompt_id or (rest and not rest.startswith("#")):
        return None
    return int(rest[1:]) if rest[1:].isdecimal() else 0 if not rest else None


def read_version_1_answers(table: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Of results of version 1, which had no samples: by arm, suite and item the answer's text.

    Empty for any other version, and where none were kept.
    """
    if table.get("schema") != 1:
        return {}
    answers: dict[str, dict[str, dict[str, str]]] = {}
    for name, arm in table["arms"].items():
        suites = {suite: dict(one.get("answers", {})) for suite, one in arm["suites"].items()}
        if choices := arm.get("choices"):
            suites["labels"] = dict(choices["generated"].get("answers", {}))
        answers[name] = {suite: found for suite, found in suites.items() if found}
    return answers
