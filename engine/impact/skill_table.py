"""The skill table: what each arm scores on each skill, and what changed against the first arm.

Made of the `results.json` of an `evaluate` job. Owns the pairing of items and the choice of the
primary family: the last arm against the first, all skills, corrected by Holm; every other verdict
is exploratory and unadjusted. Refuses nothing that a job wrote: what cannot be paired is left out,
and said.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.events.summary import perplexity
from engine.impact.flips import find_flips
from engine.impact.verdicts import DELTA, Verdict, judge, judge_family
from engine.statistics import PairedTest, paired_test, wilson


@dataclass(frozen=True, slots=True)
class SkillResult:
    """One arm's scores on one skill."""

    scores: Mapping[str, float]
    """By item; of texts that are read, their NLL in nats."""
    tokens: Mapping[str, int]
    """By text, of what is predicted; empty for items that are scored."""
    groups: Mapping[str, str]
    """By item, where items come in groups."""

    @property
    def is_perplexity(self) -> bool:
        return bool(self.tokens)

    @property
    def score(self) -> float:
        """Mean score; of texts their perplexity."""
        if self.is_perplexity:
            return perplexity(math.fsum(self.scores.values()) / max(1, sum(self.tokens.values())))
        return math.fsum(self.scores.values()) / len(self.scores)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's at 95% of scores that are right or wrong; None for others."""
        if self.is_perplexity or not set(self.scores.values()) <= {0.0, 1.0}:
            return None
        return wilson(int(sum(self.scores.values())), len(self.scores))


@dataclass(frozen=True, slots=True)
class SkillChange:
    """One arm against the first, on one skill."""

    verdict: Verdict | None
    """None for perplexities: no δ in points is defined of nats."""
    test: PairedTest
    """Of perplexities: in nats per token, above 0 is worse."""
    lost: tuple[str, ...]
    """Items; empty for perplexities."""
    gained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SkillRow:
    name: str
    results: Mapping[str, SkillResult]
    """By arm."""
    changes: Mapping[str, SkillChange]
    """By arm, but for the first."""
    unpaired: int
    """Items that not all arms have; no change counts them."""

    @property
    def items(self) -> int:
        return max(len(one.scores) for one in self.results.values())


@dataclass(frozen=True, slots=True)
class SkillTable:
    arms: tuple[str, ...]
    """The first is what the others are held against."""
    skills: tuple[SkillRow, ...]
    delta: float

    def to_json(self) -> dict[str, Any]:
        """As `finetop evaluate --json` prints it: what is not finite is null."""
        return {
            "arms": list(self.arms),
            "delta": self.delta,
            "skills": {row.name: self._row_json(row) for row in self.skills},
            "summary": {
                "primary": [self.arms[-1], self.arms[0]],
                "correction": "holm",
                **self._count_words(),
            },
        }

    def _count_words(self) -> dict[str, int]:
        words: dict[str, int] = {}
        for row in self.skills:
            change = row.changes.get(self.arms[-1])
            if change is not None and change.verdict is not None:
                words[change.verdict.word] = words.get(change.verdict.word, 0) + 1
        return words

    def _row_json(self, row: SkillRow) -> dict[str, Any]:
        arms: dict[str, Any] = {}
        for arm, result in row.results.items():
            change = row.changes.get(arm)
            arms[arm] = {
                "perplexity" if result.is_perplexity else "score": _finite(result.score),
                "interval": result.interval,
                "vs_base": _change_json(change) if change is not None else None,
            }
        return {"items": row.items, "unpaired": row.unpaired, "arms": arms}


