"""A made set of near-duplicates with known truth: pairs by edits of a known size, and pairs of
unrelated texts that share their vocabulary, their frame, or many sentences.

Truth is how a pair was made and never its similarity. One text: in another layout or letter case,
with up to four words of seventy replaced, with one character in a hundred mistyped. Two texts: of
one vocabulary, in one frame, with three of four sentences shared, one the beginning of the other,
or short and one character apart. `measure` puts all first texts of a set into one gate and asks it
about each second one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.gates.candidate import RowCandidate, make_candidate
from engine.synthesis.source_rows import SourceRow
from engine.worker.synthesis.near_duplicates import NearDuplicates

_NOUNS = [
    "kettle", "parcel", "shoe", "lamp", "garden", "window", "ticket", "engine", "bottle",
    "mirror", "blanket", "river", "market", "hammer", "pencil", "basket", "candle", "driver",
    "neighbour", "teacher", "doctor", "battery", "camera", "pillow",
]  # fmt: skip
_VERBS = [
    "broke", "arrived", "worked", "failed", "leaked", "fell", "stopped", "started", "rattled",
    "burned", "cracked", "lasted", "faded", "shone", "squeaked", "bent", "froze", "melted",
]  # fmt: skip
_QUALITIES = [
    "red", "quiet", "heavy", "cheap", "narrow", "bright", "clean", "dusty", "loud", "smooth",
    "broken", "small", "warm", "cold", "crooked", "simple", "strange", "gentle", "modern",
    "empty",
]  # fmt: skip
_TIMES = [
    "yesterday", "after a week", "on Monday", "in the evening", "during the night", "at once",
    "twice a day", "last winter", "before noon", "since March", "every morning",
    "within an hour",
]  # fmt: skip
_FRAME = (
    "I ordered the {0} on a {1} and it came {2}. The seller wrote that the {3} would be {4}, "
    "yet the {5} was {6}. I asked for my money back {7}, and the answer was {8}."
)


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts, and whether they are one text twice."""

    kind: str
    first: str
    second: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class PairKind:
    """A way to make a pair."""

    name: str
    is_same: bool
    make: Callable[[Random], tuple[str, str]]


def draw_pairs(kind: PairKind, count: int, seed: int = 1) -> Iterator[TextPair]:
    """So many pairs of a kind: the same ones for a seed."""
    random = Random(f"{kind.name} {seed}")
    for _ in range(count):
        first, second = kind.make(random)
        yield TextPair(kind.name, first, second, kind.is_same)


def _sentence(random: Random) -> str:
    noun, other = random.sample(_NOUNS, 2)
    quality, more = random.sample(_QUALITIES, 2)
    return (
        f"The {quality} {noun} {random.choice(_VERBS)} {random.choice(_TIMES)}, "
        f"and the {more} {other} {random.choice(_VERBS)} {random.choice(_TIMES)}."
    )


def _text(random: Random, sentences: int = 5) -> str:
    return " ".join(_sentence(random) for _ in range(sentences))


def _other_layout(random: Random) -> tuple[str, str]:
    text = _text(random)
    second = text.upper() if random.random() < 0.5 else text.replace(". ", ".\n\n")
    return text, f"  {second.rstrip('.')}!\n"


def _replaced_words(count: int) -> Callable[[Random], tuple[str, str]]:
    def make(random: Random) -> tuple[str, str]:
        text = _text(random)
        words = text.split(" ")
        for at in random.sample(range(len(words)), count):
            words[at] = random.choice([one for one in _NOUNS if one != words[at]])
        return text, " ".join(words)

    return make


