"""Jobs that make preference pairs: of two arms, in two ways, out of votes; then DPO on them."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.compare.prompts import load
from engine.errors import EngineError
from engine.impact.changes import skill_notes
from engine.impact.results.evaluation_results import ArmResults, EvaluationResults
from engine.impact.suites.suite_specs import SuiteSpec
from engine.jobs import directory
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.status import State
from engine.launching.synthesis import locate_synthesis
from engine.recipes import recipe as recipes
from engine.recipes.recipe import SynthesizeRecipe, TrainRecipe
from engine.recipes.settings import Data, Model, Training
from engine.synthesis.outcomes import read_outcomes
from engine.synthesis.row_files import write_rows
from engine.worker.data.seen_items import SeenItemsFinder
from tests.judge.judged import answered_job
from tests.synthesis.test_vote_pairs import cast
from tests.worker.here import train_here
from tests.worker.inference.endpoints import Server, serving, stream
from tests.worker.synthesis.making import Body, lines, make_job, run_here, write_reviews
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves
from tests.worker.training.test_train import make_recipe as train_recipe

COUNT = 6


def answer(body: Body) -> bytes:
    """Another answer to each model and each wording, which says which review it is of."""
    asked = body["messages"][-1]["content"]
    number = asked.split("review number ")[1].split()[0]
    manner = "curtly" if "curt" in asked else "kindly"
    words = "a rather long and friendly answer " if manner == "kindly" else "no "
    return stream(f"{body['model']} {manner} {number}: {words * (1 + int(number) % 3)}")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.answer = answer
        yield made


def pair_recipe(
    folder: Path, address: str, pairs: dict[str, str], **tables: Any
) -> SynthesizeRecipe:
    data = write_reviews(folder, COUNT)
    table = {
        "kind": "synthesize", "name": "pairs", "mode": "pairs",
        "source": {"data": str(data)},
        "asking": {"generator": f"writer={address}?model=good"},
        "pairs": {"prompt": "Comment on: {review}", **pairs},
        "gates": {"openings": 0, "near_duplicates": 0.9},
    } | tables  # fmt: skip
    made = recipes.parse(table)
    assert isinstance(made, SynthesizeRecipe)
    return made


def rows_of(job: JobDirectory) -> list[dict[str, Any]]:
    return [one.row for one in read_outcomes(job.outcomes).values() if one.state == "passed"]


def test_two_ways_of_asking_give_chosen_and_rejected(tmp_path: Path, server: Server) -> None:
    recipe = pair_recipe(
        tmp_path, server.address, {"rejected_instructions": "Be curt about {review}"}
    )
    job = make_job(tmp_path / "runs", recipe)
    state, message = run_here(job)
    assert state is State.DONE
    rows = rows_of(job)
    assert len(rows) == COUNT
    assert list(rows[0]) == ["prompt", "chosen", "rejected"]
    assert rows[0]["prompt"].startswith("Comment on: review number ")
    assert all("good kindly" in row["chosen"] for row in rows)
    assert all("good curtly" in row["rejected"] for row in rows)
    assert "the chosen answer is longer than the rejected one" in message
    assert f"{COUNT} of {COUNT}: 100% [61, 100]" in message, "Wilson of 6 of 6"
    lengths: Any = (read_json(job.results) or {})["pairs"]
    assert lengths["pairs"] == COUNT
    low, high = lengths["interval"]
    assert low < lengths["difference"] < high
    seeds = {(one["seed"], one["prompt_id"]) for one in lines(job.samples)}
    assert len({seed for seed, _ in seeds}) == 2 * COUNT, "each question has a seed of its own"


def test_two_arms_are_asked_alike_in_whatever_order(tmp_path: Path, server: Server) -> None:
    """The rejected question does not depend on the chosen answer, nor on columns called so."""
    other = {"rejected_generator": f"bad={server.address}?model=bad"}
    recipe = pair_recipe(tmp_path, server.address, other)
    job = make_job(tmp_path / "runs", recipe)
    assert run_here(job)[0] is State.DONE
    assert all("bad kindly" in row["rejected"] for row in rows_of(job))
    asked = {one["prompt_id"]: one["messages"] for one in lines(job.samples)}
    for name, messages in asked.items():
        assert messages == asked[name.replace("/chosen#", "/rejected#")]
    swapped = replace(
        recipe,
        asking=replace(recipe.asking, generator=f"writer={server.address}?model=bad"),
        pairs=replace(recipe.pairs, rejected_generator=f"bad={server.address}?model=good"),
    )
    again = make_job(tmp_path / "swapped", swapped)
    run_here(again)
    both = [{(row["chosen"], row["rejected"]) for row in rows_of(one)} for one in (job, again)]
    assert both[0] == {(rejected, chosen) for chosen, rejected in both[1]}


def ending_checkpoint(path: Path, seed: int) -> Path:
    """A random model of whose tokens every third one ends an answer."""
    made = save_checkpoint(path, seed=seed)
    config = json.loads((made / "generation_config.json").read_text())
    table = json.dumps({**config, "eos_token_id": list(range(0, 300, 3))})
    (made / "generation_config.json").write_text(table)
    return made


def test_two_local_models_write_side_by_side(tmp_path: Path) -> None:
    one, other = (ending_checkpoint(tmp_path / f"base-{seed}", seed) for seed in (0, 1))
    recipe = pair_recipe(
        tmp_path, "", {"prompt": "{review}", "rejected_generator": f"b={other}?prompt=raw"},
        asking={"generator": f"a={one}?prompt=raw", "tries": 9},
        decode={"max_new_tokens": 24, "temperature": 1.0},
        gates={"special_tokens": False, "openings": 0},
    )  # fmt: skip
    job = make_job(tmp_path / "runs", recipe)
    run_here(job)
    outcomes = read_outcomes(job.outcomes).values()
    used = [(x.field, x.arm[0]) for out in outcomes for x in out.answers]
    assert set(used) == {("chosen", "a"), ("rejected", "b")}
    assert any(out.row for out in outcomes)


def test_equal_answers_are_held_back_and_cut_ones_set_aside(tmp_path: Path, server: Server) -> None:
    def alike(body: Body) -> bytes:
        asked = body["messages"][-1]["content"]
        number = asked.split("review number ")[1].split()[0]
        if number == "2" and body["model"] == "bad":
            return stream(f"answer {number} that is cu", finish="length")
        return stream(f"answer {number} to be read{'!' * (body['model'] == 'bad')}")

    server.answer = alike
    other = {"rejected_generator": f"bad={server.address}?model=bad"}
    recipe = pair_recipe(tmp_path, server.address, other)
    job = make_job(tmp_path / "runs", recipe)
    run_here(job)
    outcomes = read_outcomes(job.outcomes)
    reasons = {name: [one.name for one in out.reasons] for name, out in outcomes.items()}
    assert reasons["reviews.jsonl:1"] == ["same answer"]
    assert reasons["reviews.jsonl:2"] == ["cut"]
    assert outcomes["reviews.jsonl:2"].row == {}


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ({}, "asked for alike"),
        ({"prompt": "Say something.", "rejected_instructions": "x"}, "shows nothing"),
        ({"rejected_instructions": "of {nothing}"}, "no column 'nothing'"),
    ],
)
def test_pairs_that_nothing_could_be_learned_from_are_refused(
    pairs: dict[str, str], problem: str, tmp_path: Path
) -> None:
    recipe = pair_recipe(tmp_path, "bundled:demo-base", pairs)
    recipe = replace(recipe, asking=replace(recipe.asking, generator="w=bundled:demo-base"))
    with pytest.raises(EngineError, match=problem):
        locate_synthesis(recipe, tmp_path / "runs")


def vote_recipe(job: JobDirectory, **pairs: str) -> SynthesizeRecipe:
    made = recipes.parse(
        {"kind": "synthesize", "name": "voted", "mode": "votes",
         "pairs": {"job": f"run:{job.path.name}", **pairs}, "gates": {"openings": 0}}
    )  # fmt: skip
    assert isinstance(made, SynthesizeRecipe)
    return made


def test_votes_become_pairs_whose_prompts_leave_the_evaluation_side(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    texts = {name: (f"base says {name} at length", f"tuned: {name}") for name in "abcdefgh"}
    voted = answered_job(root, texts)
    for voter in ("ana", "ben"):
        cast(voted, voter, dict.fromkeys("abcdef", "left"))
    cast(voted, "ben", {"f": "right"})
    located = locate_synthesis(vote_recipe(voted), root)
    assert located.parents == ["run:answers"]
    job = directory.create(root, located.recipe)
    state, message = run_here(job)
    assert state is State.DONE
    assert message.startswith("5 passed, 1 set aside of 6 sources; the chosen answer is longer")
    out = tmp_path / "pairs.jsonl"
    write_rows(job, out, accept_all=True)
    provenance = lines(tmp_path / "pairs.provenance.jsonl")
    assert provenance[0]["votes"] == {
        "job": "answers", "prompt": "a", "chosen": "base", "rejected": "tuned",
        "counts": {"base": 2},
    }  # fmt: skip
    card = (tmp_path / "pairs.md").read_text()
    assert "longer than the rejected one" in card
    assert "temperature" not in card, "of the job that was voted on"

    run = directory.create(
        root,
        TrainRecipe(
            model=Model(checkpoint="bundled:demo-base"),
            data=Data(train=str(out), eval_fraction=0),
            training=Training(objective="dpo"),
        ),
        (),
        [out],
    )
    items = load(str(root / "answers-prompts.jsonl"))
    found = _find(root, run, items)
    assert found.suites == {"asked": dict.fromkeys("abcde", "question")}
    assert found.trained == ("asked",)
    assert found.notes[0] == (
        f"{run.path.name} was trained on votes: 5 prompts of answers are no longer of the "
        "evaluation side"
    )
    assert "5 of 8 items of asked stand in rows that it was trained on" in found.notes
    # What is printed below the tree.
    arms = {"voted": ArmResults("voted", "voted=run:x", {}, notes=found.notes)}
    printed = skill_notes.of_table(EvaluationResults(arms, {}), ["voted"])
    assert any("5 prompts of answers are no longer of the evaluation" in note for note in printed)


def _find(root: Path, run: JobDirectory, items: list[Item]) -> Any:
    finder = SeenItemsFinder(
        {"asked": items}, [SuiteSpec("asked", str(root / "answers-prompts.jsonl"))], [run.path]
    )
    return finder.find(Arm("a", f"run:{run.path.name}"))


def test_a_job_without_votes_or_answers_is_refused(tmp_path: Path) -> None:
    voted = answered_job(tmp_path, {"a": ("x", "y")})
    with pytest.raises(EngineError, match="There are no votes"):
        locate_synthesis(vote_recipe(voted), tmp_path)
    cast(voted, "ana", {"a": "left"})
    with pytest.raises(EngineError, match="no ratings"):
        locate_synthesis(vote_recipe(voted, rubric="safe"), tmp_path)
    empty = recipes.parse({"kind": "synthesize", "mode": "votes"})
    assert isinstance(empty, SynthesizeRecipe)
    with pytest.raises(EngineError, match="No votes"):
        locate_synthesis(empty, tmp_path)


def test_pairs_that_were_made_train_by_dpo(tmp_path: Path, server: Server) -> None:
    """Made, written, and learned from for two steps: the loss begins at log 2 and the file's rows
    are what it read."""
    pytest.importorskip("trl")
    recipe = pair_recipe(
        tmp_path, server.address, {"rejected_instructions": "Be curt about {review}"}
    )
    job = make_job(tmp_path / "runs", recipe)
    run_here(job)
    out = tmp_path / "pairs.jsonl"
    assert write_rows(job, out, accept_all=True).rows == COUNT
    base = save_checkpoint(tmp_path / "base")
    wanted = train_recipe(
        base, out, "training.objective=dpo", "training.max_steps=2", "training.batch_size=2",
        "training.evaluations=1", "training.saves=0", "samples.count=0", "forgetting.tokens=0",
        "data.eval_fraction=0.34", "method.dropout=0",
    )  # fmt: skip
    run = train_here(wanted, tmp_path / "runs")
    seen = curves(run)
    assert seen["eval/loss"][1][0] == pytest.approx(math.log(2))
    assert list(seen["dpo/margin"][0]) == [1, 2]
    assert json.loads(out.read_text().splitlines()[0])["group"].startswith("source-")
