import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoints import safetensors_header
from engine.checkpoints.safetensors_header import read_header
from engine.errors import EngineError
from tests.checkpoints.made import HTML_PAGE, LFS_POINTER, TENSORS, pack


def refuse(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        read_header(path)
    return caught.value.title


def wrap(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_counts_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(pack(TENSORS))
    header = read_header(path)
    assert (header.tensors, header.parameters) == (2, 44)
    assert header.elements == {"F16": 40, "F32": 4}
    assert safetensors_header.name_dtype(header.elements) == "fp16"


def test_agrees_with_the_library_that_wrote_it(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "model.safetensors"
    library.save_file({"a": numpy.zeros((3, 5)), "b": numpy.zeros((0, 4), "int8")}, path)
    assert read_header(path) == safetensors_header.SafetensorsHeader(2, 15, {"F64": 15, "I8": 0})


def test_two_numbers_to_a_byte_in_4_bit(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    packed = {
        "q_proj.weight": ("U8", [8, 1]),
        "q_proj.weight.absmax": ("U8", [2]),
        "q_proj.weight.quant_map": ("F32", [16]),
        "q_proj.weight.nested_absmax": ("F32", [1]),
        "q_proj.weight.nested_quant_map": ("F32", [256]),
        "q_proj.weight.quant_state.bitsandbytes__nf4": ("U8", [80]),
    }
    path.write_bytes(pack(packed))
    assert read_header(path).parameters == 16


def test_masks_that_are_not_learned_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    masked = {
        "h.0.attn.bias": ("U8", [1, 1, 8, 8]),
        "h.0.attn.c_attn.bias": ("F32", [6]),
        "rotary_emb.inv_freq": ("F32", [4]),
    }
    path.write_bytes(pack(masked))
    assert read_header(path).parameters == 6


def test_a_pointer_a_web_page_and_nothing_are_called_so(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    assert "git-LFS pointer" in refuse(path, LFS_POINTER)
    assert "web page" in refuse(path, HTML_PAGE)
    assert "is empty" in refuse(path, b"")


@pytest.mark.parametrize("cut", [3, 8, 20, 1, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    whole = pack(TENSORS)
    title = refuse(tmp_path / "model.safetensors", whole[:cut])
    assert ("truncated" in title) == (cut not in (1, 3)), title


def test_a_truncated_file_says_how_much_is_there(tmp_path: Path) -> None:
    title = refuse(tmp_path / "m.safetensors", pack(TENSORS)[:-6])
    assert title == "m.safetensors is truncated: 90 of 96 bytes of weights are present"


def entry(
    dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)
) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (struct.pack("<Q", 1 << 60) + b"{}", "not a safetensors"),
        (struct.pack("<Q", safetensors_header.LONGEST_HEADER + 1) + b"{}", "not a safetensors"),
        (struct.pack("<Q", 4) + b"{]}}", "not valid JSON"),
        (struct.pack("<Q", 60_000) + b'{"a":' + b"[" * 59_995, "not valid JSON"),
        (wrap({"a": 5}), "without dtype"),
        (wrap({"a": {"dtype": "F32"}}), "without dtype"),
        (wrap({"a": entry(offsets=[1])}), "without dtype"),
        (wrap({"a": entry("F99")}, bytes(8)), "of an unknown dtype"),
        (wrap({"a": entry(["F32"])}, bytes(8)), "of an unknown dtype"),
        (wrap({"a": entry(shape=[-2])}, bytes(8)), "impossible"),
        (wrap({"a": entry(shape="2")}, bytes(8)), "impossible"),
        (wrap({"a": entry(shape=[True, 2])}, bytes(8)), "impossible"),
        (wrap({"a": entry(shape=[1 << 70])}, bytes(8)), "impossible"),
        (wrap({"a": entry(shape=[1] * 1000)}, bytes(8)), "impossible"),
        (wrap({"a": entry(shape=[3])}, bytes(8)), "disagree"),
        (wrap({"a": entry(offsets=(8, 0))}, bytes(8)), "disagree"),
        (wrap({"a": entry(), "b": entry()}, bytes(8)), "overlap"),
        (wrap({"a": entry(offsets=(4, 12))}, bytes(12)), "gap"),
        (wrap({"a": entry()}, bytes(9)), "1 bytes longer"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refuse(tmp_path / "model.safetensors", content)


def test_a_pipe_does_not_hang_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(EngineError, match="not a regular file"):
        read_header(tmp_path / "model.safetensors")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
near_entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "F4"]) | json_values,
        "shape": st.lists(st.integers(-1, 4), max_size=3) | json_values,
        "data_offsets": st.tuples(st.integers(-1, 20), st.integers(-1, 20)) | json_values,
    }
)
headers = st.dictionaries(st.text(max_size=4), near_entries | json_values, max_size=4) | json_values


@given(content=st.binary(max_size=200) | st.builds(wrap, headers, st.binary(max_size=20)))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(content)
    try:
        parameters = read_header(path).parameters
    except EngineError:
        return
    assert 0 <= parameters <= 2 * len(content)
