"""Held-out items of the corpus as suites: what the base model can do, asked as never before.

`python -m engine.demo.suite` writes them all; the same seed gives the same files.
"""

import json
from pathlib import Path
from random import Random

from engine.atomic import write_text

from . import SUITES
from .corpus import prose
from .corpus.asking import SYSTEMS
from .corpus.document import Turn, pick
from .corpus.stream import CHECKED

SEED = 20_000
ITEMS = 320
TEXTS = 320


def items(skill: str, count: int = ITEMS, seed: int = SEED) -> list[dict[str, object]]:
    """`count` held-out items of a checkable skill, all with different prompts."""
    rng = Random(f"{skill}:{seed}")
    rows: list[dict[str, object]] = []
    seen: set[str] = set()
    while len(rows) < count:
        turn = CHECKED[skill](rng, True)
        if turn.prompt in seen:
            continue
        seen.add(turn.prompt)
        rows.append(_item(rng, turn, len(rows) + 1))
    return rows


def texts(count: int = TEXTS, seed: int = SEED) -> list[dict[str, object]]:
    """`count` held-out paragraphs, to measure perplexity on."""
    rng = Random(f"prose:{seed}")
    documents = (prose.make(rng, True) for _ in range(count))
    return [
        {
            "id": f"prose-{number:03}",
            "skill": "prose",
            "text": document.text,
            "score": "perplexity",
            "key": document.keys[0],
        }
        for number, document in enumerate(documents, 1)
    ]


def write(folder: Path = SUITES) -> None:
    """Write all suites."""
    for skill in CHECKED:
        _write(folder / f"{skill}.jsonl", items(skill))
    _write(folder / "prose.jsonl", texts())


def _item(rng: Random, turn: Turn, number: int) -> dict[str, object]:
    messages = [{"role": "user", "content": turn.prompt}]
    if rng.random() < 0.25:
        messages.insert(0, {"role": "system", "content": pick(rng, SYSTEMS)})
    return {
        "id": f"{turn.skill}-{number:03}",
        "skill": turn.skill,
        "messages": messages,
        "score": turn.score,
        "answer": turn.answer if turn.gold is None else turn.gold,
        "key": turn.key,
    }


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


if __name__ == "__main__":
    write()
