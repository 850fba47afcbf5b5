"""What came of a sweep: means that can be checked by hand, and what is not known said so."""

import json
import shutil
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.recipes.recipe import SweepRecipe, TrainRecipe
from engine.sweeps.grid import list_points
from engine.sweeps.points_file import (
    PointRun,
    SweepPoints,
    list_known_points,
    read_points,
    read_sweep,
    write_points,
)
from engine.sweeps.sweep_table import SeedSpread, SweepTable, read_sweep_table, table_to_json
from tests.sweeps.made_sweep import ITEMS, RIGHT, make_results, write_sweep


def table_of(root: Path, **settings: object) -> SweepTable:
    return read_sweep_table(write_sweep(root, **settings), Store(root))  # type: ignore[arg-type]


def test_gained_and_retained_are_mean_changes_against_the_base(root: Path) -> None:
    table = table_of(root, results=make_results())
    first, second, third, last = table.rows
    for row in (first, second, third):
        (own, other), (own_base, other_base) = RIGHT[row.point.name], RIGHT["base"]
        assert row.gained is not None
        assert row.retained is not None
        assert row.gained.value == pytest.approx((own - own_base) / ITEMS)
        assert row.retained.value == pytest.approx((other - other_base) / ITEMS)
        assert row.gained.skills == ("emotion",)
        assert row.retained.skills == ("facts",)
        low, high = row.gained.low or 0.0, row.gained.high or 0.0
        assert low < (own - own_base) / ITEMS < high
    assert (last.state, last.gained, last.retained) == ("crashed", None, None)
    assert [row.eval_loss for row in table.rows] == [1.0, 1.25, 1.5, 1.75]
    assert table.trained == ("emotion",)
    assert table.evaluation == "grid-evaluation"


def test_seeds_are_averaged_and_their_spread_is_no_interval(root: Path) -> None:
    first, second = table_of(root, results=make_results()).groups
    assert first.settings == {"training.learning_rate": 1e-4}
    assert first.spread("gained") == SeedSpread((0.25 + 0.35) / 2, 0.25, 0.35, 2)
    assert first.spread("eval_loss") == SeedSpread(1.125, 1.0, 1.25, 2)
    assert second.spread("retained") == SeedSpread(-0.5, -0.5, -0.5, 1), "the other one crashed"
    assert second.spread("eval_loss") == SeedSpread(1.625, 1.5, 1.75, 2)


def test_a_sweep_that_has_just_begun_has_no_numbers(root: Path) -> None:
    table = table_of(root, states=[State.RUNNING, None, None, None], state=State.RUNNING)
    assert [row.state for row in table.rows] == ["running", *["not started"] * 3]
    assert table.evaluation == ""
    assert table.groups[1].spread("gained") is None
    assert all(row.gained is None for row in table.rows)


def test_errors_are_named_and_deleted_runs_are_no_new_ones(root: Path) -> None:
    job = write_sweep(root, states=[State.FAILED, State.DONE, State.DONE, State.DONE])
    shutil.rmtree(root / "grid-run1")
    table = read_sweep_table(job, Store(root))
    assert (table.rows[0].state, table.rows[0].reason) == ("failed", "CUDA out of memory.")
    assert (table.rows[1].state, table.rows[1].run) == ("deleted", "grid-run1")


def test_a_run_that_the_file_does_not_name_yet_is_known_by_its_record(root: Path) -> None:
    job = write_sweep(root)
    job.points.unlink()
    assert [row.state for row in read_sweep_table(job, Store(root)).rows] == [
        "done", "done", "done", "crashed",
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 2, "points": []}', "\x00"])
def test_results_and_points_that_cannot_be_read_are_said_and_end_nothing(
    root: Path, content: str
) -> None:
    job = write_sweep(root, results=make_results())
    (root / "grid-evaluation" / "results.json").write_text(content)
    table = read_sweep_table(job, Store(root))
    assert len(table.notes) == 1
    assert table.rows[0].gained is None
    job.points.write_text(content)
    assert read_points(job) == SweepPoints()
    assert read_sweep_table(job, Store(root)).rows[0].state == "done"


