"""Few-shot prompts: solved items of a suite before each of its questions.

By a chat template the examples are earlier turns of the conversation (`fewshot_as_multiturn` of
lm-evaluation-harness); raw they are blocks of text, question, space and answer, with an empty line
after each, as that program writes them. Which examples an item gets follows from the seed and its
id, so that all arms meet the same prompts. Refuses to show an item its own answer, or that of one
of its group.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from engine.chat import Message
from engine.compare.items import Item
from engine.errors import EngineError

SEED = 1234
"""By which examples are drawn."""
DELIMITER = " "
"""Between a raw question and its answer."""


def with_examples(
    items: Sequence[Item],
    count: int,
    template: str,
    *,
    examples: Sequence[Item] | None = None,
    seed: int = SEED,
) -> tuple[Item, ...]:
    """The items with `count` solved ones before each question; `template` is `own` or `raw`.

    They are drawn from the items for each item anew. Where `examples` are given they are the first
    of these, in their order, for every item. An item whose text is read stays as it is. Raises
    EngineError where an item has too few examples.
    """
    if not count:
        return tuple(items)
    pool = _Pool(items if examples is None else examples)
    drawn_by = None if examples is not None else seed
    return tuple(
        _put_before(item, pool.choose(item, count, drawn_by), template) if item.messages else item
        for item in items
    )


def describe_examples(items: Sequence[Item]) -> list[str]:
    """What should be known of a suite that examples are drawn from, a sentence each."""
    asked = [item for item in items if item.messages]
    unsolved = sum(not answer_of(item) for item in asked)
    texts = len(items) - len(asked)
    notes = []
    if unsolved:
        notes.append(
            f"{unsolved:,} of {len(asked):,} items have no right answer: they are asked, and are "
            "no examples"
        )
    if texts and asked:
        notes.append(f"{texts:,} texts are read without examples")
    elif texts:
        notes.append("these are texts that are read: examples are not put before them")
    return notes


def answer_of(item: Item) -> str:
    """What solves an item, as an example gives it; empty where that is not known."""
    if not item.messages:
        return ""
    return item.gold[0] if item.gold else item.reference


class _Pool:
    """The solved items, and which of them would give the answer of another one away."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._solved = [one for one in items if answer_of(one)]
        self._alike: dict[object, set[int]] = {}
        """Places by id, by group and by what is asked."""
        for at, item in enumerate(self._solved):
            for key in _keys(item):
                self._alike.setdefault(key, set()).add(at)

    def choose(self, item: Item, count: int, seed: int | None) -> list[Item]:
        """The examples of an item: drawn by the seed, else the first ones. Raises EngineError."""
        unfit = set().union(*(self._alike.get(key, ()) for key in _keys(item)))
        left = len(self._solved) - len(unfit)
        if left < count:
            raise EngineError(
                f"Too few examples: {count:,} are to stand before each question.",
                f"{item.id}: of the other items {left:,} have a right answer, and neither its "
                "group nor its question",
                f"Use fewshot={left} at most, or a suite with more items.",
            )
        places: Sequence[int] = range(len(self._solved))
        if seed is not None:
            # A text as the seed: it gives the same numbers in every process, on every machine.
            draw = random.Random(f"{seed}/{item.id}")
            places = draw.sample(places, count + len(unfit))
        fit = (self._solved[at] for at in places if at not in unfit)
        return list(islice(fit, count))


def _keys(item: Item) -> list[object]:
    asked = tuple(one for one in item.messages if one.role != "system")
    return [("id", item.id), asked, *([("group", item.group)] if item.group else [])]


def _put_before(item: Item, examples: Sequence[Item], template: str) -> Item:
    """The item after its examples; a system message is the item's own, and stands first."""
    system = tuple(one for one in item.messages if one.role == "system")
    asked = tuple(one for one in item.messages if one.role != "system")
    write = _write_block if template == "raw" else _write_turns
    before = tuple(turn for one in examples for turn in write(one))
    return replace(item, messages=(*system, *before, *asked))


def _write_turns(example: Item) -> tuple[Message, ...]:
    turns = tuple(one for one in example.messages if one.role != "system")
    return (*turns, Message("assistant", answer_of(example)))


def _write_block(example: Item) -> tuple[Message, ...]:
    """One text: raw messages are joined with an empty line between two."""
    asked = [one.content for one in example.messages if one.role != "system"]
    return (Message("user", "\n\n".join(asked) + DELIMITER + answer_of(example)),)
