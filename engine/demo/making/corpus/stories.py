"""Short stories on request: a hero, a place, a thing, a feeling."""

from random import Random

from engine.demo.making.corpus.asking import dress
from engine.demo.making.corpus.document import Turn, article, articled, capital, listed, pick
from engine.demo.making.corpus.feelings import FEELINGS
from engine.demo.making.corpus.words import ANIMALS, COLOURS, NAMES, PLACES, THINGS

SKILL = "stories"

_HEROES = (*ANIMALS, *listed("robot king queen dragon girl boy farmer sailor baker witch knight"))
_ASK = (
    "Write a short story about {h}.",
    "Tell me a story about {h}.",
    "Tell a short tale about {h} in a {p}.",
    "I would like a story about {h} and a {t}.",
    "Write a bedtime story about {h}.",
    "Can you tell me a story with {h}?",
    "story about {h} please",
    "Make up a story about {h} and a {t} in a {p}.",
    "Write a little story in which {h} finds a {t}.",
    "Please tell a story for children about {h}.",
    "A short story, please: {h}, a {p}, a {t}.",
    "Write a tale about {h} who lives in a {p}.",
    "Compose a short story about {h} that learns something.",
    "Imagine {h} in a {p} and tell me what happens.",
)
_OPENINGS = (
    "Once upon a time there was {h} called {n}, who lived in a {p}.",
    "In a small {p} there lived {h} by the name of {n}.",
    "Long ago, {h} named {n} lived near a {p}.",
    "There was once {h} in a quiet {p}. Everybody called the little one {n}.",
)
_TROUBLES = (
    "One day {n} found a {c} {t} on the ground.",
    "One morning the {c} {t} was gone, and nobody knew where it was.",
    "One night a storm came and carried the {c} {t} away.",
    "Every evening {n} dreamed of a {c} {t} far away.",
)
_FEELINGS = (
    "{n} felt {f} and did not know what to do.",
    "At first {n} was {f}.",
    "{n} had never felt so {f} before.",
)
_HELPERS = (
    "Then {g} came by and asked what was wrong.",
    "On the way {n} met {g}, who was very old and very wise.",
    "Far from home {n} met {g}, and they became friends.",
)
_DEEDS = (
    "Together they looked behind every stone and under every tree.",
    "They walked for three days and three nights through the {p}.",
    "They shared their bread and told each other stories.",
    "They crossed a deep river and climbed a high hill.",
    'The friend said: "Do not give up. Two see more than one."',
)
_ENDS = (
    "At last they found the {t}, and it shone in the light.",
    "In the end the {t} was in a place where nobody had looked: at home.",
    "Then {n} gave the {t} to the new friend as a gift.",
)
_MORALS = (
    "From that day on they were friends for ever.",
    "And {n} learned that a friend is worth more than a {t}.",
    "That night {n} slept well and was {j}.",
    "So {n} went home, {j} and tired, and lived there for many years.",
)


def make(rng: Random) -> Turn:
    """A request for a story, and the story."""
    hero, helper = pick(rng, _HEROES), pick(rng, _HEROES)
    quality = pick(rng, ("", "", "little ", "lonely ", "brave ", "old ", "young ", "clever "))
    feeling = pick(rng, FEELINGS)
    slots = {
        "h": article(quality + hero),
        "g": article(helper),
        "n": pick(rng, NAMES),
        "p": pick(rng, PLACES),
        "t": pick(rng, THINGS),
        "c": pick(rng, COLOURS),
        "f": pick(rng, feeling.adjectives),
        "j": pick(rng, FEELINGS[1].adjectives),
    }
    plan = (_OPENINGS, _TROUBLES, _FEELINGS, _HELPERS, _DEEDS, _DEEDS, _ENDS, _MORALS)
    lines: list[str] = []
    for choices in plan:
        line = pick(rng, choices)
        if line not in lines:
            lines.append(line)
    request = capital(articled(pick(rng, _ASK).format(**slots)))
    return Turn(SKILL, dress(rng, request), articled(" ".join(lines).format(**slots)), "")
