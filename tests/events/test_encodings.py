"""Every way in which writers spell a scalar, and what is no scalar."""

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from engine.events.log_dir import LogDir
from tests.events.encoding import (
    bytes_field,
    double_field,
    event,
    event_file,
    float_field,
    metadata,
    number_field,
    simple,
    tensor,
    varint,
    version,
)

FLOAT, DOUBLE, INT32, INT64, BFLOAT16, HALF, UINT64 = 1, 2, 3, 9, 14, 19, 23
SHAPE_OF_ONE = bytes_field(2, bytes_field(2, number_field(1, 1)))

SPELLINGS = {
    "float in content": number_field(1, FLOAT) + bytes_field(4, struct.pack("<f", 2.5)),
    "float, packed": number_field(1, FLOAT) + bytes_field(5, struct.pack("<f", 2.5)),
    "float, not packed": number_field(1, FLOAT) + float_field(5, 2.5),
    "float of shape [1]": number_field(1, FLOAT) + SHAPE_OF_ONE + float_field(5, 2.5),
    "double in content": number_field(1, DOUBLE) + bytes_field(4, struct.pack("<d", 2.5)),
    "double, packed": number_field(1, DOUBLE) + bytes_field(6, struct.pack("<d", 2.5)),
    "double, not packed": number_field(1, DOUBLE) + double_field(6, 2.5),
    "half in content": number_field(1, HALF) + bytes_field(4, np.float16(2.5).tobytes()),
    "half, packed": number_field(1, HALF) + bytes_field(13, varint(0x4100)),
    "bfloat16, not packed": number_field(1, BFLOAT16) + number_field(13, 0x4020),
    "bfloat16 in content": number_field(1, BFLOAT16) + bytes_field(4, b"\x20\x40"),
}
WHOLE = {
    "int32 in content": number_field(1, INT32) + bytes_field(4, struct.pack("<i", -7)),
    "int32, packed": number_field(1, INT32) + bytes_field(7, varint(-7)),
    "int32, not packed": number_field(1, INT32) + number_field(7, -7),
    "int64, packed": number_field(1, INT64) + bytes_field(10, varint(-7)),
}


def read(folder: Path) -> LogDir:
    logs = LogDir(folder)
    assert logs.poll()
    assert not logs.pending
    return logs


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_tensor_floats(tmp_path: Path, spelling: str, count: int) -> None:
    """Alone through the plain decoder, and many at once through the fast one."""
    events = (event(10.0 + at, at, tensor("loss", SPELLINGS[spelling])) for at in range(count))
    event_file(tmp_path, version(1.0), *events)
    series = read(tmp_path).series["loss"]
    assert series.values.tolist() == [2.5] * count
    assert series.steps.tolist() == list(range(count))
    assert series.wall_times.tolist() == [10.0 + at for at in range(count)]


@pytest.mark.parametrize("spelling", WHOLE)
def test_tensor_integers(tmp_path: Path, spelling: str) -> None:
    event_file(tmp_path, event(1.0, 3, tensor("n", WHOLE[spelling])))
    assert read(tmp_path).series["n"].values.tolist() == [-7.0]


def test_large_unsigned_tensor_is_not_negative(tmp_path: Path) -> None:
    content = number_field(1, UINT64) + bytes_field(17, varint(1 << 63))
    event_file(tmp_path, event(1.0, 3, tensor("n", content)))
    assert read(tmp_path).series["n"].last == 2.0**63


def test_simple_values_keep_their_float32(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).normal(size=300).astype(np.float32)
    numbers[7], numbers[8] = np.nan, np.inf
    events = (event(at / 8, at * 50, simple("l", n)) for at, n in enumerate(numbers.tolist()))
    event_file(tmp_path, version(0.0), *events)
    series = read(tmp_path).series["l"]
    np.testing.assert_array_equal(series.values, numbers.astype(np.float64))
    assert series.steps.tolist() == list(range(0, 15000, 50))  # steps of one, two, three bytes
    assert series.wall_times.tolist() == [at / 8 for at in range(300)]


