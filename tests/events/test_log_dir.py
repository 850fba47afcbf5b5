"""Following a directory: growth, replacement, look-alikes, resumes, a real writer beside."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.events import event_file as event_files
from engine.events.log_dir import LogDir
from engine.events.tfrecord import RecordFile
from tests.conftest import Eventually
from tests.events.encoding import (
    event,
    event_file,
    record,
    session_start,
    simple,
    tensor,
    version,
)


def poll(logs: LogDir) -> LogDir:
    logs.poll()
    return logs


def test_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    logs = LogDir(tmp_path / "events")
    assert not logs.poll()
    event_file(tmp_path / "events", event(1, 1, simple("a", 1)))
    assert logs.poll()
    assert logs.series["a"].last == 1


def test_nothing_new_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event_file(tmp_path, version(0), event(1, 1, simple("a", 1)))
    logs = poll(LogDir(tmp_path))
    before = logs.series["a"]

    def read(self: RecordFile, limit: int = 0) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(RecordFile, "read", read)
    assert not logs.poll()
    assert logs.series["a"] is before


def test_only_appended_bytes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = event_file(tmp_path, *[event(at, at, simple("a", at)) for at in range(5000)])
    logs = poll(LogDir(tmp_path))
    asked: list[int] = []
    pread = os.pread

    def note(descriptor: int, count: int, offset: int) -> bytes:
        asked.append(offset)
        return pread(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", note)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(record(event(9, 9, simple("a", 9))))
    assert logs.poll()
    assert len(logs.series["a"]) == 5001
    assert min(asked) >= size - 64


def test_budget_leaves_the_rest_for_later(tmp_path: Path) -> None:
    event_file(tmp_path, *[event(at, at, simple("a", at)) for at in range(30_000)])
    logs = LogDir(tmp_path)
    lengths: list[int] = []
    while not lengths or logs.pending:
        logs.poll(0.0)
        lengths.append(len(logs.series["a"]))
    assert len(lengths) > 2
    assert lengths == sorted(set(lengths))
    assert logs.series["a"].steps.tolist() == list(range(30_000))


def test_what_was_handed_out_does_not_change(tmp_path: Path) -> None:
    path = event_file(tmp_path, event(1, 1, simple("a", 1)))
    logs = poll(LogDir(tmp_path))
    series = logs.series
    kept = series["a"]
    with path.open("ab") as file:
        file.write(b"".join(record(event(at, at, simple("a", at))) for at in range(2, 50)))
    logs.poll()
    assert (len(kept), len(series["a"])) == (1, 1)
    assert len(logs.series["a"]) == 49
    with pytest.raises(ValueError, match="read-only"):
        kept.values[0] = 5.0


@pytest.mark.parametrize("longer", [False, True])
def test_a_file_rewritten_in_place(tmp_path: Path, longer: bool) -> None:
    path = event_file(tmp_path, *[event(at, at, simple("a", at)) for at in range(20)])
    logs = poll(LogDir(tmp_path))
    count = 40 if longer else 5
    path.write_bytes(b"".join(record(event(at, at, simple("b", -at))) for at in range(count)))
    assert logs.poll()
    assert set(logs.series) == {"b"}
    assert logs.series["b"].values.tolist() == [-at for at in range(count)]


def test_a_file_replaced_by_another(tmp_path: Path) -> None:
    path = event_file(tmp_path, *[event(at, at, simple("a", at)) for at in range(20)])
    logs = poll(LogDir(tmp_path))
    other = event_file(tmp_path / "other", *[event(at, at, simple("a", 7)) for at in range(30)])
    os.replace(other, path)
    assert logs.poll()
    assert logs.series["a"].values.tolist() == [7.0] * 30


@pytest.mark.parametrize("seen_between", [True, False])
def test_a_file_rotated_away(tmp_path: Path, seen_between: bool) -> None:
    """Renamed, and another begun under its name: no point is lost, and none is there twice."""
    path = event_file(tmp_path, *[event(at, at, simple("a", at)) for at in range(20)])
    logs = poll(LogDir(tmp_path))
    path.rename(path.with_name(f"{path.name}.1"))
    if seen_between:
        logs.poll()
        assert logs.series["a"].steps.tolist() == list(range(20))
    event_file(tmp_path, *[event(at, at, simple("a", at)) for at in range(20, 50)])
    assert logs.poll()
    series = logs.series["a"]
    assert series.steps.tolist() == series.values.tolist() == list(range(50))
    assert (series.restarts, series.abandoned, logs.problems) == ((20,), (), ())
    with path.open("ab") as file:
        file.write(record(event(50, 50, simple("a", 50))))
    assert logs.poll()
    assert logs.series["a"].last_step == 50


def test_a_file_taken_away(tmp_path: Path) -> None:
    first = event_file(tmp_path, event(1, 1, simple("a", 1)), event(1, 2, simple("b", 1)))
    event_file(tmp_path, event(5, 1, simple("a", 2)), time=1_700_000_500)
    logs = poll(LogDir(tmp_path))
    assert logs.series["a"].abandoned
    first.unlink()
    assert logs.poll()
    assert set(logs.series) == {"a"}
    assert not logs.series["a"].abandoned
    assert logs.series["a"].values.tolist() == [2]


def test_look_alikes_are_listed_with_the_reason(tmp_path: Path) -> None:
    good = event_file(tmp_path, version(0), event(1, 1, simple("a", 1)))
    contents = {
        "._events.out.tfevents.1": b"\x00\x05\x16\x07" + bytes(100),
        "events.out.tfevents.2": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "events.out.tfevents.3": b"",
        "events.out.tfevents.4": record(version(0)),
        "events.out.tfevents.5": b"step,loss\n1,2.5\n2,2.4\n",
        "events.out.tfevents.6.gz": b"\x1f\x8b\x08" + bytes(40),
        "events.out.tfevents.7": bytes(4096),
        "events.out.tfevents.8": os.urandom(0) + bytes(range(100, 200)),
        "events.out.tfevents.9": record(version(0))[:7],
        "events.out.tfevents.10": record(version(0)) + record(event(1, 1, simple("a", 1)))[:20],
        "events.out.tfevents.11": record(version(0))
        + record(event(1, 1, tensor("t", b"", "text"))),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "notes.txt").write_text("no event file by its name")
    (tmp_path / "events.out.tfevents.folder").mkdir()
    logs = poll(LogDir(tmp_path))
    reasons = {problem.name: problem.reason for problem in logs.problems}
    assert good.name not in reasons
    assert set(reasons) == set(contents)
    words = ["AppleDouble", "git-LFS", "empty", "only the header", "text", "gzip", "zeros"]
    words += ["not an event file", "no complete record"]
    words += ["last record is cut off at byte 40", "no scalars: text 1"]
    for name, word in zip(contents, words, strict=True):
        assert word in reasons[name]
    notes = {problem.name.split(".")[-1] for problem in logs.problems if not problem.is_error}
    assert notes == {"3", "4", "10", "11"}, "nothing is wrong with these"
    assert not logs.poll()


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event_file(tmp_path, event(1, 1, simple("a", 1)))
    real = os.open

    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    now = [0.0]
    logs = poll(LogDir(tmp_path, clock=lambda: now[0]))
    assert logs.problems[0].reason == "cannot be read: Permission denied"
    monkeypatch.setattr(os, "open", real)
    now[0] = event_files.RETRY_SECONDS
    assert logs.poll()
    assert not logs.problems
    assert logs.series["a"].last == 1


def attempt(folder: Path, number: int, steps: range, value: float, *, purge: bool = False) -> Path:
    """One attempt's file, named as our worker names it: time, host, attempt."""
    head = [session_start(number * 100.0, steps[0])] if purge else []
    events = [event(number * 100.0 + at, at, simple("loss", value)) for at in steps]
    rest = f"host.{number}"
    return event_file(folder, version(number * 100.0), *head, *events, rest=rest)


