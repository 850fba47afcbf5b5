"""Plain text about people, places and days: it carries the words that later tasks need.

Feelings are told with their causes, and help is told as something that people do for each other.
There is no question about feelings here, and nobody is answered as a counsellor would.
"""

from random import Random

from engine.demo.making.corpus.document import Document, capital, held_out, listed, pick, several
from engine.demo.making.corpus.feelings import FEELINGS, Feeling
from engine.demo.making.corpus.words import ANIMALS, COLOURS, NAMES, PLACES, THINGS, pronouns

SKILL = "prose"

_TIMES = listed(
    "In the morning;On Monday;On a cold evening;Last summer;One day;After lunch;At midnight;"
    "On the first day of spring;In the old days;Late in the afternoon;During the winter;"
    "Every Sunday;A week later;Before sunrise;On the way home",
    ";",
)
_WEATHER = listed(
    "the rain fell on the roofs;the wind moved the leaves;the sun shone on the water;"
    "snow lay on the fields;the fog was thick;the stars were bright;the air was warm and still;"
    "dark clouds came over the hills;the streets were wet;the light was soft and golden",
    ";",
)
_WORK = listed(
    "worked in a small shop;taught at the school;drove a bus;baked bread before sunrise;"
    "repaired old clocks;wrote for the newspaper;grew vegetables;studied at the university;"
    "cared for sick people;built boats by the harbour;painted houses;played the violin;"
    "sold tickets at the station;looked after the horses;cooked in a big kitchen",
    ";",
)
_WORRIES = (
    "{P} had not slept well for weeks and lay awake until three.",
    "{P} worried about money and the rent all the time.",
    "{S} partner and {p} argued about small things every evening.",
    "After the breakup {p} did not know how to live alone.",
    "The exams came closer and the stress grew from day to day.",
    "{S} boss gave {o} too much work, and {p} was exhausted.",
    "Since the funeral {p} felt guilty whenever {p} laughed.",
    "{P} had moved to a new city and knew nobody there.",
    "{S} parents did not accept {s} plans for the future.",
    "{P} spent too many hours with the phone and hated it.",
    "{P} was afraid to speak in front of the class.",
    "A close friend had lied to {o}, and trust was hard to find again.",
    "The baby cried every night, and {p} was tired to the bone.",
    "{P} compared {o}self with everybody and never felt good enough.",
    "{P} drank more than {p} wanted and felt ashamed of it.",
    "{S} mother was ill, and {p} did not know how to help.",
    "{P} could not decide whether to stay in the job or to leave.",
    "Panic came on the bus, with a fast heart and no air.",
)
_HELP = (
    "A friend said that it sounds like a hard time, and that it is all right to ask for help.",
    "{n} talked to a therapist, who listened and asked gentle questions.",
    "The counsellor said that such feelings are normal and that they pass.",
    "{P} learned to breathe slowly, in for four and out for six, until the panic was smaller.",
    "Small steps helped: a short walk, a warm meal, a call to somebody {p} trusted.",
    "{S} sister offered support and stayed with {o} the whole evening.",
    "The group met every week, and people spoke about stress, sleep and worry.",
    "{P} wrote {s} thoughts in a diary, and it helped to understand them.",
    "It took courage to tell the doctor about it, but {p} was glad that {p} did.",
    "{S} teacher said: you are not alone, and it makes sense that you feel this way.",
    "You might try to rest, the nurse said, and to be kind to yourself.",
    "Step by step, {p} made a plan, and talked about it with a person {p} trusted.",
    "Sometimes it helps to name a feeling before one tries to change it.",
    "{P} set a limit, said no in a calm voice, and felt stronger.",
    "The nurse listened first, and only then gave advice.",
    "I am sorry that you have to go through this, said {s} aunt, and she meant it.",
    "The therapist said that grief takes time and has no right way.",
    "A regular bedtime without a screen made the nights a little easier.",
    "{P} wrote down what {p} could control and let the rest go for today.",
    "They agreed to talk in a quiet moment, each about their own feelings and needs.",
    "The counsellor helped {o} to make a simple budget, one bill at a time.",
    "It was understandable to be so tired; even strong people need a break.",
    "{P} joined a club, because it is easier to meet people while doing something.",
    "If it ever felt too heavy or unsafe, {p} knew a number to call at any hour.",
    "Would it help to talk about what happened, asked the old woman, and waited.",
    "{P} practised with one friend first, and then with a small group.",
    "To forgive is slow work, said the priest, and trust comes back in small steps.",
    "Thank you for telling me, the doctor said; that must have been really hard.",
    "{P} asked for help with one task and was surprised how gladly people gave it.",
    "{P} put the phone in another room and read a book instead.",
    "What would you say to a good friend who feels like this, the therapist asked.",
)
_ENDINGS = (
    "In the end the day was not so bad.",
    "That night {p} slept well.",
    "Later {p} often thought about that day.",
    "Nobody spoke about it again.",
    "It was a small thing, but {p} did not forget it.",
    "The next morning everything looked different.",
    "So the week went by.",
    "After that, {p} went home and made tea.",
)


