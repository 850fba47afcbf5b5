"""GGUF files without tensors, for tests of texts: the header of a tokenizer, edited."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf

from engine.checkpoints.gguf_header import read_gguf_values
from engine.worker.release.gguf.vocabulary import vocabulary_of
from tests.worker.tokenizers.vocabularies import pack_gguf

Header = dict[str, Any]


def header_of(checkpoint: Path, scratch: Path, ends: tuple[int, ...]) -> Header:
    """All keys and values of the vocabulary, as an export writes them."""
    file = scratch / "header.gguf"
    writer = gguf.GGUFWriter(str(file), "llama")
    vocabulary_of(checkpoint, ends).add_to(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return dict(read_gguf_values(file))


def write_header(file: Path, header: Header, *edits: Callable[[Header], None]) -> Path:
    """A file with this header after `edits`, which change a copy of it."""
    edited = {key: list(value) if isinstance(value, list) else value
              for key, value in header.items()}  # fmt: skip
    for edit in edits:
        edit(edited)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pack_gguf(edited))
    return file
