"""Starting a sweep: what is written into its recipe, what is refused, and what it may take."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints import checkpoint_list
from engine.errors import EngineError
from engine.estimates import fit
from engine.jobs import directory, resume_rules, status
from engine.jobs.status import State, Status
from engine.jobs.store import Store
from engine.launching.in_use import find_users_of_run
from engine.launching.resume import check_resumable
from engine.launching.sweep import estimate_sweep, locate_sweep, make_evaluation
from engine.recipes import recipe as recipes
from engine.recipes.recipe import SweepRecipe, TrainRecipe
from engine.recipes.settings import Data, Model
from engine.sweeps.grid import list_points
from tests.sweeps.made_sweep import write_sweep

CPU = TrainRecipe(device="cpu")


def sweep(over: dict[str, list[object]], **settings: Any) -> SweepRecipe:
    return SweepRecipe(over=over, **({"base": CPU} | settings))


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text('{"prompt": "a", "completion": "b"}\n' * 30)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_swept_over_is_valid_from_any_folder(root: Path, rows: Path) -> None:
    (rows / "mine.jsonl").write_text('{"prompt": "Say yes.", "gold": "yes"}\n')
    recipe = sweep(
        {"data.train": ["one.jsonl", "two.jsonl"], "method.rank": [4, 8]},
        seeds=[1, 2], suites=["mine.jsonl"], name="mine",
    )  # fmt: skip
    located = locate_sweep(recipe, root)
    assert located.over == {
        "data.train": [str(rows / "one.jsonl"), str(rows / "two.jsonl")], "method.rank": [4, 8],
    }  # fmt: skip
    assert located.suites == [f"mine={rows / 'mine.jsonl'}"]
    assert located.base.training.seed == recipe.base.training.seed
    points, before = list_points(located), list_points(recipe)
    assert [one.name for one in points] == [one.name for one in before]
    assert points[0].recipe.data.train == str(rows / "one.jsonl")
    assert points[0].recipe.name == "mine-one.jsonl-rank4-s1"
    assert locate_sweep(located, root) == located


def test_a_file_of_the_base_is_valid_from_any_folder_too(root: Path, rows: Path) -> None:
    base = TrainRecipe(device="cpu", data=Data(train="one.jsonl"))
    located = locate_sweep(sweep({"training.seed": [1, 2]}, base=base), root)
    assert located.base.data.train == str(rows / "one.jsonl")
    assert located.over == {"training.seed": [1, 2]}


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"data.train": ["bundled:emotion", "/no/rows.jsonl"]}, ("point rows.jsonl", "/no/rows")),
        ({"model.checkpoint": ["bundled:demo-base", "/no/model"]}, ("point model", "/no/model")),
        ({"data.template": ["chat", "no-such"]}, ("point template_no-such",)),
        ({"training.objective": ["sft", "dpo"]}, ("point objective_dpo", "pairs")),
        ({"device": ["cpu", "cuda:9"]}, ("point device_cuda:9",)),
        ({"samples.prompts": ["", "/no/prompts"]}, ("/no/prompts",)),
    ],
)
def test_a_point_that_train_would_refuse_is_named(
    root: Path, over: dict[str, list[object]], words: tuple[str, ...]
) -> None:
    with pytest.raises(EngineError) as caught:
        locate_sweep(sweep(over), root)
    for one in words:
        assert one in str(caught.value)
    assert list(root.iterdir()) == []


def test_what_is_measured_at_the_end_is_looked_up_before(root: Path) -> None:
    with pytest.raises(EngineError, match=r"/no/suite\.jsonl"):
        locate_sweep(sweep({"method.rank": [4, 8]}, suites=["/no/suite.jsonl"]), root)


def test_many_points_need_force(root: Path) -> None:
    many = sweep({"training.seed": list(range(201))})
    with pytest.raises(EngineError, match="201 points"):
        locate_sweep(many, root)
    assert len(list_points(locate_sweep(many, root, force=True))) == 201


def test_a_sweep_takes_what_its_runs_take(root: Path) -> None:
    """Kept by all, and the peak of one more; seeds take as much each."""
    estimate = estimate_sweep(sweep({"method.rank": [4, 64]}, seeds=[1, 2, 3]), Store(root))
    runs = []
    for point in list_points(sweep({"method.rank": [4, 64]})):
        checkpoint = checkpoint_list.resolve(point.recipe.model.checkpoint, [])
        runs.append(fit.estimate_fit(point.recipe, checkpoint, Store(root)))
    kept = [one.disk_kept or 0 for one in runs]
    peaks = [(one.disk_needed or 0) - (one.disk_kept or 0) for one in runs]
    assert estimate.disk_needed == 3 * sum(kept) + max(peaks) > 0
    seconds = [one.seconds for one in runs]
    expected = None if None in seconds else 3 * sum(one or 0.0 for one in seconds)
    assert estimate.seconds == (None if expected is None else pytest.approx(expected))


def test_a_point_that_may_not_fit_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "free_main_memory", lambda: 1)
    estimate = estimate_sweep(sweep({"method.rank": [4, 8]}), Store(root))
    assert [name for name, _ in estimate.unfit] == ["rank4", "rank8"]


def test_every_base_is_an_arm_of_the_evaluation() -> None:
    recipe = sweep({"model.checkpoint": ["bundled:demo-base", "/m/other"]}, limit=5, name="two")
    wanted = make_evaluation(recipe, list_points(recipe), {"other": "two-other-1a2b"})
    assert wanted.arms == [
        "base=bundled:demo-base", "base other=/m/other", "other=run:two-other-1a2b",
    ]  # fmt: skip
    assert (wanted.name, wanted.limit) == ("two-evaluation", 5)


def test_a_sweep_is_resumed_while_a_run_is_missing_and_its_grid_stays(root: Path) -> None:
    job = write_sweep(root)
    with pytest.raises(EngineError, match="nothing left to do"):
        check_resumable(job)
    job.rejects.write_text(json.dumps({"point": "lr3e-4-s8"}) + "\n")
    check_resumable(job)
    resume_rules.check(job, recipes.changed(job.recipe(), ["limit=5", "suites=bundled:facts"]))
    for change in ("base.training.epochs=1", "seeds=1,2", "name=other"):
        with pytest.raises(EngineError, match=r"cannot change when a sweep|Invalid"):
            resume_rules.check(job, recipes.changed(job.recipe(), [change]))


def test_a_sweep_and_its_runs_use_each_other(root: Path) -> None:
    job = write_sweep(root)
    store = Store(root)
    run = store.at(root / "grid-run0")
    assert find_users_of_run(run, store) == ("run grid-1a2b",)
    assert find_users_of_run(job, store) == tuple(f"run grid-run{at}" for at in range(4))


def test_a_sweep_uses_what_its_next_runs_begin_with(root: Path) -> None:
    before = directory.create(root, TrainRecipe(name="before"))
    ref = f"run:{before.path.name}"
    base = TrainRecipe(model=Model(ref))
    one = directory.create(root, sweep({"method.rank": [4, 8]}, base=base, name="one"))
    over: dict[str, list[object]] = {"model.checkpoint": ["bundled:demo-base", ref]}
    two = directory.create(root, sweep(over, name="two"))
    status.write(one, Status(State.STOPPED))
    users = find_users_of_run(before, Store(root))
    assert sorted(users) == sorted([f"run {one.path.name}", f"run {two.path.name}"])
