"""The queue: in order, one run a device, and the dead make room. With real processes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import queue
from tests.conftest import Eventually
from tests.jobs.waiters import Line

TWO = (("gpu-a",), ("gpu-b",))
"""Either of two GPUs: what `auto` means."""


@pytest.fixture
def line(tmp_path: Path, eventually: Eventually) -> Iterator[Line]:
    with Line(tmp_path, eventually) as made:
        yield made


def jobs(device: str | None = None) -> list[str]:
    return [ticket.job for ticket in queue.waiting(device)]


def test_jobs_take_the_device_in_order_and_the_dead_make_room(line: Line) -> None:
    first, second, third = (line.add(job, place) for job, place in (
        ("a", "cpu"), ("b", "1"), ("c", "2"),
    ))  # fmt: skip
    assert jobs() == ["b", "c"]
    second.kill()
    line.see(third, "1")
    assert "cpu" not in third.said()
    first.kill()
    line.see(third, "cpu")
    assert jobs() == []
    assert [(one.key, one.job) for one in queue.holders()] == [("cpu", "c")]


def test_a_run_on_either_gpu_takes_the_first_that_is_free(line: Line) -> None:
    first = line.add("a", "gpu-a", TWO)
    line.add("b", "gpu-b", TWO)
    third = line.add("c", "1", TWO)
    assert jobs("gpu-a") == jobs("gpu-b") == ["c"]
    first.kill()
    line.see(third, "gpu-a")


def test_who_waits_for_another_device_is_in_nobodys_way(line: Line) -> None:
    line.add("a", "gpu-a", [["gpu-a"]])
    line.add("b", "1", [["gpu-a"]])
    line.add("c", "gpu-b", TWO)
    line.add("d", "2", TWO)
    line.add("e", "cpu", [["cpu"]])
    assert jobs("gpu-a") == ["b", "d"]
    assert jobs("gpu-b") == ["d"]


def test_several_devices_are_taken_together_and_in_turn(line: Line) -> None:
    first = line.add("a", "gpu-a", [["gpu-a"]])
    both = line.add("b", "1", [["gpu-b", "gpu-a"]])
    later = line.add("c", "2", [["gpu-b"]])
    assert [one.key for one in queue.holders()] == ["gpu-a"], "no half of the two is taken"
    first.kill()
    line.see(both, "gpu-b,gpu-a")
    assert {one.key: one.job for one in queue.holders()} == {"gpu-a": "b", "gpu-b": "b"}
    both.kill()
    line.see(later, "gpu-b")


def test_a_waiting_job_is_moved_up_and_down_and_first(line: Line) -> None:
    line.add("a", "cpu")
    waiters = {job: line.add(job, str(place)) for place, job in enumerate("bcde", 1)}
    assert queue.move("d", -1) == 2
    assert jobs() == ["b", "d", "c", "e"]
    line.see(waiters["d"], "2")
    line.see(waiters["c"], "3")
    assert queue.move("b", +1) == 2
    assert jobs() == ["d", "b", "c", "e"]
    assert queue.move("e", -99) == 1
    assert jobs() == ["e", "d", "b", "c"]
    assert queue.move("e", -1) == 1, "it is first already"
    assert queue.move("e", +99) == 4
    line.see(waiters["e"], "4")
    for _ in range(60):  # more often than there is room between two numbers
        queue.move("b", +1)
        queue.move("b", -1)
    assert jobs() == ["d", "b", "c", "e"]
    line.see(waiters["b"], "2")


def test_moving_passes_those_who_want_the_same_device(line: Line) -> None:
    line.add("a", "gpu-a", [["gpu-a"]])
    line.add("b", "gpu-b", [["gpu-b"]])
    line.add("c", "1", [["gpu-a"]])
    line.add("d", "1", [["gpu-b"]])
    last = line.add("e", "2", [["gpu-a"]])
    assert queue.move("e", -1) == 1
    assert jobs("gpu-a") == ["e", "c"]
    assert jobs("gpu-b") == ["d"]
    line.see(last, "1")


def test_a_cancelled_job_leaves_and_nobody_else(line: Line) -> None:
    first, second, third = (line.add(job, place) for job, place in (
        ("a", "cpu"), ("b", "1"), ("c", "2"),
    ))  # fmt: skip
    queue.cancel("b")
    line.see(second, "cancelled")
    line.see(third, "1")
    assert first.last == "cpu"
    assert jobs() == ["c"]
    assert [path.name for path in (queue.lock_folder() / "queue").glob("cancelled*")] == []


def test_only_what_waits_is_moved_or_cancelled(line: Line) -> None:
    line.add("a", "cpu")
    for act in (lambda: queue.move("a", -1), lambda: queue.cancel("a"), lambda: queue.cancel("x")):
        with pytest.raises(EngineError, match="is not in this machine") as caught:
            act()
        assert "finetop stop" in caught.value.hint
    assert [one.job for one in queue.holders()] == ["a"]


def test_a_ticket_that_cannot_be_read_may_want_anything(line: Line) -> None:
    line.add("a", "cpu")
    waiter = line.add("b", "1")
    (ticket,) = queue.waiting()
    ticket.path.write_text("{")
    assert jobs("gpu-a") == ["b"]
    line.see(waiter, "1")


def test_leaving_gives_the_device_to_the_next(line: Line) -> None:
    ticket = queue.OwnTicket("mine", "cpu", lambda: [("cpu",)])
    assert ticket.ahead() == 0
    waiter = line.add("other", "1")
    ticket.leave()
    line.see(waiter, "cpu")


def test_the_best_device_is_asked_for_when_it_starts(line: Line) -> None:
    """Not when it was queued: by then the other GPU may have more free memory."""
    order = [("gpu-a",), ("gpu-b",)]
    ticket = queue.OwnTicket("mine", "auto", lambda: list(order))
    order.reverse()
    assert ticket.ahead() == 0
    assert ticket.taken == ("gpu-b",)
    ticket.leave()


def test_a_lost_ticket_is_drawn_again(eventually: Eventually) -> None:
    ticket = queue.OwnTicket("mine", "cpu", lambda: [("cpu",)])
    shutil.rmtree(queue.lock_folder())
    eventually(lambda: ticket.ahead() == 0, "it takes the device all the same")
    ticket.leave()


def test_who_is_next_waits_until_it_is_ready_and_keeps_its_place() -> None:
    room = [False]
    ticket = queue.OwnTicket("a", "cpu", lambda: [("cpu",)], ready=lambda: room[0])
    assert (ticket.ahead(), ticket.ahead(), queue.holders()) == (1, 1, [])
    room[0] = True
    assert (ticket.ahead(), ticket.taken) == (0, ("cpu",))
    ticket.leave()


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
