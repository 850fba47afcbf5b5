"""The rehearsal set: conversations of all the base's skills, to be mixed into training as replay.

`python -m engine.demo.making.rehearsal` writes it; the same seed gives the same files. Drawn by the
rules of the pre-training text from another seed: of a suite's held-out items none is among them.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from engine.atomic import write_text
from engine.bundled import DATA, SUITES
from engine.demo.making.corpus.document import Document
from engine.demo.making.corpus.stream import documents
from engine.demo.making.leakage import Phrases, phrases, plain

SEED = 40_000
ROWS = {"train": 1200, "eval": 200}


def rows() -> dict[str, list[dict[str, object]]]:
    """Rows with `messages`, by split; no prompt comes twice, none is of a suite."""
    items = [
        json.loads(line)
        for path in sorted(SUITES.glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    tested = Phrases(plain(phrase) for item in items for phrase in phrases(item))
    fresh = (one for one in _conversations() if not _any_within(tested, one))
    return {
        split: [
            {"messages": [{"role": role, "content": said} for role, said in one.messages]}
            for one in itertools.islice(fresh, count)
        ]
        for split, count in ROWS.items()
    }


def write(folder: Path = DATA / "rehearsal") -> None:
    """Write train.jsonl and eval.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, found in rows().items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in found)
        write_text(folder / f"{split}.jsonl", "".join(lines))


def _any_within(tested: Phrases, document: Document) -> bool:
    return any(tested.within(content) for _, content in document.messages)


def _conversations() -> Iterator[Document]:
    seen: set[str] = set()
    for document in documents(SEED):
        prompts = {said for role, said in document.messages if role == "user"}
        if prompts and not prompts & seen:
            seen |= prompts
            yield document


if __name__ == "__main__":
    write()
