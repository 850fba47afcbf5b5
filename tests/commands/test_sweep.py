"""`finetop sweep`: refusals, the points, and the table."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.jobs import launch, lock, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.recipes.recipe import SweepRecipe
from engine.sweeps.points_file import find_runs
from tests.conftest import Eventually
from tests.impact.made_results import measured, scores_of, suite_of
from tests.sweeps.made_sweep import ITEMS, make_results, write_sweep
from tests.worker.tiny import save_checkpoint
from tui.cli import main

RATES = "training.learning_rate=1e-4,3e-4"


def finetop(root: Path, *arguments: str) -> int:
    try:
        return main(["sweep", *arguments, "--runs", str(root)])
    except SystemExit as ending:  # of what the parser refuses
        return int(str(ending.code))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Nothing to sweep over"),
        (["--over", "training.rate=1"], "training.rate: unknown setting"),
        (["--over", "training.epochs=0"], "must be greater than 0"),
        (["--over", "training.epochs="], "No values"),
        (["--over", "training.epochs=1,1"], "equal"),
        (["--over", "training.epochs"], "--over KEY=A,B"),
        (["--seeds", "0"], "not above 0"),
        (["--seeds", "201"], "--force"),
        (["--seeds", "1000000000", "--force"], "At most 10,000"),
        (["--seeds", "10000", "--over", RATES, "--force"], "At most 10,000"),
        (["--seeds", "x"], "invalid int"),
        (["--over", RATES, "--on", "bundled:poems"], "poems"),
        (["--over", RATES, "--on", "a=x", "--on", "a=y"], "Two suites"),
        (["--over", RATES, "--limit", "-1"], "limit: must be at least 0"),
        (["/no/recipe.toml", "--over", RATES], "/no/recipe.toml"),
        (["--over", RATES, "--set", "training.epoch=1"], "training.epoch: unknown"),
        (["--over", RATES, "--detach", "--json"], "cannot be combined"),
        (["show", "nothing"], "No run 'nothing'"),
        (["show"], "finetop sweep show SWEEP"),
        (["a.toml", "b.toml", "--over", RATES], "b.toml"),
    ],
)
def test_it_refuses_before_anything_starts(
    arguments: list[str], words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop(root, *arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert list(root.iterdir()) == []


def test_a_dry_run_prints_the_points_and_what_they_take(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--over", RATES, "--seeds", "2", "--name", "mine", "--dry-run"]
    assert finetop(root, *given) == 0
    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines()]
    assert lines == [
        ["point", "training.learning_rate", "seed"],
        ["lr1e-4-s7", "0.0001", "7"], ["lr1e-4-s8", "0.0001", "8"],
        ["lr3e-4-s7", "0.0003", "7"], ["lr3e-4-s8", "0.0003", "8"],
    ]  # fmt: skip
    assert printed.err.startswith("4 runs")
    assert "of disk at the peak" in printed.err
    assert finetop(root, *given, "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert [point["seed"] for point in table["points"]] == [7, 8, 7, 8]
    assert table["points"][0]["settings"] == {"training.learning_rate": 1e-4}
    assert list(root.iterdir()) == []


def test_the_recipe_of_a_sweep_is_one_for_another(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = write_sweep(root)
    recipe = str(job.recipe_file)
    assert finetop(root, recipe, "--dry-run", "--epochs", "1", "--over", "method.rank=4,8") == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(names) == 8
    assert names[0] == "lr1e-4-rank4-s7"


def test_show_prints_a_line_a_point_and_the_spread_over_seeds(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(root, results=make_results())
    assert finetop(root, "show", "grid") == 1, "a point has no run that is done"
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert rows["lr1e-4-s7"][:4] == ["lr1e-4-s7", "done", "1.000", "+25.0"]
    assert rows["lr3e-4-s8"] == ["lr3e-4-s8", "crashed", "1.750", "-", "-"]
    spread = "training.learning_rate=0.0001  2/2   1.125 (1.000 to 1.250, n=2)"
    assert spread in out
    assert "+30.0 (+25.0 to +35.0, n=2)" in out
    assert "A spread over n seeds is no interval" in out
    assert "finetop impact grid-evaluation" in out
    assert "1 of 4 points did not finish." in out
    assert "finetop logs grid-run3" in out
    assert "finetop resume grid-1a2b" in out


def test_impact_of_a_sweep_is_that_of_its_evaluation(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = write_sweep(root, results=make_results())
    evaluation = sweep.path.parent / "grid-evaluation"
    tables = []
    for path in (evaluation, sweep.path):
        assert main(["impact", str(path), "--runs", str(root)]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
    assert "emotion" in tables[0]


def test_impact_of_a_sweep_without_an_evaluation_names_its_table(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = write_sweep(root, state=State.RUNNING)
    assert main(["impact", str(sweep.path), "--runs", str(root)]) == 2
    error = capsys.readouterr().err
    assert "This sweep has no evaluation yet." in error
    assert "finetop sweep show" in error


def test_show_explains_no_numbers_that_are_not_there(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(root, states=[State.FAILED, None, None, None], state=State.RUNNING)
    assert finetop(root, "show", "grid") == 1
    out = capsys.readouterr().out
    assert "lr1e-4-s7: CUDA out of memory." in out
    assert "gained:" not in out
    assert "finetop impact" not in out


def test_show_says_where_no_trained_skill_is_a_score(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a second stage on answers in free words: what its base was trained on is no gain of it."""
    results = make_results()
    results["arms"]["base"]["trained"] = ["emotion"]
    for arm in results["arms"].values():
        arm["suites"]["counsel"] = measured(scores_of(20, ITEMS), "gold_nll")
        if arm["parent"]:
            arm["trained"] = ["counsel"]
    results["suites"]["counsel"] = suite_of(ITEMS) | {"measure": "gold_nll"}
    write_sweep(root, states=[State.DONE] * 4, results=results)
    assert finetop(root, "show", "grid") == 0
    assert "gained: no score from 0 to 1 of the skills trained on (counsel)." in (
        capsys.readouterr().out
    )


