"""Suites and keep_best of a run: what is wrong with them is said at launch, and nothing is made."""

import json
from pathlib import Path

import pytest

from engine.jobs import directory, status
from engine.jobs.status import State, Status
from engine.launching import resume, training
from engine.launching.locate import locate
from engine.recipes.recipe import Recipe
from tests.launching.test_preflight import SFT, launched, make_recipe, refuse, write_rows

__all__ = ["launched"]

SUITES = "evaluation.suites=bundled:facts,emotion=held-out"
KEEP = "stopping.keep_best="


@pytest.mark.parametrize(
    ("changes", "title", "detail"),
    [
        (("evaluation.suites=bundled:fact",), "Unknown bundled suite 'fact'.", "facts, formats"),
        (("evaluation.suites=/no/such.jsonl",), "data not found: /no/such.jsonl", ""),
        (("evaluation.suites=run:none-1a2b",), "run not found", ""),
        (("evaluation.suites=bundled:facts?few=1",), "Invalid suite: 'few=1'", ""),
        (("evaluation.suites=bundled:facts?samples=4",),
         "samples is not measured while training.", "facts"),
        (("evaluation.suites=bundled:french?measure=likelihood",),
         "likelihood needs items with choices.", "french: 320 items have none"),
        (("evaluation.suites=bundled:counsel?measure=strict",),
         "strict needs items that are scored.", "counsel"),
        (("evaluation.suites=lm-eval:x.jsonl?arm=base",),
         "Scores of another harness cannot be measured while training.", ""),
        (("evaluation.suites=bundled:facts,facts=bundled:prose",),
         "Two suites have the name 'facts'.", ""),
        (("evaluation.suites=a%0Ab=bundled:facts",),
         "The name of a suite must be one line of text.", ""),
        (("evaluation.suites={bad}",), "bad.jsonl", "bad.jsonl:1"),
        (("evaluation.suites={asked}",), "The suite has no right answers.", "none of 2 items"),
        (("evaluation.suites=held-out", "data.train={rows}", "data.eval_fraction=0"),
         "There are no eval rows to measure.", "held-out"),
        ((SUITES, KEEP + "joy"), "keep_best names 'joy', which is not measured.",
         "facts, emotion, "),
        ((SUITES, KEEP + "emotion subject to facts > base"),
         "Invalid keep_best: 'facts' is not compared: >= or <= is missing.", "at '> base'"),
        ((SUITES, KEEP + "emotion subject to train/loss <= base + 1"),
         "'train/loss' has no value before the first step.", "train/loss <= base + 1"),
        ((KEEP + "forget/nll_shift",), "Whether more or less of 'forget/nll_shift' is better",
         "stopping.keep_best"),
        ((SUITES, KEEP + "emotion", "stopping.result=last"),
         "keep_best chooses a checkpoint, and the last weights are to be kept.", "result = last"),
        (("evaluation.suites={one}", KEEP + "one"),
         "The suite 'one' has too few items for keep_best.", "1 items"),
        ((SUITES, "stopping.metric=eval/skill/fact"), "The stopping metric 'eval/skill/fact' is",
         "eval/skill/facts"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_starts_nothing(
    changes: tuple[str, ...], title: str, detail: str, root: Path, tmp_path: Path,
    launched: list[Recipe],
) -> None:  # fmt: skip
    paths = {
        "rows": write_rows(tmp_path / "rows.jsonl", SFT),
        "asked": write_rows(tmp_path / "asked.jsonl", [{"prompt": "a"}, {"prompt": "b"}]),
        "one": write_rows(
            tmp_path / "one.jsonl", [{"prompt": "a", "answer": "b", "score": "exact"}]
        ),
        "bad": tmp_path / "bad.jsonl",
    }
    paths["bad"].write_text("{nothing\n")
    error = refuse(root, *(one.format(**paths) for one in changes))
    assert title in error.title
    assert detail in f"{error.detail} {error.title}"
    assert launched == []


@pytest.mark.parametrize(
    "changes",
    [
        (SUITES, KEEP + "emotion subject to facts >= base - 3%"),
        (SUITES, KEEP + "eval/loss subject to facts >= 0.2 and forget/nll_shift <= 0.1"),
        (SUITES, KEEP + "max forget/kl_to_base"),
        (SUITES, "stopping.metric=eval/skill/emotion", "stopping.greater_is_better=true"),
        ("evaluation.suites=bundled:emotion,bundled:counsel,bundled:prose",
         KEEP + "emotion subject to counsel <= base + 0.1 and prose <= base + 0.1"),
        (KEEP + "eval/loss subject to train/loss >= 0.1",),
    ],
)  # fmt: skip
def test_what_can_be_measured_is_launched(
    changes: tuple[str, ...], root: Path, launched: list[Recipe]
) -> None:
    training.launch_training(make_recipe(*changes), root)
    assert len(launched) == 1


def test_paths_of_suites_are_valid_from_any_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path / "own.jsonl", [{"prompt": "a", "answer": "b", "score": "exact"}])
    monkeypatch.chdir(tmp_path)
    located = locate(make_recipe("evaluation.suites=own.jsonl?template=raw,held-out"), root)
    assert located.recipe.evaluation.suites == [
        f"own, raw={tmp_path / 'own.jsonl'}?template=raw", "held-out=held-out"
    ]  # fmt: skip
    assert tmp_path / "own.jsonl" not in located.files, "a run keeps the items it began with"


def test_a_run_that_goes_on_needs_its_suites_no_more_and_may_have_another_rule(
    root: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(f"evaluation.suites={tmp_path / 'gone.jsonl'}")
    job = directory.create(root, recipe)
    (job.checkpoints / "checkpoint-5").mkdir(parents=True)
    status.write(job, Status(State.STOPPED))
    wrong = make_recipe(*(f"evaluation.suites={tmp_path / 'gone.jsonl'}", KEEP + "other"))
    resume.check_resumable(job, wrong)
    with pytest.raises(Exception, match="keep_best names 'other'"):
        resume.resume_job(job, wrong)
    other = make_recipe("evaluation.suites=bundled:facts")
    with pytest.raises(Exception, match="cannot change when a run is resumed"):
        resume.check_resumable(job, other)
    assert json.loads(job.status_file.read_text())["state"] == "stopped"
