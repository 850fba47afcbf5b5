"""What follows from what was measured: the best step, patience, the budget, which weights to leave.

Pure functions of the history, the recipe and the checkpoints there are: whoever resumes, also with
other rules, decides as a run that never stopped would.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from engine.errors import EngineError
from engine.events.event_tags import EVAL_LOSS, SHIFT, TRAIN_TAGS
from engine.impact.watched.skill_alarms import SkillAlarm, find_alarms
from engine.impact.watched.watched_suites import parse_rule
from engine.number_format import write_number
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Stopping
from engine.worker.training.checkpoint_choice import (
    check_rule,
    describe_choice,
    is_higher,
    rule_series,
)
from engine.worker.training.checkpoints import Marks
from engine.worker.training.eval_history import History, Series


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """What the evaluations of a metric say."""

    best: tuple[int, float] | None
    """Step and value; step 0, before any training, does not count."""
    stale: int
    """Evaluations since the last one that improved enough."""


def summarize_metric(series: Series, stopping: Stopping) -> MetricSummary:
    """The best step, and how long ago the metric last improved by `min_delta`.

    A slow but steady improvement counts once it adds up to that. A value that is not a number is
    no improvement.
    """
    sign = -1.0 if stopping.greater_is_better else 1.0
    best: tuple[int, float] | None = None
    bar, stale = math.inf, 0
    for step, value in series:
        if step == 0:
            continue
        score = sign * value if math.isfinite(value) else math.inf
        if score < math.inf and (best is None or score < sign * best[1]):
            best = (step, value)
        if score < bar and bar - score >= stopping.min_delta:
            bar, stale = score, 0
        else:
            stale += 1
    return MetricSummary(best, stale)


def metric_summary(history: History, recipe: TrainRecipe) -> MetricSummary:
    """Of a recipe's own metric. Where the run stops at its budget, no step over it is best."""
    series = history.series(recipe.stopping.metric)
    if recipe.forgetting.stop:
        over = _over(history, recipe)
        series = [(step, math.nan if step in over else value) for step, value in series]
    return summarize_metric(series, recipe.stopping)


def best_step(history: History, recipe: TrainRecipe) -> int | None:
    """The best evaluated step: by `keep_best` where the recipe has it, else by its metric. None
    where there is none, as where no step meets the conditions of `keep_best`."""
    rule = parse_rule(recipe.stopping)
    if rule is None:
        best = metric_summary(history, recipe).best
        return best[0] if best else None
    over = _over(history, recipe) if recipe.forgetting.stop else set()
    sign = 1.0 if is_higher(rule, history.skills) else -1.0
    candidates = [
        (sign * value, -step)
        for step, value in rule_series(history, rule)
        if math.isfinite(value) and step not in over
    ]
    return -max(candidates)[1] if candidates else None


def crossed(history: History, recipe: TrainRecipe) -> int | None:
    """The first step that was over the budget."""
    return min(_over(history, recipe), default=None)


def alarm(history: History, recipe: TrainRecipe) -> str:
    """The sentence on the first step over the budget; empty where there is none."""
    step = crossed(history, recipe)
    if step is None:
        return ""
    shift, budget = dict(history.series(SHIFT))[step], recipe.forgetting.budget
    amount = write_number(shift, 3, signed=True)
    return (
        f"forgetting {amount} nats/token at step {step}, above the budget of "
        f"{write_number(budget, 3)}"
    )


def skill_alarms(history: History, recipe: TrainRecipe) -> list[SkillAlarm]:
    """The first alarm of each skill. Texts are held against the budget of forgetting."""
    return find_alarms(history.skills, recipe.forgetting.budget)


def ended(history: History, recipe: TrainRecipe) -> str:
    """Why the run ends early where it is: "patience", "budget", or "" where it goes on."""
    stopping = recipe.stopping
    if recipe.forgetting.stop and history.last > 0 and history.last in _over(history, recipe):
        return "budget"
    if stopping.patience and metric_summary(history, recipe).stale >= stopping.patience:
        return "patience"
    return ""


def should_save(history: History, recipe: TrainRecipe) -> bool:
    """Whether the step that was measured last may be what the run leaves, or ends it."""
    wanted = recipe.stopping.patience or recipe.stopping.wants_best
    improved = bool(wanted) and history.last > 0 and best_step(history, recipe) == history.last
    return improved or recipe.forgetting.stop or bool(ended(history, recipe))


