"""Examples to learn from, as items that are asked or read: rows that were held out, data sets.

The answer that is learned last is what the item seeks, and what comes before it is asked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from engine.chat import Message
from engine.compare.items import Item, write_answer
from engine.data.rows import Example


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