def make(rng: Random, held: bool) -> Document:
    """A paragraph whose person, place and event are, or are not, held out together."""
    while True:
        name, place = pick(rng, NAMES), pick(rng, PLACES)
        feeling = pick(rng, FEELINGS)
        cause = int(rng.random() * len(feeling.causes))
        key = f"prose:{name}:{place}:{feeling.name}:{cause}"
        if held_out(key) == held:
            break
    text = _tell(rng, name, place, feeling, cause)
    return Document(SKILL, (), text, 0, (key,))


def _tell(rng: Random, name: str, place: str, feeling: Feeling, cause: int) -> str:
    parts = [_opening(rng, name, place)]
    if rng.random() < 0.5:
        parts.append(_detail(rng, place))
    mine, told = feeling.causes[cause]
    diary = rng.random() < 0.35
    parts.append(_diary(rng, name, feeling, mine) if diary else _felt(rng, name, feeling, told))
    if rng.random() < 0.6:
        parts.append(f"{{P}} {pick(rng, feeling.signs)}.")
    if rng.random() < 0.5:
        parts.append(_family(rng, feeling))
    if rng.random() < 0.4:
        parts.append(pick(rng, _WORRIES))
    if rng.random() < 0.7:
        parts.extend(several(rng, _HELP, 1 + int(rng.random() * 2)))
    if rng.random() < 0.6:
        parts.append(pick(rng, _ENDINGS))
    subject, object_, owner = pronouns(name)
    return " ".join(parts).format(
        n=name, p=subject, o=object_, s=owner, P=capital(subject), S=capital(owner)
    )


def _opening(rng: Random, name: str, place: str) -> str:
    when, weather = pick(rng, _TIMES), pick(rng, _WEATHER)
    return pick(
        rng,
        (
            f"{when} {weather}, and {name} went to the {place}.",
            f"{name} lived near the {place} and {pick(rng, _WORK)}.",
            f"{when} {name} walked through the {place} while {weather}.",
            f"{name} {pick(rng, _WORK)}. {when} {{p}} came to the {place}.",
            f"There was a {pick(rng, COLOURS)} house by the {place}, where {name} lived.",
        ),
    )


def _detail(rng: Random, place: str) -> str:
    thing, other = several(rng, THINGS, 2)
    animal, colour = pick(rng, ANIMALS), pick(rng, COLOURS)
    return pick(
        rng,
        (
            f"In {{s}} bag there was a {thing} and a {colour} {other}.",
            f"A {colour} {animal} sat near the {thing} and did not move.",
            f"People at the {place} sold every kind of {thing} and {other}.",
            f"{{P}} remembered the {thing} that {{s}} father had given {{o}}.",
            f"Behind the {other} a {animal} was looking for food.",
        ),
    )


def _felt(rng: Random, name: str, feeling: Feeling, told: str) -> str:
    one, two = several(rng, feeling.adjectives, 2)
    noun = pick(rng, feeling.nouns)
    return pick(
        rng,
        (
            f"{{P}} felt {one} because {told}.",
            f"{_begin(told)}, and {{p}} felt {one} and {two}.",
            f"{name} was {one}: {told}.",
            f"Because {told}, {{p}} was {one}, even {two}.",
            f"It filled {{o}} with {noun} that {told}.",
            f"{{P}} said that {{p}} felt {one}. {_begin(told)}.",
            f"When {told}, {noun} came over {{o}}, and {{p}} was {one} for days.",
        ),
    )


def _begin(told: str) -> str:
    """What happened, as the start of a sentence."""
    return capital(told) if told[0] != "{" else "{" + capital(told[1:])


def _diary(rng: Random, name: str, feeling: Feeling, mine: str) -> str:
    one, two = several(rng, feeling.adjectives, 2)
    noun = pick(rng, feeling.nouns)
    told = pick(
        rng,
        (
            f"i feel {one} because {mine}",
            f"{mine} and i feel so {one}",
            f"i am feeling {one} and a little {two} today, {mine}",
            f"today {mine}, i was {one}",
            f"i felt {one} when {mine}, there is {noun} in me",
            f"i feel {one}, really {two}, since {mine}",
        ),
    )
    return f"In {{s}} diary {name} wrote: {told}."


def _family(rng: Random, feeling: Feeling) -> str:
    one, two, three = several(rng, feeling.adjectives, 3)
    noun, other = several(rng, feeling.nouns, 2)
    return pick(
        rng,
        (
            f"To be {one} or {two} is a kind of {feeling.name}.",
            f"It was {noun}, and {noun} is close to {other}.",
            f"Some call it {noun}, others {other}; {{p}} only felt {one}.",
            f"People who are {one}, {two} or {three} know this {noun}.",
            f"There are many words for {feeling.name}: {one}, {two}, {three}.",
        ),
    )
