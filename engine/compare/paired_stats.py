"""Two arms on the same prompts, in numbers: each measure, its paired difference and the interval.

Owns the pairing and the arithmetic. Every difference keeps the prompts that drive it, so that a
reader can open them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from engine.compare.metrics import GROUPS, MEASURES, REPEATED, Measure, Numbers, numbers_of
from engine.compare.repetition import Basis, common_basis, repetition
from engine.compare.samples import Sample
from engine.compare.text_metrics import language_of, opener, script_of, self_bleus
from engine.errors import EngineError
from engine.statistics import paired_test

_Z = 1.959963984540054
"""The normal quantile of a 95% interval."""
_Z_POWER = 0.8416212335729143
"""That of a power of 80%."""
LEAST_PROMPTS = 6
"""Below it even a change to the same side on every prompt is no evidence at 5%: by the sign test
p is 2 · 2⁻⁵ for five prompts. So there is no interval then, however alike the differences are."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """One measure of two arms over the prompts that both answered and that it applies to."""

    name: str
    group: str
    about: str
    left: float
    """Mean over the prompts."""
    right: float
    low: float
    """95% interval of right − left, see `interval`; infinite for too few prompts."""
    high: float
    prompts: int
    """n."""
    drivers: tuple[str, ...]
    """Ids of the prompts with a difference, the largest first; ties in their order."""

    @property
    def difference(self) -> float:
        return self.right - self.left

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    @property
    def detectable(self) -> float:
        """The least difference that so many prompts, varying so much, would show 4 times in 5: as
        wide as 95% and 80% of a normal distribution reach. Infinite for too few prompts."""
        reach = (self.high - self.low) / 2
        return reach * (_Z + _Z_POWER) / _Z if isfinite(reach) else inf


BEGINS_WITH = "begins with"
MOST_KINDS = 10
"""Of one arm that are counted by name."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """One thing that is told of an answer in a word, as its language, counted over two arms."""

    name: str
    group: str
    about: str
    left: Mapping[str, int]
    """The commonest first; empty words, where nothing could be told, are left out."""
    right: Mapping[str, int]
    prompts: int
    drivers: tuple[str, ...]
    """Ids of the prompts where the two arms are told to be of different kinds."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one arm to another."""

    left: str
    right: str
    prompts: int
    """Prompts that both answered."""
    same: int
    """Prompts that both answered with the very same text and calls."""
    rows: tuple[PairedDifference, ...]
    """Group by group; measures that apply to no prompt are left out."""
    kinds: tuple[Kinds, ...]
    has_parts: bool = False
    """Whether some answer has reasoning or tool calls, which measures of texts leave out."""
    repetition_basis: Basis = "token ids"
    """What repetition is counted on: characters where an answer has no token ids."""


def compare(
    left: Sequence[Sample],
    right: Sequence[Sample],
    numbers: Callable[[Sample], Numbers] = numbers_of,
    outcome: Callable[[Sample], str] = lambda _: "",
) -> Comparison:
    """Compare two arms' samples, paired by prompt; where a prompt came twice, the last one counts.

    `numbers` measures one answer; `outcome` says what came of its calls, empty where none are
    asked for. Raises EngineError where the arms share no prompt.
    """
    ours, theirs = ({one.prompt_id: one for one in arm} for arm in (left, right))
    shared = [prompt for prompt in ours if prompt in theirs]
    if not shared:
        raise EngineError(
            "The two arms have no prompt in common.",
            f"{len(ours)} and {len(theirs)} prompts",
            "Generate both from the same prompts file.",
        )
    pairs = [(ours[prompt], theirs[prompt]) for prompt in shared]
    texts = [[pair[side].spoken for pair in pairs] for side in (0, 1)]
    measured = [(numbers(one), numbers(other)) for one, other in pairs]
    basis = common_basis(sample for pair in pairs for sample in pair)
    rows = [
        _repetition(measure, shared, pairs, basis)
        if measure.name == REPEATED
        else _row(measure.name, measure.group, measure.about, shared,
                  [(one.get(measure.name), other.get(measure.name)) for one, other in measured])
        for measure in MEASURES
    ]  # fmt: skip
    rows.append(
        _row("self-BLEU", "diversity",
             "similarity to the arm's other answers; not independent, so the interval is "
             "approximate",
             shared, list(zip(self_bleus(texts[0]), self_bleus(texts[1]), strict=True)))
    )  # fmt: skip
    rare = {measure.name for measure in MEASURES if measure.is_rare}
    grouped = sorted(
        (
            row
            for row in rows
            if row is not None and not (row.name in rare and row.left == row.right == 0)
        ),
        key=lambda row: GROUPS.index(row.group),
    )
    kinds = tuple(
        _kinds(name, group, about, shared, [[tell(text) for text in side] for side in texts])
        for name, group, about, tell in (
            ("language", "manner", "detected from function words, else from script", language_of),
            ("script", "manner", "script of most letters", script_of),
            (BEGINS_WITH, "diversity", "the first three words", opener),
        )
    )
    outcomes = [[outcome(pair[side]) for pair in pairs] for side in (0, 1)]
    if any(map(any, outcomes)):
        about = "what came of the calls that the prompts ask for"
        kinds += (_kinds("call outcome", "tool calls", about, shared, outcomes),)
    return Comparison(
        pairs[0][0].arm,
        pairs[0][1].arm,
        len(pairs),
        sum(one.is_same_answer(other) for one, other in pairs),
        tuple(grouped),
        kinds,
        not all(sample.parts.is_plain for pair in pairs for sample in pair),
        basis,
    )


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of a mean difference; infinite for fewer than `LEAST_PROMPTS` of them.

    That of paired proportions where each difference is 0, 1 or −1, as those of scores that are
    right or wrong; else that of a mean, by Student's t.
    """
    if len(differences) < LEAST_PROMPTS:
        return -inf, inf
    return paired_test(differences).interval()


def _row(
    name: str,
    group: str,
    about: str,
    prompts: Sequence[str],
    numbers: Sequence[tuple[float | None, float | None]],
) -> PairedDifference | None:
    values = [
        (prompt, before, after)
        for prompt, (before, after) in zip(prompts, numbers, strict=True)
        if before is not None and after is not None
    ]
    if not values:
        return None
    differences = [after - before for _, before, after in values]
    low, high = interval(differences)
    order = sorted(range(len(values)), key=lambda at: -abs(differences[at]))
    drivers = tuple(values[at][0] for at in order if differences[at])
    left = sum(before for _, before, _ in values) / len(values)
    right = sum(after for _, _, after in values) / len(values)
    return PairedDifference(name, group, about, left, right, low, high, len(values), drivers)


def _repetition(
    measure: Measure,
    prompts: Sequence[str],
    pairs: Sequence[tuple[Sample, Sample]],
    basis: Basis,
) -> PairedDifference | None:
    """Both sides counted on the same: by characters, and said so, where an answer has no ids."""
    about = measure.about
    if basis == "characters":
        about = "share of the answer's runs of 16 bytes that came before: not all have token ids"
    values = [(repetition(one, basis), repetition(other, basis)) for one, other in pairs]
    return _row(measure.name, measure.group, about, prompts, values)


def _kinds(
    name: str, group: str, about: str, prompts: Sequence[str], told: Sequence[Sequence[str]]
) -> Kinds:
    left, right = told
    drivers = tuple(
        prompt for prompt, one, other in zip(prompts, left, right, strict=True) if one != other
    )
    counts = [dict(Counter(filter(None, side)).most_common(MOST_KINDS)) for side in told]
    return Kinds(name, group, about, counts[0], counts[1], len(prompts), drivers)