@pytest.mark.parametrize("purge", [False, True])
def test_the_newest_write_wins_and_the_branch_is_kept(tmp_path: Path, purge: bool) -> None:
    attempt(tmp_path, 1, range(100), 1.0)
    attempt(tmp_path, 2, range(60, 90), 2.0, purge=purge)
    attempt(tmp_path, 10, range(80, 120), 3.0, purge=purge)
    series = poll(LogDir(tmp_path)).series["loss"]
    assert series.steps.tolist() == list(range(120))
    assert series.values.tolist() == [1.0] * 60 + [2.0] * 20 + [3.0] * 40
    assert [branch.rewound_to for branch in series.abandoned] == [60, 80]
    assert series.abandoned[0].steps.tolist() == list(range(60, 100))
    assert set(series.abandoned[0].values.tolist()) == {1.0}
    assert set(series.abandoned[1].values.tolist()) == {2.0}
    assert series.restarts == (60, 80)


def test_a_resume_that_loses_nothing(tmp_path: Path) -> None:
    attempt(tmp_path, 1, range(50), 1.0)
    attempt(tmp_path, 2, range(50, 80), 2.0)
    series = poll(LogDir(tmp_path)).series["loss"]
    assert series.steps.tolist() == list(range(80))
    assert not series.abandoned
    assert series.restarts == (50,)


