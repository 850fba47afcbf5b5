"""Questions about plain facts, and comparisons of two things.

Each fact is learned in most forms of its question; what is held out is a fact in one form, or a
pair to compare.
"""

from random import Random

from engine.demo.making.corpus.asking import dress
from engine.demo.making.corpus.document import Turn, article, articled, capital, held_out, pick
from engine.demo.making.corpus.fact_table import BY_SIZE, BY_SPEED
from engine.demo.making.corpus.relations import RELATIONS, Relation

SKILL = "facts"

_COMPARE = {
    "size": (
        BY_SIZE,
        ("bigger", "larger"),
        (
            "Which is {w}, {a} or {b}?",
            "What is {w}: {a} or {b}?",
            "Tell me which one is {w}, {a} or {b}.",
            "{a} or {b}: which is {w}?",
            "Compare {a} and {b}. Which is {w}?",
            "Between {a} and {b}, which one is {w}?",
            "Of {a} and {b}, name the one that is {w}.",
            "Is {a} or {b} {w}?",
        ),
    ),
    "speed": (
        BY_SPEED,
        ("faster", "quicker"),
        (
            "Which is {w}, {a} or {b}?",
            "What moves {w}, {a} or {b}?",
            "Who wins a race, {a} or {b}? Which is {w}?",
            "{a} or {b}: which is {w}?",
            "Compare {a} and {b}. Which one is {w}?",
            "Between {a} and {b}, what is {w}?",
            "Is {a} or {b} {w}?",
        ),
    ),
}


def make(rng: Random, held: bool) -> Turn:
    """A question about a fact whose combination is, or is not, held out."""
    while True:
        turn = _compare(rng) if rng.random() < 0.2 else _fact(rng)
        if held_out(turn.key) == held:
            return turn


def _fact(rng: Random) -> Turn:
    relation = pick(rng, RELATIONS)
    # Long tables are asked for more often: every fact is to be seen about equally often.
    if rng.random() > len(relation.facts) / 48:
        relation = pick(rng, RELATIONS)
    entity, value = pick(rng, relation.facts)
    form = int(rng.random() * len(relation.asks))
    request = articled(capital(relation.asks[form].format(e=entity, v=value)))
    gold = entity if relation.name == "country" else value
    return Turn(
        SKILL,
        dress(rng, request),
        articled(relation.says.format(e=entity, v=value)),
        f"facts:{relation.name}:{entity}:{form}",
        "choices",
        {"right": gold, "wrong": _rivals(relation, gold, entity)},
    )


def _rivals(relation: Relation, gold: str, entity: str) -> list[str]:
    values = {entity if relation.name == "country" else value for entity, value in relation.facts}
    return sorted(values - {gold, entity})


def _compare(rng: Random) -> Turn:
    name = pick(rng, ("size", "size", "speed"))
    order, words, asks = _COMPARE[name]
    low = int(rng.random() * (len(order) - 2))
    high = low + 2 + int(rng.random() * (len(order) - low - 2))
    one, two = _named(order[low]), _named(order[high])
    first, second = (one, two) if rng.random() < 0.5 else (two, one)
    word = pick(rng, words)
    request = capital(pick(rng, asks).format(a=first, b=second, w=word))
    return Turn(
        SKILL,
        dress(rng, request),
        f"{capital(two)} is {word} than {one}.",
        f"facts:{name}:{order[low]}:{order[high]}",
        "choices",
        {"right": f"{capital(two)} is {word}", "wrong": [f"{capital(one)} is {word}"]},
    )


def _named(thing: str) -> str:
    return f"the {thing}" if thing in ("sun", "moon") else article(thing)