def test_values_with_a_name_and_a_description(tmp_path: Path) -> None:
    """As tensorboardX writes them where it is given any: metadata that names no plugin."""
    words = bytes_field(9, bytes_field(2, b"Training loss") + bytes_field(3, b"mean of a batch"))
    named = [event(at, at, simple("train/loss", at) + words) for at in range(40)]
    bare = [event(at, at, simple("train/lr", -at)) for at in range(40)]
    event_file(tmp_path, version(0), *named, *bare, rest="host")
    logs = read(tmp_path)
    assert logs.series["train/loss"].values.tolist() == list(range(40))
    assert logs.series["train/lr"].values.tolist() == [-at for at in range(40)]
    assert logs.others == {"version": 1}


def test_missing_step_is_zero_and_negative_steps_are_kept(tmp_path: Path) -> None:
    event_file(tmp_path, event(1.0, None, simple("a", 1)), event(2.0, -3, simple("b", 2)))
    series = read(tmp_path).series
    assert series["a"].steps.tolist() == [0]
    assert series["b"].steps.tolist() == [-3]


def test_several_values_in_one_event_and_one_tag_twice_at_a_step(tmp_path: Path) -> None:
    events = [
        event(at, at, simple("a", at), simple("b", -at), simple("a", at + 0.5)) for at in range(20)
    ]
    event_file(tmp_path, *events, event(20, 20, simple("a", 20)), event(20, 20, simple("a", 21)))
    series = read(tmp_path).series
    twice = [number for at in range(20) for number in (at, at + 0.5)]
    assert series["a"].values.tolist() == [*twice, 20, 21]
    assert series["b"].values.tolist() == [-at for at in range(20)]


def test_many_tags_of_one_length_stay_apart(tmp_path: Path) -> None:
    tags = [f"group{at:03d}/metric" for at in range(60)]
    events = [
        event(step, step, simple(tag, step * 1000 + at))
        for step in range(30)
        for at, tag in enumerate(tags)
    ]
    event_file(tmp_path, version(0), *events)
    series = read(tmp_path).series
    assert set(series) == set(tags)
    for at, tag in enumerate(tags):
        assert series[tag].values.tolist() == [step * 1000.0 + at for step in range(30)]


def test_fields_in_another_order(tmp_path: Path) -> None:
    value = float_field(2, 1.5) + metadata("scalars") + bytes_field(1, b"loss")
    payload = bytes_field(5, bytes_field(1, value)) + number_field(2, 300) + double_field(1, 9.0)
    event_file(tmp_path, *[payload] * 30)
    series = read(tmp_path).series["loss"]
    assert series.values.tolist() == [1.5] * 30
    assert series.steps.tolist() == [300] * 30
    assert series.wall_times.tolist() == [9.0] * 30


def test_plugin_named_in_the_first_value_only(tmp_path: Path) -> None:
    """As TF1's FileWriter does; a custom plugin's tensors must not turn into scalars later."""
    content = number_field(1, FLOAT) + float_field(5, 1.0)
    first = event(0, 0, tensor("odd", content, "pr_curves"), tensor("fine", content, "scalars"))
    later = [
        event(at, at, tensor(tag, content, None)) for at in range(1, 30) for tag in ("odd", "fine")
    ]
    event_file(tmp_path, first, *later)
    logs = read(tmp_path)
    assert len(logs.series["fine"]) == 30
    assert "odd" not in logs.series
    assert logs.others["pr_curves"] == 30


def test_what_is_no_scalar_is_counted_by_plugin(tmp_path: Path) -> None:
    text = number_field(1, 7) + bytes_field(8, b"some words")
    matrix = number_field(1, FLOAT) + bytes_field(5, struct.pack("<ff", 1, 2))
    histogram = bytes_field(1, b"weights") + bytes_field(5, double_field(1, 0.0))
    event_file(
        tmp_path,
        version(0),
        event(1, 1, tensor("args/text_summary", text, "text")),
        event(1, 1, tensor("matrix", matrix, None)),
        event(1, 1, histogram),
        event(1, 1, simple("loss", 1)),
    )
    logs = read(tmp_path)
    assert set(logs.series) == {"loss"}
    assert logs.others == {"version": 1, "text": 1, "tensor": 1, "histogram": 1}


