"""The probe: rows of a fixed text that is not trained on, and how a model continues them.

A distribution is exact over the whole vocabulary. It is kept in float16, and two are compared only
as they are kept, so that equal weights differ by exactly nothing.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine import atomic
from engine.errors import EngineError
from engine.worker.data.chat_template import leading_ids
from engine.worker.data.encode import widest

ROW = 128
"""Tokens of a row at most, BOS included."""
POSITIONS = 16
"""Whose distributions are compared at once."""
PASS_BYTES = 1 << 26
"""Float32 logits of one forward pass at most; a row is never divided."""
LEAST_TOKENS = 64
SHARE = 0.04
"""Of the time of training that all measurements of the probe may take, by the count of tokens."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Token ids by row; each row is read from its own start, and sees no other."""

    rows: list[list[int]]

    @property
    def predicted(self) -> int:
        """Tokens that are predicted: all but the first of each row."""
        return sum(len(row) - 1 for row in self.rows)

    @property
    def crc(self) -> int:
        return zlib.crc32(json.dumps(self.rows).encode())


def read_probe(path: Path, tokenizer: Any, tokens: int, context: int) -> Probe:
    """The first `tokens` tokens of a text, passage by passage (blank lines part them).

    A passage longer than a row goes on in the next. Each row begins with BOS where the tokenizer
    puts one. Raises EngineError where the text cannot be read, or has nothing to predict.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise EngineError(
            "The probe text cannot be read.", f"{path}: {error.strerror}", "Check forgetting.probe."
        ) from error
    except UnicodeDecodeError as error:
        raise EngineError(
            "The probe text is not UTF-8 text.", f"{path}: {error}", "Check forgetting.probe."
        ) from error
    lead = leading_ids(tokenizer)
    size = min(ROW, context) - len(lead)
    rows: list[list[int]] = []
    left = tokens
    for passage in text.replace("\r\n", "\n").split("\n\n"):
        ids = tokenizer(passage.strip(), add_special_tokens=False)["input_ids"]
        for start in range(0, len(ids), size):
            row = [*lead, *ids[start : start + size]][:left]
            if len(row) > 1:
                rows.append(row)
                left -= len(row)
        if left < 2:
            break
    if not rows:
        raise EngineError("The probe text is empty.", str(path), "Check forgetting.probe.")
    return Probe(sorted(rows, key=len))


def affordable(tokens: int, training_tokens: int, measurements: int, references: int) -> int:
    """How many of the `tokens` of a probe so short a run can bear, all measurements together.

    A training step passes each token forward and backward, 2.5 passes' time or more; measuring
    passes it once, and compares distributions, 0.3 passes' time for each reference. Each of those
    is read once as well, and kept.
    """
    passes = measurements * (1 + 0.3 * references) + 1.3 * references
    return min(tokens, max(LEAST_TOKENS, int(SHARE * training_tokens * 2.5 / passes)))


@dataclass(frozen=True, slots=True)
class Reference:
    """How a base continues the probe: all that a later measurement is compared with."""

    logs: Any
    """Log-probabilities, float16 of (predicted tokens, vocabulary); on disk, mapped into memory."""
    nll: float
    """Of the whole probe, in nats."""

    @property
    def vocabulary(self) -> int:
        return int(self.logs.shape[1])

    @classmethod
    def make(
        cls, path: Path, probe: Probe, model: Any, tick: Callable[[int, int], None]
    ) -> "Reference":
        """Measure the model, and keep its distributions at `path`. Raises what `tick` raises,
        which is told how many passes are done, of how many.

        What was kept there before is used as it is, where it belongs to this probe and is whole.
        """
        if (known := cls.read(path, probe)) is not None:
            return known
        path.parent.mkdir(exist_ok=True)
        aside = path.with_name(f".{path.name}")
        total, crc = 0.0, 0
        # Written, not mapped: on a full disk that is an error, and not the end of the process.
        with aside.open("wb") as file:
            passes = count_passes(model, probe)
            for at, (nll, part) in enumerate(continuations(model, probe), 1):
                tick(at, passes)
                logs = part.cpu().numpy()
                if not file.tell():
                    shape = (probe.predicted, logs.shape[1])
                    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                data = logs.astype("<f2").tobytes()
                file.write(data)
                total, crc = total + nll, zlib.crc32(data, crc)
        atomic.flush_file(aside)
        aside.replace(path)
        about = {"probe": probe.crc, "logs": crc, "nll": str(total)}  # JSON has no NaN
        atomic.write_json(path.with_suffix(".json"), about)
        reference = cls.read(path, probe)
        assert reference is not None, "it was written just now"
        return reference

    @classmethod
    def read(cls, path: Path, probe: Probe) -> "Reference | None":
        """What was kept at `path`; None where that is not whole, or of another probe."""
        try:
            about = json.loads(path.with_suffix(".json").read_bytes())
            logs = np.load(path, mmap_mode="r")
            crc = 0
            for start in range(0, len(logs), ROW):
                crc = zlib.crc32(logs[start : start + ROW].tobytes(), crc)
            if (about["probe"], about["logs"], len(logs)) != (probe.crc, crc, probe.predicted):
                return None
            return cls(logs, float(about["nll"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def continuations(model: Any, probe: Probe) -> Iterator[tuple[float, Tensor]]:
    """Row by row in passes: the NLL in nats, and float16 log-probabilities of (tokens, vocabulary).

    The order is that of the rows, and in them of the tokens.
    """
    rows = _rows_of_pass(model)
    for start in range(0, len(probe.rows), rows):
        yield _continue(model, probe.rows[start : start + rows])


def count_passes(model: Any, probe: Probe) -> int:
    """How many passes `continuations` makes."""
    return -(-len(probe.rows) // _rows_of_pass(model))


def _rows_of_pass(model: Any) -> int:
    return max(1, PASS_BYTES // (ROW * vocabulary_of(model) * 4))


def vocabulary_of(model: Any) -> int:
    """How many tokens a model chooses among."""
    return int(model.get_output_embeddings().weight.shape[0])


def divergence(base: Tensor, now: Tensor) -> float:
    """The sum over positions of KL(base‖now) in nats, of kept log-probabilities of equal shape.

    Exact over the vocabulary, of the two distributions as they are kept; rounding them to float16
    moves it by about 1e-7 a token.
    """
    total = torch.zeros((), dtype=widest(now.device), device=now.device)
    # Some positions at a time: six tensors of float32 are made of each.
    parts = (torch.split(one, POSITIONS) for one in (base, now))
    for pair in zip(*parts, strict=True):
        logs, other = (torch.log_softmax(one.float(), dim=-1) for one in pair)
        shares = logs.exp()
        # A token that the base never says adds nothing, however unlikely it is now.
        terms = torch.where(shares > 0, shares * (logs - other), shares)
        total += terms.sum(-1).to(total.dtype).sum()
    return float(total)


def _continue(model: Any, rows: Sequence[list[int]]) -> tuple[float, Tensor]:
    longest = max(map(len, rows))
    ids = torch.zeros((len(rows), longest), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        mask[at, : len(row)] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    counted = mask[:, 1:].bool()
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1][counted]
    logs = torch.log_softmax(logits.float(), dim=-1)
    picked = logs.gather(-1, ids[:, 1:][counted].unsqueeze(-1))
    return -float(picked.to(widest(logs.device)).sum()), logs.half()