def test_a_session_start_rewinds_tags_that_are_not_written_again(tmp_path: Path) -> None:
    logs = LogDir(tmp_path)
    event_file(tmp_path, *[event(at, at, simple("eval", at)) for at in range(10)])
    logs.poll()
    event_file(tmp_path, session_start(50, 4), time=1_700_000_600)
    assert logs.poll()
    assert logs.series["eval"].steps.tolist() == [0, 1, 2, 3]
    assert logs.series["eval"].abandoned[0].rewound_to == 4


def test_going_back_within_one_file_keeps_both(tmp_path: Path) -> None:
    steps = [0, 1, 2, 2, 1, 3]
    event_file(tmp_path, *[event(at, step, simple("a", at)) for at, step in enumerate(steps)])
    series = poll(LogDir(tmp_path)).series["a"]
    assert series.steps.tolist() == steps
    assert not series.abandoned


def test_however_the_polls_fall_the_curve_is_the_same(tmp_path: Path) -> None:
    """Attempts appear and grow in any order; every poll equals reading all from the start."""
    source = tmp_path / "source"
    paths = [
        attempt(source, 1, range(40), 1.0),
        attempt(source, 2, range(20, 50), 2.0, purge=True),
        attempt(source, 3, range(10, 60), 3.0),
        event_file(
            source, *[event(at, at, simple("other", at)) for at in range(30)], rest="host.4"
        ),
    ]
    random = np.random.default_rng(5)
    folder = tmp_path / "grown"
    folder.mkdir()
    logs = LogDir(folder)
    sizes = dict.fromkeys(paths, 0)
    while any(sizes[path] < path.stat().st_size for path in paths):
        path = paths[random.integers(len(paths))]
        step = int(random.integers(1, 700))
        content = path.read_bytes()[sizes[path] : sizes[path] + step]
        sizes[path] += len(content)
        with (folder / path.name).open("ab") as file:
            file.write(content)
        logs.poll()
        fresh = poll(LogDir(folder))
        assert set(logs.series) == set(fresh.series)
        for tag, series in logs.series.items():
            again = fresh.series[tag]
            np.testing.assert_array_equal(series.steps, again.steps)
            np.testing.assert_array_equal(series.values, again.values)
            np.testing.assert_array_equal(series.wall_times, again.wall_times)
            assert series.restarts == again.restarts
            assert len(series.abandoned) == len(again.abandoned)
            for branch, other in zip(series.abandoned, again.abandoned, strict=True):
                np.testing.assert_array_equal(branch.values, other.values)
                assert branch.rewound_to == other.rewound_to


WRITER = """
import sys
from tests.events.encoding import event, record, simple
with open(sys.argv[1], "ab", buffering=0) as file:
    for at in range(3000):
        whole = record(event(at, at, simple("a", at), simple("b", -at)))
        cut = at % len(whole)
        file.write(whole[:cut])
        file.write(whole[cut:])
"""


def test_a_process_that_writes_while_we_read(tmp_path: Path, eventually: Eventually) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    root = Path(__file__).parents[2]
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=root)
    logs = LogDir(tmp_path)
    polls = 0
    while writer.poll() is None:
        polls += logs.poll()
        for tag, sign in (("a", 1), ("b", -1)):
            if tag in logs.series:
                series = logs.series[tag]
                np.testing.assert_array_equal(series.steps, np.arange(len(series)))
                np.testing.assert_array_equal(series.values, sign * series.steps)
    assert writer.returncode == 0
    logs.poll()
    assert polls > 1
    assert len(logs.series["a"]) == len(logs.series["b"]) == 3000
    assert not logs.problems


