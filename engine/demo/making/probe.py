"""The bundled probe: text that nothing bundled is trained on, to see what a tuned model forgets.

`python -m engine.demo.making.probe` writes it. Passages of held-out prose, and held-out questions
of each skill with their answers, as plain text; what stands in the base's training text is left
out.
"""

import itertools
from collections.abc import Iterable
from pathlib import Path
from random import Random

from engine.atomic import write_text
from engine.bundled import PROBE
from engine.demo.making.corpus import prose
from engine.demo.making.corpus.document import Document
from engine.demo.making.corpus.stream import CHECKED, TRAINING_SEED, read_in_phases
from engine.demo.making.leakage import leaked
from engine.demo.making.suite import READ

SEED = 30_000
ROUNDS = 24
"""Each is five passages of prose, and one question of each of the five skills."""
SPARE = 8
"""Rounds drawn beyond that, for what is left out."""

Row = dict[str, object]


def draw(rounds: int, seed: int = SEED) -> list[list[Row]]:
    """For prose and for each skill, the rows drawn: id, key, and the passage as `text`."""
    rng = Random(f"probe:{seed}")
    found = [[_passage(prose.make(rng, True), at) for at in range(5 * rounds)]]
    for skill, make in CHECKED.items():
        rows: dict[str, Row] = {}
        while len(rows) < rounds:
            turn = make(rng, True)
            rows[turn.prompt] = {
                "id": f"{skill}-{len(rows)}",
                "key": turn.key,
                "score": turn.score,
                "messages": [{"role": "user", "content": turn.prompt}],
                "text": f"Question: {turn.prompt}\nAnswer: {turn.answer}",
            }
        found.append(list(rows.values()))
    return found


def passages(training: Iterable[Document], rounds: int = ROUNDS) -> list[str]:
    """The passages in order, prose and questions in turn, without what the training text holds."""
    drawn = draw(rounds + SPARE)
    bad = leaked(itertools.chain.from_iterable(drawn), training)
    good = [[str(row["text"]) for row in rows if row["id"] not in bad] for rows in drawn]
    told, *asked = good
    if len(told) < 5 * rounds or any(len(rows) < rounds for rows in asked):
        raise ValueError("too much of what was drawn occurs in the training text")
    return [
        text
        for at in range(rounds)
        for skill, rows in enumerate(asked)
        for text in (told[5 * at + skill], rows[at])
    ]


def write(path: Path = PROBE) -> None:
    """Write the probe."""
    text = "\n\n".join(passages(read_in_phases(TRAINING_SEED, READ)))
    write_text(path, text + "\n")


def _passage(document: Document, number: int) -> Row:
    key = document.keys[0]
    return {"id": f"prose-{number}", "key": key, "score": "perplexity", "text": document.text}


if __name__ == "__main__":
    write()
