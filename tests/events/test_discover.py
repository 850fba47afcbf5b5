"""Finding runs: nested, linked, many, look-alikes, jobs, and nothing ever written."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.events import watched_folder as folders
from engine.events.discover import Finder, Kind, roots
from engine.events.watched_folder import Folder
from engine.jobs.directory import create
from engine.recipes.recipe import TrainRecipe
from tests.events.encoding import event, event_file, record, simple, version

POINT = event(1, 1, simple("a", 1))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def names(finder: Finder) -> list[str]:
    finder.look()
    return [found.name for found in finder.runs]


def test_runs_are_named_by_their_path(tmp_path: Path) -> None:
    for name in ("b/run10", "b/run9", "b/run9/nested", "a", "."):
        event_file(tmp_path / name, POINT)
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    event_file(tmp_path / ".hidden" / "run", POINT)
    finder = Finder([tmp_path])
    assert names(finder) == ["a", "b/run9", "b/run9/nested", "b/run10", tmp_path.name]
    assert not finder.pending
    assert all(found.kind is Kind.EVENTS for found in finder.runs)


def test_several_roots_are_told_apart(tmp_path: Path) -> None:
    for name in ("x/logs/one", "y/logs/one", "y/logs"):
        event_file(tmp_path / name, POINT)
    finder = Finder([tmp_path / "x" / "logs", tmp_path / "y" / "logs"])
    assert names(finder) == ["x/logs/one", "y/logs", "y/logs/one"]
    finder = Finder([tmp_path / "x", tmp_path / "y"])
    assert names(finder) == ["x/logs/one", "y/logs", "y/logs/one"]


def test_a_root_within_a_root_counts_once(tmp_path: Path) -> None:
    event_file(tmp_path / "a" / "run", POINT)
    event_file(tmp_path / "b", POINT)
    finder = Finder([tmp_path, tmp_path / "a"])
    finder.look()
    assert sorted(found.path.name for found in finder.runs) == ["b", "run"]


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    event_file(tmp_path / "elsewhere" / "run", POINT)
    root = tmp_path / "root"
    event_file(root / "run", POINT)
    (root / "loop").symlink_to(root)
    (root / "run" / "up").symlink_to(tmp_path / "root")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "twice").symlink_to(tmp_path / "elsewhere")
    (root / "nowhere").symlink_to(tmp_path / "gone")
    (root / "itself").symlink_to(root / "itself")
    finder = Finder([root])
    assert names(finder) == ["linked/run", "run"]
    (root / "linked").unlink()
    finder.look()
    assert names(finder) == ["run", "twice/run"]


def test_new_runs_and_files_appear_and_vanish(tmp_path: Path) -> None:
    finder = Finder([tmp_path / "later"])
    assert names(finder) == []
    first = event_file(tmp_path / "later" / "one", POINT)
    assert names(finder) == ["one"]
    kept = finder.runs[0]
    event_file(tmp_path / "later" / "deep" / "two", POINT)
    assert names(finder) == ["deep/two", "one"]
    assert finder.runs[1] is kept
    assert not finder.look()
    first.unlink()
    assert names(finder) == ["deep/two"]
    (tmp_path / "later" / "deep").rename(tmp_path / "later" / "shallow")
    assert names(finder) == ["shallow/two"]


def test_an_idle_look_lists_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    for number in range(5):
        path = event_file(tmp_path / str(number), POINT)
        os.utime(path.parent, (1, 1))
    os.utime(tmp_path, (1, 1))
    finder = Finder([tmp_path], clock=clock)
    finder.look()
    with monkeypatch.context() as patch:
        patch.delattr(os, "scandir")
        patch.delattr(os, "open")
        assert not finder.look()
    event_file(tmp_path / "3", POINT, time=1_800_000_000)
    finder.look()
    assert [len(found.folder.files) for found in finder.runs] == [1, 1, 1, 2, 1]


def test_a_file_system_that_keeps_no_times(tmp_path: Path) -> None:
    """A directory's time of change may stand still: it is listed now and then all the same."""
    clock = Clock()
    os.utime(tmp_path, (1, 1))
    folder = Folder(tmp_path)
    folder.look(clock())
    event_file(tmp_path, POINT)
    os.utime(tmp_path, (1, 1))
    assert not folder.look(clock())
    clock.now += 2 * folders.RELIST_SECONDS
    assert folder.look(clock())
    assert len(folder.files) == 1


def test_two_changes_within_one_tick_of_the_disk(tmp_path: Path) -> None:
    path = event_file(tmp_path, POINT)
    folder = Folder(tmp_path)
    folder.look(0.0)
    event_file(tmp_path, POINT, time=1_800_000_000)
    os.utime(tmp_path, ns=(path.parent.stat().st_atime_ns, path.parent.stat().st_mtime_ns))
    assert folder.look(0.0)


