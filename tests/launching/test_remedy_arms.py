"""Arms that may have forgotten less than a run, and what tells the arms of an evaluation apart."""

from pathlib import Path

import pytest

from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.jobs.store import Store
from engine.launching.arm_settings import describe_arms
from engine.launching.remedy_arms import (
    choose_steps,
    find_steps,
    list_checkpoint_arms,
    list_strength_arms,
    merges_its_parent,
)
from tests.jobs.made_checkpoints import write_checkpoints
from tests.tui.building import write_run

BASE = "bundled:demo-base"


@pytest.fixture
def store(root: Path) -> Store:
    write_run(root, "emotion", checkpoint=BASE).adapter.mkdir()
    write_run(root, "counsel", checkpoint="run:emotion").adapter.mkdir()
    full = write_run(root, "full", checkpoint=BASE)
    full.model.mkdir()
    write_run(root, "unsaved", checkpoint=BASE)
    return Store(root)


def test_strengths_from_the_base_on_and_of_a_later_stage_from_the_root(store: Store) -> None:
    for run in ("emotion", "run:counsel"):
        ref = f"run:{run.removeprefix('run:')}"
        base, *strengths = map(parse_arm, list_strength_arms(run, (), store))
        assert (base.name, base.checkpoint) == ("base", BASE)
        assert {arm.checkpoint for arm in strengths} == {ref}
        assert [arm.strength for arm in strengths] == [0, 0.25, 0.5, 0.75, 1]
        assert [arm.name for arm in strengths][:2] == ["strength 0", "strength 0.25"]


def test_named_arms_stand_beside_and_name_the_base(store: Store) -> None:
    arms = list_strength_arms("emotion", [f"root={BASE}", "other=./model"], store)
    assert arms[:3] == [f"root={BASE}", "other=./model", "strength 0=run:emotion@0.0"]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("full", "a full fine-tune has no strength"),
        ("unsaved", "it has not saved an adapter"),
        ("nothing", "No run 'nothing'"),
    ],
)
def test_a_run_without_an_adapter_has_no_strengths(store: Store, run: str, words: str) -> None:
    with pytest.raises(EngineError) as refused:
        list_strength_arms(run, (), store)
    assert words in f"{refused.value.title} {refused.value.detail}"


def test_checkpoints_that_are_on_the_disk(root: Path, store: Store) -> None:
    job = write_run(root, "long", checkpoint="run:emotion")
    write_checkpoints(job, (20, 40, 60))
    arms = list_checkpoint_arms("long", (), store)
    assert arms == [
        f"base={BASE}", *(f"step {step}={job.checkpoints / f'checkpoint-{step}'}"
                          for step in (20, 40, 60)),
    ]  # fmt: skip
    with pytest.raises(EngineError, match="has no checkpoint to measure"):
        list_checkpoint_arms("emotion", (), store)


def test_five_at_even_distances_the_last_and_the_best_one(root: Path) -> None:
    assert choose_steps([]) == []
    assert choose_steps([5]) == [5]
    assert choose_steps(range(1, 6), best=2) == [1, 2, 3, 4, 5]
    assert choose_steps([*range(10, 110, 10)]) == [20, 40, 60, 80, 100]
    assert choose_steps([*range(10, 110, 10)], best=30) == [20, 30, 40, 60, 80, 100]
    assert choose_steps([*range(10, 110, 10)], best=35) == [20, 40, 60, 80, 100]
    for count in range(1, 40):
        chosen = choose_steps([*range(count)])
        assert len(chosen) == min(5, count)
        assert chosen[-1] == count - 1
    job = write_run(root, "marked", checkpoint=BASE)
    write_checkpoints(job, range(10, 110, 10))
    (job.checkpoints / "marks.json").write_text('{"best": 30}')
    assert [step for step, _ in find_steps(job)] == [20, 30, 40, 60, 80, 100]


def test_where_strength_0_is_a_merged_parent(store: Store) -> None:
    job = store.find("counsel")
    assert not merges_its_parent(job)
    job.base.mkdir()
    assert merges_its_parent(job)


def test_what_tells_arms_apart(root: Path) -> None:
    low = write_run(root, "low", checkpoint=BASE)
    text = low.recipe_file.read_text()
    low.recipe_file.write_text(text.replace("rank = ", "rank = 1"))
    write_run(root, "high", checkpoint=BASE)
    folder = root / "high" / "checkpoints" / "checkpoint-1200"
    folder.mkdir(parents=True)
    described = describe_arms(
        {
            "base": f"base={BASE}",
            "half": "half=run:low@0.5",
            "early": f"early={folder}?temperature=0.5",
            "raw": "raw=run:high?prompt=raw",
            "broken": "=",
        },
        [low.path, root / "high"],
    )
    assert described["base"] == ()
    assert described["half"] == ("strength 0.5", "method.rank 18")
    assert described["early"] == ("step 1,200", "temperature 0.5", "method.rank 8")
    assert described["raw"] == ("prompt raw", "method.rank 8")
    assert "broken" not in described
