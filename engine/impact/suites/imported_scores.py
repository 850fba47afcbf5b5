"""Scores that another program measured, of one model on one task: read, and paired by item.

lm-evaluation-harness writes a line an item and filter with `--log_samples`; inspect_ai writes one
JSON file a log. Owns what is taken from them and what makes two of them comparable: the same items
by id, with the same document and target. Refuses to score anything itself.
"""

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.data.json_lines import read_lines
from engine.errors import EngineError
from engine.impact.results.evaluation_results import SuiteItem
from engine.impact.suites.imported_items import (
    find_likeliest,
    read_inspect_item,
    read_lm_eval_item,
)
from engine.safe_open import open_regular, read_bounded

LARGEST_LOG = 256 << 20
"""Bytes of a JSON log, which is parsed whole."""
_DATED = re.compile(r"^samples_(.+?)_(\d{4}-\d\d-\d\dT[\d.:-]+)$")
"""What lm-evaluation-harness calls a file: task and time."""
_OF_LINE = frozenset(
    ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
     "doc_hash", "prompt_hash", "target_hash")
)  # fmt: skip
_LETTERS: Mapping[str, float] = {"C": 1.0, "P": 0.5, "N": 0.0, "I": 0.0}
"""inspect_ai: correct, partial, no answer, incorrect."""


class NoUsableMetric(EngineError):
    """A task was measured, and no metric of it is a score of each item."""


