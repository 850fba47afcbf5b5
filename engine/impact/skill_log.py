"""`skills.jsonl`: what a run measured of its suites while it trained, item by item, step by step.

The worker writes it: a line for each suite, with its items as they were when the run began, then a
line for each suite and evaluation. Owns the lines and what follows from them: scores, changes since
step 0, and the step at which an item was lost. Which checkpoint is best and when to warn is for
`engine.impact.keep_best` and `skill_alarms`.

An item belongs to one of two halves by the hash of its id, or of the group that it shares: one half
chooses a checkpoint, the other one reports what that is worth.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.impact.evaluation_results import NLL, SuiteFacts, SuiteItem
from engine.impact.flips import find_loss_step
from engine.safe_open import open_file
from engine.statistics import PairedTest, paired_test

BEFORE = -1
"""The step of the lines that say what is measured."""

Half = Literal["selection", "report"]


@dataclass(frozen=True, slots=True)
class WatchedSuite:
    """A suite as this run measures it."""

    facts: SuiteFacts
    asked: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """How: template (own or raw), max_new_tokens."""
    tokens: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Predicted, of texts that are read."""

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def is_perplexity(self) -> bool:
        """Whether less is better: nats per token of texts; else shares of right answers."""
        return self.facts.measure == NLL

    def half(self, half: Half) -> frozenset[str]:
        """The ids of the items that choose a checkpoint, or of those that report on it."""
        return frozenset(
            name for name, item in self.facts.items.items() if half_of(name, item.group) == half
        )

    def to_line(self) -> dict[str, Any]:
        facts = self.facts
        items = {name: _without_defaults(item) for name, item in facts.items.items()}
        return {
            "step": BEFORE,
            "suite": facts.name,
            "measure": facts.measure,
            "digest": facts.digest,
            "asked": dict(self.asked),
            "items": items,
            "tokens": dict(self.tokens),
        }


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

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in a line of the file. Raises KeyError, TypeError, ValueError for what is none."""
        name, step = str(line["suite"]), int(line["step"])
        if step == BEFORE:
            items = {item: SuiteItem(**_tuples(one)) for item, one in line["items"].items()}
            facts = SuiteFacts(name, items, str(line["measure"]), str(line["digest"]))
            self.suites[name] = WatchedSuite(facts, line["asked"], line["tokens"])
            return
        values = {
            item: math.inf if value is None else float(value)
            for item, value in line["values"].items()
        }
        self.values.setdefault(name, {})[step] = values

    def steps(self, skill: str) -> list[int]:
        """At which it was measured, in order."""
        return sorted(self.values.get(skill, ()))

    def score(self, skill: str, step: int, half: Half | None = None) -> float:
        """The share of right answers, or nats per token of texts, over all items or one half; NaN
        where nothing was measured."""
        values, suite = self._values(skill, step, half), self.suites[skill]
        if not values:
            return math.nan
        if suite.is_perplexity:
            return math.fsum(values.values()) / max(1, sum(suite.tokens[one] for one in values))
        return math.fsum(values.values()) / len(values)

    def change(self, skill: str, step: int, half: Half | None = None) -> PairedTest | None:
        """The test of the change since step 0, below 0 where the skill is worse; None where one of
        the two was not measured. In points of the score, or in nats per token of texts."""
        before, after = self._values(skill, 0, half), self._values(skill, step, half)
        shared = [item for item in before if item in after]
        if not shared:
            return None
        suite = self.suites[skill]
        items = suite.facts.items
        groups: list[Hashable] = [items[item].group or (item,) for item in shared]
        scale = 1.0
        if suite.is_perplexity:
            # Each text's part of the change per token; their mean is the change of the mean NLL.
            scale = -len(shared) / max(1, sum(suite.tokens[item] for item in shared))
        differences = [(after[item] - before[item]) * scale for item in shared]
        if not all(map(math.isfinite, differences)):
            return PairedTest("paired t", len(shared), math.nan, math.nan, math.inf, 0, math.inf)
        return paired_test(differences, groups)

    def loss_steps(self, skill: str) -> dict[str, int]:
        """Items that were right at step 0 and were lost, with the step; as `find_loss_step`."""
        found: dict[str, int] = {}
        if self.suites[skill].is_perplexity:
            return found
        later = {step: values for step, values in self.values[skill].items() if step > 0}
        for item, base in self._values(skill, 0).items():
            scores = {step: values[item] for step, values in later.items() if item in values}
            step = find_loss_step(scores, base)
            if step is not None:
                found[item] = step
        return found

    def _values(self, skill: str, step: int, half: Half | None = None) -> dict[str, float]:
        values = self.values.get(skill, {}).get(step, {})
        if half is None:
            return values
        chosen: Collection[str] = self.suites[skill].half(half)
        return {item: value for item, value in values.items() if item in chosen}


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
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return log


def result_line(
    skill: str, step: int, values: Mapping[str, float], **more: Mapping[str, str]
) -> dict[str, Any]:
    """What was measured of a suite at a step, as a line; what is not finite is null. `more` is what
    was said of items, by its name: what is empty is left out."""
    finite = {item: one if math.isfinite(one) else None for item, one in values.items()}
    said = {name: dict(one) for name, one in more.items() if one}
    return {"step": step, "suite": skill, "values": finite, **said}


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open_file(path) as file:
            yield from file
    except FileNotFoundError:
        return


def _without_defaults(item: SuiteItem) -> dict[str, Any]:
    plain = SuiteItem("")
    return {
        one.name: getattr(item, one.name)
        for one in dataclasses.fields(item)
        if one.name == "prompt" or getattr(item, one.name) != getattr(plain, one.name)
    }


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(one) if isinstance(one, list) else one for name, one in table.items()}
