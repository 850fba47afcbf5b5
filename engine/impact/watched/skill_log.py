"""`skills.jsonl`: what a run measured of its suites while it trained, item by item, step by step.

The worker writes it: a line for each suite, with its items as they were when the run began, then a
line for each suite and evaluation. Owns the lines and what follows from them: scores, changes since
step 0, and the step at which an item was lost. Which checkpoint is best and when to warn is for
`engine.impact.watched.keep_best` and `skill_alarms`.

An item belongs to one of two halves by the hash of its id, or of the group that it shares: one half
chooses a checkpoint, the other one reports what that is worth.
"""

import hashlib
import json
import math
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.compare.item_reader import parse_item
from engine.compare.items import Item, digest_of
from engine.data.values import BadRow
from engine.impact.changes.flips import find_loss_step
from engine.impact.results.evaluation_results import LESS_IS_BETTER, SuiteFacts, SuiteItem
from engine.impact.results.result_fields import read_count, read_counts, read_text, read_values
from engine.safe_open import open_file
from engine.statistics import PairedTest, paired_test

BEFORE = -1
"""The step of the lines that say what is measured."""

Half = Literal["selection", "report"]


@dataclass(frozen=True, slots=True)
class WatchedSuite:
    """A suite as this run measures it: its items as they were when the run began."""

    name: str
    spec: str
    """In the grammar of `engine.impact.suites.suite_specs`."""
    measure: str
    """What is the skill's score, as `engine.impact.results.evaluation_results` names it."""
    items: tuple[Item, ...]
    max_new_tokens: int = 0
    """Of an answer; 0 where none is asked for."""
    every: int = 1
    """It is measured at one in so many evaluations, the last one among them."""

    @property
    def less_is_better(self) -> bool:
        """Whether the score is in nats per token; else it is the share of right answers."""
        return self.measure in LESS_IS_BETTER

    @property
    def facts(self) -> SuiteFacts:
        """The same as an evaluation's results have it."""
        items = {
            one.id: SuiteItem(
                one.text or (one.messages[-1].content if one.messages else ""),
                one.gold,
                one.choices,
                one.group,
                one.weight,
                one.score,
            )
            for one in self.items
        }
        return SuiteFacts(self.name, items, self.measure, digest_of(self.items))

    def half(self, half: Half) -> frozenset[str]:
        """The ids of the items that choose a checkpoint, or of those that report on it."""
        return frozenset(one.id for one in self.items if half_of(one.id, one.group) == half)

    def to_line(self) -> dict[str, Any]:
        return {
            "step": BEFORE,
            "suite": self.name,
            "spec": self.spec,
            "measure": self.measure,
            "digest": digest_of(self.items),
            "max_new_tokens": self.max_new_tokens,
            "every": self.every,
            "items": [item.to_json() for item in self.items],
        }

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> "WatchedSuite":
        """Raises BadRow, KeyError, TypeError, ValueError for what is no such line."""
        items = tuple(parse_item(row, str(row["id"])) for row in line["items"])
        every = read_count(line["every"], "every")
        if not items or not every:
            raise ValueError("nothing is measured")
        return cls(
            read_text(line["suite"], "the suite"),
            read_text(line["spec"], "the spec"),
            read_text(line["measure"], "the measure"),
            items,
            read_count(line["max_new_tokens"], "the limit"),
            every,
        )


def half_of(item: str, group: str = "") -> Half:
    """The half of an item, whichever others a suite has: by SHA-256 of its group, else of its id.

    Items of one group go together: they are no independent observations.
    """
    digest = hashlib.sha256((group or item).encode("utf-8", "surrogatepass")).digest()
    return "selection" if digest[0] % 2 else "report"