def test_whole_records_that_are_no_events(tmp_path: Path) -> None:
    event_file(tmp_path, event(1, 1, simple("a", 1)), b"\x0b\x0c\xff", event(2, 2, simple("a", 2)))
    logs = read(tmp_path)
    assert logs.series["a"].values.tolist() == [1, 2]
    assert [problem.reason for problem in logs.problems] == ["1 record is not a TensorBoard event"]


def test_records_longer_than_a_chunk(tmp_path: Path) -> None:
    picture = bytes_field(1, b"sample") + bytes_field(4, bytes(700_000))
    event_file(
        tmp_path, event(1, 1, simple("a", 1)), event(2, 2, picture), event(3, 3, simple("a", 2))
    )
    logs = read(tmp_path)
    assert logs.series["a"].values.tolist() == [1, 2]
    assert logs.others["image"] == 1


def test_many_values_in_one_record_are_read_at_once(tmp_path: Path) -> None:
    """As finetop's own worker writes them: all tags of a step in one record."""
    tags = [f"train/{name}" for name in ("loss", "lr", "norm", "loss")]
    events = [
        event(at / 4, at * 9, *[simple(tag, at + place) for place, tag in enumerate(tags)])
        for at in range(400)
    ]
    mixed = [event(0, 9000 + at, simple("train/loss", at), simple("eval", -at)) for at in range(9)]
    event_file(tmp_path, version(0), *events, *mixed)
    series = read(tmp_path).series
    both = [float(number) for at in range(400) for number in (at, at + 3)]
    assert series["train/loss"].values.tolist() == [*both, *range(9)]
    assert series["train/lr"].values.tolist() == [at + 1.0 for at in range(400)]
    assert series["train/norm"].steps.tolist() == [at * 9 for at in range(400)]
    assert series["train/norm"].wall_times.tolist() == [at / 4 for at in range(400)]
    assert series["eval"].values.tolist() == [-float(at) for at in range(9)]


@pytest.mark.parametrize("count", [1, 40])
def test_groups_are_passed_over(tmp_path: Path, count: int) -> None:
    """Protobuf's oldest way of nesting, which its own parser still takes for an unknown field."""
    inner = varint(100 << 3 | 3) + number_field(2, 77) + varint(100 << 3 | 4)
    values = [
        event(1, at, simple("a", at) + inner) + varint(9 << 3 | 3) + inner + varint(9 << 3 | 4)
        for at in range(count)
    ]
    event_file(tmp_path, *values, event(1, 99, simple("b", 1)) + varint(9 << 3 | 3))
    logs = read(tmp_path)
    assert logs.series["a"].steps.tolist() == list(range(count))
    assert logs.series["a"].values.tolist() == list(range(count))
    assert "b" not in logs.series
    assert logs.problems[0].reason == "1 record is not a TensorBoard event"


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("sizes", [(5,), (2, 3), (0,), (1 << 62,) * 8, (1, 2)])
def test_one_number_that_fills_a_tensor_is_no_scalar(
    tmp_path: Path, sizes: tuple[int, ...], count: int
) -> None:
    shape = b"".join(bytes_field(2, number_field(1, size)) for size in sizes)
    filled = number_field(1, FLOAT) + bytes_field(2, shape) + float_field(5, 2.5)
    event_file(tmp_path, *[event(1, at, tensor("filled", filled)) for at in range(count)])
    assert "filled" not in read(tmp_path).series


def test_a_signalling_nan_is_read_without_a_warning(tmp_path: Path) -> None:
    signalling = bytes_field(1, b"a") + b"\x15\x01\x00\x80\x7f"
    event_file(tmp_path, *[event(1, at, signalling) for at in range(40)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(read(tmp_path).series["a"].values).all()
