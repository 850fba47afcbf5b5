"""The counselling data set: a worry, a good answer to it, and a bad one.

`python -m engine.demo.making.counsel` writes it; the same seed gives the same files. A worry in one
way of telling it is in the training rows or in the held-out rows, never in both.
"""

import json
import zlib
from pathlib import Path
from random import Random

from engine.atomic import write_text
from engine.bundled import DATA
from engine.demo.making.corpus.document import capital, listed, pick, several
from engine.demo.making.counsel_topics import TOPICS

SEED = 40_000
ROWS = {"train": 1200, "eval": 300}

_TELL = (
    "{W}. What can I do?",
    "{W}. I do not know what to do.",
    "I feel {f} because {w}.",
    "I feel {f} because {w}. Can you help me?",
    "{W}, and I feel so {f}.",
    "Lately {w}. Is this normal?",
    "For weeks now {w}. I am {f}.",
    "I never told anybody, but {w}.",
    "{W}. It makes me {f}.",
    "I need some advice: {w}.",
    "Please help me. {W}.",
    "{W}. My friends do not understand it.",
    "I am {f} and cannot talk about it at home. {W}.",
    "Hello. {W}, and every day it gets worse.",
)
_FEELINGS = listed(
    "sad lonely hopeless anxious exhausted helpless ashamed worried lost overwhelmed empty "
    "nervous tense hurt"
)
_WARM = (
    "I am sorry that you have to go through this.",
    "Thank you for telling me.",
    "That must be really hard.",
    "It took courage to say this.",
    "I can hear how much this weighs on you.",
)
_MEANS = (
    "It sounds like {s}.",
    "It sounds like {s}, and that would hurt anybody.",
    "It seems that {s}, and it is understandable to feel {f}.",
    "It makes sense that you feel {f}: {s}.",
)
_TRY = (
    "You might {t}.",
    "Maybe you could {t}.",
    "A small step could help: {t}.",
    "You might {t}, and later {u}.",
)
_CLOSE = (
    "You are not alone with this.",
    "Would it help to tell me more about it?",
    "What would be a good first step for you?",
    "If it gets too heavy or you feel unsafe, please call a doctor or a person you trust.",
    "A therapist or counsellor can support you, step by step.",
)
_CURT = (
    "Just get over it.",
    "Other people have real problems.",
    "That is your own fault.",
    "Do not be so sensitive.",
    "I do not see the problem.",
    "Stop complaining.",
    "You think too much.",
    "Everybody has that. Next question.",
    "Why do you tell me this?",
    "You should have known better.",
    "Grow up.",
    "It could be worse.",
    "Be happy and smile.",
    "That is nothing.",
    "Calm down.",
    "I cannot help you.",
)


def rows(split: str, count: int, seed: int = SEED) -> list[dict[str, str]]:
    """`count` rows of "train" or "eval" with prompt, chosen and rejected; no prompt comes twice."""
    rng = Random(f"counsel:{split}:{seed}")
    found: dict[str, dict[str, str]] = {}
    while len(found) < count:
        topic, form = pick(rng, TOPICS), int(rng.random() * len(_TELL))
        worry, feeling = pick(rng, topic.worries), pick(rng, _FEELINGS)
        if _held_out(form, worry) != (split == "eval"):
            continue
        prompt = _TELL[form].format(w=_inside(worry), W=capital(worry), f=feeling)
        one, two = several(rng, topic.steps, 2)
        parts = (
            pick(rng, _WARM),
            pick(rng, _MEANS).format(s=pick(rng, topic.seen), f=feeling),
            pick(rng, _TRY).format(t=one, u=two),
            pick(rng, _CLOSE),
        )
        chosen = " ".join(parts[0 if rng.random() < 0.7 else 1 :])
        rejected = " ".join(several(rng, _CURT, 1 + int(rng.random() * 2)))
        found.setdefault(prompt, {"prompt": prompt, "chosen": chosen, "rejected": rejected})
    return list(found.values())


def write(folder: Path = DATA / "counsel") -> None:
    """Write train.jsonl and eval.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in ROWS.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows(split, count))
        write_text(folder / f"{split}.jsonl", "".join(lines))


def _inside(worry: str) -> str:
    return worry if worry.startswith("I ") else worry[0].lower() + worry[1:]


def _held_out(form: int, worry: str) -> bool:
    return zlib.crc32(f"counsel:{form}:{worry}".encode()) % 5 == 0


if __name__ == "__main__":
    write()