@dataclass(frozen=True, slots=True)
class ImportedScores:
    """One metric of one task."""

    path: Path
    task: str
    metric: str
    variant: str
    """The filter of lm-evaluation-harness, or the scorer of inspect_ai."""
    scores: Mapping[str, float]
    """By item id, in the order of the file; the mean where an item was asked several times."""
    digests: Mapping[str, str]
    """By item id, of its document and target."""
    items: Mapping[str, SuiteItem] = field(default_factory=dict)
    """What is said of each item."""
    likeliest: Mapping[str, str] = field(default_factory=dict)
    """By item, the likeliest choice; none where answers were generated."""
    model: str = ""
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What a skill of these scores is called."""
        return f"{self.task} · {self.metric}" + (f" · {self.variant}" if self.variant else "")


def read_lm_eval(path: Path) -> list[ImportedScores]:
    """All metrics of a `samples_TASK_TIME.jsonl`, one for each metric and filter.

    Raises EngineError where the file cannot be read, a line is no sample of it, or an item comes
    twice with different documents, NoUsableMetric where there is none.
    """
    values: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    digests: dict[str, str] = {}
    described: dict[str, SuiteItem] = {}
    likeliest: dict[str, str] = {}
    skipped: set[str] = set()
    with open_regular(path) as file:
        for row in read_lines(file):
            where = f"{path}:{row.line}"
            if row.fault or not isinstance(row.value, dict) or "doc_id" not in row.value:
                raise EngineError(
                    "This is no file of samples of lm-evaluation-harness.",
                    f"{where}: {row.fault or 'no doc_id'}",
                    "It writes one with --log_samples --output_path DIR.",
                )
            line: dict[str, Any] = row.value
            item = str(line["doc_id"])
            _keep_digest(digests, item, _digest(line.get("doc"), line.get("target")), where)
            described[item] = read_lm_eval_item(line)
            if (choice := find_likeliest(line)) is not None:
                likeliest[item] = choice
            names = line["metrics"] if isinstance(line.get("metrics"), list) else None
            for metric in names if names is not None else sorted(set(line) - _OF_LINE):
                number = _number(line.get(metric))
                if number is None:
                    skipped.add(str(metric))
                else:
                    values[str(metric), str(line.get("filter") or "")][item].append(number)
    if not values:
        raise NoUsableMetric("No metric is a number an item.", f"{path}: {_listed(skipped)}")
    notes = (f"not a number an item: {_listed(skipped)}",) if skipped else ()
    task, _ = split_name(path)
    several = len({variant for _, variant in values}) > 1
    return [
        ImportedScores(
            path,
            task,
            metric,
            variant if several else "",
            {item: math.fsum(each) / len(each) for item, each in items.items()},
            digests,
            described,
            likeliest,
            notes=notes,
        )
        for (metric, variant), items in values.items()
    ]


def split_name(path: Path) -> tuple[str, str]:
    """Task and time of a file of samples, by its name; the time is empty where it has none."""
    dated = _DATED.match(path.stem)
    return (dated.group(1), dated.group(2)) if dated else (path.stem, "")


def read_inspect(path: Path) -> list[ImportedScores]:
    """All scorers of a JSON log of inspect_ai; each key of a scorer that gives several values.

    Epochs of an item are averaged. Raises EngineError where the file cannot be read or holds no
    scored samples.
    """
    if path.suffix == ".eval":
        raise EngineError(
            "Logs in the .eval format are not read.",
            str(path),
            "inspect log convert --to json --output-dir DIR writes it as JSON.",
        )
    try:
        log = json.loads(read_bounded(path, LARGEST_LOG))
    except (ValueError, RecursionError) as error:
        raise EngineError("This log is not valid JSON.", f"{path}: {error}") from error
    samples = log.get("samples") if isinstance(log, dict) else None
    about = log.get("eval") if isinstance(log, dict) else None
    if not isinstance(samples, list) or not isinstance(about, dict):
        raise EngineError(
            "This is no log of inspect_ai with samples.",
            str(path),
            "Logs have samples unless they were written with --no-log-samples.",
        )
    values: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    digests: dict[str, str] = {}
    described: dict[str, SuiteItem] = {}
    unscored = 0
    for place, sample in enumerate(samples):
        where = f"{path}, sample {place}"
        if not isinstance(sample, dict) or "id" not in sample:
            raise EngineError("A sample of this log has no id.", where)
        item = str(sample["id"])
        document = _without_ids(sample.get("input"))
        _keep_digest(digests, item, _digest(document, sample.get("target")), where)
        described[item] = read_inspect_item(sample)
        found = dict(_scores_of(sample.get("scores")))
        unscored += not found
        for key, number in found.items():
            values[key][item].append(number)
    if not values:
        raise EngineError("No sample of this log has a score.", str(path))
    notes: tuple[str, ...] = (f"{unscored:,} samples without a score",) if unscored else ()
    if log.get("status") not in (None, "success"):
        notes += (f"the log's status is {log['status']!r}",)
    return [
        ImportedScores(
            path,
            str(about.get("task", path.stem)),
            metric or "score",
            scorer,
            {item: math.fsum(each) / len(each) for item, each in items.items()},
            digests,
            described,
            model=str(about.get("model", "")),
            notes=notes,
        )
        for (scorer, metric), items in values.items()
    ]


def check_same_items(arms: Sequence[ImportedScores]) -> None:
    """That all of these are of the same items, so that their scores may be paired.

    Raises EngineError that names the first item that only one has, or whose document or target is
    another.
    """
    for one, other in pairwise(arms):
        for left, right in ((one, other), (other, one)):
            lacking = [item for item in left.scores if item not in right.scores]
            if lacking:
                raise EngineError(
                    "These scores are not of the same items.",
                    f"{right.path} lacks {len(lacking):,} of {len(left.scores):,} items of "
                    f"{left.path}, the first is {lacking[0]}",
                    "Measure both with the same task, --limit and seed.",
                )
        changed = [item for item in one.scores if one.digests[item] != other.digests[item]]
        if changed:
            raise EngineError(
                "These scores are not of the same items.",
                f"{len(changed):,} {'item has' if len(changed) == 1 else 'items have'} another "
                f"document or target in {other.path} than in {one.path}, the first is {changed[0]}",
                "Measure both with the same version of the task.",
            )


def _scores_of(scores: object) -> Iterable[tuple[tuple[str, str], float]]:
    """Scorer and key of each value that is a number; a scorer of one value has no key."""
    for scorer, score in scores.items() if isinstance(scores, dict) else ():
        value = score.get("value") if isinstance(score, dict) else score
        for key, one in value.items() if isinstance(value, dict) else (("", value),):
            number = _number(one)
            if number is not None:
                yield (str(scorer), str(key)), number


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return _LETTERS.get(value)
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    return None


def _digest(document: object, target: object) -> str:
    """What tells whether an item is the same; computed here, as versions of the programs hash in
    different ways."""
    text = json.dumps([document, target], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _keep_digest(digests: dict[str, str], item: str, digest: str, where: str) -> None:
    if digests.setdefault(item, digest) != digest:
        raise EngineError("An id stands for two different items.", f"{where}: {item}")


def _without_ids(messages: object) -> object:
    """What was asked: of messages role and content, since each run gives them ids of its own."""
    if not isinstance(messages, list):
        return messages
    return [
        [one.get("role"), one.get("content")] if isinstance(one, dict) else one for one in messages
    ]


def _listed(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "") or "it is empty"