def _attempt(folder: Path, clock: int, number: int, first: int, suffix: str) -> None:
    """Ten points of an attempt that began at `clock`, its own time on every record."""
    start = [session_start(clock, first)] if number > 1 else []
    points = [event(clock + at, first + at, simple("a", number * 100 + at)) for at in range(10)]
    event_file(folder, version(clock), *start, *points, time=clock, rest=f"host.1.{suffix}")


@pytest.mark.parametrize("clocks", [(100, 200, 300), (300, 200, 100), (200, 300, 100)])
def test_attempts_of_ours_are_ordered_by_their_number_never_by_clocks(
    tmp_path: Path, clocks: tuple[int, int, int]
) -> None:
    for number, clock in enumerate(clocks, 1):
        _attempt(tmp_path, clock, number, number * 5, f"0.{number}")
    logs = poll(LogDir(tmp_path))
    assert logs.series["a"].steps.tolist() == list(range(5, 25))
    assert logs.series["a"].values.tolist() == [
        *range(100, 105), *range(200, 205), *range(300, 310)
    ]  # fmt: skip
    assert not logs.problems


def test_more_than_nine_attempts_are_ordered_as_numbers(tmp_path: Path) -> None:
    for number in range(1, 13):
        _attempt(tmp_path, 1000 - number, number, number * 5, f"0.{number}")
    assert poll(LogDir(tmp_path)).series["a"].last == 1209


def test_files_of_others_whose_times_contradict_each_other_are_named(tmp_path: Path) -> None:
    _attempt(tmp_path, 100, 1, 0, "7")
    _attempt(tmp_path, 200, 2, 10, "7")
    assert not poll(LogDir(tmp_path)).problems
    older = event_file(
        tmp_path, version(20), event(20, 20, simple("a", 1)), time=300, rest="host.1.7"
    )
    (problem,) = poll(LogDir(tmp_path)).problems
    assert problem.name == older.name
    assert "the order of the curves may be wrong" in problem.reason


def test_steps_that_begin_again_within_one_file_are_a_restart_of_that_tag_alone(
    tmp_path: Path,
) -> None:
    """Two passes by one writer; beside them a tag that goes on, and one written twice a step."""
    events = [
        event(turn * 20 + at, at, simple("a", turn * 100 + at),
              simple("twice", at), simple("twice", at + 0.5))
        for turn in range(2) for at in range(20)
    ]  # fmt: skip
    more = [event(at, at, simple("on", at)) for at in range(30)]
    event_file(tmp_path, *more, *events)
    logs = poll(LogDir(tmp_path))
    series = logs.series["a"]
    assert series.steps.tolist() == list(range(20))
    assert series.values.tolist() == [100.0 + at for at in range(20)]
    assert series.restarts == (0,)
    (branch,) = series.abandoned
    assert branch.values.tolist() == list(range(20))
    assert len(logs.series["twice"]) == 40
    assert len(logs.series["on"]) == 30
    assert not logs.series["on"].abandoned


def test_a_tag_that_counts_each_epoch_from_0_shows_the_last_and_keeps_the_rest(
    tmp_path: Path,
) -> None:
    path = event_file(tmp_path, *[event(at, at % 10, simple("a", at)) for at in range(95)])
    logs = poll(LogDir(tmp_path))
    series = logs.series["a"]
    assert series.values.tolist() == [90.0, 91.0, 92.0, 93.0, 94.0]
    assert [len(branch.values) for branch in series.abandoned] == [10] * 9
    with path.open("ab") as file:
        file.writelines(record(event(at, at % 10, simple("a", at))) for at in range(95, 98))
    assert logs.poll()
    assert logs.series["a"].values.tolist() == [float(at) for at in range(90, 98)]


def test_a_file_replaced_by_one_that_rewinds_elsewhere(tmp_path: Path) -> None:
    """A tag of another file, over which the first one rewound and the second one does not."""
    event_file(tmp_path, *[event(at, at, simple("a", at)) for at in range(5)], time=1)
    second = event_file(tmp_path, session_start(9, 2), event(9, 2, simple("b", 1)), time=2)
    logs = poll(LogDir(tmp_path))
    assert logs.series["a"].steps.tolist() == [0, 1]
    event_file(tmp_path / "new", session_start(9, 99), event(9, 99, simple("b", 1)), time=2)
    (tmp_path / "new" / second.name).replace(second)
    poll(poll(logs))
    assert logs.series["a"].steps.tolist() == [0, 1, 2, 3, 4]
    assert not logs.series["a"].abandoned
