"""What follows from what was measured: best, patience, budget, and which weights a run leaves."""

import math
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EngineError
from engine.events import event_tags
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Forgetting, Stopping
from engine.worker.training import stopping_rules
from engine.worker.training.checkpoints import Marks
from engine.worker.training.eval_history import History

SHIFT = event_tags.SHIFT


def known(losses: list[float], shifts: list[float] | None = None, total: int = 1000) -> History:
    """A loss, and a shift, at steps 0, 10, 20, …"""
    history = History(total=total)
    for at, loss in enumerate(losses):
        history.add(10 * at, {"eval/loss": loss} | ({SHIFT: shifts[at]} if shifts else {}))
    return history


def rules(forgetting: Forgetting | None = None, **stopping: Any) -> TrainRecipe:
    return TrainRecipe(stopping=Stopping(**stopping), forgetting=forgetting or Forgetting())


def summarize(losses: list[float], **stopping: Any) -> stopping_rules.MetricSummary:
    return stopping_rules.summarize_metric(known(losses).series("eval/loss"), Stopping(**stopping))


def test_the_best_is_the_lowest_and_never_the_untrained_model() -> None:
    assert summarize([0.1, 3.0, 2.0, 2.5]) == stopping_rules.MetricSummary(best=(20, 2.0), stale=1)
    assert summarize([0.1, 3.0, 2.0, 2.5], greater_is_better=True).best == (10, 3.0)
    assert summarize([0.1]) == stopping_rules.MetricSummary(best=None, stale=0)


def test_small_improvements_are_best_but_do_not_reset_patience_until_they_add_up() -> None:
    assert summarize([9, 3.0, 2.9, 2.8], min_delta=0.5) == stopping_rules.MetricSummary(
        (30, 2.8), stale=2
    )
    assert summarize([9, 3.0, 2.7, 2.4], min_delta=0.5) == stopping_rules.MetricSummary(
        (30, 2.4), stale=0
    )


def test_a_value_that_is_no_number_is_no_improvement() -> None:
    assert summarize([9, math.nan, 2.0, math.nan, math.inf]) == stopping_rules.MetricSummary(
        (20, 2.0), stale=2
    )
    assert summarize(
        [9, math.nan, math.nan], greater_is_better=True
    ) == stopping_rules.MetricSummary(None, 2)
    assert summarize([9, math.inf, 1.0], greater_is_better=True) == stopping_rules.MetricSummary(
        (20, 1.0), 0
    )


def test_a_tie_is_no_improvement() -> None:
    assert summarize([9, 2.0, 2.0, 2.0]) == stopping_rules.MetricSummary((10, 2.0), stale=2)


@pytest.mark.parametrize(("patience", "ended"), [(0, ""), (2, "patience"), (3, "")])
def test_patience_ends_a_run(patience: int, ended: str) -> None:
    assert stopping_rules.ended(known([9, 2.0, 2.1, 2.2]), rules(patience=patience)) == ended


def test_the_budget_ends_a_run_only_where_it_is_asked_to() -> None:
    history = known([9, 2.0, 1.5], [0.0, 0.05, 0.11])
    assert stopping_rules.ended(history, rules()) == ""
    assert stopping_rules.ended(history, rules(Forgetting(stop=True))) == "budget"
    assert stopping_rules.ended(history, rules(Forgetting(stop=True, budget=0.2))) == ""
    # A stage may begin over the budget: nothing is gained by not training it at all.
    assert stopping_rules.ended(known([9], [0.4]), rules(Forgetting(stop=True))) == ""


def test_a_shift_that_is_no_number_is_over_any_budget() -> None:
    history = known([9, 2.0], [0.0, math.nan])
    assert stopping_rules.crossed(history, rules(Forgetting(budget=100))) == 10


def test_marks_say_what_is_on_disk() -> None:
    history = known([9, 2.0, 1.0, 1.5, 1.4], [0.0, 0.05, 0.2, 0.09, 0.3])
    assert stopping_rules.marks(history, rules(), {10, 30, 40}) == Marks(40, 30, 20)
    assert stopping_rules.marks(history, rules(), {10, 20}) == Marks(20, 10, 20)
    assert stopping_rules.marks(history, rules(), set()) == Marks(None, None, 20)
    # Where the run stops at its budget, a step over it is not what it may leave.
    assert stopping_rules.marks(history, rules(Forgetting(stop=True)), {10, 20, 30}).best == 30


