"""Where a model begins to read otherwise: past its sliding window, past the context before RoPE was
scaled; and rows that are long enough to show it.

A window that was dropped, or a factor of RoPE that is wrong, answers short prompts rightly. Owns
which lengths are tried and which are too long to be tried; reads a config, loads no model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.worker.release.proving.proof_rows import ProofRow, long_row

PLACES = 48
"""Compared on each side of a boundary, and so far it goes beyond."""
MOST_WORK = 8e12
"""Parameters times tokens of one pass; a multiply-add each, so 16 TFLOP: one to five minutes on
two cores."""
_UNSCALED = (None, "default", "proportional")
"""Types of RoPE whose positions are those that were trained."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A number of tokens from which on a model computes otherwise."""

    name: str
    """As in "the sliding window of 512 tokens"."""
    length: int


@dataclass(frozen=True, slots=True)
class LongRow:
    """A row that crosses a boundary: its first places lie before it, the others beyond."""

    boundary: Boundary
    row: ProofRow

    @property
    def before(self) -> int:
        """How many places lie before it."""
        return sum(place < self.boundary.length for place in self.row.places)


@dataclass(frozen=True, slots=True)
class LongRows:
    rows: tuple[LongRow, ...]
    left_out: tuple[str, ...]
    """Boundaries that are not tried, each with the reason."""


def find_boundaries(config: Any) -> tuple[Boundary, ...]:
    """Those of a model's config: windows that some layer has, and the context before scaling."""
    text = config.get_text_config()
    boundaries = []
    types = getattr(text, "layer_types", None)
    window = getattr(text, "sliding_window", None)
    switched_off = getattr(text, "use_sliding_window", True) is False
    if window and not switched_off and (types is None or "sliding_attention" in types):
        boundaries.append(Boundary(f"the sliding window of {window:,} tokens", int(window)))
    for one in _rope_tables(getattr(text, "rope_parameters", None)):
        if one.get("rope_type", one.get("type")) in _UNSCALED:
            continue
        original = one.get("original_max_position_embeddings") or getattr(
            text, "original_max_position_embeddings", None
        )
        factor = one.get("factor")
        if not original and factor:
            original = int(text.max_position_embeddings / factor)
        if original:
            name = f"the {original:,} tokens before RoPE was scaled"
            boundaries.append(Boundary(name, int(original)))
    return tuple(sorted(set(boundaries), key=lambda one: one.length))


def choose_long_rows(config: Any, tokenizer: Any, parameters: int, vocabulary: int) -> LongRows:
    """A row for each boundary that a pass can reach at a bounded cost."""
    rows, left_out = [], []
    context = getattr(config.get_text_config(), "max_position_embeddings", 0) or 1 << 30
    for boundary in find_boundaries(config):
        length = boundary.length + 2 * PLACES
        if boundary.length >= context:
            continue  # no prompt is so long
        if boundary.length + PLACES > context:
            left_out.append(f"{boundary.name}: the model reads no more than {context:,}")
            continue
        length = min(length, context)
        if length * parameters > MOST_WORK:
            size = f"{length:,} tokens through {parameters / 1e9:.1f} billion parameters"
            left_out.append(f"{boundary.name}: {size} take too long here")
            continue
        first = max(1, boundary.length - PLACES)
        places = [*range(first, boundary.length), *range(length - PLACES, length)]
        rows.append(LongRow(boundary, long_row(tokenizer, length, vocabulary, places)))
    return LongRows(tuple(rows), tuple(left_out))


def _rope_tables(parameters: Any) -> list[Mapping[str, Any]]:
    """The tables of RoPE: one, or one for each type of layer."""
    if not isinstance(parameters, Mapping):
        return []
    nested = [one for one in parameters.values() if isinstance(one, Mapping)]
    return nested or [parameters]
