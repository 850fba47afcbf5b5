"""The raw answers about one source, found among the samples of its job. Reading blocks."""

import json
from collections.abc import Collection
from pathlib import Path

from engine.compare.samples import Sample, from_table
from engine.safe_open import read_lines


def read_source_answers(path: Path, source: str, fields: Collection[str]) -> list[Sample]:
    """Its answers in the order in which they came, of all rounds; a later line of the same answer
    replaces an earlier one.

    `fields`: what a question may be about, the empty name for one object of them all. Only lines
    that name the source are parsed. Raises EngineError where the file cannot be read.
    """
    prefix = f"{source}/"
    # As it stands in a line, whether the writer escapes letters or not.
    names = {json.dumps(prefix, ensure_ascii=escaped)[:-1] for escaped in (False, True)}
    marks = [name.encode("utf-8", "surrogatepass") for name in names]
    found: dict[str, Sample] = {}
    for line in read_lines(path, "The answers"):
        if not any(mark in line for mark in marks):
            continue
        try:
            table = json.loads(line)
            sample = from_table(table)
        except (ValueError, RecursionError, TypeError, AttributeError):
            continue  # cut by the death of its writer, or none of ours
        is_ours = sample.prompt_id.startswith(prefix)
        if is_ours and sample.prompt_id[len(prefix) :].rpartition("#")[0] in fields:
            found[sample.prompt_id] = sample
    return list(found.values())
