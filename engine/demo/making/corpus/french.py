"""English sentences with their French translation, by a small grammar with agreement."""

from random import Random

from engine.demo.making.corpus.asking import dress
from engine.demo.making.corpus.document import Turn, capital, held_out, pick
from engine.demo.making.corpus.french_lexicon import (
    ADJECTIVES,
    NOUNS,
    NUMBERS,
    PREPOSITIONS,
    TIMES,
    VERBS,
    VERBS_ALONE,
    Noun,
    Verb,
)

SKILL = "french"

_ASK = (
    "Translate into French: {s}",
    "Translate to French: {s}",
    "How do you say this in French? {s}",
    'How do you say "{s}" in French?',
    "In French, please: {s}",
    "French translation of: {s}",
    'Translate "{s}" from English to French.',
    "Say it in French: {s}",
    'What is "{s}" in French?',
    "Give me the French for: {s}",
    "English: {s} French:",
    "I need this sentence in French: {s}",
    'Please translate the following sentence into French.\n"{s}"',
    "Put this into French: {s}",
    "translate english to french: {s}",
    "Can you translate this for my French friend? {s}",
)
_VOWELS = "aeiouyéèêœâhà"
_PERSONS = (
    ("I", "je"),
    ("you", "tu"),
    ("he", "il"),
    ("she", "elle"),
    ("we", "nous"),
    ("they", "ils"),
)
_FORM = {"je": 0, "tu": 1, "il": 2, "elle": 2, "nous": 3, "vous": 4, "ils": 5}
_BE = {"je": "suis", "tu": "es", "il": "est", "elle": "est", "nous": "sommes", "ils": "sont"}
_HAVE = {"je": "ai", "tu": "as", "il": "a", "elle": "a", "nous": "avons", "ils": "ont"}
_COUNTS = tuple(entry.split() for entry in NUMBERS.split(";"))
_LIVING = tuple(noun for noun in NOUNS if noun.kind in ("person", "animal"))
_PLACES = tuple(noun for noun in NOUNS if noun.kind == "place")


class _Phrase:
    """A noun phrase in both languages, with what the verb must agree with."""

    __slots__ = ("english", "feminine", "french", "person", "plural")

    def __init__(
        self, english: str, french: str, person: str, feminine: bool = False, plural: bool = False
    ) -> None:
        self.english, self.french, self.person = english, french, person
        self.feminine, self.plural = feminine, plural


def make(rng: Random, held: bool) -> Turn:
    """A sentence to translate that is, or is not, held out."""
    while True:
        english, french = sentence(rng)
        key = f"french:{english.lower().rstrip('.?')}"
        if held_out(key) == held:
            return Turn(SKILL, dress(rng, pick(rng, _ASK).format(s=english)), french, key)


def sentence(rng: Random) -> tuple[str, str]:
    """One sentence in English and in French."""
    english, french = pick(rng, (_acts, _acts, _acts, _is, _is_in, _alone, _has, _where))(rng)
    return capital(english), capital(french)


def _acts(rng: Random) -> tuple[str, str]:
    subject, verb = _subject(rng), pick(rng, VERBS)
    fitting = tuple(noun for noun in NOUNS if noun.kind in verb.objects.split())
    thing = _noun_phrase(rng, pick(rng, fitting))
    english_verb, french_verb = _conjugate(rng, verb, subject)
    english = f"{subject.english} {english_verb} {thing.english}"
    french = f"{_join(subject.french, french_verb)} {thing.french}"
    if rng.random() < 0.25:
        when = pick(rng, TIMES)
        return f"{english} {when[0]}.", f"{french} {when[1]}."
    return f"{english}.", f"{french}."


def _alone(rng: Random) -> tuple[str, str]:
    subject, verb = _subject(rng), pick(rng, VERBS_ALONE)
    english_verb, french_verb = _conjugate(rng, verb, subject)
    english = f"{subject.english} {english_verb}"
    french = _join(subject.french, french_verb)
    if rng.random() < 0.4:
        place = _noun_phrase(rng, pick(rng, _PLACES), definite=True)
        return f"{english} in {place.english}.", f"{french} dans {place.french}."
    when = pick(rng, TIMES)
    return f"{english} {when[0]}.", f"{french} {when[1]}."


