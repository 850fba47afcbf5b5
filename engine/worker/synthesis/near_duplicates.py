"""Rows that are nearly the same: as one that was made before, or as a text of the evaluation side.

Two texts are near where the Jaccard similarity of their sets of 5 characters in a row reaches a
threshold; short ones, in which a single letter changes that much, where they are equal but for
letter case, white space and a stop at the end. Candidates come from MinHash and banded
locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", chapter 3), tuned to miss at most one in a thousand at the threshold, and each is
compared by the sets themselves: what is said of two texts is their similarity, no estimate.

A row is near another one where each of its texts is: questions on one long document are not the
same, nor are two answers to one question. What the recipe writes around every source does not
count, nor do labels and numbers: the same text with another label contradicts the row before it.
Which of two near rows is held back depends on their order; whether a row is near any of a set does
not. Takes about 10 KB a row.
"""

import zlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from datasketch import MinHash, MinHashLSH

from engine.impact.suites.word_runs import GRAM, strip_templates
from engine.synthesis.gates.candidate import HeldOutText, NotJudged, RowCandidate
from engine.synthesis.gates.likeness import SHORTEST, jaccard, normalise, say_alike, shingles_of
from engine.words import count_words

PERMUTATIONS = 128
MOST_MISSED = 0.001
"""Share of pairs at the threshold that hashing may not propose."""


@dataclass(frozen=True, slots=True)
class NearText:
    """A text of an index that is near another one."""

    key: str
    similarity: float
    """Jaccard; 1 of short texts."""


class NearTexts:
    """Texts by key, to be found by others that are near."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        bands, rows = choose_bands(threshold)
        self._lsh: Any = MinHashLSH(num_perm=PERMUTATIONS, params=(bands, rows))
        self._long: dict[Hashable, str] = {}
        self._short: dict[str, dict[str, None]] = {}
        """Normal form to keys; a dict for their order."""
        self._normal_of_short: dict[str, str] = {}

    def add(self, key: str, text: str) -> None:
        """Take up a text, in place of an earlier one of that key."""
        self.remove(key)
        normal = normalise(text)
        if len(normal) < SHORTEST:
            self._short.setdefault(normal, {})[key] = None
            self._normal_of_short[key] = normal
        else:
            self._lsh.insert(key, _sketch(shingles_of(normal)))
            self._long[key] = normal

    def remove(self, key: str) -> None:
        """Forget the text of a key, where there is one."""
        if key in self._long:
            del self._long[key]
            self._lsh.remove(key)
        elif key in self._normal_of_short:
            del self._short[self._normal_of_short.pop(key)][key]

    def find(self, text: str) -> dict[str, float]:
        """The keys of the texts that are near, with their similarity."""
        normal = normalise(text)
        if len(normal) < SHORTEST:
            return dict.fromkeys(self._short.get(normal, ()), 1.0)
        shingles = shingles_of(normal)
        near = {}
        for key in self._lsh.query(_sketch(shingles)):
            similarity = jaccard(shingles, shingles_of(self._long[key]))
            if similarity >= self._threshold:
                near[str(key)] = similarity
        return near


class NearDuplicates:
    """The rows that passed and the evaluation side, which a row is compared with."""

    def __init__(self, threshold: float, held_out: Sequence[HeldOutText] = ()) -> None:
        self._threshold = threshold
        self._fields: dict[str, NearTexts] = {}
        self._rows: dict[str, RowCandidate] = {}
        self._held_out = NearTexts(threshold)
        self._held_out_names: dict[str, str] = {}
        self._take_held_out(held_out)

    def check(self, candidate: RowCandidate) -> str:
        """Which text of the evaluation side, or else which row made before, the row repeats.

        Raises NotJudged of a row without texts.
        """
        if not candidate.own:
            raise NotJudged("the row has no text")
        for name, text in candidate.own.items():
            near = _nearest(self._held_out.find(text))
            if near:
                place = self._held_out_names[near.key]
                return f"{name} is {say_alike(near.similarity)} a held-out text, {place}"
        near = _nearest(self._near_rows(candidate))
        if not near:
            return ""
        other = self._rows[near.key]
        return f"{say_alike(near.similarity)} the row of {near.key}{_differing(candidate, other)}"

    def add(self, candidate: RowCandidate) -> None:
        """Take up a row that passed, in place of an earlier one of its source."""
        self.remove(candidate.source.id)
        self._rows[candidate.source.id] = candidate
        for name, text in candidate.own.items():
            texts = self._fields.setdefault(name, NearTexts(self._threshold))
            texts.add(candidate.source.id, text)

    def remove(self, source: str) -> None:
        """Forget the row of a source, where there is one."""
        if self._rows.pop(source, None):
            for texts in self._fields.values():
                texts.remove(source)

    def _near_rows(self, candidate: RowCandidate) -> dict[str, float]:
        """The rows of other sources with the same texts, each near; by the least similarity."""
        near: dict[str, float] | None = None
        for name, text in candidate.own.items():
            found = self._fields[name].find(text) if name in self._fields else {}
            near = {
                key: min(similarity, 1.0 if near is None else near[key])
                for key, similarity in found.items()
                if near is None or key in near
            }
        fields = candidate.own.keys()
        return {
            key: similarity
            for key, similarity in (near or {}).items()
            if key != candidate.source.id and self._rows[key].own.keys() == fields
        }

    def _take_held_out(self, held_out: Sequence[HeldOutText]) -> None:
        """Questions and long answers, without the templates that they share."""
        questions = [each for each in held_out if not each.is_answer]
        answers = [each for each in held_out if each.is_answer and count_words(each.text) >= GRAM]
        for group in (questions, answers):
            for each, own in zip(group, strip_templates([one.text for one in group]), strict=True):
                key = str(len(self._held_out_names))
                self._held_out_names[key] = each.name
                self._held_out.add(key, own)


def choose_bands(threshold: float) -> tuple[int, int]:
    """How many bands of how many rows: those of most rows with which a pair at the threshold s is
    not proposed with a probability (1 - s^rows)^bands of at most MOST_MISSED."""
    for rows in range(16, 1, -1):
        bands = PERMUTATIONS // rows
        if (1 - threshold**rows) ** bands <= MOST_MISSED:
            return bands, rows
    return PERMUTATIONS, 1


def _sketch(shingles: Iterable[str]) -> Any:
    sketch = MinHash(num_perm=PERMUTATIONS, seed=1, hashfunc=zlib.crc32)
    sketch.update_batch([one.encode("utf-8", "surrogatepass") for one in shingles])
    return sketch


def _nearest(near: dict[str, float]) -> NearText | None:
    """The most similar one, of equal ones the first by key: whatever their order was."""
    if not near:
        return None
    key, similarity = min(near.items(), key=lambda one: (-one[1], one[0]))
    return NearText(key, similarity)


def _differing(candidate: RowCandidate, other: RowCandidate) -> str:
    """In which labels or numbers two rows with the same texts differ, for the reviewer."""
    names = (candidate.row.keys() | other.row.keys()) - candidate.texts.keys()
    for name in sorted(names):
        mine, theirs = candidate.row.get(name), other.row.get(name)
        if mine != theirs:
            return f", where {name} is {theirs}, here {mine}"
    return ""