def test_thousands_of_directories_come_in_slices(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number // 50}" / f"{number}").mkdir(parents=True)
    event_file(tmp_path / "5" / "299", POINT)
    clock = Clock()
    finder = Finder([tmp_path], clock=clock)
    looks = 0
    while finder.pending:
        ticks = iter(range(20))

        class Running(Clock):
            def __call__(self, ticks: object = ticks) -> float:
                self.now += 1
                return self.now

        finder._clock = Running()
        finder.look(deadline=20.0)
        looks += 1
    assert looks > 5
    assert [found.name for found in finder.runs] == ["5/299"]


def test_jobs_are_recognised(tmp_path: Path) -> None:
    job = create(tmp_path, TrainRecipe(name="mine"))
    event_file(job.events, POINT)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "job.json").write_text('{"scheduler": "slurm"}')
    event_file(tmp_path / "other", POINT)
    finder = Finder([tmp_path])
    assert names(finder) == sorted([job.path.name, "other"])
    kinds = {found.name: found.kind for found in finder.runs}
    assert kinds == {job.path.name: Kind.JOB, "other": Kind.EVENTS}
    found = next(one for one in finder.runs if one.kind is Kind.JOB)
    assert found.path == job.path
    assert list(found.folder.files)


def test_a_trainer_state_counts_where_no_events_are(tmp_path: Path) -> None:
    for name in ("with/checkpoint-5", "without/checkpoint-5", "final"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "trainer_state.json").write_text('{"log_history": []}')
    event_file(tmp_path / "with" / "runs" / "today", POINT)
    finder = Finder([tmp_path])
    assert names(finder) == ["final", "with/runs/today", "without"]
    assert names(Finder([tmp_path / "without" / "checkpoint-5"])) == ["checkpoint-5"]


def test_only_event_files_with_scalars_hide_a_trainer_state(tmp_path: Path) -> None:
    for name in ("text", "pointer", "same", "scalars"):
        write_state(tmp_path / name / "trainer_state.json", [1])
    event_file(tmp_path / "text" / "runs", version(0))
    (tmp_path / "pointer" / "runs").mkdir()
    (tmp_path / "pointer" / "runs" / "events.out.tfevents.1.x").write_text("version https://git-l")
    event_file(tmp_path / "same", version(0))
    event_file(tmp_path / "scalars" / "runs", version(0), POINT)
    finder = Finder([tmp_path])
    expected = ["pointer", "pointer/runs", "same", "scalars/runs", "text", "text/runs"]
    assert names(finder) == expected
    assert next(one for one in finder.runs if one.name == "same").kind is Kind.TRAINER
    with event_file(tmp_path / "text" / "runs", version(0)).open("ab") as file:
        file.write(record(POINT))
    assert names(finder) == [name for name in expected if name != "text"]


def test_a_state_that_comes_later_is_hidden_by_the_same_rule(tmp_path: Path) -> None:
    event_file(tmp_path / "out" / "runs", version(0))
    event_file(tmp_path / "well" / "runs", POINT)
    finder = Finder([tmp_path])
    assert names(finder) == ["out/runs", "well/runs"]
    write_state(tmp_path / "out" / "checkpoint-5" / "trainer_state.json", [1])
    write_state(tmp_path / "well" / "checkpoint-5" / "trainer_state.json", [1])
    assert names(finder) == ["out", "out/runs", "well/runs"]


