"""What a run that is done may be given, and what it says where it may not."""

import json
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory, resume_rules, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.recipes import recipe
from engine.recipes.recipe import GenerateRecipe, TrainRecipe


def finished(root: Path, ended: str = "", step: int = 24, **training: float) -> JobDirectory:
    """A run that is done, as its worker leaves it."""
    table = {"name": "one", "training": {"epochs": 2, **training}, "stopping": {"patience": 3}}
    job = directory.create(root, recipe.parse(table))
    job.checkpoints.mkdir()
    marks = {"best": 20, "within_budget": 20, "crossed_at": None, "ended": ended}
    (job.checkpoints / resume_rules.MARKS).write_text(json.dumps(marks))
    status.write(job, Status(State.DONE, step=step, total=24, message="what it said"))
    return job


def changed(job: JobDirectory, *changes: str) -> TrainRecipe:
    built = recipe.changed(job.recipe(), changes)
    assert isinstance(built, TrainRecipe)
    return built


@pytest.mark.parametrize("change", ["training.epochs=3", "training.max_steps=25"])
def test_more_steps_give_a_finished_run_something_to_do(root: Path, change: str) -> None:
    job = finished(root)
    resume_rules.check_extension(job, changed(job, change))


@pytest.mark.parametrize(
    "change", ["training.epochs=2", "training.epochs=1", "training.max_steps=24", "name=two"]
)
def test_a_finished_run_asks_for_more_and_says_that_the_schedule_changes(
    root: Path, change: str
) -> None:
    job = finished(root)
    for wanted in (None, changed(job, change)):
        with pytest.raises(EngineError, match="nothing left to train") as caught:
            resume_rules.check_extension(job, wanted)
        assert "--set training.epochs=4" in caught.value.hint
        assert "schedule" in caught.value.hint
        assert caught.value.detail == "what it said"


def test_a_run_that_is_bounded_by_steps_needs_more_of_them(root: Path) -> None:
    job = finished(root, max_steps=24)
    with pytest.raises(EngineError) as caught:
        resume_rules.check_extension(job, changed(job, "training.epochs=9"))
    assert "--set training.max_steps=48" in caught.value.hint
    resume_rules.check_extension(job, changed(job, "training.max_steps=30"))


@pytest.mark.parametrize(
    ("ended", "hint", "lifted"),
    [
        ("patience", "stopping.patience=0", "stopping.patience=9"),
        ("budget", "forgetting.stop=false", "forgetting.budget=0.5"),
    ],
)
def test_a_run_that_ended_early_says_why_and_what_lets_it_go_on(
    root: Path, ended: str, hint: str, lifted: str
) -> None:
    job = finished(root, ended, step=12)
    for wanted in (None, changed(job, "training.epochs=9")):
        with pytest.raises(EngineError, match=r"ended (early|by)") as caught:
            resume_rules.check_extension(job, wanted)
        assert hint in caught.value.hint
        assert job.path.name in caught.value.hint
    resume_rules.check_extension(job, changed(job, lifted))


def test_answers_that_were_left_out_can_be_asked_for_again(root: Path) -> None:
    job = directory.create(root, GenerateRecipe(arms=["b=bundled:demo-base"]))
    with pytest.raises(EngineError, match="nothing left to do"):
        resume_rules.check_extension(job, None)
    job.rejects.write_text("{}\n")
    resume_rules.check_extension(job, None)


def test_the_note_on_the_schedule_is_only_where_it_changes(root: Path) -> None:
    job = finished(root)
    assert "linear" in resume_rules.schedule_note(job.recipe(), changed(job, "training.epochs=3"))
    assert "cosine" in resume_rules.schedule_note(
        job.recipe(), changed(job, "training.max_steps=99", "training.lr_scheduler_type=cosine")
    )
    assert not resume_rules.schedule_note(job.recipe(), None)
    assert not resume_rules.schedule_note(job.recipe(), changed(job, "training.saves=9"))
    constant = changed(job, "training.epochs=3", "training.lr_scheduler_type=constant_with_warmup")
    assert not resume_rules.schedule_note(job.recipe(), constant)
