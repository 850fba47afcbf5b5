"""What a run held out, as a file of prompts: the rows of its evaluation, an item a line.

A later comparison asks the rows that the run was measured on, and no other ones. The file follows
from the recipe and its seed: a resumed attempt leaves it as it is.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from engine import atomic
from engine.chat import Message
from engine.compare.items import Item, write_answer
from engine.data.rows import Example
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


def list_items(
    examples: Iterable[Example | None], labels: tuple[str, ...] = (), system: str = ""
) -> Iterator[Item]:
    """An item for each example, in order, of which several training rows may follow each other.

    What is asked stands before the last trained answer, which is the reference and, among `labels`,
    the right choice; it begins with `system` where the row brings no system message, for so the
    model was measured. A plain text is read for its perplexity. The id is `FILE:LINE` of the row,
    and `#2` for a second one from there.
    """
    counts: dict[str, int] = {}
    for _, run in groupby(examples, key=id):
        example = next(run)
        if example is None:
            continue
        file, _, line = example.source.rpartition(":")
        name = f"{file.rpartition('/')[2]}:{line}"
        number = counts[name] = counts.get(name, 0) + 1
        item = _make_item(
            _add_system(example, system), name if number == 1 else f"{name}#{number}", labels
        )
        if item.text or any(message.role == "user" for message in item.messages):
            yield item


def _add_system(example: Example, system: str) -> Example:
    messages = example.messages
    if not system or not messages or any(message.role == "system" for message in messages):
        return example
    return replace(example, messages=(Message("system", system), *messages))


def _make_item(example: Example, name: str, labels: tuple[str, ...]) -> Item:
    """The item of an example; it asks nothing where no user speaks before a trained answer."""
    if not example.messages:
        return Item(name, text=example.text, score="perplexity", group=example.group)
    last = max(
        (
            at
            for at, message in enumerate(example.messages)
            if message.role == "assistant" and message.trained
        ),
        default=0,
    )
    question, answer = example.messages[:last], example.messages[last]
    item = Item(
        name, question, reference=write_answer(answer), tools=example.tools, group=example.group
    )
    if answer.content not in labels:
        return item
    return replace(item, score="choices", gold=(answer.content,), choices=labels)