def _mistyped(per_hundred: int) -> Callable[[Random], tuple[str, str]]:
    def make(random: Random) -> tuple[str, str]:
        text = list(_text(random))
        second = text.copy()
        for at in random.sample(range(len(text)), len(text) * per_hundred // 100):
            second[at] = random.choice("qxzjk")
        return "".join(text), "".join(second)

    return make


def _added_sentence(random: Random) -> tuple[str, str]:
    text = _text(random, 6)
    return text, f"{text} {random.choice(['Well.', 'Not bad.', 'So it goes.', 'Never again.'])}"


def _moved_sentence(random: Random) -> tuple[str, str]:
    sentences = [_sentence(random) for _ in range(5)]
    return " ".join(sentences), " ".join([*sentences[1:], sentences[0]])


def _short_again(random: Random) -> tuple[str, str]:
    text = f"The {random.choice(_NOUNS)} {random.choice(_VERBS)} in {random.randrange(10**6)}."
    return text, text.lower().replace(" ", "  ").rstrip(".")


def _same_words(random: Random) -> tuple[str, str]:
    return _text(random), _text(random)


def _shuffled_words(random: Random) -> tuple[str, str]:
    words = _text(random).split(" ")
    return " ".join(words), " ".join(random.sample(words, len(words)))


def _one_frame(random: Random) -> tuple[str, str]:
    def fill() -> str:
        words = [*random.sample(_NOUNS, 4), *random.sample(_QUALITIES, 4), random.choice(_TIMES)]
        order = (0, 4, 8, 1, 5, 2, 6, 8, 7)
        return _FRAME.format(*(words[at] for at in order))

    return fill(), fill()


def _shared_sentences(shared: int, own: int) -> Callable[[Random], tuple[str, str]]:
    def make(random: Random) -> tuple[str, str]:
        both = [_sentence(random) for _ in range(shared)]
        first, second = ([_sentence(random) for _ in range(own)] for _ in range(2))
        return " ".join([*both, *first]), " ".join([*both, *second])

    return make


def _beginning(random: Random) -> tuple[str, str]:
    sentences = [_sentence(random) for _ in range(6)]
    return " ".join(sentences), " ".join(sentences[:3])


def _one_letter_apart(random: Random) -> tuple[str, str]:
    first, second = random.sample(range(10, 99), 2)
    sign, other = random.sample("+-*/", 2)
    text = f"What is {first} {sign} {second}?"
    return text, text.replace(sign, other)


KINDS = (
    PairKind("layout and letter case", True, _other_layout),
    PairKind("1 word of 70 replaced", True, _replaced_words(1)),
    PairKind("4 words of 70 replaced", True, _replaced_words(4)),
    PairKind("1 character in 100 mistyped", True, _mistyped(1)),
    PairKind("short, other layout", True, _short_again),
    PairKind("the same vocabulary", False, _same_words),
    PairKind("the same frame", False, _one_frame),
    PairKind("3 of 4 sentences shared", False, _shared_sentences(6, 2)),
    PairKind("a text and its first half", False, _beginning),
    PairKind("short, 1 character apart", False, _one_letter_apart),
)
"""The set by which precision and recall are stated: half of its pairs are the same."""
MORE_KINDS = (
    PairKind("a short sentence added", True, _added_sentence),
    PairKind("a sentence moved to the end", True, _moved_sentence),
    PairKind("2 characters in 100 mistyped", True, _mistyped(2)),
    PairKind("8 words of 70 replaced", True, _replaced_words(8)),
    PairKind("the same words, shuffled", False, _shuffled_words),
    PairKind("half of the sentences shared", False, _shared_sentences(3, 3)),
)
"""Measured beside it: where recall ends, and what is easy."""


def measure(kinds: Sequence[PairKind], each: int) -> dict[str, int]:
    """By kind, of how many of so many pairs the gate holds the second text back; of pairs that are
    the same, because of the first one.

    The gate is as recipes have it, and knows the first texts of all pairs.
    """
    recipe = SynthesizeRecipe(
        fields={"text": RowField(take="{text}"), "label": RowField(ask="Which?", type="boolean")}
    )

    def row(name: str, text: str) -> RowCandidate:
        source = SourceRow(name, name, "made.jsonl", 1, text, {"text": text})
        return make_candidate(recipe, source, {"text": text, "label": True})

    gate = NearDuplicates(recipe.gates.near_duplicates)
    pairs = [
        (f"{kind.name} {number}", pair)
        for kind in kinds
        for number, pair in enumerate(draw_pairs(kind, each), 1)
    ]
    for name, pair in pairs:
        gate.add(row(name, pair.first))
    found = dict.fromkeys((kind.name for kind in kinds), 0)
    for name, pair in pairs:
        detail = gate.check(row("second", pair.second))
        found[pair.kind] += detail.endswith(f" the row of {name}") if pair.is_same else bool(detail)
    return found
