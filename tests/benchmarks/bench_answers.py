"""Damaged answers with known truth: how many of each kind become rows, and that none is changed.

    python -m tests.benchmarks.bench_answers [--each N]

Beside ours json-repair alone: what it makes of the same answers where its result passes for a row.
"""

import argparse
import json
import time
from collections import Counter
from importlib.metadata import version

from json_repair import repair_json

from engine.synthesis.answer_object import strip_answer
from engine.synthesis.outcomes import BadAnswer
from tests.benchmarks.results import Outcome, Row, printed
from tests.synthesis.damaged_answers import (
    KINDS,
    SCHEMA,
    DamagedAnswer,
    DamageKind,
    End,
    draw_answers,
    end_of,
)

EACH = 40
BRIEF = 5


def bench(each: int = EACH) -> Outcome:
    """Read so many answers of each kind."""
    ends, alone = Counter[End](), Counter[End]()
    by_kind: list[Row] = []
    seconds = 0.0
    for kind in KINDS:
        answers = list(draw_answers(kind, each))
        start = time.perf_counter()
        found = Counter(end_of(answer)[0] for answer in answers)
        seconds += time.perf_counter() - start
        ends += found
        alone += Counter(map(end_by_json_repair, answers))
        by_kind.append(Row(kind.name, share(found["recovered"], each), bar_of(kind)))
    total = ends.total()
    rows = [
        Row(f"{total:,} answers of {len(KINDS)} kinds: lost", str(ends["lost"]), "0"),
        Row("the same: changed", str(ends["changed"]), "0"),
        Row("the same: recovered", str(ends["recovered"])),
        Row("the same: set aside with a reason", str(ends["set aside"])),
        Row("json-repair alone, strict: changed", str(alone["changed"])),
        Row("json-repair alone, strict: recovered", str(alone["recovered"])),
        Row("time of an answer", f"{seconds / total * 1e3:.2f} ms"),
    ]
    settings: dict[str, str | int] = {
        "answers of a kind": each,
        "json-repair": version("json-repair"),
    }
    return Outcome([*rows, *by_kind], settings)


def share(count: int, total: int) -> str:
    return f"{count / total * 100:.0f}% recovered"


def bar_of(kind: DamageKind) -> str:
    if not kind.is_recovered:
        return "0%"
    return "100%" if kind.least == 1 else f"at least {kind.least * 100:.0f}%"


def end_by_json_repair(answer: DamagedAnswer) -> End:
    """What the answer comes to without the proof: whatever is proposed and fits the schema."""
    try:
        values = repair_json(strip_answer(answer.text), return_objects=True, strict=True)
        row = SCHEMA.take_answer(values if isinstance(values, dict) else {})
    except (BadAnswer, ValueError, RecursionError):
        return "set aside"
    same = json.dumps(row, sort_keys=True) == json.dumps(answer.truth, sort_keys=True)
    return "recovered" if same else "changed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=EACH)
    print(printed(bench(parser.parse_args().each).rows))


if __name__ == "__main__":
    main()
