"""Short sentences with a given number of words about a given topic."""

from random import Random

from engine.demo.making.corpus.document import pick

_BY_COUNT = {
    3: (
        "The {t} waits.",
        "The {t} remains.",
        "The {t} sleeps.",
        "The {t} calls.",
        "The {t} changes.",
    ),
    4: (
        "I love the {t}.",
        "The {t} is beautiful.",
        "We remember the {t}.",
        "The {t} is here.",
        "Nobody forgets the {t}.",
    ),
    5: (
        "The {t} makes me happy.",
        "I often see the {t}.",
        "The {t} is very old.",
        "She dreams of the {t}.",
        "We talk about the {t}.",
    ),
    6: (
        "The {t} is my best friend.",
        "In summer the {t} is quiet.",
        "I think about the {t} often.",
        "The {t} waits for the morning.",
        "Every child knows the old {t}.",
    ),
    7: (
        "I can see the {t} from here.",
        "The {t} is older than my house.",
        "We were happy to find the {t}.",
        "Last night I dreamed of the {t}.",
        "The {t} brings us joy every day.",
    ),
    8: (
        "When I am sad, the {t} helps me.",
        "The {t} was the first thing I saw.",
        "My mother told me about the old {t}.",
        "We walked for hours to see the {t}.",
        "Nothing in this town is like the {t}.",
    ),
    9: (
        "The {t} is the most beautiful thing I know.",
        "In the evening we sit together near the {t}.",
        "My father and I often talk about the {t}.",
        "The old man looked at the {t} and smiled.",
        "I will never forget the day of the {t}.",
    ),
}


def exactly(rng: Random, count: int, topic: str) -> str:
    """A sentence of `count` words (3 to 9) that names the topic."""
    return pick(rng, _BY_COUNT[count]).format(t=topic)
