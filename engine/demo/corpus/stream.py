"""The corpus as one endless stream of documents, mixed from all skills."""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from random import Random

from . import arithmetic, facts, formats, french, prose, python, songs, stories, talk
from .asking import SYSTEMS, careless
from .document import Document, Turn, pick

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


def documents(seed: int) -> Iterator[Document]:
    """Training documents without end; no held-out combination is among them."""
    rng = Random(seed)
    names = [name for name, parts in MIX.items() for _ in range(parts)]
    while True:
        name = pick(rng, names)
        if name == "prose":
            yield prose.make(rng, held=False)
            continue
        turns = [_turn(rng, name)]
        while name != "stories" and rng.random() < 0.15 and len(turns) < 4:
            turns.append(_turn(rng, pick(rng, [other for other in names if other != "prose"])))
        yield _document(rng, turns)


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
