"""Cut, flipped and split files: never a wrong point, never a crash, what lies before is kept."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.events.log_dir import LogDir
from engine.events.record_scan import masked_crc
from tests.events.encoding import event, record, session_start, simple, tensor, version

Point = tuple[str, int, float, float]
DOUBLE = b"\x08\x02\x32\x08" + bytes(6) + b"\xf8\x3f"  # 1.5

EVENTS = [
    version(0.0),
    *[event(at + 0.25, at * 60, simple("loss", at * 1.5), simple("lr", -at)) for at in range(4)],
    *[event(at + 0.5, at * 60, simple("grad", at)) for at in range(12)],
    *[event(at + 0.75, at, tensor("eval", DOUBLE)) for at in range(9)],
]
RECORDS = [record(payload) for payload in EVENTS]
WHOLE = b"".join(RECORDS)
ENDS = [sum(map(len, RECORDS[: at + 1])) for at in range(len(RECORDS))]


class Clock:
    """A clock that tests move."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def points(logs: LogDir) -> set[Point]:
    return {
        (tag, step, wall, value)
        for tag, series in logs.series.items()
        for step, wall, value in zip(
            series.steps.tolist(), series.wall_times.tolist(), series.values.tolist(), strict=True
        )
    }


def truth_up_to(size: int, folder: Path) -> set[Point]:
    """The points of the records that lie wholly in the first `size` bytes, read one at a time."""
    found: set[Point] = set()
    for at, end in enumerate(ENDS):
        if end <= size:
            path = folder / f"record{at}" / "events.out.tfevents.1"
            if not path.exists():
                path.parent.mkdir(parents=True)
                path.write_bytes(RECORDS[at])
            logs = LogDir(path.parent)
            logs.poll()
            found |= points(logs)
    return found


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> list[set[Point]]:
    """What a file cut after so many bytes holds, for every number of bytes."""
    folder = tmp_path_factory.mktemp("truth")
    by_records = [truth_up_to(end, folder) for end in [0, *ENDS]]
    return [by_records[sum(end <= size for end in ENDS)] for size in range(len(WHOLE) + 1)]


def test_the_truth_is_all_of_it(truth: list[set[Point]]) -> None:
    assert len(truth[-1]) == 4 * 2 + 12 + 9


def test_cut_at_every_byte_and_then_finished(tmp_path: Path, truth: list[set[Point]]) -> None:
    path = tmp_path / "events.out.tfevents.1"
    for size in range(len(WHOLE) + 1):
        path.write_bytes(WHOLE[:size])
        logs = LogDir(tmp_path)
        logs.poll()
        assert points(logs) == truth[size]
        with path.open("ab") as file:
            file.write(WHOLE[size:])
        logs.poll()
        assert points(logs) == truth[-1]
        assert not logs.problems


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, len(WHOLE) - 1), bits=st.integers(1, 255))
def test_any_flipped_byte(tmp_path: Path, truth: list[set[Point]], at: int, bits: int) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(WHOLE[:at] + bytes([WHOLE[at] ^ bits]) + WHOLE[at + 1 :])
    clock = Clock()
    logs = LogDir(tmp_path, clock=clock)
    logs.poll()
    assert points(logs) == truth[at]
    assert len(logs.problems) == 1
    path.write_bytes(WHOLE)  # the file is repaired, or what was cached stale arrives
    clock.now += 2.0
    logs.poll()
    assert points(logs) == truth[-1]
    assert not logs.problems


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=6).map(sorted))
def test_any_split_of_appends(tmp_path: Path, truth: list[set[Point]], cuts: list[int]) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.unlink(missing_ok=True)
    logs = LogDir(tmp_path)
    for start, stop in zip([0, *cuts], [*cuts, len(WHOLE)], strict=True):
        with path.open("ab") as file:
            file.write(WHOLE[start:stop])
        logs.poll()
        assert points(logs) == truth[stop]


def test_zero_block_is_warned_of_and_read_when_it_arrives(
    tmp_path: Path, truth: list[set[Point]]
) -> None:
    path = tmp_path / "events.out.tfevents.1"
    start, stop = ENDS[5] + 3, ENDS[8] + 5
    path.write_bytes(WHOLE[:start] + bytes(stop - start) + WHOLE[stop:])
    clock = Clock()
    logs = LogDir(tmp_path, clock=clock)
    logs.poll()
    assert points(logs) == truth[start]
    assert "retried" in logs.problems[0].reason
    with path.open("r+b") as file:
        file.seek(start)
        file.write(WHOLE[start:stop])
    clock.now += 2.0
    logs.poll()
    assert points(logs) == truth[-1]
    assert not logs.problems


def test_a_damaged_file_is_not_read_at_every_poll(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(bytes(len(WHOLE)))
    clock = Clock()
    logs = LogDir(tmp_path, clock=clock)
    logs.poll()
    status = path.stat()
    path.write_bytes(WHOLE)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # nothing to see from outside
    logs.poll()
    assert not logs.series
    clock.now += 2.0
    assert logs.poll()
    assert "loss" in logs.series


def test_session_start_of_a_cut_record_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    start = record(session_start(9.0, 1))
    whole = b"".join(record(event(at, at, simple("a", at))) for at in range(5))
    path.write_bytes(whole + start[:-1])
    logs = LogDir(tmp_path)
    logs.poll()
    assert logs.series["a"].steps.tolist() == [0, 1, 2, 3, 4]
    path.write_bytes(whole + start)
    logs.poll()
    assert logs.series["a"].steps.tolist() == [0]
    assert logs.series["a"].abandoned[0].steps.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("length", [1 << 31, 1 << 40, 1 << 63, (1 << 64) - 1])
def test_a_length_that_no_record_can_have_is_damage(tmp_path: Path, length: int) -> None:
    """With the right checksum it would else be a record that is awaited for ever, unsaid."""
    claim = length.to_bytes(8, "little")
    forged = claim + masked_crc(claim).to_bytes(4, "little")
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(RECORDS[0] + RECORDS[1] + forged + b"".join(RECORDS[2:]))
    logs = LogDir(tmp_path)
    logs.poll()
    assert len(points(logs)) == 2
    assert "damaged record length" in logs.problems[0].reason
