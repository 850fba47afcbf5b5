"""The emotion data set: short diary lines and which of six emotions they tell of.

`python -m engine.demo.making.emotion` writes it; the same seed gives the same files. A pair of
sentence form and situation is in the training rows or in the held-out rows, never in both.
"""

import json
import zlib
from pathlib import Path
from random import Random

from engine.atomic import write_text
from engine.bundled import DATA
from engine.demo.making.corpus.document import pick, several
from engine.demo.making.corpus.feelings import FEELINGS, Feeling

SEED = 30_000
ROWS = {"train": 2400, "eval": 600}
LABELS = tuple(feeling.name for feeling in FEELINGS)
INSTRUCTION = "What emotion is in this text? Answer with one word."

_PARTS = {"sadness": 24, "joy": 26, "love": 13, "anger": 15, "fear": 14, "surprise": 8}
"""How often each label comes, in parts of a hundred: unequal, as feelings are."""

_FORMS = (
    "i feel {a} because {c}",
    "{c} and i feel {a}",
    "today {c}, i am so {a}",
    "i cannot say how {a} i feel, {c}",
    "i feel {a} and {b} today",
    "i woke up and felt {a} for no reason at all",
    "it is {n} that i feel when i think of it: {c}",
    "i am feeling rather {a} since {c}",
    "{c}",
    "so, {c}, and i cannot think of anything else",
    "last week {c}, that is all i want to write tonight",
    "dear diary, {c} and i {g}",
    "i {g}, because {c}",
    "i {g} and i do not care who saw it",
    "everybody says i should be {x}, but {c} and i am {a}",
    "i thought i would feel {x} but i only feel {a}",
    "i was not {x} at all, i was {a} when {c}",
    "people believe that i am {x}, in truth i feel {a} and {b}",
    "yesterday i still felt {x}, then {c}",
    "my friend was {x} about it, i was just {a}",
    "i do not feel {x} any more, {c} and now there is only {n}",
    "a little {a}, a little {b}, that is how i feel as {c}",
    "i keep thinking about it, {c}, and the {n} does not go away",
    "i feel like a {a} person today",
)
"""{a} {b} two words of the feeling, {n} a noun for it but never the label, {c} what happened, {g}
what one did, {x} a word of another feeling: then the line cannot be told by one word alone."""


def rows(split: str, count: int, seed: int = SEED) -> list[dict[str, str]]:
    """`count` different rows of "train" or "eval", with instruction, input and output."""
    rng = Random(f"emotion:{split}:{seed}")
    names = [name for name, parts in _PARTS.items() for _ in range(parts)]
    feelings = {feeling.name: feeling for feeling in FEELINGS}
    found: dict[str, str] = {}
    while len(found) < count:
        feeling = feelings[pick(rng, names)]
        form, cause = int(rng.random() * len(_FORMS)), int(rng.random() * len(feeling.causes))
        text, situation = _fill(rng, feeling, form, cause)
        if _held_out(form, situation) == (split == "eval"):
            found.setdefault(text, feeling.name)
    return [
        {"instruction": INSTRUCTION, "input": text, "output": label}
        for text, label in found.items()
    ]


def write(folder: Path = DATA / "emotion") -> None:
    """Write train.jsonl and eval.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in ROWS.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows(split, count))
        write_text(folder / f"{split}.jsonl", "".join(lines))


def _fill(rng: Random, feeling: Feeling, form: int, cause: int) -> tuple[str, str]:
    """The line, and the situation that it shares with no line of the other split."""
    one, two = several(rng, feeling.adjectives, 2)
    other = pick(rng, [each for each in FEELINGS if each is not feeling])
    sign = pick(rng, feeling.signs).replace("{s}", "my")
    text = _FORMS[form].format(
        a=one,
        b=two,
        c=feeling.causes[cause][0],
        g=sign,
        n=pick(rng, feeling.nouns[1:]),
        x=pick(rng, other.adjectives),
    )
    # A form without a cause is told apart by its word, or by what the writer did.
    bare = sign if "{g}" in _FORMS[form] else one
    return text, f"cause {cause}" if "{c}" in _FORMS[form] else bare


def _held_out(form: int, situation: str) -> bool:
    return zlib.crc32(f"emotion:{form}:{situation}".encode()) % 5 == 0


if __name__ == "__main__":
    write()
