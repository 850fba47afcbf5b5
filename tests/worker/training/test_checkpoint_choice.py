"""Which step keep_best chooses: by one half of the items, in its conditions; and what it says."""

import math

import pytest

from engine.errors import EngineError
from engine.impact.results.evaluation_results import NLL
from engine.impact.watched.keep_best import parse_keep_best
from engine.impact.watched.skill_log import SkillLog
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Forgetting, Stopping
from engine.worker.training.checkpoint_choice import (
    check_halves,
    check_rule,
    describe_changes,
    is_higher,
    rule_series,
)
from engine.worker.training.eval_history import History
from engine.worker.training.stopping_rules import (
    best_step,
    choose_result,
    ended,
    marks,
    should_save,
)
from tests.impact.watched.test_skill_log import make_log, make_suite

ITEMS = tuple(f"i{number}" for number in range(40))
SUITE = make_suite("facts", ITEMS)
CHOOSING, OTHERS = sorted(SUITE.half("selection")), sorted(SUITE.half("report"))


def answers(chosen: int, others: int) -> dict[str, float]:
    """So many right of the half that chooses, and so many of the other one."""
    right = {*CHOOSING[:chosen], *OTHERS[:others]}
    return {item: float(item in right) for item in ITEMS}


LOG = make_log(
    SUITE, at0=answers(10, 10), at4=answers(12, 2), at8=answers(11, 15), at12=answers(8, 8)
)


def make_history(log: SkillLog = LOG, **tags: list[float]) -> History:
    history = History(total=12, skills=log)
    for at, step in enumerate((0, 4, 8, 12)):
        history.add(step, {tag.replace("_", "/"): values[at] for tag, values in tags.items()})
    return history


def make_recipe(rule: str, **stopping: object) -> TrainRecipe:
    return TrainRecipe(stopping=Stopping(keep_best=rule, **stopping))  # type: ignore[arg-type]


LOSS = [4.0, 3.0, 2.0, 1.0]


def test_one_half_chooses_whatever_the_other_says() -> None:
    history = make_history(eval_loss=LOSS)
    assert best_step(history, make_recipe("facts")) == 4, "12 of its own, and 2 of the other half"
    assert best_step(history, make_recipe("min facts")) == 12
    assert best_step(history, make_recipe("eval/loss")) == 12, "a loss is better where it is less"
    assert best_step(history, make_recipe("max eval/loss")) == 4, "step 0 is no checkpoint"


@pytest.mark.parametrize(
    ("rule", "step"),
    [
        ("eval/loss subject to facts >= base", 8),
        ("eval/loss subject to facts >= base - 50%", 12),
        ("eval/loss subject to facts >= base and eval/loss >= 2.5", 4),
        ("eval/loss subject to eval/loss <= base - 1, facts >= base", 8),
        ("eval/loss subject to facts >= 99%", None),
    ],
)
def test_conditions_bound_the_choice(rule: str, step: int | None) -> None:
    history, recipe = make_history(eval_loss=LOSS), make_recipe(rule)
    assert best_step(history, recipe) == step
    marked = marks(history, recipe, saved=(4, 8, 12))
    assert marked.best == step
    chosen, sentence = choose_result(history, recipe, marked)
    assert chosen == step
    if step is None:
        assert sentence == "no checkpoint meets facts >= 99% (keep_best); kept the last weights"


def test_only_what_is_saved_can_be_chosen() -> None:
    history, recipe = make_history(eval_loss=LOSS), make_recipe("facts")
    assert marks(history, recipe, saved=(8, 12)).best == 8
    assert marks(history, recipe, saved=()).best is None


def test_a_better_step_is_saved_and_another_is_not() -> None:
    recipe = make_recipe("facts")
    history = make_history(eval_loss=LOSS)
    saves = []
    for length in range(1, 5):
        part = History(history.rows[:length], total=12, skills=LOG)
        saves.append(should_save(part, recipe))
    assert saves == [False, True, False, False]


