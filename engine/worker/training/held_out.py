"""What a run held out, as a file of prompts: the rows of its evaluation, an item a line.

A later comparison asks the rows that the run was measured on, and no other ones. The file follows
from the recipe and its seed: a resumed attempt leaves it as it is.
"""

import json

from engine import atomic
from engine.compare.example_items import list_items
from engine.worker.attempt import Attempt
from engine.worker.data.prepare import PreparedDataset


def write_held_out(attempt: Attempt, data: PreparedDataset, system: str, *, resumed: bool) -> None:
    """Write all rows that are held out, whole or not at all; no file where there is none.

    `system` is the recipe's system prompt. Raises OSError.
    """
    path = attempt.directory.held_out
    if not data.eval:
        path.unlink(missing_ok=True)  # of an attempt before this one, with another recipe
        return
    if resumed and path.exists():
        return
    items = list_items(data.eval_examples, data.labels, system)
    lines = (json.dumps(item.to_json(), ensure_ascii=False) + "\n" for item in items)
    atomic.write_lines(path, lines)
    attempt.log(f"eval rows as prompts: {path.name}")
