"""Vocabularies in GGUF and SentencePiece files, whole and damaged."""

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.worker.tokenizers import gguf, sentencepiece
from tests.checkpoints.made import HTML_PAGE, LFS_POINTER
from tests.worker.tokenizers.vocabularies import WORDS, pack_gguf, small_model

HEADER: dict[str, Any] = {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": ["a", "b", "ab", "<end>"],
    "tokenizer.ggml.token_type": [1, 1, 1, 3],
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.eos_token_id": 3,
    "tokenizer.ggml.bos_token_id": 99,
    "tokenizer.ggml.add_bos_token": True,
    "tokenizer.chat_template": "{{ messages }}",
}


def refuse(read: Any, path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        read(path)
    return caught.value.title


def test_a_gguf_header(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(pack_gguf(HEADER) + b"tensors")
    found = gguf.read_vocabulary(path)
    assert (found.kind, found.pieces) == ("byte-level BPE", ("a", "b", "ab", "<end>"))
    assert (found.merges, found.split, found.template) == ((("a", "b"),), "gpt-2", "{{ messages }}")
    assert (found.eos, found.bos, found.adds_bos) == (3, None, True), "a bos beyond the end is none"
    assert found.of_type(3) == [3]


def test_a_gguf_that_is_none_or_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    whole = pack_gguf(HEADER)
    assert "git-LFS" in refuse(gguf.read_vocabulary, path, LFS_POINTER)
    assert "HTML" in refuse(gguf.read_vocabulary, path, HTML_PAGE)
    assert "is empty" in refuse(gguf.read_vocabulary, path, b"")
    for cut in range(4, len(whole)):
        assert "truncated header" in refuse(gguf.read_vocabulary, path, whole[:cut])
    assert "version 9" in refuse(gguf.read_vocabulary, path, pack_gguf(HEADER, 9))
    other = HEADER | {"tokenizer.ggml.model": "rwkv"}
    assert "'rwkv'" in refuse(gguf.read_vocabulary, path, pack_gguf(other))
    assert "has no tokenizer" in refuse(gguf.read_vocabulary, path, pack_gguf({"a": 1}))
    short = HEADER | {"tokenizer.ggml.token_type": [1]}
    assert "differ in length" in refuse(gguf.read_vocabulary, path, pack_gguf(short))


def test_a_gguf_that_claims_too_much_fills_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    head = b"GGUF" + struct.pack("<IQ", 3, 0)
    entry = struct.pack("<Q", 1) + b"k"
    for claim in (
        struct.pack("<Q", 1 << 60),
        struct.pack("<Q", 1) + struct.pack("<Q", 1 << 60),
        struct.pack("<Q", 1) + entry + struct.pack("<IIQ", 9, 6, 1 << 60),
        struct.pack("<Q", 1) + entry + struct.pack("<IIQ", 9, 6, 1_900_000),
        struct.pack("<Q", 1) + entry + struct.pack("<IQ", 8, 1 << 50),
        struct.pack("<Q", 1) + entry + struct.pack("<I", 77),
    ):
        assert "cannot be read as GGUF" in refuse(gguf.read_vocabulary, path, head + claim)


def test_lists_that_are_too_much_together_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    lists = b"".join(
        struct.pack("<Q", 1) + name + struct.pack("<IIQ", 9, 0, 1_500_000) + bytes(1_500_000)
        for name in (b"a", b"b", b"c")
    )
    content = b"GGUF" + struct.pack("<IQQ", 3, 0, 3) + lists
    assert "lists claim 4,500,000 items" in refuse(gguf.read_vocabulary, path, content)
    content = b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + lists
    assert "has no tokenizer" in refuse(gguf.read_vocabulary, path, content)


@pytest.mark.timeout(60)
def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    """As a file of holes: 100,000 texts of 16 MB each, if it is believed."""
    path = tmp_path / "model.gguf"
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 100_000))
        for at in range(64):
            file.write(struct.pack("<Q", 1) + bytes([at]) + struct.pack("<IQ", 8, 16 << 20))
            file.seek(16 << 20, os.SEEK_CUR)
        file.truncate(1 << 40)
    with pytest.raises(EngineError, match="or one that is too large"):
        gguf.read_vocabulary(path)


