"""Distributions of one model, kept on disk, so that another can be compared with them later.

Two models are never in memory together: what the first says at each counted place lies in a file,
whole and in float32, and is read again row by row. Storing the most likely tokens alone would
undercount a divergence. Owns the forward passes of rows and the numbers of two distributions.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.worker.model.loading import base_of
from engine.worker.release.proving.proof_rows import ProofRow
from engine.worker.release.proving.proof_spec import Advance

_VALUES = 1 << 22
"""Log-probabilities that are compared at once: a dozen copies in float64 would else add a GB."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A place at which two models choose another token first."""

    row: int
    place: int
    margin: float
    """Of the reference: by how much its first choice is more likely than its second, in nats."""
    reference_token: int
    token: int


@dataclass(frozen=True, slots=True)
class RowComparison:
    """What one row came to under both models."""

    places: int
    divergence: float
    """Σ KL(reference‖other) over its places, in nats; exact over the vocabulary."""
    reference_nll: float
    """Σ over its places, in nats."""
    nll: float
    disagreements: tuple[Disagreement, ...]
    largest_noise: float
    """By how much a margin between the reference's first two tokens moved, at most."""
    finite: bool
    """Whether all of the other model's values are numbers."""


def distributions(model: Any, rows: Sequence[ProofRow], advance: Advance) -> Iterator[Tensor]:
    """Log-probabilities, float32 of (places, vocabulary), row by row, each read by itself: padding
    would move them."""
    plain = base_of(model)
    picks = "logits_to_keep" in inspect.signature(plain.forward).parameters
    for at, row in enumerate(rows):
        before = torch.tensor(row.places) - 1
        ids = torch.tensor([row.ids])[:, : int(before[-1]) + 1].to(model.device)
        with torch.inference_mode():
            if picks:  # spares the logits of all other positions
                logits = model(input_ids=ids, use_cache=False, logits_to_keep=before).logits[0]
            else:
                logits = model(input_ids=ids, use_cache=False).logits[0, before]
            logs = torch.log_softmax(logits.float(), dim=-1).cpu()
        advance(at + 1, len(rows))
        yield logs


def keep(model: Any, rows: Sequence[ProofRow], file: Path, advance: Advance) -> None:
    """Write what the model says at each place of the rows. Raises OSError, as of a full disk."""
    with file.open("wb") as out:
        for logs in distributions(model, rows, advance):
            out.write(logs.contiguous().numpy().tobytes())


def compare(
    model: Any, rows: Sequence[ProofRow], file: Path, advance: Advance
) -> list[RowComparison]:
    """What the model says at each place, beside what was kept in `file` of the same rows."""
    cuts = [len(row.places) for row in rows]
    return [parts[0] for parts in compare_parts(model, rows, cuts, file, advance)]


def compare_parts(
    model: Any, rows: Sequence[ProofRow], cuts: Sequence[int], file: Path, advance: Advance
) -> list[tuple[RowComparison, ...]]:
    """The same of the first places of each row, as many as its cut says, and of the others, where
    there are any: each by itself.

    Tokens that one of the two has no logit for, as padding of the vocabulary, are left out of both;
    such tokens have no embedding in the other either.
    """
    found, logs = [], distributions(model, rows, advance)
    for at, (row, kept) in enumerate(zip(rows, read_kept(rows, file), strict=True)):
        said, parts = next(logs), []
        for part in (slice(cuts[at]), slice(cuts[at], None)):
            if row.places[part]:
                cut = ProofRow(row.ids, row.places[part])
                parts.append(compare_row(at, cut, kept[part], said[part]))
        found.append(tuple(parts))
    return found


def read_kept(rows: Sequence[ProofRow], file: Path) -> Iterator[Tensor]:
    """What `keep` wrote of the rows, float32 of (places, vocabulary), row by row."""
    if not rows:
        return
    places = sum(len(row.places) for row in rows)
    width = file.stat().st_size // (4 * places)
    kept = np.memmap(file, np.float32, "r", shape=(places, width))
    start = 0
    for row in rows:
        stop = start + len(row.places)
        yield torch.from_numpy(kept[start:stop].copy())
        start = stop


def compare_row(at: int, row: ProofRow, reference: Tensor, logs: Tensor) -> RowComparison:
    """Row number `at` by what was kept of it, and by the log-probabilities of another model."""
    finite = bool(torch.isfinite(logs).all())
    width = min(logs.shape[1], reference.shape[1])
    step = max(1, _VALUES // width)
    divergence = reference_nll = nll = noise = 0.0
    disagreements: list[Disagreement] = []
    for start in range(0, len(row.places), step):
        places = row.places[start : start + step]
        # Normalised anew in float64: float32's rounding alone would make divergences of equal
        # models something other than 0, below it too.
        wide, other = (
            torch.log_softmax(one[start : start + step, :width].double(), -1)
            for one in (reference, logs)
        )
        targets = torch.tensor([row.ids[place] for place in places]).unsqueeze(-1)
        reference_nll -= float(wide.gather(-1, targets).sum())
        nll -= float(other.gather(-1, targets).sum())
        first = wide.topk(2, dim=-1)
        margins = first.values[:, 0] - first.values[:, 1]
        moved = other.gather(-1, first.indices)
        noise = max(noise, float((moved[:, 0] - moved[:, 1] - margins).abs().max()))
        chosen = other.argmax(-1)
        for one in (chosen != first.indices[:, 0]).nonzero()[:, 0].tolist():
            tokens = int(first.indices[one, 0]), int(chosen[one])
            disagreements.append(Disagreement(at, places[one], float(margins[one]), *tokens))
        shares = wide.exp()
        terms = torch.where(shares > 0, shares * (wide - other), shares)
        divergence += float(terms.sum())
    return RowComparison(
        len(row.places), divergence, reference_nll, nll, tuple(disagreements), noise, finite
    )
