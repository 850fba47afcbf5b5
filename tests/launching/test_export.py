"""What an export is refused for before anything is made."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory, launch, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.jobs.store import Store
from engine.launching.export import LONGEST_TEXT, check_export, launch_export, plan_export
from engine.launching.in_use import find_users_of_run
from engine.recipes.recipe import EvaluateRecipe, ExportRecipe, TrainRecipe
from engine.recipes.settings import Model
from engine.release.card import base_identity
from tests.checkpoints.made import make_adapter, make_model


@pytest.fixture
def run(root: Path, tmp_path: Path) -> JobDirectory:
    base = make_model(tmp_path / "base")
    job = directory.create(root, TrainRecipe(name="mine", model=Model(str(base))))
    make_adapter(job.adapter, str(base))
    return job


@pytest.fixture
def recipe(run: JobDirectory, tmp_path: Path) -> ExportRecipe:
    return ExportRecipe(
        source=run.path.name, targets=["merged", "gguf:Q8_0"], out=str(tmp_path / "out")
    )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[ExportRecipe, list[str]]]:
    """What would have been started."""
    found: list[tuple[ExportRecipe, list[str]]] = []

    def start(recipe: ExportRecipe, root: Path, **options: object) -> JobDirectory:
        assert options["needs_device"] is True
        parents = options["parents"]
        assert isinstance(parents, list)
        found.append((recipe, parents))
        return JobDirectory(root / "export-1a2b")

    monkeypatch.setattr("engine.launching.export.launch.launch", start)
    return found


def test_the_recipe_names_all_by_what_is_valid_from_any_folder(
    root: Path,
    recipe: ExportRecipe,
    run: JobDirectory,
    started: list[tuple[ExportRecipe, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluation = directory.create(root, EvaluateRecipe(name="measured"))
    status.write(evaluation, Status(State.DONE))
    asked: list[str] = []  # what is in it is for the card
    monkeypatch.setattr(
        "engine.launching.export.find_report", lambda source, report, runs: asked.append(report)
    )
    launch_export(dataclasses.replace(recipe, out="out", report=evaluation.path.name), root)
    ((made, parents),) = started
    assert made.out == str(tmp_path / "out")
    assert made.source == f"{run.path.name}=run:{run.path.name}"
    assert made.targets == ["merged", "gguf:q8_0"]
    assert made.report == f"run:{evaluation.path.name}"
    assert parents == [f"run:{run.path.name}", made.report]
    assert asked == [made.report]


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"targets": []}, "No export target"),
        ({"targets": ["onnx"]}, "Unknown export target"),
        ({"out": ""}, "No folder for the export"),
        ({"out": "{tmp}"}, "already exists"),
        ({"out": "{tmp}/link"}, "already exists"),
        ({"out": "{tmp}/" + "a" * 200}, "name of the folder is too long"),
        ({"out": "{tmp}" + "/aaaaaaaaa" * 450}, "name of the folder is too long"),
        ({"out": "{tmp}/none/out"}, "folder above the export does not exist"),
        ({"out": "{tmp}/closed/out"}, "cannot be written to"),
        ({"out": "{root}/out"}, "cannot lie in a folder of runs"),
        ({"out": "{run}/adapter/out"}, "cannot lie in a folder of runs"),
        ({"out": "{tmp}/base/out"}, "cannot lie in a folder of runs or in a model"),
        ({"out": "{tmp}/detour/out"}, "cannot lie in a folder of runs or in a model"),
        ({"source": "none-1234"}, "run not found"),
        ({"base_id": "gemma"}, "is not a model id"),
        ({"intended_use": "x" * (LONGEST_TEXT + 1)}, "intended use is too long"),
        ({"limitations": "x" * (LONGEST_TEXT + 1)}, "text on limits is too long"),
        ({"report": "{run}"}, "not an evaluation"),
        ({"report": "unfinished"}, "is not done"),
    ],
)
def test_what_is_wrong_is_said_before_a_job_is_made(
    root: Path,
    recipe: ExportRecipe,
    run: JobDirectory,
    tmp_path: Path,
    started: list[object],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    title: str,
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "detour").symlink_to(tmp_path / "base")
    (tmp_path / "closed").mkdir()
    unfinished = directory.create(root, EvaluateRecipe(name="unfinished"))
    status.write(unfinished, Status(State.STOPPED))
    usable = os.access
    monkeypatch.setattr(  # a superuser may write anywhere
        "os.access", lambda path, mode: Path(path).name != "closed" and usable(path, mode)
    )
    names = {"tmp": tmp_path, "root": root, "run": run.path}
    written = {
        key: value.format(**names) if isinstance(value, str) else value
        for key, value in changes.items()
    }
    with pytest.raises(EngineError, match=title):
        launch_export(dataclasses.replace(recipe, **written), root)  # type: ignore[arg-type]
    assert started == []


def test_a_model_that_was_trained_whole_has_no_adapter(
    root: Path, recipe: ExportRecipe, tmp_path: Path
) -> None:
    whole = directory.create(root, TrainRecipe(name="whole", model=Model(str(tmp_path / "base"))))
    make_model(whole.model)
    wanted = dataclasses.replace(recipe, source=whole.path.name, targets=["adapter", "merged"])
    with pytest.raises(EngineError, match="no adapter to export"):
        plan_export(wanted, root)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"use_dora": True}, "use_dora"), ({"modules_to_save": ["lm_head"]}, "modules_to_save")],
)
def test_stages_that_are_not_one_adapter_are_refused_before_the_queue(
    root: Path, recipe: ExportRecipe, run: JobDirectory, settings: dict[str, object], reason: str
) -> None:
    """A second stage on the first one's adapter, merged in: the ranks of both, where that is a
    sum."""
    model = Model(f"run:{run.path.name}", adapter="merge")
    second = directory.create(root, TrainRecipe(name="second", model=model))
    make_model(second.base)
    make_adapter(second.adapter, str(second.base))
    wanted = dataclasses.replace(recipe, source=second.path.name, targets=["adapter"])
    assert plan_export(wanted, root).targets[0].name == "adapter"
    config = run.adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | settings))
    with pytest.raises(EngineError, match="not one adapter") as refused:
        plan_export(wanted, root)
    assert reason in refused.value.detail
    assert plan_export(dataclasses.replace(wanted, targets=["merged"]), root).targets


def test_two_exports_never_make_one_folder(
    root: Path, recipe: ExportRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan_export(recipe, root)
    rival = directory.create(root, planned.recipe)
    status.write(rival, Status(State.STOPPED))
    plan_export(recipe, root)  # that one has ended
    monkeypatch.setattr("engine.jobs.status.derive", lambda job, now: State.RUNNING)
    with pytest.raises(EngineError, match="Another export makes this folder"):
        plan_export(recipe, root)
    check_export(planned.recipe, root, rival.path.name)  # none of itself


def test_a_base_that_is_known_is_not_asked_for_again(
    root: Path, recipe: ExportRecipe, tmp_path: Path
) -> None:
    assert plan_export(recipe, root).recipe.base_id == ""
    base_identity.remember_base_id(tmp_path / "base", "org/small")
    assert plan_export(recipe, root).recipe.base_id == "org/small"
    other = dataclasses.replace(recipe, base_id="org/other")
    assert plan_export(other, root).recipe.base_id == "org/other"


def test_an_export_uses_its_run(root: Path, recipe: ExportRecipe, run: JobDirectory) -> None:
    job = directory.create(root, plan_export(recipe, root).recipe)
    assert find_users_of_run(run, Store(root)) == (f"run {job.path.name}",)


def test_an_export_that_ended_is_resumed_from_the_start(
    root: Path, recipe: ExportRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.launching import resume

    job = directory.create(root, plan_export(recipe, root).recipe)
    status.write(job, Status(State.STOPPED))
    kinds: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        launch, "start", lambda job, kind, recipe, needs_device: kinds.append((kind, needs_device))
    )
    resume.resume_job(job)
    assert kinds == [("export", True)]
    Path(recipe.out).mkdir()
    with pytest.raises(EngineError, match="already exists"):
        resume.resume_job(job)
    status.write(job, Status(State.DONE, message="done"))
    with pytest.raises(EngineError, match="nothing left to do"):
        resume.resume_job(job)
    assert json.loads(job.record_file.read_bytes())["kind"] == "export"
