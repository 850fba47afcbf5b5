"""Two arms on the same prompts, in numbers: each aspect, its paired difference and the interval.

Owns the pairing and the arithmetic. Every difference keeps the prompts that drive it, so that a
reader can open them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from engine.compare.aspects import ASPECTS, Aspect, opener, self_bleu
from engine.compare.samples import Sample
from engine.errors import EngineError

_Z = 1.959963984540054
"""The normal quantile of a 95% interval."""
DRIVERS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One aspect of two arms over the prompts that both answered."""

    name: str
    group: str
    about: str
    left: float
    """Mean over the prompts."""
    right: float
    low: float
    """95% interval of right − left: mean ± 1.96 · sqrt(Var(d) / n) (Miller 2024, 2411.00640)."""
    high: float
    drivers: tuple[str, ...]
    """Ids of the prompts with the largest differences, the largest first; ties in their order."""

    @property
    def difference(self) -> float:
        return self.right - self.left

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one arm to another."""

    left: str
    right: str
    prompts: int
    """Prompts that both answered: the n of every row."""
    rows: tuple[Row, ...]
    self_bleu: tuple[float, float]
    """How alike the answers of each arm are to each other; a number of a whole set."""
    openers: tuple[Mapping[str, int], Mapping[str, int]]
    """Of each arm, how often its answers begin with the same three words."""


def compare(
    left: Sequence[Sample], right: Sequence[Sample], aspects: Sequence[Aspect] = ASPECTS
) -> Comparison:
    """Compare two arms' samples, paired by prompt; where a prompt came twice, the last one counts.

    Raises EngineError where they share no prompt.
    """
    ours, theirs = ({one.prompt_id: one for one in arm} for arm in (left, right))
    shared = [prompt for prompt in ours if prompt in theirs]
    if not shared:
        raise EngineError(
            "These two arms answered no prompt in common.",
            f"{len(ours)} and {len(theirs)} prompts",
            "Generate both from the same file of prompts.",
        )
    pairs = [(ours[prompt], theirs[prompt]) for prompt in shared]
    rows = [
        _row(
            aspect,
            shared,
            [(aspect.count(one.text), aspect.count(other.text)) for one, other in pairs],
        )
        for aspect in aspects
    ]
    rows.append(_row(_ENDED, shared, [(_ended(one), _ended(other)) for one, other in pairs]))
    texts = [[pair[side].text for pair in pairs] for side in (0, 1)]
    return Comparison(
        pairs[0][0].arm,
        pairs[0][1].arm,
        len(pairs),
        tuple(rows),
        (self_bleu(texts[0]), self_bleu(texts[1])),
        (_openers(texts[0]), _openers(texts[1])),
    )


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of a mean difference; infinite for a single one, which tells nothing."""
    count = len(differences)
    mean = sum(differences) / count
    if count < 2:
        return float("-inf"), float("inf")
    variance = sum((one - mean) ** 2 for one in differences) / (count - 1)
    reach = _Z * sqrt(variance / count)
    return mean - reach, mean + reach


def _row(aspect: Aspect, prompts: Sequence[str], numbers: Sequence[tuple[float, float]]) -> Row:
    differences = [after - before for before, after in numbers]
    low, high = interval(differences)
    order = sorted(range(len(prompts)), key=lambda at: -abs(differences[at]))
    drivers = tuple(prompts[at] for at in order[:DRIVERS] if differences[at])
    left, right = (sum(one[side] for one in numbers) / len(numbers) for side in (0, 1))
    return Row(aspect.name, aspect.group, aspect.about, left, right, low, high, drivers)


_ENDED = Aspect("ended by itself", "manner", "share not cut at the limit", lambda text: 1.0)
"""Told by the sample, not by its text."""


def _ended(sample: Sample) -> float:
    return float(sample.finish == "stop")


def _openers(texts: Sequence[str]) -> Mapping[str, int]:
    return dict(Counter(filter(None, map(opener, texts))).most_common(10))
