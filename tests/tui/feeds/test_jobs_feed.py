"""The feed on real job directories, driven cycle by cycle."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from textual.message import Message

from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store
from tests import patience
from tests.pseudo_terminal import HOME
from tests.tui.building import write_curves, write_run
from tui.feeds.base import FeedThread
from tui.feeds.jobs_feed import JobsFeed
from tui.messages import FeedFailed, MachineMeasured, RunChanged, RunsChanged
from tui.snapshots import Machine, NotableSteps, RunRow


@pytest.fixture
def posted() -> list[Message]:
    return []


@pytest.fixture
def feed(root: Path, posted: list[Message]) -> JobsFeed:
    made = JobsFeed(Store(root), posted.append)
    made.go_on()
    return made


def rows(posted: list[Message]) -> dict[str, RunRow]:
    last = [one for one in posted if isinstance(one, RunsChanged)][-1]
    return {row.view.record.name: row for row in last.snapshot.rows}


def settle(feed: JobsFeed, posted: list[Message]) -> None:
    while feed.cycle():
        pass
    feed.cycle()
    posted.clear()


def test_it_posts_only_what_changed(feed: JobsFeed, root: Path, posted: list[Message]) -> None:
    while feed.cycle():
        pass
    assert rows(posted)["emotion-lora"].loss is not None
    settle(feed, posted)
    feed.cycle()
    assert posted == []
    write_curves(JobDirectory(root / "live"), [41])
    feed.cycle()
    spark = rows(posted)["live"].loss
    assert spark is not None
    assert len(posted) == 1


def test_a_live_run_is_looked_at_several_times_a_second(feed: JobsFeed, root: Path) -> None:
    feed.cycle()
    assert feed.pause(pending=False) <= 0.25
    assert feed.pause(pending=True) == 0, "what is still unread does not wait"


def test_new_and_removed_runs(feed: JobsFeed, root: Path, posted: list[Message]) -> None:
    settle(feed, posted)
    write_run(root, "new one", points=3)
    shutil.rmtree(root / "bad-lr")
    feed.cycle()
    assert "new one" in rows(posted)
    assert "bad-lr" not in rows(posted)


HOLD = """
import sys, time
from pathlib import Path
from engine.jobs.lock import Lock
lock = Lock(Path(sys.argv[1]))
assert lock.acquire()
print("held", flush=True)
time.sleep(600)
"""


def test_a_death_changes_no_file_and_is_seen(
    feed: JobsFeed, root: Path, posted: list[Message]
) -> None:
    job = write_run(root, "mortal", state=State.RUNNING, points=3, host=socket.gethostname())
    command = [sys.executable, "-c", HOLD, str(job.lock_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HOME) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        while feed.cycle():
            pass
        assert rows(posted)["mortal"].view.state is State.RUNNING
        holder.kill()
        holder.wait()
    feed.cycle()
    assert rows(posted)["mortal"].view.state is State.CRASHED


def test_the_watched_run_comes_with_curves_and_log(
    feed: JobsFeed, root: Path, posted: list[Message]
) -> None:
    settle(feed, posted)
    feed.watch(root / "live")
    feed.cycle()
    details = [one.detail for one in posted if isinstance(one, RunChanged)]
    assert details[-1].series["train/loss"].last_step == 40
    assert details[-1].log == ("step 40",)
    posted.clear()
    with JobDirectory(root / "live").attempt(1).log.open("a") as file:
        file.write("\nmore \x1b[2J")
    feed.cycle()
    assert [one.detail.log[-1] for one in posted if isinstance(one, RunChanged)] == ["more ␛[2J"]


def test_half_written_files_mean_not_yet(feed: JobsFeed, root: Path, posted: list[Message]) -> None:
    settle(feed, posted)
    (root / "half").mkdir()
    (root / "half" / "job.json").write_text('{"id": "ha')
    (root / "stopped" / "status.json").write_text('{"state": "do')
    (root / "emotion-lora" / "recipe.toml").write_text("= broken")
    (root / "emotion-lora" / "user.json").write_text("{}")
    feed.cycle()
    found = rows(posted)
    assert "half" not in found
    assert found["stopped"].view.state is not State.DONE
    assert "TOML" in found["emotion-lora"].view.problem


def test_something_unforeseen_is_told_and_the_feed_goes_on(root: Path) -> None:
    class Broken(Store):
        times = 0

        def jobs(self) -> list[JobDirectory]:
            self.times += 1
            if self.times == 1:
                raise RuntimeError("no \x1b luck")
            return super().jobs()

    posted: list[Message] = []
    there = threading.Event()

    def post(message: Message) -> None:
        posted.append(message)
        if isinstance(message, RunsChanged):
            there.set()

    feed = FeedThread(JobsFeed(Broken(root), post), post)
    feed.start()
    feed.go_on()
    assert there.wait(patience.SECONDS)
    feed.stop()
    feed.join()
    failures = [one.reason for one in posted if isinstance(one, FeedFailed)]
    assert failures == ["RuntimeError: no ␛ luck"]


def test_the_machine_is_measured_once_where_nothing_is_live(tmp_path: Path) -> None:
    measured: list[bool] = []
    posted: list[Message] = []

    def measure(*, live: bool) -> Machine:
        measured.append(live)
        return Machine("box", "GPU", 40 if live else None)

    root = tmp_path / "few"
    write_run(root, "done", points=5)
    feed = JobsFeed(Store(root), posted.append, measure=measure)
    feed.go_on()
    for _ in range(5):
        feed.cycle()
    assert measured == [False]
    write_run(root, "live", state=State.RUNNING, points=5, heartbeat=time.time())
    for _ in range(5):
        feed.cycle()
    assert measured == [False, True]
    assert len([one for one in posted if isinstance(one, MachineMeasured)]) == 2


def test_the_watched_run_comes_with_its_samples(
    feed: JobsFeed, root: Path, posted: list[Message]
) -> None:
    settle(feed, posted)
    said = {"step": 0, "prompt_id": "p1", "messages": [{"role": "user", "content": "Who?"}]}
    samples = root / "emotion-lora" / "samples.jsonl"
    samples.write_text(json.dumps(said | {"text": "I."}) + "\n")
    feed.watch(root / "emotion-lora")
    while feed.cycle():
        pass
    posted.clear()
    with samples.open("a") as file:
        file.write(json.dumps(said | {"step": 9, "text": "You."}) + "\n")
    feed.cycle()
    (detail,) = [one.detail for one in posted if isinstance(one, RunChanged)]
    assert [(one.step, one.text) for one in detail.prompt_histories[0].answers] == [
        (0, "I."),
        (9, "You."),
    ]
    posted.clear()
    feed.cycle()
    assert posted == []


def test_marks_of_checkpoints_are_read_when_they_change(
    feed: JobsFeed, root: Path, posted: list[Message]
) -> None:
    settle(feed, posted)
    checkpoints = root / "emotion-lora" / "checkpoints"
    checkpoints.mkdir()
    for text, marks in [
        ('{"best": 40, "within_budget": null, "crossed_at": 20}', NotableSteps(40, None, 20)),
        ('{"best": 9, "lost": {"facts": 20}}', NotableSteps(9, lost={"facts": 20})),
        ('{"best": 9, "lost": {"facts": "x"}}', None),
        ('{"best": "x"}', None),
        ('{"best": 50, "later": 1}', NotableSteps(50)),
        ("{", None),
    ]:
        (checkpoints / "marks.json").write_text(text)
        feed.cycle()
        assert rows(posted)["emotion-lora"].notable_steps == marks
        assert rows(posted)["emotion-lora"].loss is not None