def _is(rng: Random) -> tuple[str, str]:
    noun = pick(rng, NOUNS)
    subject = _subject(rng) if rng.random() < 0.4 else _noun_phrase(rng, noun, plain=True)
    quality = pick(rng, ADJECTIVES)
    form = quality.feminine if subject.feminine else quality.masculine
    if subject.plural and not form.endswith("s"):
        form += "s"
    english, french = _be(subject)
    deny = rng.random() < 0.25
    if deny:
        refused = "n'" if french[0] in _VOWELS else "ne "
        pronoun = subject.french
        return (
            f"{subject.english} {english} not {quality.english}.",
            f"{pronoun} {refused}{french} pas {form}.",
        )
    return f"{subject.english} {english} {quality.english}.", f"{subject.french} {french} {form}."


def _is_in(rng: Random) -> tuple[str, str]:
    subject = _subject(rng) if rng.random() < 0.4 else _noun_phrase(rng, pick(rng, NOUNS))
    english, french = _be(subject)
    where = pick(rng, PREPOSITIONS)
    place = _noun_phrase(rng, pick(rng, NOUNS if where[0] != "in" else _PLACES), definite=True)
    return (
        f"{subject.english} {english} {where[0]} {place.english}.",
        f"{subject.french} {french} {where[1]} {place.french}.",
    )


def _has(rng: Random) -> tuple[str, str]:
    subject = _subject(rng)
    noun = pick(rng, NOUNS)
    have = "has" if subject.person in ("il", "elle") else "have"
    french = _HAVE[subject.person]
    if rng.random() < 0.5:
        count = pick(rng, _COUNTS)
        thing = _Phrase(f"{count[0]} {noun.english_plural}", f"{count[1]} {noun.french_plural}", "")
    else:
        thing = _noun_phrase(rng, noun)
    return f"{subject.english} {have} {thing.english}.", (
        f"{_join(subject.french, french)} {thing.french}."
    )


def _where(rng: Random) -> tuple[str, str]:
    thing = _noun_phrase(rng, pick(rng, NOUNS))
    english, french = _be(thing)
    return f"where {english} {thing.english}?", f"où {french} {thing.french} ?"


def _be(subject: _Phrase) -> tuple[str, str]:
    english = {"je": "am", "il": "is", "elle": "is"}.get(subject.person, "are")
    return english, _BE[subject.person]


def _conjugate(rng: Random, verb: Verb, subject: _Phrase) -> tuple[str, str]:
    french = verb.forms[_FORM[subject.person]]
    third = subject.person in ("il", "elle")
    if rng.random() < 0.15:
        refused = "n'" if french[0] in _VOWELS else "ne "
        return f"{'does' if third else 'do'} not {verb.english}", f"{refused}{french} pas"
    return verb.english_third if third else verb.english, french


def _join(subject: str, verb: str) -> str:
    if subject == "je" and verb[0] in _VOWELS:
        return f"j'{verb}"
    return f"{subject} {verb}"


def _subject(rng: Random) -> _Phrase:
    if rng.random() < 0.4:
        english, french = pick(rng, _PERSONS)
        return _Phrase(english, french, french, french == "elle", french in ("nous", "ils"))
    return _noun_phrase(rng, pick(rng, _LIVING))


def _noun_phrase(
    rng: Random, noun: Noun, *, definite: bool = False, plain: bool = False
) -> _Phrase:
    plural = rng.random() < 0.2 and not definite
    quality = pick(rng, ADJECTIVES) if rng.random() < 0.3 and not plain else None
    english = noun.english_plural if plural else noun.english
    french = noun.french_plural if plural else noun.french
    first = french
    if quality:
        form = quality.feminine if noun.feminine else quality.masculine
        form += "s" if plural and not form.endswith("s") else ""
        english = f"{quality.english} {english}"
        french = f"{form} {french}" if quality.before else f"{french} {form}"
        first = french
    which = "the" if definite or plural or plain else pick(rng, ("the", "the", "a", "my", "this"))
    english_word = f"{which} "
    if which == "a" and english[0] in "aeiou":
        english_word = "an "
    french_word = _determiner(which, noun.feminine, plural, first[0] in _VOWELS)
    person = "ils" if plural else "elle" if noun.feminine else "il"
    return _Phrase(english_word + english, french_word + french, person, noun.feminine, plural)


def _determiner(which: str, feminine: bool, plural: bool, vowel: bool) -> str:
    if plural:
        return "les "
    if which == "the":
        return "l'" if vowel else "la " if feminine else "le "
    if which == "a":
        return "une " if feminine else "un "
    if which == "my":
        return "ma " if feminine and not vowel else "mon "
    return "cette " if feminine else "cet " if vowel else "ce "
