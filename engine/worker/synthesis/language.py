"""Which language a text is in, where that can be told, and rows in another one than was asked for.

By py3langid (a naive Bayes model over byte n-grams) with normalised probabilities. Short texts and
uncertain ones are not judged: a row is held back only where another language is likely and the one
asked for is not. Languages that the model splits further than people do count as one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.errors import EngineError
from engine.synthesis.gates.candidate import NotJudged, RowCandidate

FEWEST_LETTERS = 20
"""Of a text that is judged; a letter of a script without spaces, or a syllable, counts for two."""
LIKELY = 0.8
"""Probability from which a language is that of the text."""
UNLIKELY = 0.05
"""Probability below which it is not."""
_MOST_CHARS = 2_000
"""Of a text that are read: the probabilities hardly change after that."""
_NO_LANGUAGE = "zxx"
_SAME = (
    ("ar", "ary", "arz"),
    ("bs", "hr", "sr"),
    ("en", "pcm"),
    ("id", "ms"),
    ("ku", "sdh"),
    ("no", "nb", "nn"),
    ("uz", "uzs"),
    ("zh", "wuu", "yue"),
)
_NAME_OF = {code: codes[0] for codes in _SAME for code in codes}


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """What a text's language is taken for."""

    code: str
    probability: float
    of_all: Mapping[str, float]
    """Probabilities by code; of languages that count as one, together under the first."""


class LanguageCheck:
    """The language that texts should be in."""

    def __init__(self, code: str) -> None:
        """`code`: of ISO 639-1, or `source` for that of each source. Raises EngineError for one
        that the model does not know."""
        if code != "source" and name_of(code) not in known_codes():
            raise EngineError(
                f"The language {code!r} is not known.",
                "gates.language",
                f"Give `source`, or one of: {', '.join(sorted(known_codes()))}.",
            )
        self._code = name_of(code)

    def check(self, candidate: RowCandidate) -> str:
        """A text that was asked for and is in another language.

        Raises NotJudged where no text's language can be told.
        """
        wanted = self._code
        if wanted == "source":
            try:
                wanted = guess_language(candidate.source.text).code
            except NotJudged as error:
                raise NotJudged(f"the source is {error}") from None
        unjudged, is_judged = "", False
        for name, text in candidate.asked.items():
            try:
                guess = guess_language(text)
            except NotJudged as error:
                unjudged = unjudged or f"{name} is {error}"
                continue
            is_judged = True
            if guess.code != wanted and guess.of_all.get(wanted, 0.0) < UNLIKELY:
                return f"{name} is in {guess.code} ({guess.probability:.0%}), not in {wanted}"
        if not is_judged:
            raise NotJudged(unjudged or "without a text that was asked for")
        return ""


def guess_language(text: str) -> LanguageGuess:
    """The language of a text. Raises NotJudged where it is too short or too uncertain."""
    shown = text[:_MOST_CHARS]
    if _count_letters(shown) < FEWEST_LETTERS:
        raise NotJudged("too short to tell its language")
    shares: dict[str, float] = {}
    for code, share in _identifier().rank(shown.encode("utf-8", "replace").decode()):
        shares[name_of(code)] = shares.get(name_of(code), 0.0) + share
    code, share = max(shares.items(), key=lambda one: one[1])
    if share < LIKELY or code == _NO_LANGUAGE:
        raise NotJudged(f"of no certain language: {code} at {share:.0%}")
    return LanguageGuess(code, share, shares)


def name_of(code: str) -> str:
    """The code under which a language counts."""
    return _NAME_OF.get(code.lower(), code.lower())


@lru_cache(maxsize=1)
def known_codes() -> frozenset[str]:
    """Codes of the languages that can be told."""
    return frozenset(map(name_of, _identifier().labels)) - {_NO_LANGUAGE}


def _count_letters(text: str) -> int:
    """Letters, where one that stands for a syllable or a word counts twice."""
    return sum(1 + (letter >= "\u2e80") for letter in text if letter.isalpha())


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Loading takes about a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
