"""Vocabularies in GGUF and SentencePiece files, whole and damaged."""

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.tokenizers import files, gguf, sentencepiece
from tests.checkpoints.made import HTML_PAGE, LFS_POINTER
from tests.tokenizers.vocabularies import WORDS, pack_gguf, small_model

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
        assert "ends in the middle" in refuse(gguf.read_vocabulary, path, whole[:cut])
    assert "version 9" in refuse(gguf.read_vocabulary, path, pack_gguf(HEADER, 9))
    other = HEADER | {"tokenizer.ggml.model": "rwkv"}
    assert "'rwkv'" in refuse(gguf.read_vocabulary, path, pack_gguf(other))
    assert "holds no tokenizer" in refuse(gguf.read_vocabulary, path, pack_gguf({"a": 1}))
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
    assert "no SentencePiece model" in refuse(read, path, small_model()[:-3])
    assert "no SentencePiece model" in refuse(read, path, b"\x80\x04pickled")
    assert "words or characters" in refuse(read, path, small_model(3))


def test_files_are_found_beside_models_and_not_in_them(tmp_path: Path) -> None:
    for name in ("alone/tokenizer.json", "a.gguf", "deep/er/b.model", "model/tokenizer.json",
                 "model/config.json", "model/c.gguf", ".hidden/d.gguf"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "model" / "config.json").write_text('{"model_type": "llama"}')
    os.symlink(tmp_path, tmp_path / "deep" / "loop")
    found = [str(path.relative_to(tmp_path)) for path in files.find([tmp_path])]
    assert found == ["a.gguf", "alone/tokenizer.json", "deep/er/b.model", "model/c.gguf"]
    assert files.find([tmp_path / "nowhere"]) == []