def marks(history: History, recipe: TrainRecipe, saved: Collection[int]) -> Marks:
    """What to know of the checkpoints of the steps in `saved`."""
    over = _over(history, recipe)
    base = [row for row in history.rows if row[0] == 0]
    known = History([row for row in history.rows if row[0] in saved], skills=history.skills)
    measured = replace(known, rows=[*base, *known.rows])
    inside = [step for step, _ in known.series(SHIFT) if step not in over]
    return Marks(
        best=best_step(measured, recipe),
        within_budget=max(inside, default=None),
        crossed_at=crossed(history, recipe),
        ended=ended(history, recipe),
        lost={alarm.skill: alarm.step for alarm in skill_alarms(history, recipe)},
    )


def choose_result(history: History, recipe: TrainRecipe, marked: Marks) -> tuple[int | None, str]:
    """The step whose weights the run leaves, and a sentence on why it ended and what it left.

    None: the weights it has. The sentence is empty where it ended as planned with its last ones.
    """
    stopping, metric = recipe.stopping, recipe.stopping.metric
    why = ""
    step = marked.best if stopping.wants_best else None
    early = history.last < history.total
    if marked.ended == "patience" and early:
        stale = metric_summary(history, recipe).stale
        why = f"ended early at step {history.last}: {metric} did not improve for {stale} "
        why += "evaluation" if stale == 1 else "evaluations"
    elif marked.ended == "budget":
        shift = dict(history.series(SHIFT))[history.last]
        amount = "NaN" if math.isnan(shift) else f"{shift:.3g}"
        why = f"ended at step {history.last}: forgetting {amount} > budget "
        why += f"{recipe.forgetting.budget:g}"
        if stopping.result != "last" and step is None:
            step = marked.within_budget
    rule = parse_rule(stopping)
    if rule is not None and stopping.wants_best and marked.best is None:
        unmet = f"no checkpoint meets {rule.subject}" if rule.conditions else "none was measured"
        why = f"{why}; {unmet}" if why else f"{unmet} (keep_best)"
        if step is None:
            return None, f"{why}; kept the last weights"
    if rule is not None and step is not None and step == marked.best:
        sentence = f"kept step-{step} weights, {describe_choice(history, rule, step)}"
        return step, f"{why}; {sentence}" if why else sentence
    if step is not None:
        value = dict(history.series(metric)).get(step, math.nan)
        sentence = f"kept step-{step} weights"
        sentence += f", {metric} {write_number(value, 4)}" if math.isfinite(value) else ""
        return step, f"{why}; {sentence}" if why else sentence
    return None, f"{why}; kept the last weights" if why else ""


def check_metric(history: History, recipe: TrainRecipe) -> None:
    """Raise EngineError where the metric of the recipe, or what its `keep_best` names, is not among
    what is logged.

    To be asked after the first evaluation; a train tag is there from the first step on. A metric
    that nothing depends on and that nobody chose may be absent.
    """
    stopping = recipe.stopping
    rule = parse_rule(stopping)
    if rule is not None:
        check_rule(history, rule, set(TRAIN_TAGS))
    step = history.last
    values = {tag for _, row in history.rows for tag in row}  # skills may come at fewer steps
    late = step == 0 and stopping.metric.startswith("train/")
    needed = stopping.patience > 0 or (stopping.result == "best" and rule is None)
    if stopping.metric in values or late or not (needed or stopping.metric != Stopping().metric):
        return
    tags = sorted({*values, *TRAIN_TAGS})
    no_rows = stopping.metric.startswith("eval/") and EVAL_LOSS not in values
    raise EngineError(
        f"The stopping metric {stopping.metric!r} is not logged.",
        f"stopping.metric; logged: {', '.join(tags)}",
        "There are no eval rows: set data.eval, or data.eval_fraction above 0."
        if no_rows
        else "Set stopping.metric to one of these tags.",
    )


def _over(history: History, recipe: TrainRecipe) -> set[int]:
    """The steps over the budget. A shift that is not a number is over any."""
    budget = recipe.forgetting.budget
    return {step for step, shift in history.series(SHIFT) if not shift <= budget}
