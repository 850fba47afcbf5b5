"""The corpus as one endless stream of documents, mixed from all skills."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random

from engine.demo.making.corpus import (
    arithmetic,
    facts,
    formats,
    french,
    prose,
    python,
    songs,
    stories,
    talk,
)
from engine.demo.making.corpus.asking import SYSTEMS, careless
from engine.demo.making.corpus.document import Document, Turn, pick

CHECKED = {
    "facts": facts.make,
    "arithmetic": arithmetic.make,
    "french": french.make,
    "formats": formats.make,
    "python": python.make,
}
"""Skills with one right answer: each can make held-out turns too."""

OPEN = {"stories": stories.make, "songs": songs.make, "talk": talk.make}

TRAINING_SEED = 1
"""The seed of the text that the bundled model has read."""

MIX = {
    "facts": 20,
    "arithmetic": 20,
    "french": 22,
    "formats": 22,
    "python": 14,
    "stories": 4,
    "songs": 3,
    "talk": 1,
    "prose": 10,
}
"""How often each skill is drawn, in parts."""

HARDER = {
    "facts": 22,
    "arithmetic": 14,
    "french": 26,
    "formats": 44,
    "python": 10,
    "stories": 3,
    "songs": 2,
    "talk": 1,
    "prose": 8,
}
"""The mix of the second phase: more of what is learned late."""


def documents(seed: int, mix: Mapping[str, int] = MIX) -> Iterator[Document]:
    """Training documents without end; no held-out combination is among them."""
    rng = Random(seed)
    names = [name for name in MIX for _ in range(mix[name])]
    while True:
        name = pick(rng, names)
        if name == "prose":
            yield prose.make(rng, held=False)
            continue
        turns = [_turn(rng, name)]
        while name != "stories" and rng.random() < 0.15 and len(turns) < 4:
            turns.append(_turn(rng, pick(rng, [other for other in names if other != "prose"])))
        yield _document(rng, turns)


def read_in_phases(seed: int, counts: Sequence[int]) -> Iterator[Document]:
    """What pre-training from `seed` reads: so many documents of the first mix, of the second."""
    for number, (mix, count) in enumerate(zip((MIX, HARDER), counts, strict=True)):
        yield from islice(documents(seed + number, mix), count)


def fingerprint(seed: int, count: int) -> str:
    """The SHA-256 of the first `count` documents of a seed."""
    digest = hashlib.sha256()
    for document in islice(documents(seed), count):
        value = (document.messages, document.text, document.learned_from, document.keys)
        digest.update(json.dumps(value, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _turn(rng: Random, name: str) -> Turn:
    return CHECKED[name](rng, False) if name in CHECKED else OPEN[name](rng)


def _document(rng: Random, turns: list[Turn]) -> Document:
    keys = tuple(turn.key for turn in turns if turn.key)
    skill = turns[0].skill
    if len(turns) == 1 and rng.random() < 0.04:
        start = f"Question: {turns[0].prompt}\nAnswer:"
        return Document(skill, (), f"{start} {turns[0].answer}", len(start), keys)
    messages: list[tuple[str, str]] = []
    if rng.random() < 0.25:
        messages.append(("system", pick(rng, SYSTEMS)))
    for turn in turns:
        messages += [("user", careless(rng, turn.prompt)), ("assistant", turn.answer)]
    return Document(skill, tuple(messages), "", 0, keys)
