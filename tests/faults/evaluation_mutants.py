"""Mutants of what an evaluation writes, and a run that measures skills.

Results are refused in words, or are what the file says and make a table. Of files that grow by
lines every line that is whole is read, and no other value than one that was written.
"""

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from engine.chat import Message
from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.errors import EngineError
from engine.impact.changes.skill_table import build_table
from engine.impact.results.job_results import read_job_results
from engine.impact.watched.skill_alarms import find_alarms
from engine.impact.watched.skill_log import WatchedSuite, read_skill_log, result_line
from engine.worker.inference.score_log import ScoreLog
from tests.faults.json_damage import damage
from tests.faults.verdict import LostError, WrongError
from tests.impact.made_results import measured, scores_of, suite_of, table_of, write_evaluation

ITEMS = 20
_ASKED = tuple(
    Item(f"i{at}", (Message("user", f"ask {at}"),), score="exact", gold=("x",))
    for at in range(ITEMS)
)
_TEXTS = {f"i{at}": 2.5 + at for at in range(ITEMS)}
_COUNTS = dict.fromkeys(_TEXTS, 9)
RESULTS = table_of(
    {
        "facts": suite_of(ITEMS, choices=["a", "b"], gold=["a"], weight=2.0, group="g"),
        "texts": suite_of(ITEMS, "nll"),
    },
    {
        "base": {
            "facts": measured(
                scores_of(12, ITEMS), asked={"fewshot": 1, "decode": {"top_p": 1.0}},
                finish={"i0": "stop"}, picked={"strict": {"i0": "a"}}, seen={"i1": "question"},
            ),
            "texts": measured(_TEXTS, "nll", tokens=_COUNTS, bytes=_COUNTS),
        },
        "A": {
            "parent": "base",
            "trained": ["facts"],
            "suites": {
                "facts": measured(scores_of(8, ITEMS), seen={}),
                "texts": measured(_TEXTS | {"i3": None}, "nll", tokens=_COUNTS),
            },
        },
    },
)  # fmt: skip


def check_evaluation(random: Random, folder: Path) -> None:
    """One file of a job is damaged. Raises LostError, WrongError."""
    random.choice((_check_results, _check_skills, _check_items, _check_scores))(random, folder)


def _check_results(random: Random, folder: Path) -> None:
    job = write_evaluation(folder, "evaluation", RESULTS)
    data = damage(random, json.dumps(RESULTS, indent=random.choice((None, 1))).encode())
    job.results.write_bytes(data)
    try:
        results = read_job_results(job)
    except EngineError:
        return
    finally:
        shutil.rmtree(job.path)
    table: dict[str, Any] = json.loads(data)
    for name, arm in table["arms"].items():
        for suite, one in arm["suites"].items():
            for measure, values in one["measures"].items():
                read = results.arms[name].suites[suite].measures[measure]
                if not _is_as_written(read, values):
                    raise WrongError(f"{name}, {suite}, {measure}: other values than are there")
    if results.arms:
        build_table(results)


def _is_as_written(read: Mapping[str, float], written: Mapping[str, float | None]) -> bool:
    expected = {key: math.inf if one is None else float(one) for key, one in written.items()}
    return repr(dict(read)) == repr(expected)


def _check_skills(random: Random, folder: Path) -> None:
    suites = [WatchedSuite(name, name, "strict", _ASKED, 8) for name in ("facts", "sums")]
    tables = [suite.to_line() for suite in suites]
    tables += [
        result_line(suite.name, step, scores_of(ITEMS - step, ITEMS))
        for step in (0, 3, 6)
        for suite in suites
    ]
    path = folder / "skills.jsonl"
    kept = _damage_lines(random, path, [json.dumps(table) for table in tables])
    log = read_skill_log(path)
    find_alarms(log, 0.05)
    for at in kept:
        name, step = tables[at]["suite"], tables[at]["step"]
        has_suite = at < len(suites) or [one["suite"] for one in tables].index(name) in kept
        if has_suite and step >= 0 and step not in log.steps(name):
            raise LostError(f"{name} at step {step} is not read")
    for name in log.suites:
        for step in log.steps(name):
            log.score(name, step)
            log.change(name, step, "report")


def _check_items(random: Random, folder: Path) -> None:
    path = folder / "items.jsonl"
    lines = [json.dumps(item.to_json()) for item in _ASKED]
    kept = _damage_lines(random, path, lines)
    try:
        items = read_items(path)
    except EngineError:
        return
    if not {_ASKED[at].id for at in kept} <= {item.id for item in items}:
        raise LostError("an item that is there is not read")


def _check_scores(random: Random, folder: Path) -> None:
    path = folder / "scores.jsonl"
    values = {f"row{at}": [at + 0.5, at] if at % 3 else f"text {at} " * 30 for at in range(ITEMS)}
    ScoreLog(path).add(values, {"arm": "a", "measure": "texts"})
    kept = _damage_lines(random, path, path.read_text().splitlines())
    log = ScoreLog(path)
    for at, (row, value) in enumerate(values.items()):
        found = log.find(row)
        if found not in (value, None):
            raise WrongError(f"{row}: {found!r} was never measured")
        if at in kept and found is None:
            raise LostError(f"{row} is not read")


def _damage_lines(random: Random, path: Path, lines: list[str]) -> set[int]:
    """Write the lines with a damage, and say which of them are as they were."""
    path.write_bytes(damage(random, "".join(f"{line}\n" for line in lines).encode()))
    left = set(path.read_bytes().split(b"\n"))
    return {at for at, line in enumerate(lines) if line.encode() in left}
