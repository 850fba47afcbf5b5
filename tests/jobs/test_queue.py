"""The queue of a device: in order, one at a time, and the dead make room."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import queue
from tests.conftest import Eventually

WAIT = """
import sys, time
from engine.jobs.queue import Place
place = Place("cpu", sys.argv[1])
last = None
while True:
    ahead = place.ahead()
    if ahead != last:
        print(ahead, flush=True)
        last = ahead
    time.sleep(0.02)
"""


class Waiter:
    """A real process in the queue; `said` is every place that it saw."""

    def __init__(self, job: str, folder: Path) -> None:
        self._log = folder / f"{job}.log"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen([sys.executable, "-c", WAIT, job], stdout=output)

    def said(self) -> list[int]:
        return [int(line) for line in self._log.read_text().split()]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def test_jobs_take_the_device_in_order_and_the_dead_make_room(
    tmp_path: Path, eventually: Eventually
) -> None:
    waiters: list[Waiter] = []
    try:
        for number, job in enumerate("abc"):
            waiters.append(Waiter(job, tmp_path))
            eventually(lambda n=number: waiters[n].said()[-1:] == [n], f"{job} has its place")
        first, second, third = waiters
        second.kill()
        eventually(lambda: third.said()[-1] == 1, "the third moves up when the second dies")
        assert 0 not in third.said()
        first.kill()
        eventually(lambda: third.said()[-1] == 0, "the third takes the device of the dead first")
        assert [one.job for one in queue.tickets(queue.queue_folder("cpu"))] == []
    finally:
        for waiter in waiters:
            waiter.kill()


def test_renumbering_a_ticket_moves_it(tmp_path: Path, eventually: Eventually) -> None:
    waiters: list[Waiter] = []
    try:
        for number, job in enumerate("abc"):
            waiters.append(Waiter(job, tmp_path))
            eventually(lambda n=number: waiters[n].said()[-1:] == [n], f"{job} has its place")
        folder = queue.queue_folder("cpu")
        last = queue.tickets(folder)[-1]
        last.path.rename(folder / f"000001-{last.job}")
        eventually(lambda: waiters[2].said()[-1] == 1, "the moved one is next")
        eventually(lambda: waiters[1].said()[-1] == 2, "the other waits longer")
    finally:
        for waiter in waiters:
            waiter.kill()


def test_leaving_gives_the_device_to_the_next(tmp_path: Path, eventually: Eventually) -> None:
    place = queue.Place("cpu", "mine")
    assert place.ahead() == 0
    waiter = Waiter("other", tmp_path)
    try:
        eventually(lambda: waiter.said()[-1:] == [1], "the other waits")
        place.leave()
        eventually(lambda: waiter.said()[-1] == 0, "the other takes the device")
    finally:
        waiter.kill()


def test_the_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 4242)
    with pytest.raises(EngineError, match="another user"):
        queue.lock_folder()


def test_the_folder_is_the_same_in_every_shell_and_outlives_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FINETOP_LOCKS")
    folders = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / name))
        monkeypatch.setenv("TMPDIR", str(tmp_path / name))
        folders.add(queue.lock_folder())
    assert len(folders) == 1


def test_a_place_is_found_again_when_the_folder_was_removed(
    tmp_path: Path, eventually: Eventually
) -> None:
    place = queue.Place("cpu", "mine")
    shutil.rmtree(queue.queue_folder("cpu").parent)
    eventually(lambda: place.ahead() == 0, "it takes the device all the same")
    place.leave()
