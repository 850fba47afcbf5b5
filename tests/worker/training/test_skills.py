"""Skills while training: what is measured and kept, alarms, the chosen checkpoint. Whole runs."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Message
from engine.compare.items import Item
from engine.errors import EngineError
from engine.impact.watched.skill_log import SkillLog, read_skill_log
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.launching import training
from engine.worker.inference.choice_scores import encode_choices
from engine.worker.inference.models import wrap_model
from engine.worker.training import skills
from engine.worker.training.skill_items import (
    DECODED,
    LEAST_MEASUREMENTS,
    SHARE,
    TRAINED,
    afford,
)
from tests.conftest import Eventually
from tests.worker.here import begin_here, resume_here, train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_measured import QUICK, corrupt, marks, message
from tests.worker.training.test_train import curves, make_recipe, wait_for_end, weights

ITEMS = 60
SLOW = "training.learning_rate=1e-5"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 rows, so that 48 are trained on, in 12 steps an epoch."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(60))
    )
    return path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pairs of a chosen and a rejected answer."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    path.write_text(
        "".join(
            json.dumps({"prompt": f"say {at}", "chosen": f"number {at}", "rejected": "no"}) + "\n"
            for at in range(60)
        )
    )
    return path


@pytest.fixture(scope="module")
def picks_file(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions with two to four choices, the right one of which is what the base finds likeliest:
    it knows them all."""
    from engine.worker.model import loading

    tokenizer = loading.load_tokenizer(base)
    model = loading.load_base(base, torch.device("cpu"), torch.float32)
    words = ("joy", "sadness", "a fear", "anger")
    asked = [(f"word {at}?", words[: 2 + at % 3]) for at in range(ITEMS)]
    lines = []
    for at, (question, choices) in enumerate(asked):
        sums = [one_by_one(model, tokenizer, question, choice) for choice in choices]
        right = choices[sums.index(max(sums))]
        lines.append(
            {"id": f"p{at}", "messages": [{"role": "user", "content": question}],
             "score": "choices", "gold": [right], "choices": list(choices)}
        )  # fmt: skip
    path = tmp_path_factory.mktemp("suites") / "picks.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def picks(picks_file: Path) -> str:
    """These, weighed by likelihood: a random model says none of them by itself."""
    return f"picks={picks_file}?measure=likelihood"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Suites of the other kinds, by kind."""
    folder = tmp_path_factory.mktemp("mixed")
    kinds = {
        "exact": [{"prompt": f"say {at}", "answer": f"number {at}", "score": "exact"}
                  for at in range(24)],
        "texts": [{"text": f"the capital of {at} is far away", "score": "perplexity"}
                  for at in range(24)],
        "free": [{"prompt": f"say {at}", "completion": f"number {at}"} for at in range(24)],
    }  # fmt: skip
    paths = {}
    for kind, lines in kinds.items():
        paths[kind] = folder / f"{kind}.jsonl"
        paths[kind].write_text("".join(json.dumps(line) + "\n" for line in lines))
    return paths


def make_item(question: str, *choices: str) -> Item:
    return Item("q", (Message("user", question),), choices=choices)


def one_by_one(model: Any, tokenizer: Any, question: str, answer: str) -> float:
    """The log-probability of an answer, by a forward pass of its own without any cache."""
    row = encode_choices(wrap_model(model, tokenizer), make_item(question, answer))
    ids = [*row.context, *row.tails[0]]
    with torch.no_grad():
        logs = model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
    first = len(row.context)
    return sum(
        float(logs[first + at - 1, token])
        for at, (token, counts) in enumerate(zip(row.tails[0], row.is_target[0], strict=True))
        if counts
    )


def watch(*suites: object, limit: int = 0) -> tuple[str, ...]:
    return (f"evaluation.suites={','.join(map(str, suites))}", f"evaluation.limit={limit}")


def log_of(job: JobDirectory) -> SkillLog:
    return read_skill_log(job.skills)


def read_status(job: JobDirectory) -> Status:
    now = status.read(job)
    assert now is not None
    return now


def worker_log(job: JobDirectory, attempt: int = 1) -> str:
    return job.attempt(attempt).log.read_text()


def test_each_kind_of_suite_is_measured_and_kept(
    base: Path, rows: Path, picks: str, mixed: dict[str, Path], root: Path
) -> None:
    suites = (picks, mixed["exact"], mixed["texts"], mixed["free"], "own=held-out")
    job = train_here(make_recipe(base, rows, *QUICK, *watch(*suites)), root)
    drawn, log = curves(job), log_of(job)
    tags = {
        "picks": "eval/skill/picks", "exact": "eval/skill/exact", "own": "eval/skill_nll/own",
        "texts": "eval/skill_nll/texts", "free": "eval/skill_nll/free",
    }  # fmt: skip
    for name, tag in tags.items():
        steps, values = drawn[tag]
        assert steps == log.steps(name) == [0, 4, 8, 12]
        assert values == pytest.approx([log.score(name, step) for step in steps], rel=1e-6)
    assert drawn["eval/skill/picks"][1][0] == 1.0, "the base knows them all"
    assert {log.suites[name].measure for name in ("texts",)} == {"nll"}
    assert log.suites["free"].measure == "gold_nll"
    assert len(log.values["own"][0]) == 12, "all that is held out"
    assert math.isclose(drawn["eval/skill_nll/own"][1][-1], drawn["eval/loss"][1][-1], rel_tol=0.02)
    assert "skills are measured at each evaluation and compared with" in worker_log(job)


def test_training_is_the_same_to_the_bit_with_suites_and_without(
    base: Path, rows: Path, picks: str, mixed: dict[str, Path], root: Path
) -> None:
    plain = train_here(make_recipe(base, rows, *QUICK), root)
    watched = train_here(
        make_recipe(base, rows, *QUICK, *watch(picks, mixed["exact"], mixed["texts"])), root
    )
    for tag in ("train/loss", "train/grad_norm", "eval/loss", "forget/nll_shift"):
        np.testing.assert_array_equal(curves(plain)[tag][1], curves(watched)[tag][1])
    before, after = weights(plain.adapter), weights(watched.adapter)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_resumed_run_goes_on_with_the_items_that_it_began_with(
    base: Path, rows: Path, picks_file: Path, tmp_path: Path, root: Path
) -> None:
    suite = tmp_path / "picks.jsonl"
    suite.write_bytes(picks_file.read_bytes())
    watched = watch(f"picks={suite}?measure=likelihood")
    recipe = make_recipe(base, rows, *QUICK, "training.evaluations=6", *watched)
    whole = train_here(recipe, root)
    from engine.jobs import directory

    job = directory.create(root, recipe)
    assert resume_here(job, stop_at=5) is State.STOPPED
    with job.skills.open("a") as file:  # as a worker that was killed leaves it
        file.write('{"step": 6, "suite": "picks", "values": {"p0": 1.0}}\n{"step": 6, "su')
    suite.write_text("edited")
    assert resume_here(job) is State.DONE
    assert job.skills.read_text() == whole.skills.read_text()
    np.testing.assert_array_equal(
        curves(job)["eval/skill/picks"][1], curves(whole)["eval/skill/picks"][1]
    )


def test_a_stop_while_skills_are_measured_writes_nothing_of_them(
    base: Path, rows: Path, picks: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.jobs import directory
    from engine.worker import train
    from engine.worker.attempt import Stopped

    seen: list[int] = []
    measure = skills._measure

    def stop_at_second(suite: Any, advance: Any) -> Any:
        seen.append(len(seen))
        if len(seen) == 2:
            attempt._stop = True
        return measure(suite, advance)

    monkeypatch.setattr(skills, "_measure", stop_at_second)
    job = directory.create(root, make_recipe(base, rows, *QUICK, *watch(picks)))
    attempt = begin_here(job)
    with pytest.raises(Stopped):
        train.run(attempt)
    attempt.finish(State.STOPPED)
    assert log_of(job).steps("picks") == [0]
    assert resume_here(job) is State.DONE
    assert log_of(job).steps("picks") == [0, 4, 8, 12]


def test_a_skill_that_falls_raises_an_alarm_and_the_rule_keeps_what_was_before(
    base: Path, rows: Path, picks: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrupt(monkeypatch, at=7, noise=1.0)
    rule = "stopping.keep_best=eval/loss subject to picks >= base - 3%"
    recipe = make_recipe(base, rows, *QUICK, SLOW, *watch(picks), rule, "forgetting.tokens=0")
    job = train_here(recipe, root)
    log = log_of(job)
    assert [log.score("picks", step) for step in (0, 4)] == [1.0, 1.0]
    assert log.score("picks", 8) < 0.9
    assert marks(job)["lost"] == {"picks": 12}
    assert marks(job)["best"] == 4
    said = message(job)
    assert said.startswith("kept step-4 weights, eval/loss ")
    assert "picks -" in said
    assert "points at step 12 (90% interval" in said
    assert f"n = {ITEMS}), below -5 in two evaluations" in said
    assert worker_log(job).count("below -5 in two evaluations") == 1
    assert "keep_best: picks " in worker_log(job)
    kept = job.checkpoints / "checkpoint-4" / "adapter_model.safetensors"
    assert kept.read_bytes() == (job.adapter / "adapter_model.safetensors").read_bytes()
    lost = log.loss_steps("picks")
    assert set(lost.values()) <= {8}
    assert len(lost) > 5


def test_the_choice_is_reported_on_the_half_that_did_not_make_it(
    base: Path, rows: Path, picks: str, root: Path
) -> None:
    rule = "stopping.keep_best=picks"
    job = train_here(make_recipe(base, rows, *QUICK, *watch(picks), rule), root)
    suite = log_of(job).suites["picks"]
    halves = {half: len(suite.half(half)) for half in ("selection", "report")}
    assert sum(halves.values()) == ITEMS
    assert min(halves.values()) > 20
    said = message(job)
    assert f"n = {halves['report']}) on the half that did not choose it" in said
    assert f"n = {halves['selection']}) on the other" in said
    assert f"n = {halves['report']}) since step 0" in worker_log(job)


def test_where_no_checkpoint_meets_the_conditions_the_last_weights_are_kept(
    base: Path, rows: Path, picks: str, root: Path
) -> None:
    rule = "stopping.keep_best=eval/loss subject to picks >= 200%"
    job = train_here(make_recipe(base, rows, *QUICK, *watch(picks), rule), root)
    assert message(job) == ("no checkpoint meets picks >= 200% (keep_best); kept the last weights")
    assert marks(job)["best"] is None
    last = job.checkpoints / "checkpoint-12" / "adapter_model.safetensors"
    assert last.read_bytes() == (job.adapter / "adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize("quantize", ["4bit", "8bit"])
def test_quantised_training_is_the_same_with_suites_and_without(
    base: Path, rows: Path, picks: str, mixed: dict[str, Path], root: Path, quantize: str
) -> None:
    pytest.importorskip("bitsandbytes")
    changes = (*QUICK, f"method.quantize={quantize}", "forgetting.tokens=0")
    plain = train_here(make_recipe(base, rows, *changes), root)
    watched = train_here(make_recipe(base, rows, *changes, *watch(picks, mixed["exact"])), root)
    np.testing.assert_array_equal(curves(plain)["train/loss"][1], curves(watched)["train/loss"][1])
    assert curves(watched)["eval/skill/picks"][0] == [0, 4, 8, 12]


@pytest.mark.parametrize(
    "changes",
    [
        ("training.packing=true",),
        ("method.kind=full",),
        ("training.gradient_checkpointing=true",),
        ("training.group_by_length=true", "training.dtype=bfloat16"),
        ("data.template=chatml", "data.system=Be short."),
    ],
)
def test_every_way_to_train_measures_the_base_at_step_0(
    base: Path, rows: Path, picks: str, mixed: dict[str, Path], root: Path, changes: Sequence[str]
) -> None:
    job = train_here(make_recipe(base, rows, *QUICK, *watch(picks, mixed["exact"]), *changes), root)
    steps, values = curves(job)["eval/skill/picks"]
    assert (steps[0], steps[-1]) == (0, curves(job)["train/loss"][0][-1])
    if "data.template=chatml" not in changes:  # else it is asked in other words
        assert values[0] > 0.9


def test_a_stage_is_held_against_its_parent(base: Path, rows: Path, picks: str, root: Path) -> None:
    quick = (*QUICK, "training.learning_rate=3e-2")
    first = train_here(make_recipe(base, rows, *quick, *watch(picks)), root)
    stage = make_recipe(base, rows, *QUICK, f"model.checkpoint={first.adapter}", *watch(picks))
    second = train_here(stage, root)
    assert log_of(second).values["picks"][0] == log_of(first).values["picks"][12]
    assert log_of(first).score("picks", 12) < 1.0, "the parent is not the base"
    parent = read_status(second).parent
    assert parent
    assert f"measured at each evaluation and compared with {parent}: " in worker_log(second)


def test_a_short_run_measures_less_unless_it_is_told_a_number(
    base: Path, rows: Path, picks: str, root: Path
) -> None:
    suites = f"evaluation.suites={picks},{picks.replace('picks=', 'same=')}&limit=30"
    recipe = make_recipe(base, rows, *QUICK, "training.evaluations=6", suites)
    job = train_here(recipe, root)
    log = log_of(job)
    assert [len(log.suites[name].items) for name in ("picks", "same")] == [20, 30]
    assert log.steps("picks") == log.steps("same") == [0, 6, 12]
    assert curves(job)["eval/loss"][0] == [0, 2, 4, 6, 8, 10, 12]
    assert "skills are measured at one in 3 evaluations" in worker_log(job)
    shares = re.findall(r"; at most about ([\d,.]+)% of the time of training", worker_log(job))
    assert len(shares) == 1
    assert float(shares[0].replace(",", "")) > 5, "of so short a run they take more, and it says so"


@pytest.mark.worker
def test_a_worker_measures_skills_and_leaves_what_the_rule_chose(
    base: Path, rows: Path, picks: str, root: Path, eventually: Eventually
) -> None:
    rule = "stopping.keep_best=picks subject to eval/loss <= base"
    recipe = make_recipe(base, rows, *QUICK, *watch(picks, "own=held-out"), rule)
    job = training.launch_training(recipe, root)
    assert wait_for_end(job, eventually) is State.DONE, worker_log(job)
    log = log_of(job)
    chosen = max(
        (step for step in log.steps("picks") if step),
        key=lambda step: (log.score("picks", step, "selection"), -step),
    )
    assert marks(job)["best"] == chosen
    assert message(job).startswith(f"kept step-{chosen} weights, picks ")


@pytest.mark.parametrize(
    "changes",
    [
        ("training.packing=true",),
        ("training.gradient_accumulation_steps=3",),
        ("training.objective=dpo",),
    ],
)
def test_dropout_draws_the_same_with_suites_and_without(
    base: Path, rows: Path, picks: str, mixed: dict[str, Path], pairs: Path, root: Path,
    changes: Sequence[str],
) -> None:  # fmt: skip
    if "training.objective=dpo" in changes:
        pytest.importorskip("trl")
        rows = pairs
    settings = (*QUICK, "method.dropout=0.3", *changes)
    suites = watch(picks, mixed["exact"], mixed["texts"])
    plain, watched = (
        train_here(make_recipe(base, rows, *settings, *more), root) for more in ((), suites)
    )
    np.testing.assert_array_equal(curves(plain)["train/loss"][1], curves(watched)["train/loss"][1])
    before, after = weights(plain.adapter), weights(watched.adapter)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_pairs_are_measured_too(base: Path, picks: str, pairs: Path, root: Path) -> None:
    pytest.importorskip("trl")
    job = train_here(
        make_recipe(base, pairs, *QUICK, "training.objective=dpo", *watch(picks, "own=held-out")),
        root,
    )
    steps, values = curves(job)["eval/skill/picks"]
    assert (steps, values[0]) == ([0, 4, 8, 12], 1.0)
    assert len(curves(job)["eval/skill_nll/own"][0]) == 4


def test_a_suite_that_cannot_be_measured_is_refused(
    base: Path, rows: Path, tmp_path: Path, root: Path
) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"prompt": "x " * 400, "answer": "y", "score": "exact"}) + "\n")
    with pytest.raises(EngineError, match=r"No item of the suite can be measured\."):
        train_here(make_recipe(base, rows, *QUICK, *watch(path)), root)


def test_items_that_are_too_long_are_left_out_and_counted(
    base: Path, rows: Path, tmp_path: Path, root: Path
) -> None:
    path = tmp_path / "some.jsonl"
    lines = [{"prompt": "x " * (400 if at == 3 else 1), "answer": "y", "score": "exact"}
             for at in range(6)]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    job = train_here(make_recipe(base, rows, *QUICK, *watch(path)), root)
    assert len(log_of(job).suites["some"].items) == 5
    assert "suite some: items left out: 1, the first of them some-4: It is longer" in (
        worker_log(job)
    )


costs = st.lists(st.lists(st.floats(1, 1e4), min_size=1, max_size=200), min_size=1, max_size=8)


@given(costs, st.floats(1e3, 1e9), st.integers(0, 30))
def test_what_is_afforded_stays_within_its_share(
    costs: list[list[float]], tokens: float, evaluations: int
) -> None:
    number, every = afford(costs, tokens, evaluations)
    planned = max(1, evaluations)
    measurements = 1 + -(-planned // every)
    spent = measurements * sum(sum(each[:number]) for each in costs)
    most = max(map(len, costs))
    assert measurements >= min(LEAST_MEASUREMENTS, planned + 1)
    assert number >= min(20, most)
    if number > 20:
        assert spent <= SHARE * TRAINED * tokens * 1.000001
    if number < min(50, most):
        assert measurements <= LEAST_MEASUREMENTS, "fewer times, before few items"


def test_a_long_run_takes_all_items_at_each_evaluation() -> None:
    costs = [[2 * 60 + DECODED * 20.0] * 200] * 8
    assert afford(costs, 60e6, 10) == (200, 1)
    number, every = afford(costs, 3e5, 10)
    assert number == 20
    assert every == 5
