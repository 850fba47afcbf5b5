"""What an export takes of a disk, before anything is written: bytes of each target.

From the headers of the weights' files alone: each number that is stored, in the type that it will
have. Counts the merged model that only a GGUF file is made of, and the file that llama-quantize
reads. Nothing here looks at what is in a tensor.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.adapter_rows import WEIGHTS, count_rows
from engine.checkpoints.config_json import find_vocab_size, read_json
from engine.checkpoints.weights import read_weights
from engine.errors import EngineError
from engine.estimates.architectures import read_dims
from engine.jobs.directory import JobDirectory
from engine.number_format import write_size
from engine.release.gguf_targets import PERPLEXITY, find_program
from engine.release.source import ExportSource
from engine.release.targets import OWN_TYPES, WRITTEN_TYPES, Target
from engine.safe_open import list_files

_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "f32": 4.0, "f16": 2.0, "bf16": 2.0}
_STORED = {"F64": 8.0, "F32": 4.0, "F16": 2.0, "BF16": 2.0}
_UNPACKED = 2.0
"""Bytes of a number that is stored in fewer: 8 and 4 bits are never merged into."""
_Q8_0 = 34 / 32
"""Bytes a number: blocks of 32 numbers of one byte with one scale in float16. The other quantised
types take less."""
_TEXTS = (".json", ".jinja", ".txt", ".model")
PLACES = 64
"""Of a row of the proof, at most."""
MOST_KEPT = 4 << 30
"""Bytes of the distributions over the vocabulary that the proof keeps while it is made, float32."""
TEXT_ROWS, TEXT_ROW, TEXT_PLACES = 4, 128, 63
"""Of the text that llama.cpp reads: rows, tokens of each, places of each that count."""
_KEPT_AND_READ = 4 + 2
"""Bytes of a log-probability, as the run and as llama.cpp say it."""
_CARD = 150_000
"""Bytes of model card, licenses, proof and checksums of one folder: an upper bound."""
_CURVES = 2
"""Bytes of a curve as CSV for each of an event file."""
_WORD = 64
"""Bytes of a GGUF file for each word of the vocabulary, with its merges: 61 of Llama 3's, 25 of
Gemma 3's."""


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """Bytes on the disk of the export."""

    targets: Mapping[str, int]
    """By the name of each target."""
    temporary: int
    """Removed before the end."""

    @property
    def kept(self) -> int:
        return sum(self.targets.values())

    @property
    def most(self) -> int:
        """At its most, while it is written."""
        return self.kept + self.temporary

    @property
    def words(self) -> str:
        """As in "adapter 2.1 MB, merged 134 MB; 268 MB more while it is written"."""
        parts = ", ".join(f"{name} {write_size(size)}" for name, size in self.targets.items())
        more = f"; {write_size(self.temporary)} more while it is written"
        return parts + (more if self.temporary else "")


def measure_need(
    source: ExportSource, targets: Sequence[Target], dtype: str, rows: int = 100
) -> DiskNeed:
    """What these targets take, merged weights in `dtype` as recipes have it, and their proof on so
    many rows. Raises EngineError where the weights cannot be read."""
    return ExportSizes(source).measure(targets, dtype, rows)


def check_room(need: DiskNeed, folder: Path) -> int:
    """The free bytes where `folder` lies. Raises EngineError where the export does not fit."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise EngineError(
            "The disk of the export cannot be read.", f"{folder}: {error.strerror}"
        ) from error
    if free < need.most:
        raise EngineError(
            "The export does not fit on this disk.",
            f"{folder} has {write_size(free)} free; {write_size(need.most)} are needed: "
            f"{need.words}",
            "Free disk space, use another folder with --out, or ask for fewer targets.",
        )
    return free


class ExportSizes:
    """The sizes of one model in its other forms; read from the disk once."""

    def __init__(self, source: ExportSource) -> None:
        """Raises EngineError where the weights cannot be read."""
        files = list_files(source.base)
        self._elements = read_weights(source.base, files).elements
        config = read_json(source.base / "config.json")
        own, dims = find_vocab_size(config) or 0, read_dims(config)
        self._vocabulary = count_rows(config, source.adapter) or 0
        self._added = 2 * (self._vocabulary - own) * dims.hidden if dims is not None else 0
        """Numbers of the added tokens' rows, in embedding and head."""
        self._tokenizer = _other_bytes(source.tokenizer)
        self._words = _WORD * self._vocabulary or self._tokenizer
        events = list_files(JobDirectory(source.run).events) if source.run is not None else {}
        self._card = _CARD + _CURVES * sum(status.st_size for status in events.values())
        adapters = [source.adapter, source.before_adapter]
        adapters += [JobDirectory(stage).adapter for stage in source.stages]
        folders = {folder.resolve() for folder in adapters if folder is not None}
        self._adapter = sum(_file_bytes(folder / WEIGHTS) for folder in folders)
        """Of a chain of adapters all: they may become one."""

    def measure(self, targets: Sequence[Target], dtype: str, rows: int = 100) -> DiskNeed:
        """What these targets take, as `measure_need` has it."""
        sizes = {target.name: self._size_of(target, dtype) for target in targets}
        for target in [one for one in targets if one.form == "gguf"][1:]:
            sizes[target.name] -= self._card  # they lie in one folder
        written = {target.quantization for target in targets if target.form == "gguf"}
        temporary = min(MOST_KEPT, rows * PLACES * self._vocabulary * 4)
        if find_program(PERPLEXITY) is not None:
            temporary += TEXT_ROWS * TEXT_PLACES * self._vocabulary * _KEPT_AND_READ
        if written and not any(target.form == "merged" for target in targets):
            temporary += self._size_of(Target("merged"), dtype)
        if written - {"", *WRITTEN_TYPES} and not written & {"", *OWN_TYPES}:
            temporary += self._size_of(Target("gguf"), dtype)
        return DiskNeed(sizes, temporary)

    def _size_of(self, target: Target, dtype: str) -> int:
        """Weights in one form, with all that lies beside them; merged in `dtype`."""
        if target.form == "adapter":
            return self._adapter + self._tokenizer + self._card
        if target.form == "merged":
            return self._weights(_BYTES.get(dtype)) + self._tokenizer + self._card
        if target.quantization in ("", *OWN_TYPES):
            width = _BYTES.get(target.quantization or dtype)
        else:
            width = _Q8_0
        return self._weights(width) + min(self._words, self._tokenizer) + self._card

    def _weights(self, width: float | None) -> int:
        """Bytes at so many a number; None: as each is stored, but for what is quantised."""
        return math.ceil(
            self._added * (width or max(_BYTES.values()))
            + sum(
                count * (width or _STORED.get(stored, _UNPACKED))
                for stored, count in self._elements.items()
            )
        )


def _other_bytes(folder: Path) -> int:
    """What lies beside weights: tokenizer, templates, configs; no states of an optimiser."""
    files = list_files(folder)
    return sum(status.st_size for name, status in files.items() if name.endswith(_TEXTS))


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