@dataclass(slots=True)
class SkillLog:
    """All that was measured of a run's suites."""

    suites: dict[str, WatchedSuite] = field(default_factory=dict)
    values: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    """By suite, step and item: 1 right, 0 wrong; of a text its NLL in nats."""
    tokens: dict[str, dict[str, int]] = field(default_factory=dict)
    """By suite and item, of what is predicted; for scores in nats per token."""

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in a line of the file. Raises KeyError, TypeError, ValueError for what is none."""
        name, step = read_text(line["suite"], "the suite"), line["step"]
        if type(step) is not int:
            raise ValueError("the step is no count")
        if step == BEFORE:
            self.suites[name] = WatchedSuite.from_line(line)
            return
        values = read_values(line["values"], "the values")
        tokens = read_counts(line.get("tokens", {}), "the tokens")
        self.values.setdefault(name, {})[step] = values
        self.tokens.setdefault(name, {}).update(tokens)

    def steps(self, skill: str) -> list[int]:
        """At which it was measured, in order."""
        return sorted(self.values.get(skill, ()))

    def score(self, skill: str, step: int, half: Half | None = None) -> float:
        """The share of right answers, or nats per token of texts, over all items or one half; NaN
        where nothing was measured."""
        values = self._values(skill, step, half)
        if not values:
            return math.nan
        if self.suites[skill].less_is_better:
            return math.fsum(values.values()) / self._count_tokens(skill, values)
        return math.fsum(values.values()) / len(values)

    def count(self, skill: str, step: int, half: Half | None = None) -> int:
        """How many items the score is of."""
        return len(self._values(skill, step, half))

    def change(self, skill: str, step: int, half: Half | None = None) -> PairedTest | None:
        """The test of the change since step 0, below 0 where the skill is worse; None where one of
        the two was not measured. In points of the score, or in nats per token of texts."""
        before, after = self._values(skill, 0, half), self._values(skill, step, half)
        shared = [item for item in before if item in after]
        if not shared:
            return None
        suite, scale = self.suites[skill], 1.0
        group_of = {one.id: one.group for one in suite.items}
        groups: list[Hashable] = [group_of.get(item) or (item,) for item in shared]
        if suite.less_is_better:
            # Each text's part of the change per token; their mean is the change of the mean NLL.
            scale = -len(shared) / self._count_tokens(skill, shared)
        differences = [(after[item] - before[item]) * scale for item in shared]
        if not all(map(math.isfinite, differences)):
            return PairedTest("paired t", len(shared), math.nan, math.nan, math.inf, 0, math.inf)
        return paired_test(differences, groups)

    def loss_steps(self, skill: str) -> dict[str, int]:
        """Items that were right at step 0 and were lost, with the step; as `find_loss_step`."""
        found: dict[str, int] = {}
        if self.suites[skill].less_is_better:
            return found
        later = {step: values for step, values in self.values[skill].items() if step > 0}
        for item, base in self._values(skill, 0).items():
            scores = {step: values[item] for step, values in later.items() if item in values}
            step = find_loss_step(scores, base)
            if step is not None:
                found[item] = step
        return found

    def _count_tokens(self, skill: str, items: Iterable[str]) -> int:
        tokens = self.tokens[skill]
        return max(1, sum(tokens.get(item, 0) for item in items))

    def _values(self, skill: str, step: int, half: Half | None = None) -> dict[str, float]:
        values = self.values.get(skill, {}).get(step, {})
        if half is None:
            return values
        chosen: Collection[str] = self.suites[skill].half(half)
        return {item: value for item, value in values.items() if item in chosen}


def find_losses(log: SkillLog, items: Sequence[Item], measure: str) -> dict[str, int]:
    """Of these items those that a run lost while it trained, with the step, as `loss_steps`.

    Known are those of the run's suites that are the same items by the same measure.
    """
    found: dict[str, int] = {}
    for name, suite in log.suites.items():
        if suite.measure == measure:
            watched = {item.id: item.to_json() for item in suite.items}
            steps = log.loss_steps(name)
            same = (item.id for item in items if item.id in steps)
            by_id = {item.id: item for item in items}
            found |= {one: steps[one] for one in same if watched[one] == by_id[one].to_json()}
    return found


def read_skill_log(path: Path) -> SkillLog:
    """What a run has measured until now; nothing where there is no such file.

    A line that is none, as a killed worker leaves it, is left out, as are those of a suite that no
    line describes. Raises OSError.
    """
    log = SkillLog()
    for line in _lines(path):
        try:
            table = json.loads(line)
            if table["step"] == BEFORE or table["suite"] in log.suites:
                log.add(table)
        except (BadRow, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return log


def result_line(
    skill: str, step: int, values: Mapping[str, float], **more: Mapping[str, object]
) -> dict[str, Any]:
    """What was measured of a suite at a step, as a line; what is not finite is null. `more` is what
    else is known of items, by its name, as `tokens`: what is empty is left out."""
    finite = {item: one if math.isfinite(one) else None for item, one in values.items()}
    known = {name: dict(one) for name, one in more.items() if one}
    return {"step": step, "suite": skill, "values": finite, **known}


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open_file(path) as file:
            yield from file
    except FileNotFoundError:
        return
