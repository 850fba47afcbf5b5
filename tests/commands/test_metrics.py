"""`finetop metrics`: every point as CSV, and the summary, of runs and of any event files."""

import csv
import io
import json
import math
import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from engine.bundled import PRETRAIN_RUN
from engine.events.discover import Finder, roots
from engine.events.log_dir import LogDir
from engine.jobs import directory
from engine.recipes.recipe import TrainRecipe
from tests.events.encoding import event, event_file, session_start, simple, version
from tui import cli

FIRST = [version(1.0)] + [
    event(10.0 + step, step, simple("train/loss", value))
    for step, value in ((1, 2.5), (2, math.nan), (3, math.inf), (4, 0.1))
]
RESUMED = [version(50.0), session_start(50.5, 4)] + [
    event(50.0 + step, step, simple("train/loss", value), simple("eval/loss", value + 1))
    for step, value in ((4, 0.3), (5, 0.2))
]


@pytest.fixture
def run(root: Path) -> Path:
    """A run that was killed after step 4, and went on from step 3."""
    job = directory.create(root, TrainRecipe(name="mine"))
    event_file(job.events, *FIRST, time=1_700_000_000)
    event_file(job.events, *RESUMED, time=1_700_000_100)
    return job.path


def metrics(root: Path, *arguments: object) -> int:
    return cli.main(["--runs", str(root), "metrics", *map(str, arguments)])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_point_is_in_the_csv_resumed_runs_as_one_curve(
    run: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "curves.csv"
    assert metrics(root, "mine", "--csv", out) == 0
    assert capsys.readouterr().out == ""
    found = rows(out.read_text())
    assert list(found[0]) == ["run", "tag", "step", "wall_time", "value"]
    train = [row for row in found if row["tag"] == "train/loss"]
    assert [row["step"] for row in train] == ["1", "2", "3", "4", "5"]
    assert {row["run"] for row in found} == {run.name}
    values = [float(row["value"]) for row in train]
    assert values[0] == 2.5
    assert math.isnan(values[1])
    assert values[2] == math.inf
    assert [row["wall_time"] for row in train][-2:] == ["54.0", "55.0"]
    assert train[3]["value"] == "0.30000001192092896", "a float32, with all its digits"
    assert len([row for row in found if row["tag"] == "eval/loss"]) == 2
    assert out.stat().st_mode & 0o077 == 0o044
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_pandas_reads_it(run: Path, root: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    out = tmp_path / "curves.csv"
    metrics(root, "mine", "--csv", out)
    frame = pandas.read_csv(out)
    assert frame["value"].dtype == "float64"
    assert frame["step"].dtype == "int64"
    assert frame["value"].isna().sum() == 1
    assert (frame["value"] == math.inf).sum() == 1


def test_the_shipped_run_as_the_reader_sees_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert metrics(root, PRETRAIN_RUN, "--csv", "-") == 0
    found = rows(capsys.readouterr().out)
    log = LogDir(PRETRAIN_RUN / "events")
    log.poll()
    assert len(found) == sum(len(one) for one in log.series.values())
    for tag, one in log.series.items():
        assert [float(row["value"]) for row in found if row["tag"] == tag] == one.values.tolist()


def test_the_summary_says_gap_and_perplexity(
    run: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert metrics(root, "mine") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == run.name
    train = next(line for line in lines if line.startswith("  train/loss"))
    assert train.split() == [
        "train/loss", "5", "2.5", "@1", "0.2", "@5", "0.2", "@5", "0.2", "@5", "2", "not", "finite",
    ]  # fmt: skip
    assert "gap at step 5: eval 1.2000 - train 0.2000" in "\n".join(lines)
    assert "perplexity eval: last 3.32, best 3.32 at 5" in "\n".join(lines)
    assert metrics(root, "mine", "--json") == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table["tags"]["train/loss"]["lowest"] == {"step": 5, "value": pytest.approx(0.2)}
    assert table["gap"]["difference"] == pytest.approx(1.0)
    assert table["perplexity"]["eval"]["best"] == pytest.approx(math.exp(1.2))


def test_a_loss_over_preferences_has_no_perplexity(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = directory.create(root, TrainRecipe(name="mine"))
    curves = [
        event(50.0 + step, step, simple("train/loss", 0.69), simple("dpo/margin", 0.1 * step))
        for step in (1, 2)
    ]
    event_file(job.events, version(49.0), *curves, time=1_700_000_000)
    assert metrics(root, "mine") == 0
    assert "perplexity" not in capsys.readouterr().out
    assert metrics(root, "mine", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["perplexity"] == {}


def test_the_recipe_says_which_way_its_metric_is_better(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.recipes.settings import Stopping

    recipe = TrainRecipe(name="odd", stopping=Stopping("eval/wins", greater_is_better=True))
    job = directory.create(root, recipe)
    points = [event(1.0, step, simple("eval/wins", step / 4)) for step in range(3)]
    event_file(job.events, *points)
    assert metrics(root, "odd", "--json") == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table["tags"]["eval/wins"]["best"] == {"step": 2, "value": 0.5}


def test_it_reads_the_runs_that_watch_lists(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However deep, in hidden folders not, and those of a Trainer without event files too."""
    logs = tmp_path / "logs"
    deep = logs / "a" / "b" / "c" / "d" / "e" / "f"
    event_file(deep, event(1.0, 1, simple("loss", 2.0)))
    event_file(logs / ".cache", event(1.0, 1, simple("loss", 2.0)))
    state = {"log_history": [{"step": 5, "loss": 1.5}, {"step": 6, "loss": 1.25}]}
    (logs / "out" / "checkpoint-6").mkdir(parents=True)
    (logs / "out" / "checkpoint-6" / "trainer_state.json").write_text(json.dumps(state))
    (logs / "out" / "checkpoint-9").mkdir()
    state["log_history"][0]["loss"] = 9.0
    (logs / "out" / "checkpoint-9" / "trainer_state.json").write_text(json.dumps(state))
    os.utime(logs / "out" / "checkpoint-9" / "trainer_state.json", (1, 1))
    (logs / "factory").mkdir()
    line = json.dumps({"current_steps": 3, "eval_loss": 2.5})
    (logs / "factory" / "trainer_log.jsonl").write_text(line + "\n")
    (logs / "version_0").mkdir()
    (logs / "version_0" / "metrics.csv").write_text("step,val_loss\n4,0.5\n")
    assert metrics(root, str(logs), "--json") == 0
    tables = {table["run"]: table for table in json.loads(capsys.readouterr().out)}
    finder = Finder(roots([logs]))
    while finder.pending:
        finder.look()
    names = ["a/b/c/d/e/f", "factory", "out", "out/checkpoint-9", "version_0"]
    assert list(tables) == [run.name for run in finder.runs] == names
    assert tables["out"]["tags"]["train/loss"]["last"] == {"step": 6, "value": 1.25}
    assert tables["out/checkpoint-9"]["tags"]["train/loss"]["first"]["value"] == 9.0
    assert tables["factory"]["tags"]["eval/loss"]["last"] == {"step": 3, "value": 2.5}
    assert tables["version_0"]["tags"]["val_loss"]["last"] == {"step": 4, "value": 0.5}


def test_columns_stay_apart_and_one_long_tag_widens_no_other_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "x" * 300
    values = [simple("train/损失", 1.0), simple("loss", 2.0), simple(long, 3.0)]
    event_file(tmp_path / "run", *(event(1.0, step, *values) for step in (1, 2**62)))
    assert metrics(root, str(tmp_path / "run")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == f"  {long}"
    table = [line for line in lines[1:] if long not in line]
    assert max(map(cell_len, table)) < 150
    assert len({cell_len(line) for line in table[1:]}) == 1, "aligned by cells"
    assert table[1].split()[-4:] == ["2", "@1", "2", "@1"]
    assert f"  2 @{2**62}  " in table[1]


def test_a_classifier_has_no_perplexity(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, tag, has_one in (
        ("a", "eval/accuracy", False), ("b", "eval_f1", False), ("c", "val/auc", False),
        ("d", "eval/mean_token_accuracy", True),
    ):  # fmt: skip
        values = (simple("train/loss", 1.0), simple(tag, 0.5))
        event_file(tmp_path / name, *[event(1.0, step, *values) for step in (1, 2)])
        assert metrics(root, str(tmp_path / name)) == 0
        assert ("perplexity" in capsys.readouterr().out) == has_one, tag


def test_any_folder_of_event_files_will_do(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event_file(tmp_path / "logs" / "a" / "run1", *FIRST)
    event_file(tmp_path / "logs" / "b", *RESUMED)
    assert metrics(root, tmp_path / "logs", "--csv", "-", "--tag", "train/loss") == 0
    found = rows(capsys.readouterr().out)
    assert {row["run"] for row in found} == {"a/run1", "b"}
    assert metrics(root, tmp_path / "logs" / "b", "--json") == 0
    assert [one["run"] for one in json.loads(capsys.readouterr().out)] == ["b"]


def test_branches_and_points_are_given_on_request(
    run: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert metrics(root, "mine", "--csv", "-", "--branches") == 0
    left = [row for row in rows(capsys.readouterr().out) if row["branch"] != "0"]
    assert [(row["tag"], row["step"], row["value"]) for row in left] == [
        ("train/loss", "4", "0.10000000149011612")
    ]
    assert metrics(root, "mine", "--json", "--points", "--tag", "train/loss") == 0
    summary = json.loads(capsys.readouterr().out)[0]["tags"]["train/loss"]
    assert summary["points"] == 5
    assert summary["curve"]["steps"] == [1, 2, 3, 4, 5]
    assert summary["curve"]["values"][1:3] == ["NaN", "Infinity"]
    assert [one["steps"] for one in summary["curve"]["abandoned"]] == [[4]]
    assert metrics(root, "mine", "--json") == 0
    assert "curve" not in capsys.readouterr().out


def test_several_runs_and_what_is_not_finite_in_json(
    run: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event_file(tmp_path / "other", event(1.0, 1, simple("eval/loss", math.nan)))
    assert metrics(root, "mine", tmp_path / "other", "--json") == 0
    mine, other = json.loads(capsys.readouterr().out)
    assert (mine["run"], other["run"]) == (run.name, "other")
    assert other["tags"]["eval/loss"]["last"] == {"step": 1, "value": None}
    assert other["gap"] is None


def test_a_strange_tag_reaches_no_terminal(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event_file(tmp_path / "logs", event(1.0, 1, simple("\x1b]0;evil\x07,\n", 1.0)))
    for options in ([], ["--csv", "-"], ["--json"]):
        assert metrics(root, tmp_path / "logs", *options) == 0
        assert "\x1b" not in capsys.readouterr().out
    assert metrics(root, tmp_path / "logs", "--csv", tmp_path / "out.csv") == 0
    assert metrics(root, tmp_path / "logs", "--csv", tmp_path / "out.csv") == 2
    assert metrics(root, tmp_path / "logs", "--csv", tmp_path / "out.csv", "--force") == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["tag"] == "\x1b]0;evil\x07,\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "No run 'nobody'"),
        (["{tmp}"], "No logs found"),
        (["mine", "--tag", "none"], "has no tag 'none'"),
        (["mine", "--csv", "{tmp}"], "is a folder"),
        (["mine", "--csv", "{tmp}/no/file.csv"], "cannot be written"),
        (["mine", "--csv", "-", "--json"], "cannot be combined"),
        (["mine", "--csv", "-", "--points"], "Add --json"),
        (["mine", "--branches"], "Add --csv FILE"),
    ],
)
def test_wrong_use_is_told(
    run: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: list[str], words: str,
) -> None:  # fmt: skip
    (tmp_path / "empty").mkdir()
    given = [one.replace("{tmp}", str(tmp_path / "empty")) for one in arguments]
    assert metrics(root, *given) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_a_damaged_file_is_told_and_the_rest_is_given(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = event_file(tmp_path / "logs", *FIRST)
    path.write_bytes(path.read_bytes()[:-5] + b"\xff" * 5)
    assert metrics(root, tmp_path / "logs", "--csv", "-") == 0
    said = capsys.readouterr()
    assert len(rows(said.out)) == 3
    assert path.name in said.err
