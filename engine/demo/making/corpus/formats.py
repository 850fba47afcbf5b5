"""Instructions about the form of an answer: lists, capitals, order, and exactly N words."""

from random import Random

from engine.demo.making.corpus.asking import dress
from engine.demo.making.corpus.document import Turn, capital, held_out, pick, several
from engine.demo.making.corpus.numbers import in_words
from engine.demo.making.corpus.sentences import exactly
from engine.demo.making.corpus.words import ANIMALS, COLOURS, THINGS, TOPICS

SKILL = "formats"

_POOL = tuple(sorted(set(THINGS) | set(ANIMALS) | set(COLOURS)))
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_TOPICS = tuple(sorted(set(TOPICS)))

_ASK = {
    "bullets": (
        "Write these as a bullet list: {w}",
        "Make a bulleted list of {w}.",
        "List with dashes: {w}",
        "Put {w} into a list with bullet points.",
        "Give me a bullet list with the items {w}.",
        "Turn this into bullet points: {w}",
        "Format as a list with one dash per line: {w}",
        "bullet list please: {w}",
        "I need bullets for {w}.",
        "Show {w} as bullet points.",
        "Use a bullet for each: {w}",
        "Can you make a bullet list of these words? {w}",
    ),
    "numbers": (
        "Write these as a numbered list: {w}",
        "Make a numbered list of {w}.",
        "Number these items: {w}",
        "Put {w} into a numbered list.",
        "Give me a numbered list with the items {w}.",
        "List with numbers: {w}",
        "Turn this into a numbered list: {w}",
        "numbered list please: {w}",
        "I need {w} as a list with numbers.",
        "Show {w} as a numbered list.",
        "Give each a number: {w}",
        "Can you number these words? {w}",
    ),
    "capitals": (
        "Write in capital letters: {w}",
        "Put {w} in capitals.",
        "Change to upper case: {w}",
        "Make every letter a capital: {w}",
        "Write {w} in upper case.",
        "Use only capital letters for {w}.",
        "upper case please: {w}",
        "I want these words in capitals: {w}",
        "Give me {w} in capital letters.",
        "Convert to capitals: {w}",
        "Shout these words: {w}",
        "Can you write these in big letters? {w}",
    ),
    "reverse": (
        "Write these in reverse order: {w}",
        "Reverse the order of {w}.",
        "Put {w} in the opposite order.",
        "Say these backwards, last one first: {w}",
        "Give me {w} from last to first.",
        "Turn the order around: {w}",
        "reverse order please: {w}",
        "List {w} in reverse.",
        "Start with the last and end with the first: {w}",
        "Reverse this list: {w}",
        "What is the reverse order of {w}?",
        "Can you reverse these words? {w}",
    ),
    "and": (
        "Join these words with and: {w}",
        'Write "and" between these words: {w}',
        "Connect {w} with the word and.",
        "Use and instead of commas: {w}",
        "Replace each comma by and: {w}",
        "join with and: {w}",
    ),
    "place": (
        "What is the {o} word in {w}?",
        "Which word is the {o} one here? {w}",
        "Give me the {o} item of {w}.",
        "From the list {w}, take the {o}.",
        "{o} word of {w}",
        "Name the {o} of these: {w}",
        "Only the {o} word, please: {w}",
        "In the list {w}, what comes {o}?",
    ),
    "count": (
        "How many words are in this list? {w}",
        "Count the items: {w}",
        "How many things do you see here? {w}",
        "Tell me the number of words in {w}.",
        "count these words: {w}",
        "How long is this list? {w}",
    ),
    "words": (
        "Write exactly {n} words about the {t}.",
        "Write a sentence of exactly {n} words about the {t}.",
        "In exactly {n} words, say something about the {t}.",
        "Give me exactly {n} words on the {t}.",
        "Say something about the {t} in {n} words.",
        "Describe the {t} in exactly {n} words.",
        "exactly {n} words about the {t}",
        "Use exactly {n} words to speak about the {t}.",
        "I want a sentence about the {t} with {n} words, no more and no less.",
        "Make a sentence with exactly {n} words about the {t}.",
        "Tell me about the {t}. Use {n} words.",
        "Can you write {n} words about the {t}?",
    ),
}
_KINDS = ("bullets", "numbers", "capitals", "capitals", "reverse", "reverse", "words", "words")
_RARE = ("and", "place", "count")


def make(rng: Random, held: bool) -> Turn:
    """An instruction whose list, or whose count and topic, is or is not held out."""
    while True:
        kind = pick(rng, _KINDS) if rng.random() < 0.8 else pick(rng, _RARE)
        turn = _words(rng) if kind == "words" else _list(rng, kind)
        if held_out(turn.key) == held:
            return turn


def _list(rng: Random, kind: str) -> Turn:
    words = several(rng, _POOL, 3 + int(rng.random() * 3))
    at = int(rng.random() * len(words))
    shown = ", ".join(words)
    request = pick(rng, _ASK[kind]).format(w=shown, o=_ORDINALS[at])
    answer = {
        "bullets": "\n".join(f"- {word}" for word in words),
        "numbers": "\n".join(f"{number}. {word}" for number, word in enumerate(words, 1)),
        "capitals": shown.upper(),
        "reverse": ", ".join(reversed(words)),
        "and": " and ".join(words),
        "place": words[at],
        "count": f"{len(words)} words",
    }[kind]
    return Turn(SKILL, dress(rng, capital(request)), answer, f"formats:{' '.join(words)}")


def _words(rng: Random) -> Turn:
    count, topic = 3 + int(rng.random() * 7), pick(rng, _TOPICS)
    shown = in_words(count) if rng.random() < 0.6 else str(count)
    request = pick(rng, _ASK["words"]).format(n=shown, t=topic)
    answer = exactly(rng, count, topic)
    gold = {"count": count, "topic": topic}
    return Turn(
        SKILL, dress(rng, capital(request)), answer, f"formats:{count}:{topic}", "words", gold
    )