def test_a_step_at_which_no_skill_was_measured_is_none_to_choose() -> None:
    log = make_log(SUITE, at0=answers(10, 10), at12=answers(2, 2))
    history = make_history(log, eval_loss=LOSS)
    series = dict(rule_series(history, parse_keep_best("facts")))
    assert [step for step, value in series.items() if math.isfinite(value)] == [12]
    assert best_step(history, make_recipe("facts")) == 12


def test_patience_follows_the_metric_and_the_rule_keeps_its_own() -> None:
    history = make_history(eval_loss=[4.0, 1.0, 2.0, 3.0])
    recipe = make_recipe("min facts", patience=2)
    assert ended(history, recipe) == "patience"
    assert best_step(history, recipe) == 12


def test_steps_over_a_budget_that_stops_the_run_are_not_chosen() -> None:
    history = make_history(eval_loss=LOSS)
    for step, values in history.rows:
        values["forget/nll_shift"] = 0.5 if step == 4 else 0.0
    recipe = make_recipe("facts")
    assert best_step(history, recipe) == 4
    stops = TrainRecipe(stopping=recipe.stopping, forgetting=Forgetting(stop=True))
    assert best_step(history, stops) == 8


def test_another_rule_chooses_as_if_it_had_been_there_always() -> None:
    history = make_history(eval_loss=LOSS)
    for rule, step in (("facts", 4), ("eval/loss", 12), ("min facts", 12)):
        assert best_step(history, make_recipe(rule)) == step


def test_both_halves_are_reported_with_n_and_interval() -> None:
    history, recipe = make_history(eval_loss=LOSS), make_recipe("facts")
    step, sentence = choose_result(history, recipe, marks(history, recipe, saved=(4, 8, 12)))
    assert step == 4
    others, choosing = len(OTHERS), len(CHOOSING)
    assert sentence.startswith(f"kept step-4 weights, facts {2 / others:.1%} (")
    assert f"n = {others}) on the half that did not choose it" in sentence
    assert sentence.endswith(f"n = {choosing}) on the other")
    assert f"{12 / choosing:.1%} (" in sentence
    (line,) = describe_changes(history, parse_keep_best("facts"), 4)
    lost, gained = 800 / others, 200 / choosing
    assert line.startswith(f"keep_best: facts -{lost:.1f} points (")
    assert f"{gained:+.1f} points (" in line


def test_texts_are_better_where_they_are_less_surprising() -> None:
    suite = make_suite("prose", ITEMS, NLL)
    tokens = dict.fromkeys(ITEMS, 10)
    log = make_log(
        suite, tokens, at0=dict.fromkeys(ITEMS, 20.0), at4=dict.fromkeys(ITEMS, 15.0),
        at8=dict.fromkeys(ITEMS, 25.0), at12=dict.fromkeys(ITEMS, 21.0),
    )  # fmt: skip
    history = make_history(log, eval_loss=LOSS)
    assert not is_higher(parse_keep_best("prose"), log)
    assert best_step(history, make_recipe("prose")) == 4
    assert best_step(history, make_recipe("eval/loss subject to prose <= base + 0.2")) == 12
    assert best_step(history, make_recipe("eval/loss subject to prose <= base + 0.05")) == 4
    (line,) = describe_changes(history, parse_keep_best("prose"), 4)
    assert line.startswith("keep_best: prose -0.500 nats/token (")


def test_a_name_that_is_not_measured_is_refused_at_the_first_evaluation() -> None:
    history = History(skills=LOG)
    history.add(0, {"eval/loss": 4.0})
    check_rule(history, parse_keep_best("facts subject to eval/loss <= base"), {"train/loss"})
    with pytest.raises(EngineError, match="'songs', which is not measured"):
        check_rule(history, parse_keep_best("songs"), set())
    with pytest.raises(EngineError, match="with the base, where it has no value"):
        check_rule(history, parse_keep_best("facts subject to train/loss <= base"), {"train/loss"})


def test_a_suite_of_one_half_chooses_nothing() -> None:
    one = make_log(make_suite("few", CHOOSING[:3]), at0={})
    with pytest.raises(EngineError, match="too few items for keep_best") as caught:
        check_halves(one, ["few", "eval/loss"])
    assert "3 of 3 items would choose" in caught.value.detail
    check_halves(LOG, ["facts", "eval/loss"])