def test_show_prints_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sweep(root, states=[State.DONE] * 4, results=make_results())
    assert finetop(root, "show", "grid", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["sweep"], table["state"], len(table["points"])) == ("grid-1a2b", "done", 4)


def test_hostile_names_drive_no_terminal(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = write_sweep(root, over={"data.system": ["\x1b]0;x\x07", "b"]}, seeds=(7, 8))
    assert isinstance(job.recipe(), SweepRecipe)
    for arguments in (["show", "grid"], ["show", "grid", "--json"]):
        finetop(root, *arguments)
        assert not {"\x1b", "\x07"} & set(capsys.readouterr().out)


def test_runs_says_which_sweep_a_run_is_of(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sweep(root)
    assert main(["runs", "--json", "--runs", str(root)]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["grid-1a2b"]["kind"], rows["grid-1a2b"]["sweep"]) == ("sweep", None)
    assert rows["grid-run0"]["sweep"] == "grid-1a2b"


@pytest.mark.worker
def test_a_sweep_outlives_the_command_that_started_it(
    root: Path, tmp_path: Path, eventually: Eventually
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "say one", "completion": "one"}\n' * 24)
    command = [
        sys.executable, "-m", "tui.cli", "sweep", "--runs", str(root), "--name", "s",
        "--model", str(save_checkpoint(tmp_path / "base")), "--data", str(rows),
        "--device", "cpu", "--set", "samples.count=0", "--set", "forgetting.tokens=0",
        "--set", "data.max_length=64", "--over", "training.max_steps=2,3",
        "--on", "bundled:facts", "--limit", "1",
    ]  # fmt: skip
    following = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def find_sweep() -> JobDirectory | None:
        found = [path for path in root.glob("s-????") if (path / "points.json").exists()]
        return JobDirectory(found[0]) if found else None

    eventually(lambda: find_sweep() is not None or following.poll() is not None)
    following.kill()
    _, error = following.communicate()
    job = find_sweep()
    assert job is not None, error
    try:
        eventually(lambda: not status.derive(job, status.read(job)).alive, "its end")
        assert status.derive(job, status.read(job)) is State.DONE, launch.log_tail(
            job.attempt(1).log
        )
        runs = find_runs(job.path.name, Store(root)).values()
        assert len(runs) == 2
        assert all(status.derive(run, status.read(run)) is State.DONE for run in runs)
    finally:
        for path in root.iterdir():
            if worker := lock.holder(JobDirectory(path).lock_file):
                os.kill(worker, signal.SIGKILL)