def test_skills_of_few_items_are_in_no_mean(root: Path) -> None:
    results = make_results()
    results["suites"]["few"] = {
        "measure": "strict", "digest": "d", "items": {"a": {"prompt": "?"}},
    }  # fmt: skip
    for arm in results["arms"].values():
        arm["suites"]["few"] = {"measures": {"strict": {"a": 1.0}}}
    table = table_of(root, results=results)
    assert table.rows[0].retained is not None
    assert table.rows[0].retained.skills == ("facts",)
    assert table.notes == ("Not in these means, with fewer than 20 items: few.",)


def test_the_table_is_json_without_nan(root: Path) -> None:
    results = make_results({"base": (10, 30), "lr1e-4-s7": (10, 30)})
    table = table_to_json(table_of(root, results=results))
    text = json.dumps(table, allow_nan=False)
    first = json.loads(text)["points"][0]
    assert (first["name"], first["seed"], first["run"]) == ("lr1e-4-s7", 7, "grid-run0")
    assert first["gained"]["value"] == 0.0
    assert first["gained"]["interval"] is None, "no item changed"
    assert first["gained"]["reason"] == "no interval: its items are all alike"
    assert table["settings"][0]["gained"] == {"mean": 0.0, "min": 0.0, "max": 0.0, "seeds": 1}


def test_another_job_is_no_sweep(root: Path) -> None:
    with pytest.raises(EngineError, match="no sweep"):
        read_sweep_table(directory.create(root, TrainRecipe()), Store(root))


def test_the_file_is_read_as_it_was_written(root: Path) -> None:
    job = directory.create(root, SweepRecipe(over={"method.rank": [1, 2]}))
    points = SweepPoints((PointRun("rank1", "a-1", ""), PointRun("rank2", "", "why")), "e-1")
    write_points(job, points)
    assert read_points(job) == points
    listed = list_points(SweepRecipe(over={"method.rank": [1, 2, 3]}))
    assert read_sweep(job, Store(root), listed).points == (*points.points, PointRun("rank3"))


def test_a_sweep_keeps_the_names_with_which_it_began(root: Path) -> None:
    """As another version of the program may have made them: its runs are known by these."""
    job = write_sweep(root)
    recipe = job.recipe()
    assert isinstance(recipe, SweepRecipe)
    names = [point.name for point in list_points(recipe)]
    write_points(job, SweepPoints(tuple(PointRun(f"old-{name}") for name in names)))
    for at in range(4):
        record = root / f"grid-run{at}" / "job.json"
        record.write_text(record.read_text().replace("grid-lr", "grid-old-lr"))
    table = read_sweep_table(job, Store(root))
    assert [row.point.name for row in table.rows] == [f"old-{name}" for name in names]
    assert [row.run for row in table.rows] == [f"grid-run{at}" for at in range(4)]
    write_points(job, SweepPoints((PointRun("a"), PointRun("a"), PointRun("b"), PointRun("c"))))
    assert [point.name for point in list_known_points(job, recipe)] == names, "no names of ours"


@pytest.mark.parametrize("text", ["../../etc", "/etc", "..", "a\0b", "x" * 5000, "\ud800", 3, None])
def test_a_path_in_the_file_is_no_job_of_the_sweep(root: Path, text: object) -> None:
    job = write_sweep(root, results=make_results())
    table = json.loads(job.points.read_text())
    points = [{**one, "run": text} for one in table["points"]]
    job.points.write_text(json.dumps({**table, "points": points, "evaluation": text}))
    found = read_points(job)
    assert {found.evaluation, *(one.run for one in found.points)} <= {"", "\ud800"}
    table_to_json(read_sweep_table(job, Store(root)))
