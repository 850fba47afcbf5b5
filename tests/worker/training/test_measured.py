"""What a run measures while it trains: forgetting, patience, samples. Whole runs, in process."""

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from engine.compare.samples import from_table
from engine.errors import EngineError
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.resume_rules import MARKS
from engine.jobs.status import State
from engine.worker.attempt import Attempt
from engine.worker.training.trainer import TokenTrainer
from tests.worker.here import resume_here, train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, make_recipe, weights

QUICK = ("training.epochs=1", "training.evaluations=3", "training.saves=3", "samples.count=0")


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


def marks(job: JobDirectory) -> dict[str, Any]:
    return dict(json.loads((job.checkpoints / MARKS).read_bytes()))


def saved(job: JobDirectory) -> list[int]:
    return sorted(int(path.name[11:]) for path in job.checkpoints.glob("checkpoint-*"))


def message(job: JobDirectory) -> str:
    now = status.read(job)
    assert now is not None
    return now.message


def corrupt(monkeypatch: pytest.MonkeyPatch, at: int, noise: float) -> None:
    """Noise on what is learned, once, after the step `at`."""
    log = TokenTrainer.log

    def spoil(self: Any, logs: dict[str, float], start_time: float | None = None) -> None:
        log(self, logs, start_time)
        if self.state.global_step == at and "learning_rate" in logs:
            draw = torch.Generator().manual_seed(1)
            with torch.no_grad():
                for weight in self.model.parameters():
                    if weight.requires_grad:
                        weight.add_(torch.randn(weight.shape, generator=draw) * noise)

    monkeypatch.setattr(TokenTrainer, "log", spoil)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_corrupted_model_raises_the_alarm(
    base: Path, rows: Path, root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    corrupt(monkeypatch, at=7, noise=1.0)
    changes = (f"method.kind={kind}", "training.save_total_limit=1", "training.learning_rate=1e-5")
    job = train_here(make_recipe(base, rows, *QUICK, *changes), root)
    steps, shift = curves(job)["forget/nll_shift"]
    assert steps == [0, 4, 8, 12]
    assert abs(shift[1]) < 0.01, "within the budget before"
    assert shift[2] > 0.1
    assert curves(job)["forget/kl_to_base"][1][2] > 0.1
    found = marks(job)
    assert (found["within_budget"], found["crossed_at"], found["ended"]) == (4, 8, "")
    assert {4, 12} <= set(saved(job)), "the last one within the budget is kept, and the newest"
    told = f"forgetting {shift[2]:+.3f} nats/token at step 8, above the budget of 0.100"
    assert told in message(job)
    assert job.attempt(1).log.read_text().count(told) == 1


def test_a_run_may_end_at_its_budget_and_goes_on_only_with_another(
    base: Path, rows: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.launching import resume

    corrupt(monkeypatch, at=7, noise=1.0)
    changes = ("forgetting.stop=true", "training.saves=0", "training.epochs=2")
    wanted = make_recipe(base, rows, *QUICK, *changes, "training.evaluations=6")
    job = train_here(wanted, root)
    assert curves(job)["train/loss"][0][-1] == 8
    assert marks(job)["ended"] == "budget"
    assert message(job).startswith("ended at step 8: forgetting 0.")
    assert "kept step-4 weights" in message(job)
    kept = job.checkpoints / "checkpoint-4" / "adapter_model.safetensors"
    assert kept.read_bytes() == (job.adapter / "adapter_model.safetensors").read_bytes()
    with pytest.raises(EngineError, match="ended by its forgetting budget") as caught:
        resume.resume_job(job)
    assert "forgetting.stop=false" in caught.value.hint
    assert resume_here(job) is State.DONE, "it stays where it ended"
    assert curves(job)["train/loss"][0][-1] == 8


@pytest.mark.parametrize(
    ("kind", "dtype"), [("lora", "auto"), ("full", "auto"), ("full", "bfloat16")]
)
def test_training_with_rate_zero_has_forgotten_exactly_nothing(
    base: Path, rows: Path, root: Path, kind: str, dtype: str
) -> None:
    """Also with dropout, where it goes on, and where products are made in another format."""
    changes = (f"method.kind={kind}", "training.learning_rate=0", "method.dropout=0.3")
    wanted = make_recipe(base, rows, *QUICK, *changes, f"training.dtype={dtype}")
    from engine.jobs import directory

    job = directory.create(root, wanted)
    assert resume_here(job, stop_at=6) is State.STOPPED
    assert resume_here(job) is State.DONE
    for tag in ("forget/nll_shift", "forget/kl_to_base"):
        steps, values = curves(job)[tag]
        assert steps == [0, 4, 8, 12]
        assert values.tolist() == [0.0, 0.0, 0.0, 0.0]
    assert len(set(curves(job)["eval/loss"][1].tolist())) == 1
    assert marks(job)["within_budget"] == 12
    assert not list((job.path / "probe").glob("*.npy")), "what is large is gone"


def test_no_evaluator_moves_a_random_state(
    base: Path, rows: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    measure = TokenTrainer.measure

    def watched(self: TokenTrainer) -> None:
        evaluators = self.evaluators
        for evaluator in evaluators:
            before = random.getstate(), np.random.get_state(), torch.get_rng_state()
            self.evaluators = [evaluator]
            with monkeypatch.context() as patch:
                patch.setattr(self._callback, "on_evaluated", lambda *_: None)
                measure(self)
            after = random.getstate(), np.random.get_state(), torch.get_rng_state()
            same = before[0] == after[0] and torch.equal(before[2], after[2])
            same = same and all(map(np.array_equal, before[1], after[1]))
            seen.append((type(evaluator).__name__, same))
        self.evaluators = evaluators

    monkeypatch.setattr(TokenTrainer, "measure", watched)
    train_here(make_recipe(base, rows, *QUICK, "samples.count=1", "method.dropout=0.2"), root)
    assert set(seen) == {("HeldOut", True), ("ForgettingMonitor", True), ("SampleEvaluator", True)}
    assert len(seen) == 3 * 4


def test_what_is_measured_does_not_change_what_is_trained(
    base: Path, rows: Path, root: Path
) -> None:
    much = train_here(make_recipe(base, rows, *QUICK, "samples.count=2"), root)
    nothing = ("training.evaluations=0", "samples.count=0", "forgetting.tokens=0")
    little = train_here(make_recipe(base, rows, *QUICK, *nothing), root)
    assert "forget/nll_shift" not in curves(little)
    one, two = weights(much.adapter), weights(little.adapter)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_patience_ends_a_run_which_leaves_its_best_weights(
    base: Path, rows: Path, root: Path
) -> None:
    """A rate that soon spoils the model: the best evaluation is not the last one."""
    changes = ("training.learning_rate=0.3", "training.epochs=4", "training.evaluations=16",
               "training.saves=0", "stopping.patience=2", "training.save_total_limit=1",
               "method.kind=full", "training.lr_scheduler_type=constant_with_warmup",
               "training.warmup_ratio=0")  # fmt: skip
    job = train_here(make_recipe(base, rows, *QUICK, *changes), root)
    steps, losses = curves(job)["eval/loss"]
    best = steps[1 + int(np.argmin(losses[1:]))]
    assert len(steps) < 17, "it ended early"
    assert steps[-1] > best
    assert marks(job)["best"] == best
    assert marks(job)["ended"] == "patience"
    assert set(saved(job)) == {best, steps[-1], marks(job)["within_budget"]} - {None}
    assert "eval/loss did not improve for 2 evaluations" in message(job)
    assert f"kept step-{best} weights, eval/loss {losses[steps.index(best)]:.4f}" in (message(job))
    kept, left = weights(job.checkpoints / f"checkpoint-{best}"), weights(job.model)
    assert all(torch.equal(kept[name], left[name]) for name in kept)


def test_a_best_checkpoint_that_a_disk_spoiled_is_not_passed_off_as_kept(
    base: Path, rows: Path, root: Path
) -> None:
    changes = ("stopping.result=best", "training.learning_rate=0.3", "method.kind=full")
    from engine.jobs import directory

    job = directory.create(root, make_recipe(base, rows, *QUICK, *changes))
    assert resume_here(job, stop_at=10) is State.STOPPED
    best = marks(job)["best"]
    assert best in (4, 8)
    file = job.checkpoints / f"checkpoint-{best}" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert resume_here(job) is State.DONE
    now_best = marks(job)["best"]
    if now_best == best:
        assert f"checkpoint-{best} cannot be read" in message(job)


def test_a_metric_that_is_not_logged_ends_a_run_before_it_trains(
    base: Path, rows: Path, root: Path
) -> None:
    with pytest.raises(EngineError, match="eval/accuracy") as caught:
        train_here(make_recipe(base, rows, *QUICK, "stopping.metric=eval/accuracy"), root)
    for tag in ("eval/loss", "forget/nll_shift", "train/loss"):
        assert tag in caught.value.detail


def test_any_tag_may_be_the_metric(base: Path, rows: Path, root: Path) -> None:
    changes = ("stopping.metric=train/learning_rate", "stopping.greater_is_better=true",
               "stopping.result=best", "training.warmup_ratio=0")  # fmt: skip
    job = train_here(make_recipe(base, rows, *QUICK, *changes), root)
    assert marks(job)["best"] == 4, "the rate falls"


def test_samples_are_written_at_each_evaluation_as_the_shipped_run_has_them(
    base: Path, rows: Path, root: Path
) -> None:
    changes = ("samples.count=2", "samples.max_new_tokens=5")
    job = train_here(make_recipe(base, rows, *QUICK, *changes), root)
    lines = [json.loads(line) for line in job.samples.read_text().splitlines()]
    assert [(line["step"], line["prompt_id"]) for line in lines] == [
        (step, f"eval-{number}") for step in (0, 4, 8, 12) for number in (1, 2)
    ]
    said = [from_table(line) for line in lines]
    assert all(0 < len(one.output_ids) <= 5 for one in said)
    assert all(one.prompt_ids and one.template_hash for one in said)
    assert said[-1].arm == f"step-12=run:{job.path.name}"
    assert re.fullmatch(r"say \d+", said[0].messages[0].content), "as it was asked"
    # At step 0 it is the base that speaks.
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    asked = torch.tensor([said[0].prompt_ids])
    with torch.no_grad():
        assert int(model(asked).logits[0, -1].argmax()) == said[0].output_ids[0]


def test_prompts_may_come_from_a_file(base: Path, rows: Path, root: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked.txt"
    asked.write_text("What is two and two?\nWho are you?\n")
    changes = ("samples.count=64", "samples.max_new_tokens=3", f"samples.prompts={asked}")
    job = train_here(make_recipe(base, rows, *QUICK, *changes), root)
    lines = [json.loads(line) for line in job.samples.read_text().splitlines()]
    assert lines[0]["messages"] == [{"role": "user", "content": "What is two and two?"}]
    assert len(lines) == 2 * 4
    with pytest.raises(EngineError, match="cannot be read"):
        train_here(make_recipe(base, rows, *QUICK, *changes, "samples.prompts=/no/such"), root)


def test_the_user_may_bring_a_probe(base: Path, rows: Path, root: Path, tmp_path: Path) -> None:
    text = tmp_path / "mine.txt"
    text.write_text("The capital of France is Paris.\n\nTwo and two make four.\n")
    changes = (f"forgetting.probe={text}", "forgetting.tokens=30")
    job = train_here(make_recipe(base, rows, *QUICK, *changes), root)
    assert sum(map(len, json.loads((job.path / "probe" / "rows.json").read_bytes()))) <= 30
    with pytest.raises(EngineError, match="probe text cannot be read"):
        train_here(make_recipe(base, rows, *QUICK, "forgetting.probe=/no/such"), root)


def test_a_stage_is_measured_against_its_root_and_its_parent(
    base: Path, rows: Path, root: Path
) -> None:
    first = train_here(make_recipe(base, rows, *QUICK, "training.learning_rate=1e-2"), root)
    stage = (f"model.checkpoint=run:{first.path.name}", "training.learning_rate=0")
    for adapter in ("continue", "merge"):
        wanted = make_recipe(base, rows, *QUICK, *stage, f"model.adapter={adapter}")
        seen, before = curves(train_here(wanted, root)), curves(first)
        for to_base, to_parent in (
            ("forget/nll_shift", "forget/nll_shift_parent"),
            ("forget/kl_to_base", "forget/kl_to_parent"),
        ):
            assert seen[to_parent][1].tolist() == [0.0] * 4, "it stays what it began as"
            moved = before[to_base][1][-1]
            assert abs(moved) > 1e-3
            np.testing.assert_allclose(seen[to_base][1], [moved] * 4, rtol=2e-3)


def test_the_memory_of_a_run_is_what_it_held_at_the_most(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    block = np.ones(200 << 17)
    held = psutil.Process().memory_info().rss
    assert held > block.nbytes
    del block
    job = train_here(make_recipe(base, rows, *QUICK), tmp_path)
    memory = curves(job)["machine/device_memory_bytes"][1]
    assert memory.min() > 0.99 * held


def test_the_status_names_the_evaluation_before_the_first_step(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes half a minute with a real vocabulary, in which no model is loaded."""
    messages: list[str] = []
    measure = TokenTrainer.measure

    def note_and_measure(self: Any) -> None:
        messages.append(self._attempt._status.message)
        measure(self)

    monkeypatch.setattr(TokenTrainer, "measure", note_and_measure)
    job = train_here(make_recipe(base, rows, *QUICK), tmp_path)
    assert messages[0] == "evaluating"
    assert messages[1:] == [""] * 3
    assert message(job) == ""


def test_the_status_says_how_far_an_evaluation_is_and_that_a_run_saves(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, int, int]] = []

    def note(
        self: Any, name: str, done: int = 0, total: int = 0, seconds: float | None = None
    ) -> None:
        shown.append((name, done, total))

    monkeypatch.setattr(Attempt, "show_activity", note)
    job = train_here(
        make_recipe(base, rows, *QUICK, "forgetting.tokens=200", "samples.count=1"), tmp_path
    )
    names = {name for name, _, _ in shown}
    assert {
        "", "measuring the base", "evaluating", "measuring forgetting", "writing samples", "saving",
    } <= names  # fmt: skip
    assert all(done <= total for _, done, total in shown)
    assert shown[-1][0] == ""
    now = status.read(job)
    assert now is not None
    assert now.evaluation_seconds > 0
    assert now.saving_seconds > 0
    assert (now.activity, now.eta_seconds) == ("", None)
