"""`finetop prune`: what is said before, what is asked, and what is left."""

import io
import json
import time
from pathlib import Path

import pytest

from engine.compare import arm_sets
from engine.compare.arms import Arm
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from tests.jobs.made_checkpoints import MOMENTS, WEIGHTS, verifies, write_checkpoints, write_result
from tests.tui.building import write_run
from tui import cli


def finetop(root: Path, *arguments: str) -> int:
    return cli.main(["prune", "--runs", str(root), *arguments])


@pytest.fixture
def done(root: Path) -> JobDirectory:
    job = write_run(root, "mine", directory="mine-1a2b", points=6)
    write_checkpoints(job, (20, 40, 60), best=20)
    write_result(job)
    return job


@pytest.fixture
def stopped(root: Path) -> JobDirectory:
    job = write_run(root, "half", state=State.STOPPED, points=3)
    write_checkpoints(job, (20, 40), best=20)
    return job


@pytest.fixture
def busy(root: Path) -> JobDirectory:
    job = write_run(root, "busy", state=State.RUNNING, heartbeat=time.time())
    write_checkpoints(job, (20,))
    return job


def _names(job: JobDirectory) -> list[str]:
    return sorted(path.name for path in job.checkpoints.glob("checkpoint-*"))


Capture = pytest.CaptureFixture[str]


def test_a_dry_run_says_what_would_go_and_drops_nothing(
    root: Path, done: JobDirectory, stopped: JobDirectory, busy: JobDirectory, capsys: Capture
) -> None:
    assert finetop(root, "--dry-run", "--keep", "best,last") == 0
    said = capsys.readouterr()
    assert "mine-1a2b" in said.out
    assert "2 optimizer states, 1 checkpoint" in said.out
    assert "keeps checkpoint-20: best" in said.out
    assert "in all, of 1 run" in said.out
    assert "left alone: busy: running" in said.err
    assert "left alone: half: stopped: it can be resumed; name it to prune it" in said.err
    assert _names(done) == ["checkpoint-20", "checkpoint-40", "checkpoint-60"]
    assert not done.pruned_file.exists()


def test_without_an_answer_nothing_is_dropped(
    root: Path, done: JobDirectory, capsys: Capture
) -> None:
    assert finetop(root) == 2
    said = capsys.readouterr()
    assert "3 checkpoints" in said.out
    assert "Nothing was pruned." in said.err
    assert len(_names(done)) == 3


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("\n", 2, 3), ("no\n", 2, 3)])
def test_it_is_asked_first(
    root: Path, done: JobDirectory, capsys: Capture, monkeypatch: pytest.MonkeyPatch,
    answer: str, code: int, left: int,
) -> None:  # fmt: skip
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert finetop(root, "mine") == code
    said = capsys.readouterr().err
    assert "After that it can no longer be resumed." in said
    assert "Free 0 MB? [y/N]" in said
    assert len(_names(done)) == left


def test_done_runs_of_this_folder_alone_are_pruned_without_a_name(
    root: Path,
    done: JobDirectory,
    stopped: JobDirectory,
    busy: JobDirectory,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    other = write_run(tmp_path / "other", "elsewhere")
    write_checkpoints(other, (20,))
    write_result(other)
    assert cli.main(["prune", "--runs", str(other.path.parent), "--dry-run"]) == 0
    assert finetop(root, "--yes") == 0
    assert _names(done) == []
    assert (len(_names(stopped)), len(_names(busy)), len(_names(other))) == (2, 1, 1)
    assert (done.adapter / "adapter_model.safetensors").exists()
    capsys.readouterr()
    assert cli.main(["runs", "--runs", str(root)]) == 0
    marked = [line.split()[1] for line in capsys.readouterr().out.splitlines() if "pruned" in line]
    assert marked == [done.path.name]


def test_a_named_run_that_stopped_keeps_its_weights(
    root: Path, stopped: JobDirectory, capsys: Capture
) -> None:
    assert finetop(root, "half", "--yes") == 0
    assert "keeps checkpoint-40: last, as the run is not done" in capsys.readouterr().out
    assert all(verifies(stopped.checkpoints / name) for name in _names(stopped))
    assert cli.main(["resume", "--runs", str(root), "half"]) == 2
    said = capsys.readouterr().err
    assert "half was pruned: it cannot be resumed any more." in said
    assert "checkpoint-40" in said


def test_one_refused_name_leaves_all_alone(
    root: Path, done: JobDirectory, busy: JobDirectory, capsys: Capture
) -> None:
    assert finetop(root, "mine", "busy", "--yes") == 2
    assert "busy is running" in capsys.readouterr().err
    assert len(_names(done)) == 3
    assert finetop(root, "pretrain", "--yes") == 2
    assert "bundled with finetop" in capsys.readouterr().err


def test_what_a_stored_arm_and_another_run_use_stays(
    root: Path, done: JobDirectory, capsys: Capture
) -> None:
    write_run(
        root, "child", state=State.STOPPED, checkpoint=str(done.checkpoints / "checkpoint-20")
    )
    arm_sets.save("mine", [Arm("tuned", str(done.checkpoints / "checkpoint-40"))])
    assert finetop(root, "--yes") == 0
    said = capsys.readouterr().out
    assert "keeps checkpoint-20: used by run child" in said
    assert "keeps checkpoint-40: used by the set of arms 'mine'" in said
    assert _names(done) == ["checkpoint-20", "checkpoint-40"]


def test_json_has_all_of_it(
    root: Path, done: JobDirectory, busy: JobDirectory, capsys: Capture
) -> None:
    assert finetop(root, "--keep", "last", "--json", "--dry-run") == 0
    table = json.loads(capsys.readouterr().out)
    assert table["dry_run"] is True
    assert table["left"] == [{"id": "busy", "reason": "running"}]
    (run,) = table["runs"]
    assert (run["id"], run["path"], run["result"]) == ("mine-1a2b", str(done.path), "adapter")
    assert run["kept"] == [{"checkpoint": "checkpoint-60", "reason": "last"}]
    assert table["bytes"] == run["bytes"] == sum(item["bytes"] for item in run["items"])
    assert run["bytes"] > 2 * WEIGHTS + 3 * MOMENTS
    assert {item["what"] for item in run["items"]} == {"checkpoint", "optimizer state"}
    assert "checkpoints/checkpoint-60/optimizer.pt" in [item["path"] for item in run["items"]]
    assert finetop(root, "--keep", "last", "--json", "--yes") == 0
    assert json.loads(capsys.readouterr().out)["runs"] == [run]
    assert finetop(root, "--keep", "last", "--json", "--yes") == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []


def test_a_run_that_cannot_be_pruned_keeps_no_other_from_it(
    root: Path, done: JobDirectory, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_run(root, "other")
    write_checkpoints(other, (20,))
    write_result(other)
    (other.path / "pruned").mkdir()
    monkeypatch.setattr(
        "engine.jobs.delete.why_not_writable",
        lambda folder: "Permission denied" if folder == other.path else "",
    )
    assert finetop(root, "--yes") == 1
    assert "other could not be pruned." in capsys.readouterr().err
    assert (len(_names(done)), len(_names(other))) == (0, 1)


def test_an_unknown_word_of_keep_is_wrong_use(root: Path, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        finetop(root, "--keep", "best,newest")
    assert ended.value.code == 2
    assert "'newest' must be one of best, last" in capsys.readouterr().err
