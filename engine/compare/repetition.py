"""How much an answer repeats itself: the one definition behind measures, exports and filters.

The share of 4-grams of token ids that stood in the answer before (rep-4, Welleck et al. 2020,
arXiv 1908.04319). Words could not see a loop inside a word ("umumum"), in Chinese, of brackets or
of white space. An answer without ids, as an endpoint gives it or an old file has it, is counted by
runs of characters that are as long as four tokens of English, 16 bytes: runs of four characters
repeat in any text, a quarter of them in good English.

Counts the whole answer as it was written, with its reasoning and its calls, for ids have no parts.
Ids of two tokenizers, or ids and characters, are not comparable: see `common_basis`.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Literal

from engine.compare.samples import Finish, Sample

Basis = Literal["token ids", "characters"]
SIZE = 4
"""Tokens of an n-gram."""
BYTES_OF_TOKEN = 4
"""Of UTF-8, of English text in the usual vocabularies."""


def basis_of(sample: Sample) -> Basis:
    """What the repetition of an answer is counted on."""
    return "token ids" if sample.output_ids or not sample.text else "characters"


def common_basis(samples: Iterable[Sample]) -> Basis:
    """What all of these can be counted on: their characters where one has no token ids."""
    by_ids = all(basis_of(sample) == "token ids" for sample in samples)
    return "token ids" if by_ids else "characters"


def repetition(sample: Sample, basis: Basis | None = None) -> float:
    """The share of an answer's n-grams that came before, 0 for a short one; the end token apart.

    `basis` is `basis_of` the sample unless it says otherwise.
    """
    if (basis or basis_of(sample)) == "characters":
        return repeated_characters(sample.text)
    return repeated_ids(sample.output_ids, sample.finish)


def repeated_ids(ids: Sequence[int], finish: Finish) -> float:
    """The same of an answer's token ids, which end in the end token where it finished by itself."""
    return repeated(ids[:-1] if finish == "stop" else ids, SIZE)


def repeated_characters(text: str) -> float:
    """The same of a text: n-grams of characters, as many as stand for four tokens in this text."""
    if not text:
        return 0.0
    bytes_of_character = len(text.encode("utf-8", "surrogatepass")) / len(text)
    return repeated(text, max(1, round(SIZE * BYTES_OF_TOKEN / bytes_of_character)))


def repeated(units: Sequence[Hashable], size: int) -> float:
    """Share of the n-grams of a sequence that stood in it before; 0 where it has none."""
    count = len(units) - size + 1
    if count <= 0:
        return 0.0
    return 1 - len({tuple(units[at : at + size]) for at in range(count)}) / count
