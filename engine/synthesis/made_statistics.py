"""Numbers of the rows made: how diverse the texts are that were asked for, lengths, labels.

Diversity (distinct-n, self-BLEU) depends on how many texts there are, so it is of at most MOST
sources, and how many is said. Its intervals leave out whole blocks of sources: drawing sources with
replacement would bring texts twice, which is what diversity is about.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import quantiles
from typing import Any

from engine.compare.text_metrics import distinct_over, self_bleus
from engine.data.source_groups import GROUP
from engine.recipes.recipe import SynthesizeRecipe
from engine.statistics import t_quantile
from engine.synthesis.accepted_rows import AcceptedRow
from engine.synthesis.gates.candidate import make_candidate
from engine.synthesis.pair_lengths import PairLengths, PairOfTexts, measure_lengths
from engine.synthesis.questions import CHOSEN, REJECTED
from engine.synthesis.shares import Share, count_share
from engine.words import count_words

MOST = 300
"""Sources whose texts diversity is measured of."""
BLOCKS = 20
_SEED = 7


@dataclass(frozen=True, slots=True)
class JackknifeEstimate:
    """A number and its 95% interval; no interval where there are too few sources for one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class TextStatistics:
    """Of one field of texts that a generator wrote, or a person edited."""

    field: str
    texts: int
    words: tuple[float, float, float, float, float]
    """Of a text: least, lower quartile, median, upper quartile, most."""
    measured: int
    """Texts that what follows is of, drawn by source."""
    distinct_1: JackknifeEstimate
    """Different words over all (Li et al. 2016, arXiv 1510.03055)."""
    distinct_2: JackknifeEstimate
    """The same of pairs of words."""
    self_bleu: JackknifeEstimate | None
    """Mean BLEU of each text against all others, 0 to 1 (Zhu et al. 2018, arXiv 1802.01886);
    None where fewer than two have words."""


@dataclass(frozen=True, slots=True)
class MadeStatistics:
    rows: int
    sources: int
    """Groups: rows of one were made of one source."""
    texts: tuple[TextStatistics, ...]
    labels: Mapping[str, Mapping[str, Share]]
    """By field of labels, then label."""
    pair_lengths: PairLengths | None
    """Of preference pairs; None of other rows."""

    @property
    def chosen_longer(self) -> Share | None:
        """Of the pairs whose answers differ in words, those whose chosen answer is longer."""
        return self.pair_lengths.longer if self.pair_lengths else None

    def to_table(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "rows": self.rows,
            "sources": self.sources,
            "texts": [asdict(text) for text in self.texts],
            "labels": {
                field: {label: share.to_table() for label, share in labels.items()}
                for field, labels in self.labels.items()
            },
            "pair_lengths": self.pair_lengths.to_table() if self.pair_lengths else None,
        }


def measure_rows(recipe: SynthesizeRecipe, rows: Sequence[AcceptedRow]) -> MadeStatistics:
    """The numbers of accepted rows. Takes some seconds where there are many texts."""
    groups = [str(one.row[GROUP]) for one in rows]
    texts: dict[str, list[tuple[str, str]]] = {}
    """By field: the group and the text."""
    for group, one in zip(groups, rows, strict=True):
        for name, text in make_candidate(recipe, one.source, one.row).asked.items():
            texts.setdefault(name, []).append((group, text))
    return MadeStatistics(
        rows=len(rows),
        sources=len(set(groups)),
        texts=tuple(_measure_texts(name, found) for name, found in texts.items()),
        labels={
            name: {
                choice: count_share([one.row.get(name) == choice for one in rows], groups)
                for choice in field.choices
            }
            for name, field in recipe.fields.items()
            if field.type == "label"
        },
        pair_lengths=_compare_lengths(recipe, rows, groups),
    )


def _measure_texts(name: str, texts: Sequence[tuple[str, str]]) -> TextStatistics:
    lengths = [float(count_words(text)) for _, text in texts]
    drawn = sorted({group for group, _ in texts})
    random.Random(_SEED).shuffle(drawn)
    measured = _Texts(drawn[:MOST], texts)
    with_words = len([length for length in lengths if length]) > 1
    return TextStatistics(
        field=name,
        texts=len(texts),
        words=_five_numbers(lengths),
        measured=len(measured.all),
        distinct_1=measured.estimate(lambda some: distinct_over(some, 1)),
        distinct_2=measured.estimate(lambda some: distinct_over(some, 2)),
        self_bleu=measured.estimate(mean_self_bleu) if with_words else None,
    )


class _Texts:
    """Texts in blocks of whole sources."""

    def __init__(self, drawn: Sequence[str], texts: Sequence[tuple[str, str]]) -> None:
        self._blocks = min(BLOCKS, len(drawn))
        block_of = {group: at % self._blocks for at, group in enumerate(drawn)}
        self._in_block = [(block_of[group], text) for group, text in texts if group in block_of]
        self.all = [text for _, text in self._in_block]

    def estimate(self, measure: Callable[[Sequence[str]], float]) -> JackknifeEstimate:
        """The delete-a-group jackknife (Kott 2001, Journal of Official Statistics 17, pages 521 to
        526) with Student's t: (G − 1) / G times the squared deviations of what is measured without
        each of G blocks. In simulations of texts of Zipf's words it covers 95 to 100%."""
        value, count = measure(self.all), self._blocks
        if count < 2:
            return JackknifeEstimate(value, None, None)
        without = [
            measure([text for block, text in self._in_block if block != left_out])
            for left_out in range(count)
        ]
        mean = sum(without) / count
        error = sqrt((count - 1) / count * sum((one - mean) ** 2 for one in without))
        reach = t_quantile(0.975, count - 1) * error
        return JackknifeEstimate(value, max(0.0, value - reach), min(1.0, value + reach))


def mean_self_bleu(texts: Sequence[str]) -> float:
    """The mean over texts with words; 0 where there are fewer than two."""
    scores = [score for score in self_bleus(texts) if score is not None]
    return sum(scores) / len(scores) if scores else 0.0


def _five_numbers(values: Sequence[float]) -> tuple[float, float, float, float, float]:
    quarters = quantiles(values, n=4, method="inclusive") if len(values) > 1 else list(values) * 3
    return (min(values), quarters[0], quarters[1], quarters[2], max(values))


def _compare_lengths(
    recipe: SynthesizeRecipe, rows: Sequence[AcceptedRow], groups: Sequence[str]
) -> PairLengths | None:
    if recipe.mode not in ("pairs", "votes"):
        return None
    return measure_lengths(
        [
            PairOfTexts(str(one.row.get(CHOSEN, "")), str(one.row.get(REJECTED, "")), group)
            for one, group in zip(rows, groups, strict=True)
        ]
    )
