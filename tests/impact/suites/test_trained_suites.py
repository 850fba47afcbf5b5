"""Which suites a run was trained on."""

import json
from pathlib import Path

import pytest

from engine.impact.suites.contamination import ItemContamination
from engine.impact.suites.suite_specs import SuiteSpec
from engine.impact.suites.trained_suites import trained_suites
from engine.jobs import directory
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Data


def _run(root: Path, data: Data) -> Path:
    return directory.create(root, TrainRecipe(data=data)).path


def _trained(run: Path, ref: str, *runs: Path) -> bool:
    return trained_suites(run, [SuiteSpec("s", ref)], {}, [run, *runs]) == ("s",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("train.jsonl", "eval.jsonl", "other.jsonl"):
        (folder / name).write_text(json.dumps({"prompt": name, "completion": "a"}) + "\n")
    return folder


def test_its_own_rows_and_its_data_set_are_trained(tmp_path: Path, folder: Path) -> None:
    run = _run(tmp_path, Data(train=str(folder)))
    same, other = _run(tmp_path, Data(train=str(folder))), _run(tmp_path, Data())
    assert _trained(run, f"run:{run.name}")
    assert _trained(run, f"run:{same.name}", same), "a run of the same data"
    assert not _trained(run, f"run:{other.name}", other)
    for ref in (folder, folder / "train.jsonl", folder / "eval.jsonl"):
        assert _trained(run, str(ref))
    for name in (str(folder / "other.jsonl"), "bundled:facts", "bundled:emotion", "run:none", "no"):
        assert not _trained(run, name)
    assert _trained(other, "bundled:emotion")
    assert not _trained(run, f"lm-eval:{folder / 'train.jsonl'}")


def test_a_file_held_out_by_name_is_trained(tmp_path: Path, folder: Path) -> None:
    data = Data(train=str(folder / "train.jsonl"), eval=str(folder / "other.jsonl"))
    assert _trained(_run(tmp_path, data), str(folder / "other.jsonl"))


@pytest.mark.parametrize(("asked", "is_trained"), [(0, False), (2, False), (3, True), (4, True)])
def test_more_than_half_of_its_questions(tmp_path: Path, asked: int, is_trained: bool) -> None:
    found = {
        str(at): ItemContamination(question="exact" if at < asked else "", answer="exact")
        for at in range(4)
    }
    specs = [SuiteSpec("facts", "bundled:facts"), SuiteSpec("code", "bundled:python")]
    names = trained_suites(_run(tmp_path, Data()), specs, {"facts": found})
    assert names == (("facts",) if is_trained else ())


def test_a_run_whose_recipe_is_gone_still_has_its_own_rows(tmp_path: Path) -> None:
    run = _run(tmp_path, Data())
    (run / "recipe.toml").write_text("?")
    assert _trained(run, f"run:{run.name}")
    assert not _trained(run, "bundled:emotion")
