"""The texts of the evaluation side, which no row made may repeat.

A file of items or of rows to learn from is read by the one reader of items, so that its answers are
known from its questions. Of rows in which nothing is asked, such as raw texts, every text counts.
"""

from collections.abc import Iterator
from pathlib import Path

from engine.compare.item_reader import stream_items
from engine.compare.items import Item
from engine.data.formats import holds_columns
from engine.data.raw_row import RawReader
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.synthesis.gates.candidate import HeldOutText


def read_held_out(path: Path, raw: RawReader) -> list[HeldOutText]:
    """All texts behind a path. Raises EngineError where it cannot be read, or holds none."""
    texts = list(_read_items(path)) or list(_read_rows(path, raw))
    if not texts:
        raise EngineError(
            "The evaluation side has no texts.", f"source.held_out: {path}", "Name another file."
        )
    return texts


def _read_items(path: Path) -> Iterator[HeldOutText]:
    """Of items; none where the file holds something else, or any row of it does."""
    try:
        items = [] if holds_columns(path) else list(stream_items(path))
    except EngineError:
        return
    if not all(isinstance(item, Item) for item in items):
        return
    for item in items:
        if not isinstance(item, Item):
            continue
        asked = [item.text, *(message.content for message in item.messages)]
        answers = [item.reference, *item.gold]
        for texts, is_answer in ((asked, False), (answers, True)):
            yield from (HeldOutText(item.id, text, is_answer) for text in texts if text.strip())


def _read_rows(path: Path, raw: RawReader) -> Iterator[HeldOutText]:
    for row in raw(path, Data()):
        name = f"{Path(row.file).name if row.file else path.name}:{row.line}"
        yield from (HeldOutText(name, text) for text in _find_texts(row.value))


def _find_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from [value] if value.strip() else []
    elif isinstance(value, dict):
        for one in value.values():
            yield from _find_texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _find_texts(one)
