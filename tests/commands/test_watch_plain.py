"""What `finetop watch --plain` tells of a run, poll by poll."""

import dataclasses
import os
from pathlib import Path

import pytest

from engine.charts.filters import parse
from engine.events.log_set import Fleet
from engine.jobs import status
from engine.jobs.status import Failure, State
from tests.events.encoding import event, event_file, record, session_start, simple
from tests.tui.building import write_run
from tui.commands.watch_plain import Changes

NAN = float("nan")
ALL = parse("")


def point(step: int, **values: float) -> bytes:
    return event(step, step, *(simple(tag, value) for tag, value in values.items()))


class Watched:
    """One run, followed."""

    def __init__(self, folder: Path, *, whole: bool = False) -> None:
        self.folder = folder
        self._fleet = Fleet([folder])
        self._changes = Changes(whole=whole)

    def told(self) -> list[list[str]]:
        self._fleet.poll()
        (run,) = self._fleet.runs
        return [line.split("\t")[1:] for line in self._changes.lines(run, ALL)]

    def append(self, path: Path, *payloads: bytes) -> list[list[str]]:
        """In one flush."""
        with path.open("ab") as file:
            file.write(b"".join(map(record, payloads)))
        return self.told()


def test_every_point_of_a_flush_is_told_once(tmp_path: Path) -> None:
    path = event_file(tmp_path, *[point(step, loss=4 - step, lr=0.5) for step in range(3)])
    run = Watched(tmp_path)
    assert run.told() == [["2", "loss=2", "lr=0.5"]]
    assert run.told() == []
    burst = [point(step, loss=9 - step) for step in (3, 4, 5)] + [point(5, acc=1), point(6, acc=2)]
    assert run.append(path, *burst) == [
        ["3", "loss=6"], ["4", "loss=5"], ["5", "acc=1", "loss=4"], ["6", "acc=2"],
    ]  # fmt: skip
    assert Watched(tmp_path, whole=True).told()[0] == ["0", "loss=4", "lr=0.5"]


def test_a_resume_is_told_with_what_it_wrote_again(tmp_path: Path) -> None:
    event_file(tmp_path, *[point(step, loss=1, lr=1) for step in range(10)])
    run = Watched(tmp_path)
    run.told()
    again = [point(step, loss=2, lr=2) for step in (6, 7)]
    path = event_file(tmp_path, session_start(50, 6), *again, time=1_700_000_500)
    told = [["!", "rewound to step 6: loss, lr"], ["6", "loss=2", "lr=2"], ["7", "loss=2", "lr=2"]]
    assert run.told() == told
    assert run.append(path, point(8, loss=2)) == [["8", "loss=2"]]
    event_file(tmp_path, point(9, loss=3), time=1_700_000_600)
    assert run.told() == [["!", "continued at step 9: loss"], ["9", "loss=3"]]
    event_file(tmp_path, point(6, loss=4), time=1_700_000_700)
    event_file(tmp_path, point(6, loss=5), time=1_700_000_800)
    assert run.told() == [["!", "rewound to step 6: loss"], ["6", "loss=5"]]
    path.unlink()
    run.told()
    for at in tmp_path.iterdir():
        at.unlink()
    event_file(tmp_path, point(1, loss=7), time=1_700_000_900)
    assert run.told() == [["!", "rewritten from step 1: loss"], ["1", "loss=7"]]


def test_a_resume_is_told_once_whenever_its_tags_go_on(tmp_path: Path) -> None:
    first = [point(step, loss=1, **({"eval": 1} if step % 4 == 0 else {})) for step in range(10)]
    event_file(tmp_path, *first)
    run = Watched(tmp_path)
    run.told()
    path = event_file(tmp_path, point(5, loss=2), time=1_700_000_500)
    assert run.told() == [["!", "rewound to step 5: loss"], ["5", "loss=2"]]
    assert run.append(path, point(6, loss=2), point(8, eval=2)) == [
        ["6", "loss=2"], ["8", "eval=2"],
    ]  # fmt: skip
    event_file(tmp_path, point(5, loss=3), point(8, eval=3), time=1_700_000_600)
    assert run.told() == [["!", "rewound to step 5: eval, loss"], ["5", "loss=3"], ["8", "eval=3"]]


def test_a_curve_that_stops_being_numbers_is_told_once(tmp_path: Path) -> None:
    path = event_file(tmp_path, point(1, loss=1), point(2, loss=NAN), point(3, loss=NAN))
    run = Watched(tmp_path)
    assert run.told() == [
        ["3", "loss=nan"],
        ["!", "loss: NaN since step 2, 2 values in total"],
    ]
    assert run.append(path, point(4, loss=NAN)) == [["4", "loss=nan"]]
    assert run.append(path, point(5, loss=1), point(6, loss=NAN), point(7, loss=2)) == [
        ["5", "loss=1"], ["6", "loss=nan"], ["7", "loss=2"],
        ["!", "loss: NaN from step 6, finite again"],
    ]  # fmt: skip
    assert run.append(path, point(8, loss=NAN))[1:] == [["!", "loss: NaN since step 8"]]


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        (State.DONE, None, "done"),
        (State.STOPPED, None, "stopped at step 40"),
        (State.FAILED, Failure("The disk is full."), "failed at step 40: The disk is full."),
        (State.RUNNING, None, "crashed at step 40"),  # of a worker that is gone
    ],
)
def test_the_end_of_a_run_is_told_once(
    tmp_path: Path, state: State, error: Failure | None, words: str
) -> None:
    job = write_run(tmp_path, "mine", state=State.RUNNING, points=40)
    changes, fleet = Changes(), Fleet([tmp_path])
    fleet.poll()
    (run,) = fleet.runs
    assert list(changes.end(run)) == [], "its host is alive"
    now, here = status.read(job), os.uname().nodename
    assert now is not None
    status.write(job, dataclasses.replace(now, state=state, error=error, host=here))
    assert list(changes.end(run)) == [f"mine\t-\t{words}"]
    assert list(changes.end(run)) == []
    status.write(job, now)
    assert list(changes.end(run)) == []
    status.write(job, dataclasses.replace(now, state=State.STOPPED, step=60))
    assert list(changes.end(run)) == ["mine\t-\tstopped at step 60"]
