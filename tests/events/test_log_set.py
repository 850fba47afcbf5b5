"""Many runs at once: newest values first, what is on screen first, an order that stays."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine.events.discover import Kind
from engine.events.log_set import Fleet
from engine.events.tail import TAIL, Glimpser, tail
from engine.events.tfrecord import RecordFile
from tests.events.encoding import (
    bytes_field,
    event,
    event_file,
    number_field,
    record,
    session_start,
    simple,
    tensor,
    version,
)


def write_run(folder: Path, points: int = 3000, scale: float = 1.0) -> Path:
    return event_file(
        folder,
        version(0),
        *[
            event(at + 0.5, at, simple("loss", at * scale), simple("lr", -at))
            for at in range(points)
        ],
    )


def test_everything_is_read_in_the_end(tmp_path: Path) -> None:
    for number in range(6):
        write_run(tmp_path / f"run{number}", 500 * (number + 1), number)
    fleet = Fleet([tmp_path])
    seen: list[tuple[str, ...]] = []
    while fleet.pending:
        fleet.poll(0.0)
        seen.append(tuple(run.name for run in fleet.runs))
    assert seen[-1] == tuple(f"run{number}" for number in range(6))
    assert all(list(names) == sorted(names) for names in seen)
    for number, run in enumerate(fleet.runs):
        assert run.loaded
        assert run.kind is Kind.EVENTS
        assert run.series["loss"].steps.tolist() == list(range(500 * (number + 1)))
    assert fleet.poll() == frozenset()


def test_newest_values_come_before_curves_and_the_preferred_before_the_others(
    tmp_path: Path,
) -> None:
    for number in range(8):
        write_run(tmp_path / f"run{number}", 20_000, number)
    fleet = Fleet([tmp_path])
    fleet.prefer(["run6", "run2"])
    fleet._finder.look()
    while not (fleet.runs and all(run.tags for run in fleet.runs)):
        fleet.poll(0.0)
    assert not any(run.loaded for run in fleet.runs)
    assert [run.last("loss") for run in fleet.runs if run.series] == []
    assert [run.last("loss").value for run in fleet.runs] == [  # type: ignore[union-attr]
        19_999.0 * number for number in range(8)
    ]
    order: list[str] = []
    while fleet.pending:
        fleet.poll(0.0)
        order += [run.name for run in fleet.runs if run.loaded and run.name not in order]
    assert order[:2] == ["run6", "run2"]
    assert fleet.runs[3].last("lr").value == -19_999.0  # type: ignore[union-attr]


def test_an_idle_poll_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        write_run(tmp_path / f"run{number}", 10)
    fleet = Fleet([tmp_path])
    fleet.poll()

    def read(self: RecordFile, limit: int = 0) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(RecordFile, "read", read)
    runs = fleet.runs
    assert fleet.poll() == frozenset()
    assert fleet.runs is runs
    assert not fleet.pending


def test_growth_new_runs_and_runs_that_go(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", 10)
    write_run(tmp_path / "b", 10)
    fleet = Fleet([tmp_path])
    assert fleet.poll() == {"a", "b"}
    with path.open("ab") as file:
        file.write(record(event(99, 99, simple("loss", 5.0))))
    assert fleet.poll() == {"a"}
    assert fleet.runs[0].last("loss").step == 99  # type: ignore[union-attr]
    write_run(tmp_path / "a" / "nested", 5)
    path.unlink()
    assert fleet.poll() == {"a", "a/nested"}
    assert [run.name for run in fleet.runs] == ["a/nested", "b"]


def test_look_alikes_are_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "lfs").mkdir()
    (tmp_path / "lfs" / "events.out.tfevents.1").write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    )
    text = bytes_field(1, b"args") + bytes_field(8, number_field(1, 7) + bytes_field(8, b"words"))
    event_file(
        tmp_path / "words",
        event(1, 1, text + bytes_field(9, bytes_field(1, bytes_field(1, b"text")))),
    )
    fleet = Fleet([tmp_path])
    fleet.poll()
    reasons = {run.name: run.problems[0].reason for run in fleet.runs}
    assert "git-LFS" in reasons["lfs"]
    assert reasons["words"] == "no scalars: text 1"
    assert fleet.runs[1].texts["args"].text == "words"


def test_a_trainer_state_among_them(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "checkpoint-2"
    folder.mkdir(parents=True)
    history = [{"step": 1, "epoch": 0.5, "loss": 2.0}, {"step": 2, "epoch": 1.0, "eval_loss": 1.5}]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history, "max_steps": 2}))
    fleet = Fleet([tmp_path])
    fleet.poll()
    (run,) = fleet.runs
    assert (run.kind, run.name, run.settings["max_steps"]) == (Kind.TRAINER, "out", 2)
    assert run.last("eval/loss").value == 1.5  # type: ignore[union-attr]


def test_the_runs_of_one_output_directory_and_when_they_changed(tmp_path: Path) -> None:
    def write(step: int, losses: list[float], changed: int) -> None:
        path = tmp_path / "out" / f"checkpoint-{step}" / "trainer_state.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        history = [{"step": at, "loss": loss} for at, loss in enumerate(losses)]
        path.write_text(json.dumps({"log_history": history}))
        os.utime(path, (changed, changed))

    write(40, [4, 3, 2, 1], 1_600_000_000)
    write(20, [9, 8], 1_700_000_000)
    fleet = Fleet([tmp_path])
    fleet.poll()
    newest, older = fleet.runs
    assert (newest.name, older.name) == ("out", "out/checkpoint-40")
    assert (newest.modified, older.modified) == (1_700_000_000, 1_600_000_000)
    assert newest.series["train/loss"].values.tolist() == [9, 8]
    assert older.series["train/loss"].values.tolist() == [4, 3, 2, 1]
    reader = fleet._members["out"].log
    write(30, [9, 8, 7], 1_700_000_100)
    fleet.poll()
    assert [run.name for run in fleet.runs] == ["out", "out/checkpoint-40"]
    assert fleet.runs[0].series["train/loss"].values.tolist() == [9, 8, 7]
    assert fleet._members["out"].log is reader, "the same run goes on"


def test_logs_with_an_entry_a_line_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "version_0" / "metrics.csv"
    path.parent.mkdir()
    path.write_text("step,val_loss\n1,0.5\n")
    fleet = Fleet([tmp_path])
    fleet.poll()
    (run,) = fleet.runs
    assert (run.name, run.kind, run.loaded) == ("version_0", Kind.CSV, True)
    assert run.modified == pytest.approx(path.stat().st_mtime, abs=1e-5)
    with path.open("a") as file:
        file.write("2,0.25\n")
    assert fleet.poll() == {"version_0"}
    assert fleet.runs[0].last("val_loss").value == 0.25  # type: ignore[union-attr]
    assert fleet.poll() == frozenset()


def test_placeholders_are_known_once_all_is_read(tmp_path: Path) -> None:
    points = [event(at, at, simple("loss", at), simple("idle", 1)) for at in range(3)]
    event_file(tmp_path, event(0, 0, simple("hp", -1)), *points)
    fleet = Fleet([tmp_path])
    fleet.poll()
    assert fleet.runs[0].placeholders == {"hp", "idle"}


def test_a_glimpse_tells_the_truth_wherever_the_tail_begins(tmp_path: Path) -> None:
    path = write_run(tmp_path, 200)
    whole = path.read_bytes()
    for size in range(len(whole) - 200, len(whole) + 1):
        path.write_bytes(whole[:size])
        fresh = RecordFile(path).read(1 << 20)[0]
        count = len(fresh.starts) - 2
        for size_of_tail in (300, TAIL):
            found = Glimpser().look(path, size_of_tail)
            assert found["loss"].step == count
            assert found["loss"].value == count
            assert found["lr"].value == -count


@pytest.mark.parametrize("content", [b"", bytes(9000), b"x" * 9000, bytes(range(256)) * 40])
def test_a_glimpse_at_what_is_no_event_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(content)
    assert Glimpser().look(path) == {}
    assert Glimpser().look(tmp_path / "missing") == {}


def test_a_glimpse_leaves_out_what_only_the_whole_file_can_tell(tmp_path: Path) -> None:
    content = number_field(1, 1) + bytes_field(5, np.float32(1).tobytes())
    bare = [event(at, at, tensor("odd", content, None), simple("a", at)) for at in range(50)]
    assert set(Glimpser().look(event_file(tmp_path / "1", *bare))) == {"a"}
    path = event_file(tmp_path / "2", *bare, session_start(60, 4), event(61, 4, simple("a", 4)))
    assert Glimpser().look(path) == {}
    other = event_file(tmp_path / "3", *[event(at, at, simple("b", -at)) for at in range(50)])
    paths = [path, tmp_path / "1" / path.name, tmp_path / "missing", other]
    together = Glimpser().newest([tail(one) for one in paths])
    assert together == [Glimpser().look(one) for one in paths]
    assert [set(found) for found in together] == [set(), {"a"}, set(), {"b"}]
    assert Glimpser().newest([tail(one) for one in paths[1:]]) == together[1:]


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_glimpse_finds_no_record_within_a_record_that_is_cut(tmp_path: Path, cut: int) -> None:
    """A text that holds an event file: its last bytes look like the end of one."""
    inner = write_run(tmp_path / "inner", 300).read_bytes() + b"end"
    text = number_field(1, 7) + bytes_field(8, inner)
    path = event_file(
        tmp_path / "outer",
        event(1, 1, simple("loss", 9)),
        event(2, 2, tensor("note", text, "text")),
    )
    path.write_bytes(path.read_bytes()[:-cut])
    assert Glimpser().look(path) == {}
