"""What the run and what is shipped are both asked: prompts to answer, rows to read.

Owns which rows of those that the run held out are taken, and what stands in for missing ones. A row
is token ids and the places whose prediction counts; no model is loaded here.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.bundled import PROBE
from engine.chat import Message
from engine.compare import prompts
from engine.compare.items import Item
from engine.errors import EngineError
from engine.worker.data.chat_template import choose_template, render_prompt
from engine.worker.data.encode import IGNORE_INDEX, encode_messages
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.training.probe_text import read_probe

LONGEST = 1024
"""Tokens of a row; what follows is cut off."""
MOST_PLACES = 64
"""Counted of a row: the first tokens of its answer, so that rows count alike."""
MOST_BYTES = 4 << 30
"""Of distributions that are kept on disk: float32 over the whole vocabulary, for each place."""


@dataclass(frozen=True, slots=True)
class ProofRow:
    """Token ids, and the places among them that are predicted, in order; place 0 is never one."""

    ids: tuple[int, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ProofRows:
    """What is asked for one proof."""

    prompts: tuple[tuple[int, ...], ...]
    """Token ids to answer greedily."""
    rows: tuple[ProofRow, ...]
    """Read under teacher forcing."""
    held_out_prompts: int
    """Of the prompts, those that the run held out; the others are bundled."""
    held_out_rows: int
    """Of the rows, those that the run held out; the others are of the bundled text."""

    @property
    def places(self) -> int:
        """Predictions that are compared, of all rows."""
        return sum(len(row.places) for row in self.rows)


def choose_rows(spec: ProofSpec, tokenizer: Any, context: int, vocabulary: int) -> ProofRows:
    """The prompts and rows of a proof, the same whenever the spec is the same.

    `context` is what the model can read, `vocabulary` how many tokens it has embeddings for. Rows
    that the template refuses, or with tokens that the model does not know, are passed over.
    """
    items = _shuffled(spec.held_out, spec.seed) if spec.held_out is not None else []
    longest = min(LONGEST, context)
    asked = [ids for item in items if (ids := _prompt(item, tokenizer, longest, vocabulary))]
    asked = asked[: spec.prompts]
    own_prompts = len(asked)
    if own_prompts < spec.prompts:
        more = (
            _prompt(item, tokenizer, longest, vocabulary) for item in prompts.load("bundled:all")
        )
        asked += [ids for ids in more if ids][: spec.prompts - own_prompts]
    template = choose_template(tokenizer)
    read: list[ProofRow] = []
    for item in items:
        if len(read) == spec.rows:
            break
        if not item.reference:
            continue
        turns = (*item.messages, Message("assistant", item.reference))
        encoded = encode_messages(turns, tokenizer, template, longest, tools=item.tools)[-1]
        if not encoded.kept or max(encoded.input_ids) >= vocabulary:
            continue
        labels = enumerate(encoded.labels)
        places = [at for at, label in labels if at and label != IGNORE_INDEX]
        read.append(_row(encoded.input_ids, places))
    own_rows = len(read)
    read += _bundled_rows(tokenizer, spec.rows - own_rows, longest, vocabulary)
    return ProofRows(
        tuple(asked), _within_disk(read, vocabulary), min(own_prompts, len(asked)), own_rows
    )


def long_row(tokenizer: Any, length: int, vocabulary: int, places: Sequence[int]) -> ProofRow:
    """Bundled text as one row of `length` tokens, repeated where it is shorter."""
    text = PROBE.read_text("utf-8")
    ids = [one for one in tokenizer(text)["input_ids"] if one < vocabulary]
    repeated = (ids * (length // len(ids) + 1))[:length]
    return ProofRow(tuple(repeated), tuple(places))


def _shuffled(path: Path, seed: int) -> list[Item]:
    items = prompts.read(path)
    random.Random(seed).shuffle(items)
    return items


def _prompt(item: Item, tokenizer: Any, longest: int, vocabulary: int) -> tuple[int, ...]:
    """Its token ids; none where it cannot be asked."""
    try:
        ids = render_prompt(item.messages, tokenizer, tools=item.tools)
    except EngineError:
        return ()
    return tuple(ids) if len(ids) < longest - 1 and max(ids) < vocabulary else ()


def _bundled_rows(tokenizer: Any, count: int, longest: int, vocabulary: int) -> list[ProofRow]:
    if count <= 0:
        return []
    probe = read_probe(PROBE, tokenizer, 1 << 20, longest)
    usable = [row for row in probe.rows if max(row) < vocabulary and len(row) >= 8]
    random.Random(count).shuffle(usable)
    return [_row(row, range(1, len(row))) for row in usable[:count]]


def _row(ids: Sequence[int], places: Sequence[int]) -> ProofRow:
    """A row that ends where its last counted place does: nothing behind it is looked at."""
    kept = tuple(places[:MOST_PLACES])
    return ProofRow(tuple(ids[: kept[-1] + 1]), kept)


def _within_disk(rows: Sequence[ProofRow], vocabulary: int) -> tuple[ProofRow, ...]:
    """The rows, each with fewer places where their distributions would be too large together."""
    most = MOST_BYTES // (4 * vocabulary * max(1, len(rows)))
    return tuple(_row(row.ids, row.places[: max(1, most)]) for row in rows)