def build_table(
    results: Mapping[str, Any], arms: Sequence[str] = (), delta: float = DELTA
) -> SkillTable:
    """The table of a job's `results.json`, arms in the given order, else in that of the file.

    Raises ValueError for fewer than one arm, and for one that the results lack.
    """
    measured = {arm: _skills_of(one) for arm, one in results["arms"].items()}
    names = tuple(arms) or tuple(measured)
    if not names or any(name not in measured for name in names):
        raise ValueError(f"arms {names} of {tuple(measured)}")
    first, *others = names
    rows: list[tuple[str, dict[str, SkillResult], set[str], int]] = []
    tests: dict[tuple[str, str], PairedTest] = {}
    for skill in dict.fromkeys(skill for arm in names for skill in measured[arm]):
        found = {arm: measured[arm][skill] for arm in names if skill in measured[arm]}
        shared = set.intersection(*(set(one.scores) for one in found.values()))
        every = set().union(*(one.scores for one in found.values()))
        rows.append((skill, found, shared, len(every) - len(shared)))
        for arm in others:
            if arm in found and first in found and shared:
                tests[skill, arm] = _test(found[first], found[arm], shared)
    primary = {
        skill: test
        for (skill, arm), test in tests.items()
        if arm == names[-1] and not measured[first][skill].is_perplexity
    }
    verdicts = judge_family(primary, delta)
    made = []
    for skill, found, shared, unpaired in rows:
        changes = {}
        for arm in others:
            if (test := tests.get((skill, arm))) is None:
                continue
            before, after = found[first], found[arm]
            if before.is_perplexity:
                changes[arm] = SkillChange(None, test, (), ())
                continue
            paired = {item: score for item, score in before.scores.items() if item in shared}
            flips = find_flips(paired, after.scores)
            verdict = verdicts[skill] if arm == names[-1] else judge(test, delta)
            changes[arm] = SkillChange(verdict, test, flips.lost, flips.gained)
        made.append(SkillRow(skill, found, changes, unpaired))
    return SkillTable(names, tuple(made), delta)


def _skills_of(arm: Mapping[str, Any]) -> dict[str, SkillResult]:
    """What was measured of an arm, by skill: suites, and the labels in both ways."""
    found = {}
    for name, suite in arm["suites"].items():
        groups = suite.get("groups", {})
        if suite.get("scores"):
            found[name] = SkillResult(suite["scores"], {}, groups)
        if suite.get("nll"):
            # What a diverged model makes of a text is null in the file, and infinite.
            nll = {item: math.inf if one is None else one for item, one in suite["nll"].items()}
            label = f"{name}, perplexity" if name in found else name
            found[label] = SkillResult(nll, suite["text_tokens"], groups)
    for way in ("likelihood", "generated"):
        if scores := arm.get("choices", {}).get(way, {}).get("scores"):
            found[f"labels, {way}"] = SkillResult(scores, {}, {})
    return found


def _test(before: SkillResult, after: SkillResult, shared: set[str]) -> PairedTest:
    items = [item for item in before.scores if item in shared]
    groups: list[Hashable] = [before.groups.get(item) or (item,) for item in items]
    scale = 1.0
    if before.is_perplexity:
        # Each text's part of the change per token; their mean is the change of the mean NLL.
        scale = len(items) / max(1, sum(before.tokens[item] for item in items))
    differences = [(after.scores[item] - before.scores[item]) * scale for item in items]
    if not all(map(math.isfinite, differences)):
        return PairedTest("paired t", len(items), math.nan, math.nan, math.inf, 0, math.inf)
    return paired_test(differences, groups)


def _change_json(change: SkillChange) -> dict[str, Any]:
    verdict, test = change.verdict, change.test
    low, high = (verdict.low, verdict.high) if verdict else test.interval()
    return {
        "difference": _finite(test.difference),
        "unit": "nats per token" if verdict is None else "score",
        "interval": [_finite(low), _finite(high)],
        "confidence": verdict.confidence if verdict else 0.95,
        "lost": list(change.lost),
        "gained": list(change.gained),
        "p": _finite(test.p_value()),
        "test": test.name,
        "verdict": verdict.word if verdict else None,
        "beyond_delta": verdict.is_beyond if verdict else None,
        "family": "primary" if verdict and verdict.is_primary else "exploratory, unadjusted",
        "items_needed": verdict.items_needed
        if verdict and verdict.word == "not enough evidence"
        else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
