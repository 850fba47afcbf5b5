"""What an installed llama.cpp says of a text at each place: by its program `llama-perplexity`.

Owns which text that is, the rows that the program reads of it, and the file of log-probabilities
that it writes (tools/perplexity/perplexity.cpp of github.com/ggml-org/llama.cpp). Judges nothing.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.bundled import PROBE
from engine.errors import EngineError
from engine.release.disk_need import TEXT_PLACES, TEXT_ROW, TEXT_ROWS
from engine.release.gguf_targets import PERPLEXITY, find_program
from engine.worker.release.gguf.bos import adds_bos
from engine.worker.release.proving.llama_program import run_llama
from engine.worker.release.proving.proof_rows import ProofRow

_MAGIC = b"_logits_"
_SPAN = 16.0
"""Nats below the likeliest token of a place, at which the program cuts off what it keeps."""


def choose_text_rows(tokenizer: Any, context: int, vocabulary: int) -> tuple[ProofRow, ...]:
    """The rows of the bundled text that llama-perplexity reads, each with the second half of its
    places counted as the program counts them; none where it is not installed, or where the model
    cannot read them."""
    if find_program(PERPLEXITY) is None or context < TEXT_ROW:
        return ()
    ids = list(tokenizer(_text(), add_special_tokens=False)["input_ids"])
    bos = adds_bos(tokenizer)
    if bos:
        ids.insert(0, tokenizer.bos_token_id)
    count = min(TEXT_ROWS, len(ids) // TEXT_ROW)
    if count < 2 or max(ids) >= vocabulary:  # the program refuses a text of less than two rows
        return ()
    rows = [ids[at * TEXT_ROW : (at + 1) * TEXT_ROW] for at in range(count)]
    for row in rows:
        row[0] = tokenizer.bos_token_id if bos else row[0]
    places = tuple(range(TEXT_ROW - TEXT_PLACES, TEXT_ROW))
    return tuple(ProofRow(tuple(row), places) for row in rows)


def read_text(
    model: Path,
    rows: Sequence[ProofRow],
    kept: Iterator[Tensor],
    scratch: Path,
    watch: Callable[[], None],
) -> Iterator[Tensor]:
    """Log-probabilities by llama.cpp, float32 of (places, vocabulary), row by row.

    The program keeps nothing of tokens that are less likely than the first of their place by more
    than 16 nats: these are as likely here as in `kept`, what the run says of the same rows, or as
    that bound where it says more. Raises EngineError where the program fails or reads other
    tokens, and what `watch` raises.
    """
    text, logits = scratch / "llama-text.txt", scratch / "llama-text.logits"
    text.write_text(_text(), "utf-8")
    options = ["-bf", str(text), "-c", str(TEXT_ROW), "-b", str(TEXT_ROW), "-ub", str(TEXT_ROW)]
    options += ["--chunks", str(len(rows)), "--save-all-logits", str(logits)]
    try:
        run_llama(PERPLEXITY, model, options, watch)
        with logits.open("rb") as file:
            vocabulary = _read_head(file.read(20 + 4 * TEXT_ROW * len(rows)), rows)
            width = 2 * ((vocabulary + 1) // 2) + 4
            for row, reference in zip(rows, kept, strict=True):
                data = file.read(2 * width * len(row.places))
                if len(data) != 2 * width * len(row.places):
                    raise EngineError(f"{PERPLEXITY} wrote a file that ends too early.")
                yield _unpack(data, len(row.places), width, vocabulary, reference)
    except OSError as error:
        raise EngineError(f"{PERPLEXITY} wrote no log-probabilities.") from error
    finally:
        text.unlink(missing_ok=True)
        logits.unlink(missing_ok=True)


def _text() -> str:
    """Bundled text that has enough tokens in any vocabulary."""
    return PROBE.read_text("utf-8")[: 16 * TEXT_ROW * TEXT_ROWS]


def _read_head(data: bytes, rows: Sequence[ProofRow]) -> int:
    """The size of the vocabulary. Raises EngineError where the file is of other rows.

    The first token of a row is not compared: the program writes down that of the text, and reads
    BOS in its place where the vocabulary asks for that.
    """
    if data[:8] != _MAGIC or len(data) != 20 + 4 * TEXT_ROW * len(rows):
        raise EngineError(f"{PERPLEXITY} wrote a file of another form.")
    length, vocabulary, count = struct.unpack("<iii", data[8:20])
    if (length, count) != (TEXT_ROW, len(rows)):
        raise EngineError(f"{PERPLEXITY} read {count} rows of {length} tokens.")
    tokens = np.frombuffer(data, "<i4", offset=20).reshape(count, length)
    for row, read in zip(rows, tokens.tolist(), strict=True):
        if list(row.ids[1:]) != read[1:]:
            raise EngineError(f"{PERPLEXITY} reads the text as other tokens than the run.")
    return int(vocabulary)


def _unpack(data: bytes, places: int, width: int, vocabulary: int, reference: Tensor) -> Tensor:
    """Each place is two float32, step and least value, and a step count of 16 bits a token."""
    packed = np.frombuffer(data, "<u2").reshape(places, width)
    scale, least = (np.ascontiguousarray(packed[:, :4]).view("<f4")[:, [at]] for at in (0, 1))
    steps = packed[:, 4 : 4 + vocabulary]
    logs = torch.from_numpy(steps.astype(np.float32) * scale + least)
    cut = torch.from_numpy((steps == 0) & (scale * 65535 > _SPAN - 1e-3))
    shared = min(vocabulary, reference.shape[1])
    bounded = torch.minimum(reference[:, :shared], torch.from_numpy(least.copy()))
    logs[:, :shared] = torch.where(cut[:, :shared], bounded, logs[:, :shared])
    return logs
