"""`finetop demo`: what it refuses before anything starts, what it trains, and the long demo with
tiny runs to its report, with a job that was stopped, and on Ctrl-C."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.bundled import MAKE_DATA, REVIEWS
from engine.jobs import status
from engine.jobs.directory import JobDirectory, create
from engine.jobs.status import State, Status
from engine.jobs.store import Store, open_store
from engine.recipes.recipe import EvaluateRecipe, TrainRecipe
from tests.conftest import Eventually
from tui.cli import main
from tui.commands import demo_plan
from tui.commands.demo_plan import (
    INTENDED,
    LABELLER,
    LONG,
    MAKING,
    REPLAY,
    STAGES,
    make_evaluation,
    make_export,
    make_rows,
    make_run,
)

REPOSITORY = Path(__file__).parents[2]
TINY = (
    "device=cpu", "data.limit=24", "data.max_length=96", "training.max_steps=3",
    "training.batch_size=2", "training.evaluations=1", "training.saves=1", "samples.count=1",
    "samples.max_new_tokens=4", "forgetting.tokens=64",
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--long", "--replay"], "not allowed with"),
        (["--long", "--make-data"], "not allowed with"),
        (["--out", "there"], "Only --long and --make-data write a report"),
        (["--make-data", "--out", "full"], "The folder is not empty"),
        (["--long", "--out", "full"], "The folder is not empty"),
        (["--long", "--out", "no/folder"], "The folder does not exist"),
        (["--release", "full"], "The folder of the export already exists"),
        (["--release", "no/folder"], "The folder above the export does not exist"),
        (["--job", "full=x"], "Names of this demo: tuned, measured."),
        (["--release", "new", "--job", "x=y"], "Names of this demo: tuned, measured, released."),
        (["--long", "--job", "full"], "Names of this demo: lora, full, replay, second, measured."),
        (["--make-data", "--job", "x=y"], "emotion, labeller, made, reviews, counsel, measured."),
        (["--make-data", "--job", "made=one"], "train, not synthesize"),
        (["--long", "--job", "full=nothing"], "No run 'nothing'"),
        (["--long", "--job", "measured=one"], "train, not evaluate"),
        (["--set", "training.epoch=1"], "training.epoch"),
    ],
)
def test_it_refuses_before_anything_starts(
    arguments: list[str],
    words: str,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    one = create(root, TrainRecipe(name="one"))
    try:
        code: object = main(["demo", *arguments, "--runs", str(root)])
    except SystemExit as ending:  # of what the parser refuses
        code = ending.code
    assert code == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert "To continue" not in error
    assert list(root.iterdir()) == [one.path]


def test_each_run_of_the_long_demo_is_another_way_to_tune(root: Path) -> None:
    jobs = {run.arm: create(root, TrainRecipe(name=run.arm)) for run in LONG}
    made = {run.arm: make_run(run, ["training.seed=3"], jobs) for run in LONG}
    assert {arm: one.method.kind for arm, one in made.items()} == {
        "lora": "lora", "full": "full", "replay": "lora", "second": "lora"
    }  # fmt: skip
    assert {arm for arm, one in made.items() if one.replay.data} == {"replay"}
    assert {one.training.seed for one in made.values()} == {3}
    assert len({one.name for one in made.values()}) == 4
    assert made["second"].model.checkpoint == f"run:{jobs['lora'].path.name}"
    assert made["second"].data.train == "bundled:counsel"


def test_a_change_of_the_users_holds_but_for_what_a_second_stage_is(root: Path) -> None:
    jobs = {run.arm: create(root, TrainRecipe(name=run.arm)) for run in LONG}
    changes = ["data.train=mine.jsonl", "model.checkpoint=other", "replay.share=0.5"]
    made = {run.arm: make_run(run, changes, jobs) for run in LONG}
    assert made["full"].data.train == "mine.jsonl"
    assert made["second"].data.train == "bundled:counsel"
    assert made["second"].model.checkpoint == f"run:{jobs['lora'].path.name}"
    assert make_run(REPLAY, changes, jobs).replay.share == 0.5


def test_the_last_arm_is_the_second_stage_and_both_tasks_are_measured(root: Path) -> None:
    jobs: dict[str, JobDirectory] = {}
    for run in LONG:
        jobs[run.arm] = create(root, make_run(run, [], jobs))
        jobs[run.arm].held_out.write_text("")
    wanted = make_evaluation(LONG, jobs, 40)
    names = [arm.partition("=")[0] for arm in wanted.arms]
    assert names == ["base", "lora", "full", "replay", "second"]
    assert f"emotion=run:{jobs['lora'].path.name}" in wanted.suites
    assert f"counsel=run:{jobs['second'].path.name}?limit=40" in wanted.suites


def test_rows_are_made_by_the_labeller_and_trained_on_after_emotions(root: Path) -> None:
    jobs: dict[str, JobDirectory] = {}
    changes = ["training.seed=3", "device=cpu"]
    for run in (STAGES[0], LABELLER):
        jobs[run.arm] = create(root, make_run(run, changes, jobs))
    rows = make_rows(changes, jobs)
    assert rows.asking.generator == f"labeller=run:{jobs['labeller'].path.name}"
    assert rows.device == "cpu"
    jobs[MAKING] = create(root, rows)
    for run in STAGES[1:]:
        jobs[run.arm] = create(root, make_run(run, changes, jobs))
    made = {arm: job.recipe() for arm, job in jobs.items() if arm != MAKING}
    assert [one.data.train for one in made.values() if isinstance(one, TrainRecipe)] == [
        "bundled:emotion", "bundled:reviews-labelled", str(jobs[MAKING].path / "rows.jsonl"),
        "bundled:counsel",
    ]  # fmt: skip
    assert isinstance(made["reviews"], TrainRecipe)
    assert made["reviews"].data.eval == "bundled:reviews-held-out"
    names = {arm: f"run:{job.path.name}" for arm, job in jobs.items()}
    parents = [one.model.checkpoint for one in made.values() if isinstance(one, TrainRecipe)]
    assert parents[1:] == [names["emotion"], names["emotion"], names["reviews"]]
    for job in jobs.values():
        job.held_out.write_text("")
    measured = make_evaluation((STAGES[0], LABELLER, *STAGES[1:]), jobs, 40)
    assert [arm.partition("=")[0] for arm in measured.arms] == ["base", *(r.arm for r in STAGES)]
    # Not on what it held out of the rows made: their labels are the labeller's.
    assert "reviews=bundled:reviews-held-out?limit=40" in measured.suites


@pytest.mark.parametrize("size", ["--long", "--make-data"])
def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_starts(
    size: str,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its report would be lost after minutes of training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert main(["demo", size, "--runs", str(root)]) == 2
    said = capsys.readouterr().err
    assert "cannot be written to" in said
    assert "--out" in said
    assert not list(root.iterdir())


@pytest.mark.worker
def test_the_demo_that_makes_data_says_how_right_its_rows_are(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few = tmp_path / "few.toml"
    few.write_text(MAKE_DATA.read_text().replace('id = "id"', 'id = "id"\nlimit = 40'))
    monkeypatch.setattr(demo_plan, "MAKE_DATA", few)
    given = ["demo", "--make-data", "--items", "2", "--runs", str(root), "--json", "numbers.json"]
    changes = (*TINY, "data.max_length=192")  # a question is longer than a line of a diary
    assert main([*given, *(word for change in changes for word in ("--set", change))]) == 0
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    made = numbers["made"]
    (path,) = root.glob("*/rows.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    states = {name: share["count"] for name, share in made["states"].items()}
    assert (made["sources"], sum(states.values())) == (40, 40)
    assert len(rows) == made["written"]["rows"] == made["written"]["unreviewed"]
    assert 0 < len(rows) == states["passed"] < 40
    assert {row["output"] for row in rows} <= {"agree", "disagree"}
    truth = {row["input"]: row["output"] for row in rows}
    known = {one["id"]: one["answer"] for one in read_rows("truth")}
    right = sum(truth.get(one["review"]) == known[one["id"]] for one in read_rows("raw")[:40])
    assert right == made["labels"]["right"] <= made["labels"]["of"]
    out = capsys.readouterr().out
    assert 0 <= made["obeyed"] <= made["planted"]["instruction"]["planted"]
    assert "Instructions in a review that its label follows" in out
    assert str(path.with_suffix(".md")) in out
    assert path.parent in [job.path for job in open_store(root).jobs()], "its job's own directory"
    assert {one.name for one in tmp_path.iterdir()} == {
        "few.toml", "numbers.json", "demo-report", root.name,
    }  # fmt: skip
    assert numbers["impact"]["stages"] == ["base", *(run.arm for run in STAGES)]
    assert numbers["impact"]["summary"]["trained"]["reviews"] == ["reviews"]
    assert (tmp_path / "demo-report" / "report.html").is_file()


def read_rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (REVIEWS / f"{name}.jsonl").read_text().splitlines()]


@pytest.mark.worker
def test_the_long_demo_takes_over_a_stopped_run_and_writes_its_report(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stopped = create(root, make_run(LONG[0], TINY, {}))
    status.write(stopped, Status(State.STOPPED, step=0, total=3))
    given = ["demo", "--long", "--items", "2", "--runs", str(root)]
    given += [word for change in TINY for word in ("--set", change)]
    taken = ["--job", f"lora={stopped.path.name}"]
    assert main([*given, *taken, "--json", "numbers.json"]) == 0
    out = capsys.readouterr().out
    assert out.split("\n")[0].split()[:2] == ["skill", "n"]
    assert str(tmp_path / "demo-report") in out
    assert (tmp_path / "demo-report" / "report.html").is_file()
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert list(numbers["runs"]) == [run.arm for run in LONG]
    assert numbers["runs"]["lora"] == str(stopped.path)
    assert numbers["report"] == str(tmp_path / "demo-report")
    assert numbers["impact"]["stages"] == ["base", "lora", "second"]
    assert numbers["impact"]["summary"]["trained"] == {"lora": ["emotion"], "second": ["counsel"]}
    assert numbers["impact"]["summary"]["backward_transfer"]["skills"] == ["emotion"]
    assert set(numbers["skills"]["facts"]["lost"]) == {run.arm for run in LONG}
    jobs = {job.path for job in Store(root).jobs()}
    assert len(jobs) == len(LONG) + 1  # one measures them all
    (measured,) = jobs - set(map(Path, numbers["runs"].values()))
    taken = [f"{arm}={Path(path).name}" for arm, path in numbers["runs"].items()]
    taken = [word for one in (*taken, f"measured={measured.name}") for word in ("--job", one)]
    # One target is proven here: all forms of a tiny run are in tests/worker/test_real_export.py.
    monkeypatch.setattr("tui.commands.demo_plan.RELEASED", ("merged",))
    assert main([*given, *taken, "--release", "out", "--json", "more.json"]) == 0
    (released,) = {job.path for job in Store(root).jobs()} - jobs  # nothing again
    out = capsys.readouterr().out
    assert str(tmp_path / "demo-report-2") in out
    assert out.index("demo-report-2") < out.index(" merged, float16: ")
    folder, run = tmp_path / "out", stopped.path.name
    lines = out.splitlines()
    at = lines.index(str(folder)) + 1
    assert lines[at].startswith("  merged/README.md: ")
    assert shlex.split(lines[-1]) == [
        "finetop", "evaluate", "--arm", f"run=run:{run}", "--arm", f"merged={folder}/merged",
        "--suite", f"run:{run}",
    ]  # fmt: skip
    shown = json.loads((tmp_path / "more.json").read_text())["released"]
    assert shown["job"] == str(released)
    assert [one["target"] for one in shown["targets"]] == ["merged"]
    assert all(one["passed"] for one in shown["targets"])
    card = (folder / "merged" / "README.md").read_text()
    assert "\n# emotion-lora-r32\n" in card
    assert INTENDED in card
    assert measured.name in card, "what it forgot"
    assert main(["export", "--verify", str(folder), "--runs", str(root)]) == 0


def test_an_export_of_the_demo_tells_what_the_evaluation_found(root: Path) -> None:
    jobs = {run.arm: create(root, make_run(run, [], {})) for run in LONG[:2]}
    measured = create(root, EvaluateRecipe(arms=["a=bundled:demo-base"]))
    wanted = make_export(jobs["lora"], measured, root / "out")
    assert wanted.targets == ["adapter", "merged", "gguf"]
    assert wanted.report == f"run:{measured.path.name}"
    assert wanted.source == f"run:{jobs['lora'].path.name}"
    assert "nothing that it says should be relied on" in wanted.limitations
    assert make_export(jobs["full"], measured, root / "out").targets == ["merged", "gguf"]


@pytest.mark.worker
def test_ctrl_c_stops_the_running_job_and_says_how_to_continue(
    root: Path, tmp_path: Path, eventually: Eventually
) -> None:
    given = ["demo", "--long", "--runs", str(root), "--out", "a report"]
    endless = [*TINY, "training.max_steps=100000"]
    given += [word for change in endless for word in ("--set", change)]
    running = subprocess.Popen(
        [sys.executable, "-m", "tui.cli", *given],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: any(_steps(job) for job in Store(root).jobs()), "the first run makes steps")
    running.send_signal(signal.SIGINT)
    out, error = running.communicate()
    (stopped,) = Store(root).jobs()
    assert running.returncode == 130, error
    assert not out
    assert status.derive(stopped, status.read(stopped)) is State.STOPPED
    words = shlex.split(error.splitlines()[-1].removeprefix("To continue with what is there: "))
    assert words[:3] == ["finetop", "demo", "--long"]
    assert words[words.index("--out") + 1] == "a report"
    assert words[-2:] == ["--job", f"lora={stopped.path.name}"]
    assert words.count("--set") == len(endless)


def _steps(job: JobDirectory) -> int:
    now = status.read(job)
    return now.step if now is not None else 0
