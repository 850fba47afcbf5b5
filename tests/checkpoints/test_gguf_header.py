"""Headers of GGUF files: read as the `gguf` package reads them, refused by name when damaged."""

import resource
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checkpoints.gguf_config import explain_unusable, make_config, name_quantization
from engine.checkpoints.gguf_header import TYPES, read_gguf_header, read_gguf_values
from engine.errors import EngineError
from tests.checkpoints.made import make_gguf


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make_gguf(
        tmp_path / "m.gguf",
        general__name="tiny",
        llama__block_count=2,
        tokenizer__ggml__tokens=["a", "b", "ä"],
        tokenizer__ggml__scores=[0.5, -1.0, 0.0],
        llama__pattern=[True, False],
        tensors={
            "token_embd.weight": np.ones((6, 32), dtype=np.float32),
            "output_norm.weight": np.ones(32, dtype=np.float16),
            "output.weight": gguf.quantize(
                np.ones((6, 32), dtype=np.float32), gguf.GGMLQuantizationType.Q8_0
            ),
        },
    )


def test_types_are_those_of_the_package() -> None:
    theirs = {
        int(kind): (kind.name.lower(), *gguf.GGML_QUANT_SIZES[kind])
        for kind in gguf.GGMLQuantizationType
    }
    assert {number: TYPES[number] for number in theirs} == theirs


def test_a_header_is_what_the_package_reads(file: Path) -> None:
    header, theirs = read_gguf_header(file), gguf.GGUFReader(file)
    assert [(one.name, one.shape, one.kind, one.start, one.size) for one in header.tensors] == [
        (
            one.name,
            tuple(int(size) for size in reversed(one.shape)),
            int(one.tensor_type),
            int(one.data_offset),
            int(one.n_bytes),
        )
        for one in theirs.tensors
    ]
    keys = [key for key in theirs.fields if not key.startswith("GGUF.")]
    whole = read_gguf_values(file)
    assert {key: theirs.fields[key].contents() for key in keys} == dict(whole)
    assert header.lengths == {
        "tokenizer.ggml.tokens": 3, "tokenizer.ggml.scores": 3, "llama.pattern": 2
    }  # fmt: skip
    assert "tokenizer.ggml.tokens" not in header.values
    assert header.values["llama.pattern"] == [True, False]
    assert header.parameters == 6 * 32 * 2 + 32
    assert name_quantization(header) in ("fp32", "q8_0")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_an_error_by_name(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    whole = make_gguf(
        folder / "m.gguf", llama__block_count=2, list=[1, 2], t=["a", "b"]
    ).read_bytes()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            at = data.draw(st.integers(0, len(damaged) - 1))
            number = data.draw(st.sampled_from([0, 1, 0x7F, 0xFF]))
            width = data.draw(st.sampled_from([1, 4, 8]))
            damaged[at : at + width] = bytes([number]) * width
    path = folder / "damaged.gguf"
    path.write_bytes(damaged)
    title = ""
    try:
        header = read_gguf_header(path)
        explain_unusable(header)
        make_config(header)
    except EngineError as error:
        title = error.title
    assert not title or title.startswith("damaged.gguf")


def _entry(key: bytes, kind: int, body: bytes) -> bytes:
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + body


HUGE = 1 << 62
CLAIMS = {
    "entries": struct.pack("<IQQ", 3, 0, HUGE),
    "tensors": struct.pack("<IQQ", 3, HUGE, 0),
    "key": struct.pack("<IQQQ", 3, 0, 1, HUGE),
    "text": struct.pack("<IQQ", 3, 0, 1) + _entry(b"k", 8, struct.pack("<Q", HUGE)),
    "texts": struct.pack("<IQQ", 3, 0, 1) + _entry(b"k", 9, struct.pack("<IQ", 8, HUGE)),
    "numbers": struct.pack("<IQQ", 3, 0, 1) + _entry(b"k", 9, struct.pack("<IQ", 12, HUGE)),
    "list in a list": struct.pack("<IQQ", 3, 0, 1) + _entry(b"k", 9, struct.pack("<IQ", 9, 1)),
    "version": struct.pack("<IQQ", 1, 0, 0),
    "other byte order": struct.pack(">IQQ", 3, 0, 0),
    "key twice": struct.pack("<IQQ", 3, 0, 2) + _entry(b"k", 4, b"\1\0\0\0") * 2,
    "dimensions": struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<I", 1 << 31),
    "size": struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<IQQIQ", 2, HUGE, HUGE, 0, 0),
    "beyond": struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<IQIQ", 1, 8, 0, HUGE),
    "type": struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<IQIQ", 1, 8, 99, 0),
    "alignment": struct.pack("<IQQ", 3, 0, 1)
    + _entry(b"general.alignment", 4, b"\0\0\0\0") + b"",
}  # fmt: skip


@pytest.mark.parametrize("what", CLAIMS)
@pytest.mark.timeout(60)
def test_a_claim_is_not_believed(what: str, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + CLAIMS[what] + bytes(4096))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(EngineError, match=r"^m\.gguf cannot be read as GGUF: "):
        read_gguf_header(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # kB


def test_tensors_that_overlap_are_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    name = b"output_norm.weight"
    at = data.index(name) + len(name) + 4 + 8 + 4  # dimensions, one size, type
    data[at : at + 8] = struct.pack("<Q", 32)
    file.write_bytes(data)
    with pytest.raises(EngineError, match="overlaps another"):
        read_gguf_header(file)


def test_cut_weights_are_told_and_keys_still_read(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-64])
    with pytest.raises(EngineError, match=r"truncated: .* of .* bytes are present"):
        read_gguf_header(file)
    assert read_gguf_values(file)["tokenizer.ggml.tokens"] == ["a", "b", "ä"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"version https://git-lfs.github.com/spec/v1"])
def test_another_kind_of_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(EngineError, match=r"^m\.gguf is "):
        read_gguf_header(path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"split__count": 3}, "one of 3 parts of a GGUF file: join them with llama-gguf-split"),
        ({"general__type": "adapter"}, "a LoRA adapter in GGUF"),
        ({"tensors": {}}, "no weights: it holds a vocabulary alone"),
    ],
)
def test_what_cannot_answer_says_why(values: dict[str, Any], reason: str, tmp_path: Path) -> None:
    header = read_gguf_header(make_gguf(tmp_path / "m.gguf", **values))
    assert str(explain_unusable(header)).startswith(reason)


def test_the_recipe_of_a_file_is_its_name_where_its_tensors_are_of_it(tmp_path: Path) -> None:
    rounded = {"token_embd.weight": gguf.quantize(
        np.ones((6, 32), dtype=np.float32), gguf.GGMLQuantizationType.Q8_0
    )}  # fmt: skip
    for named, kind in ((7, "q8_0"), (15, "q8_0"), (9999, "q8_0")):
        file = make_gguf(tmp_path / f"{named}.gguf", general__file_type=named, tensors=rounded)
        assert name_quantization(read_gguf_header(file)) == kind