WHOLE = pack_gguf(HEADER | {"tokenizer.ggml.precompiled_charsmap": [1, 300, -1]})
WRONG = st.one_of(
    st.integers(0, 2**32 - 1), st.booleans(), st.text(max_size=9),
    st.lists(st.text(max_size=9), min_size=1, max_size=5),
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=5),
    st.lists(st.floats(width=32), min_size=1, max_size=5),
)  # fmt: skip


@given(
    at=st.integers(0, len(WHOLE) - 1),
    change=st.one_of(st.binary(min_size=1, max_size=8), st.just(b"\xff" * 8)),
)
def test_a_gguf_that_is_damaged_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(WHOLE[:at] + change + WHOLE[at + len(change) :])
    with suppress(EngineError):
        assert len(gguf.read_vocabulary(path).pieces) <= 4


@given(changes=st.dictionaries(st.sampled_from(sorted(HEADER)), WRONG, max_size=4), charsmap=WRONG)
def test_a_gguf_with_values_of_other_types_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any], charsmap: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "types.gguf"
    more = {"tokenizer.ggml.precompiled_charsmap": charsmap}
    path.write_bytes(pack_gguf(HEADER | changes | more))
    with suppress(EngineError):
        found = gguf.read_vocabulary(path)
        assert isinstance(found.split, str)
        assert all(isinstance(piece, str) for piece in found.pieces)


def test_it_reads_what_the_library_writes_as_the_library_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    writer = GGUFWriter(path, "llama")
    pieces = [f"▁{word}" for word in ("a", "損", "b c", "")] + ["<s>"]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_scores([0.5, -1.0, -2.5, 0.0, 0.0])
    writer.add_token_types([1, 1, 1, 4, 3])
    writer.add_token_merges(["a b", "c d e"])
    writer.add_bos_token_id(4)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template("{{ messages }}")
    writer.add_float64("a.wide", 0.1)
    writer.add_array("a.list", [1, 2, 3])
    writer.add_tensor("output.weight", np.ones((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found, reader = gguf.read_vocabulary(path), GGUFReader(path)

    def read(name: str) -> Any:
        field = reader.get_field(f"tokenizer.{name}")
        assert field is not None
        return field.contents()

    assert found.kind == "SentencePiece BPE"
    assert list(found.pieces) == read("ggml.tokens") == pieces
    assert list(found.scores) == read("ggml.scores")
    assert list(found.types) == read("ggml.token_type")
    assert [" ".join(pair) for pair in found.merges] == read("ggml.merges")
    assert (found.split, found.bos) == (read("ggml.pre"), read("ggml.bos_token_id"))
    assert (found.adds_bos, found.leading_space) == (False, False)
    assert found.template == read("chat_template")


@given(data=st.binary(max_size=300))
def test_no_bytes_break_the_readers(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for content in (data, b"GGUF" + data):
        path.write_bytes(content)
        for read in (gguf.read_vocabulary, sentencepiece.read_vocabulary):
            with suppress(EngineError):
                read(path)


def test_a_sentencepiece_model(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(small_model())
    found = sentencepiece.read_vocabulary(path)
    assert found.kind == "Unigram"
    assert found.pieces == ("<unk>", "<s>", "</s>", *reversed(WORDS))
    assert found.types[:4] == (2, 3, 3, 1)
    assert found.scores[3] == pytest.approx(-1.0)
    assert (found.unknown, found.bos, found.eos, found.pad) == (0, 1, 2, None)
    assert (found.leading_space, found.squeezes_spaces) == (True, True)
    path.write_bytes(small_model(2, bytes([0x18, 0, 0x20, 0])))
    found = sentencepiece.read_vocabulary(path)
    assert found.kind == "SentencePiece BPE"
    assert (found.leading_space, found.squeezes_spaces) == (False, False)


def test_a_sentencepiece_model_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    read = sentencepiece.read_vocabulary
    assert "git-LFS" in refuse(read, path, LFS_POINTER)
    assert "not a SentencePiece model" in refuse(read, path, small_model()[:-3])
    assert "not a SentencePiece model" in refuse(read, path, b"\x80\x04pickled")
    assert "word and character models" in refuse(read, path, small_model(3))