@pytest.mark.parametrize(
    ("stopping", "step", "said"),
    [
        ({}, None, ""),
        ({"result": "best"}, 20, "kept step-20 weights, eval/loss 1.0000"),
        ({"patience": 1}, 20, "ended early at step 30: eval/loss did not improve for 1 "
         "evaluation; kept step-20 weights, eval/loss 1.0000"),
        ({"patience": 1, "result": "last"}, None, "ended early at step 30: eval/loss did not "
         "improve for 1 evaluation; kept the last weights"),
    ],
)  # fmt: skip
def test_what_a_run_leaves(stopping: dict[str, Any], step: int | None, said: str) -> None:
    history, recipe = known([9, 2.0, 1.0, 1.5]), rules(**stopping)
    marked = stopping_rules.marks(history, recipe, {10, 20, 30})
    assert stopping_rules.choose_result(history, recipe, marked) == (step, said)


@pytest.mark.parametrize(
    ("result", "step"), [("auto", 20), ("best", 10), ("last", None)], ids=str
)  # fmt: skip
def test_what_a_run_leaves_that_stopped_at_its_budget(result: str, step: int | None) -> None:
    history = known([9, 1.0, 1.5, 0.5], [0.0, 0.02, 0.05, 0.2])
    recipe = rules(Forgetting(stop=True), result=result)
    chosen, said = stopping_rules.choose_result(
        history, recipe, stopping_rules.marks(history, recipe, {10, 20, 30})
    )
    assert chosen == step
    assert said.startswith("ended at step 30: forgetting 0.2 > budget ")


def test_a_run_whose_patience_ends_with_its_last_step_did_not_stop_early() -> None:
    history, recipe = known([9, 1.0, 1.5], total=20), rules(patience=1, result="last")
    marked = stopping_rules.marks(history, recipe, {10, 20})
    assert marked.ended == "patience", "who gives it more is told"
    assert stopping_rules.choose_result(history, recipe, marked) == (None, "")


@pytest.mark.parametrize("metric", ["eval/los", "eval/perplexity"])
def test_a_metric_that_is_not_logged_is_named_with_those_that_are(metric: str) -> None:
    with pytest.raises(EngineError, match=metric) as caught:
        stopping_rules.check_metric(known([9]), rules(metric=metric))
    assert "eval/loss" in caught.value.detail
    assert "train/loss" in caught.value.detail


def test_where_no_row_is_held_out_the_metric_is_missed_only_by_who_needs_it() -> None:
    history = History()
    history.add(0, {SHIFT: 0.0})
    stopping_rules.check_metric(history, rules())
    with pytest.raises(EngineError) as caught:
        stopping_rules.check_metric(history, rules(patience=2))
    assert "data.eval" in caught.value.hint
    stopping_rules.check_metric(history, rules(patience=2, metric=SHIFT))


def test_a_train_tag_may_be_the_metric_from_the_first_step_on() -> None:
    history = History()
    history.add(0, {"eval/loss": 9.0})
    stopping_rules.check_metric(history, rules(metric="train/rewards"))
    history.logged = {"train/loss": 3.0}
    history.add(10, {"eval/loss": 8.0})
    stopping_rules.check_metric(history, rules(metric="train/loss"))
    with pytest.raises(EngineError, match="train/rewards"):
        stopping_rules.check_metric(history, rules(metric="train/rewards"))


def test_a_history_comes_back_from_a_checkpoint_as_it_was(tmp_path: Path) -> None:
    history = known([9, 2.5, 1 / 3], [0.0, 0.1, 1e-9])
    history.logged, history.pending = {"train/loss": 0.1 + 0.2}, True
    history.write(tmp_path)
    assert History.read(tmp_path) == history
    assert History.read(tmp_path / "of-an-older-finetop") == History()


def test_a_history_keeps_a_diverged_loss(tmp_path: Path) -> None:
    known([9, math.nan]).write(tmp_path)
    (_, first), (_, second) = History.read(tmp_path).rows
    assert first == {"eval/loss": 9.0}
    assert math.isnan(second["eval/loss"])
