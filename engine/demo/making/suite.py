"""Held-out items of the corpus as suites: what the base model can do, asked as never before.

`python -m engine.demo.making.suite` writes them all; the same seed gives the same files. An item
whose words happen to stand in the training text all the same is left out.
"""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

from engine.atomic import write_text
from engine.bundled import SUITES
from engine.demo.making.corpus import prose
from engine.demo.making.corpus.asking import SYSTEMS
from engine.demo.making.corpus.document import Document, Turn, pick
from engine.demo.making.corpus.stream import CHECKED, TRAINING_SEED, read_in_phases
from engine.demo.making.leakage import leaked

SEED = 20_000
ITEMS = 320
"""Items of each suite."""
SPARE = 60
"""Items drawn beyond that, for those that are left out."""
READ = (180_000, 220_000)
"""Training documents of each phase that are searched: more than the base model has seen."""


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


def texts(count: int, seed: int = SEED) -> list[dict[str, object]]:
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


def suites(training: Iterable[Document]) -> dict[str, list[dict[str, object]]]:
    """All suites by name, without what occurs in the training documents."""
    drawn = {skill: items(skill, ITEMS + SPARE) for skill in CHECKED}
    drawn["prose"] = texts(ITEMS + SPARE)
    bad = leaked(itertools.chain.from_iterable(drawn.values()), training)
    kept: dict[str, list[dict[str, object]]] = {}
    for skill, rows in drawn.items():
        good = [row for row in rows if row["id"] not in bad][:ITEMS]
        if len(good) < ITEMS:
            raise ValueError(f"{skill}: only {len(good)} items do not occur in training text")
        kept[skill] = [{**row, "id": f"{skill}-{at:03}"} for at, row in enumerate(good, 1)]
    return kept


def write(folder: Path = SUITES) -> None:
    """Write all suites."""
    for skill, rows in suites(read_in_phases(TRAINING_SEED, READ)).items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_text(folder / f"{skill}.jsonl", "".join(lines))


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


if __name__ == "__main__":
    write()