def test_a_run_for_each_history_the_newest_first(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for at, (step, history) in enumerate(
        {1200: [1, 2, 3, 4], 600: [1, 2], 60: [5, 6], 30: [5], 90: [7]}.items()
    ):
        path = write_state(out / f"checkpoint-{step}" / "trainer_state.json", history)
        os.utime(path, (at, at))
    finder = Finder([tmp_path])
    assert names(finder) == ["out", "out/checkpoint-60", "out/checkpoint-1200"]
    states = [found.state.partition("/")[0] for found in finder.runs]
    assert states == ["checkpoint-90", "checkpoint-60", "checkpoint-1200"]
    write_state(out / "checkpoint-120" / "trainer_state.json", [7, 8])
    assert names(finder) == ["out", "out/checkpoint-60", "out/checkpoint-1200"]
    assert finder.runs[0].state == "checkpoint-120/trainer_state.json"
    kept = finder.runs
    finder.look()
    assert finder.runs is kept
    write_state(out / "trainer_state.json", [7, 8, 9])
    assert names(finder)[0] == "out"
    assert (finder.runs[0].state, len(finder.runs)) == ("trainer_state.json", 3)


def test_a_linked_output_directory_counts_once(tmp_path: Path) -> None:
    write_state(tmp_path / "elsewhere" / "out" / "checkpoint-1" / "trainer_state.json", [1])
    event_file(tmp_path / "elsewhere" / "out" / "runs", version(0))
    for name in ("first", "second"):
        (tmp_path / "root").mkdir(exist_ok=True)
        (tmp_path / "root" / name).symlink_to(tmp_path / "elsewhere" / "out")
    finder = Finder([tmp_path / "root"])
    assert names(finder) == ["first", "first/runs"]
    write_state(tmp_path / "elsewhere" / "out" / "checkpoint-2" / "trainer_state.json", [1, 2])
    assert names(finder) == ["first", "first/runs"]


def test_a_half_written_state_is_no_run_of_its_own(tmp_path: Path) -> None:
    write_state(tmp_path / "out" / "checkpoint-1" / "trainer_state.json", [1])
    path = write_state(tmp_path / "out" / "checkpoint-2" / "trainer_state.json", [1, 2])
    whole = path.read_text()
    path.write_text(whole[:20])
    finder = Finder([tmp_path])
    assert names(finder) == ["out"]
    assert finder.runs[0].state.startswith("checkpoint-1/")
    path.write_text(whole)
    assert names(finder) == ["out"]
    assert finder.runs[0].state.startswith("checkpoint-2/")


def test_logs_with_an_entry_a_line(tmp_path: Path) -> None:
    for name, text in (
        ("factory/trainer_log.jsonl", '{"current_steps": 1, "loss": 2.0}\n'),
        ("lightning/version_0/metrics.csv", "epoch,step,loss\n0,1,2.0\n"),
        ("notes/metrics.csv", "model,accuracy\na,0.5\n"),
        ("both/metrics.csv", "step,loss\n1,2.0\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    event_file(tmp_path / "both", POINT)
    finder = Finder([tmp_path])
    assert names(finder) == ["both", "factory", "lightning/version_0"]
    kinds = [found.kind for found in finder.runs]
    assert kinds == [Kind.EVENTS, Kind.TRAINER_LOG, Kind.CSV]
    (tmp_path / "notes" / "metrics.csv").write_text("step,loss\n")
    assert names(finder) == ["both", "factory", "lightning/version_0", "notes"]
    assert roots([tmp_path / "factory" / "trainer_log.jsonl"]) == [tmp_path / "factory"]


def test_a_state_counts_once_it_is_newer_than_the_log_beside_it(tmp_path: Path) -> None:
    log, state = tmp_path / "trainer_log.jsonl", tmp_path / "trainer_state.json"
    finder = Finder([tmp_path])

    def kinds() -> list[Kind]:
        finder.look()
        return [found.kind for found in finder.runs]

    log.write_text('{"current_steps": 1, "loss": 2.0}\n')
    assert kinds() == [Kind.TRAINER_LOG]
    write_state(state, [1])
    assert kinds() == [Kind.TRAINER]
    os.utime(state, (1, 1))  # of an earlier run
    assert kinds() == [Kind.TRAINER_LOG]


def write_state(path: Path, losses: Sequence[float]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    history = [{"step": step, "loss": loss} for step, loss in enumerate(losses)]
    path.write_text(json.dumps({"log_history": history}))
    return path


def test_nothing_is_written(tmp_path: Path) -> None:
    event_file(tmp_path / "run", version(0), POINT)
    before = sorted(tmp_path.rglob("*"))
    for path in before:
        path.chmod(0o555 if path.is_dir() else 0o444)
    Finder([tmp_path]).look()
    assert sorted(tmp_path.rglob("*")) == before
    for path in before:
        path.chmod(0o755)


def test_paths_as_a_person_gives_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = event_file(tmp_path / "run", POINT)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert roots(["~/run", path, tmp_path / "run"]) == [tmp_path / "run"]
    (tmp_path / "notes.txt").write_text("words")
    for wrong, reason in (
        (tmp_path / "runn", "does not exist"),
        (tmp_path / "notes.txt", "a file"),
    ):
        with pytest.raises(EngineError, match=reason):
            roots([wrong])


FILES = {
    "trainer_state.json": b'{"log_history": [{"step": 1, "loss": 1}]}',
    "checkpoint-1/trainer_state.json": b'{"log_history": [{"step": 1, "loss": 2}]}',
    "checkpoint-2/trainer_state.json": b'{"log_history": [{"step": 1, "loss": 2}, {"step": 2}]}',
    "checkpoint-3/trainer_state.json": b'{"log_hist',
    "trainer_log.jsonl": b'{"current_steps": 1, "loss": 1}\n',
    "metrics.csv": b"step,loss\n1,1\n",
    "runs/events.out.tfevents.1.x": record(version(0)),
    "runs/events.out.tfevents.2.x": record(version(0)) + record(POINT),
    "events.out.tfevents.3.x": record(version(0)),
    "events.out.tfevents.4.x": record(POINT),
}
CHANGES = st.lists(
    st.tuples(st.sampled_from(["", "a", "a/b"]), st.sampled_from(list(FILES)), st.booleans()),
    max_size=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHANGES)
@example(
    [
        ("", "runs/events.out.tfevents.1.x", True),
        ("", "events.out.tfevents.3.x", True),
        ("", "trainer_state.json", True),
        ("", "events.out.tfevents.3.x", False),
    ]
)
def test_however_the_files_come_and_go_the_list_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str, bool]]
) -> None:
    root = tmp_path_factory.mktemp("logs")
    finder = Finder([root])
    for at, (folder, name, is_there) in enumerate(changes):
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_there:
            path.write_bytes(FILES[name])
            os.utime(path, (1000 + at, 1000 + at))
        else:
            path.unlink(missing_ok=True)
        finder.look()
        while finder.pending:
            finder.look(deadline=0.0)
    fresh = Finder([root])
    fresh.look()
    assert [(run.name, run.kind, run.state) for run in finder.runs] == [
        (run.name, run.kind, run.state) for run in fresh.runs
    ]
