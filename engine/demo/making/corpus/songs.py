"""Songs and poems on request, in rhymed pairs of lines."""

from random import Random

from engine.demo.making.corpus.asking import dress
from engine.demo.making.corpus.document import Turn, article, capital, listed, pick, several
from engine.demo.making.corpus.words import ANIMALS, TOPICS

SKILL = "songs"

_SINGERS = (*ANIMALS, *listed("robot king queen dragon sailor child mother teacher doctor farmer"))
_ASK = (
    "Write a song about the {t}.",
    "Write a short song about the {t}.",
    "Sing me a song about the {t}.",
    "Compose a song about the {t}.",
    "I would like a little song about the {t}.",
    "Write a poem about the {t}.",
    "song about the {t} please",
    "Give me a poem with rhymes about the {t}.",
    "Can you write a song for the {t}?",
    "Make a happy song about the {t}.",
)
_ASK_LOVE = (
    "Write a love song from {a} to {b}.",
    "Compose a love song from {a} to {b}.",
    "Write a love poem that {a} gives to {b}.",
    "How would {a} sing of love to {b}?",
    "Sing a love song for {b}, sung by {a}.",
    "I need a love song. {a} sings it to {b}.",
)
_PAIRS = (
    ("The {t} is calling in the night,", "And everything is calm and bright."),
    ("I hear the {t} when day is new,", "And then my heart comes back to you."),
    ("The {t} was there when I was small,", "It is the dearest friend of all."),
    ("Oh {t}, oh {t}, stay here with me,", "As long as rivers find the sea."),
    ("The wind may blow, the rain may fall,", "I hear the {t}, I hear it call."),
    ("We walk together, hand in hand,", "The {t} is known in every land."),
    ("When I am sad, when I am low,", "The {t} is all I need to know."),
    ("The years go by, the children grow,", "The {t} remains, the rivers flow."),
    ("So sing with me and do not cry,", "The {t} is near, the stars are high."),
    ("I lost my way, I lost my song,", "The {t} was with me all along."),
)
_LOVE = (
    ("My heart is yours by night and day,", "I love you more than I can say."),
    ("I am {a}, so shy and small,", "But you, my dear, you are my all."),
    ("Dear {v}, when I see your face,", "The world becomes a better place."),
    ("Each morning when I wake I knew,", "That all my songs are made for you."),
    ("I count the hours, I count the stars,", "I wait for you wherever you are."),
    ("Your gentle voice, your tender eyes,", "They are the sun in all my skies."),
    ("Oh {v}, take my hand and stay,", "And let us never go away."),
    ("If you are sad, I will be near,", "And wipe away each little tear."),
    ("I am {a}, and this is true:", "There is no love like mine for you."),
)
_CHORUS = (
    "La la la, the {t}, the {t},",
    "Oh, sing it loud and sing it free,",
    "Sing it for you and sing it for me.",
)
_LOVE_CHORUS = (
    "La la la, my love, my dear,",
    "I sing this song so you can hear,",
    "I love you more from year to year.",
)


def make(rng: Random) -> Turn:
    """A request for a song, and the song: two verses and a chorus."""
    loving = rng.random() < 0.4
    one, two = several(rng, _SINGERS, 2)
    whose = pick(rng, ("a", "a", "its"))
    if whose == "its":
        two = pick(rng, ("owner", "friend", "home", "master", "mother", "teacher"))
    slots = {
        "t": pick(rng, TOPICS),
        "a": article(one),
        "b": f"its {two}" if whose == "its" else article(two),
        "v": two,
    }
    request = pick(rng, _ASK_LOVE if loving else _ASK).format(**slots)
    pairs = several(rng, _LOVE if loving else _PAIRS, 4)
    verses = ["\n".join(line for pair in pairs[at : at + 2] for line in pair) for at in (0, 2)]
    chorus = "\n".join(_LOVE_CHORUS if loving else _CHORUS)
    song = f"{verses[0]}\n\n{chorus}\n\n{verses[1]}".format(**slots)
    return Turn(SKILL, dress(rng, capital(request)), song, "")
