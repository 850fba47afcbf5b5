"""Skills while training: suites that are measured at each evaluation, before the first step too.

Choices and right answers are weighed by likelihood, texts are read, all else is answered greedily.
Writes what each item came to into `skills.jsonl`, all suites of a step at once, and gives the
scores as scalars. What follows from them is for `stopping_rules` and `engine.impact` to say.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.compare import checks
from engine.compare.arms import Arm
from engine.events.event_tags import SKILL, SKILL_NLL
from engine.impact.results.evaluation_results import GOLD_NLL, LIKELIHOOD_NORM, NLL
from engine.impact.scores.answer_scores import score_answers
from engine.impact.watched.skill_log import SkillLog, WatchedSuite, read_skill_log, result_line
from engine.impact.watched.watched_suites import ANSWERED, list_watched
from engine.jobs.store import open_store
from engine.number_format import write_number, write_percent
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Decode, SkillEvaluation
from engine.text import one_line
from engine.worker.attempt import Attempt, Stopped
from engine.worker.inference.choice_scores import score_choices
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import LoadedArm, SharedModel
from engine.worker.inference.shared_prefix import PrefixCase
from engine.worker.inference.text_likelihood import read_texts
from engine.worker.training import eval_samples
from engine.worker.training.callback import spread
from engine.worker.training.eval_history import History
from engine.worker.training.evaluator import Tick, no_tick
from engine.worker.training.forgetting import count_training_tokens
from engine.worker.training.setup import TrainingSetup
from engine.worker.training.skill_items import (
    EncodedItem,
    EncodedSuite,
    estimate_share,
    fit_to_run,
    read_suite,
    restore_suite,
    weighed,
)

ROWS = 64
"""Answers of a batch at most."""
BATCH_BYTES = 1 << 28
"""That their keys, values and logits may take."""


@dataclass(slots=True)
class SuiteValues:
    """What one suite came to at a step; all by item id."""

    values: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    picked: dict[str, str] = field(default_factory=dict)
    """The choice that was likeliest, or that the answer names; empty where it is none."""
    cut: dict[str, str] = field(default_factory=dict)
    """Of answers that did not end: `length`."""


class SkillEvaluator:
    """An evaluator of `eval/skill/NAME`, the share of right answers, and `eval/skill_nll/NAME`."""

    activity = "measuring skills"

    def __init__(
        self,
        attempt: Attempt,
        suites: Sequence[EncodedSuite],
        log: SkillLog,
        is_due: Callable[[int], bool] = lambda step: True,
    ) -> None:
        self._attempt = attempt
        self._is_due = is_due
        self._suites = suites
        self.log = log
        """What was measured until now."""
        self._began, self._spent = time.monotonic(), 0.0

    def measure(self, step: int, tick: Tick = no_tick) -> dict[str, float]:
        """The score of each suite, at the evaluations that the run can bear. Raises Stopped between
        batches and tokens, with nothing written."""
        if not self._is_due(step):
            return {}
        started = time.monotonic()
        total, before = sum(len(suite.items) for suite in self._suites), 0

        def advance(done: int) -> None:
            if self._attempt.stop_requested():
                raise Stopped
            tick(before + done, total)

        lines = []
        for suite in self._suites:
            advance(0)
            found = _measure(suite, advance)
            lines.append(
                result_line(
                    suite.watched.name, step, found.values,
                    tokens=found.tokens, picked=found.picked, finish=found.cut,
                )
            )  # fmt: skip
            before += len(suite.items)
        eval_samples.append(self._attempt.directory.skills, lines)
        for line in lines:
            self.log.add(line)
        self._spent += time.monotonic() - started
        self._report(step, time.monotonic() - started)
        return {
            tag_of(suite.watched): self.log.score(suite.watched.name, step)
            for suite in self._suites
        }

    def _report(self, step: int, seconds: float) -> None:
        scores = ", ".join(self._describe(suite.watched, step) for suite in self._suites)
        share = self._spent / max(time.monotonic() - self._began, 1e-9)
        self._attempt.log(
            f"step {step}: skills {scores}, {seconds:.2f} s, "
            f"{write_percent(share, 1)} of the time since the start"
        )

    def _describe(self, suite: WatchedSuite, step: int) -> str:
        score, items = self.log.score(suite.name, step), len(suite.items)
        if suite.less_is_better:
            return f"{one_line(suite.name)} {write_number(score, 3)} nats/token of {items}"
        return f"{one_line(suite.name)} {write_percent(score, 1)} of {items}"


def skill_evaluator(setup: TrainingSetup, history: History) -> SkillEvaluator | None:
    """The evaluator that a recipe wants; None where it names no suite. It begins or goes on as the
    history does.

    A run that goes on measures the items that it began with. Raises EngineError.
    """
    attempt, evaluation = setup.attempt, setup.recipe.evaluation
    specs = list_watched(evaluation)
    if not specs:
        return None
    loaded_arm, path = _arm_of(setup), attempt.directory.skills
    log = read_skill_log(path) if setup.resumed else SkillLog()
    if log.suites.keys() >= {spec.name for spec in specs}:
        suites = [restore_suite(log.suites[spec.name], loaded_arm) for spec in specs]
        every = log.suites[specs[0].name].every
        return SkillEvaluator(attempt, suites, log, _due(history, setup.recipe, every))
    if setup.resumed:
        attempt.log("skills.jsonl is missing: skills are not compared with step 0")
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    own = attempt.directory.held_out
    suites = [read_suite(spec, loaded_arm, evaluation, runs, own) for spec in specs]
    tokens = count_training_tokens(setup.recipe, setup.data.train)
    evaluations = setup.recipe.training.evaluations
    if evaluation.limit == SkillEvaluation().limit:
        suites = fit_to_run(suites, tokens, evaluations)
    path.unlink(missing_ok=True)  # of an attempt that saved nothing
    lines = [suite.watched.to_line() for suite in suites]
    eval_samples.append(path, lines)
    log = SkillLog()
    for line in lines:
        log.add(line)
    for suite in suites:
        for note in suite.notes:
            attempt.log(f"suite {one_line(suite.watched.name)}: {one_line(note)}")
    base = setup.stage.lineage.parent or setup.stage.lineage.root
    every = suites[0].watched.every
    share = estimate_share(suites, tokens, evaluations)
    looks = "each evaluation" if every == 1 else f"one in {every} evaluations"
    attempt.log(
        f"skills are measured at {looks} and compared with {base}: "
        + ", ".join(f"{len(one.items)} of {one_line(one.watched.name)}" for one in suites)
        + f"; at most about {write_percent(share, 1)} of the time of training"
    )
    return SkillEvaluator(attempt, suites, log, _due(history, setup.recipe, every))


def _due(history: History, recipe: TrainRecipe, every: int) -> Callable[[int], bool]:
    """Whether a step is measured: the first, the last, and so many evaluations before it each."""

    def is_due(step: int) -> bool:
        total = history.total
        planned = sorted(spread(total, recipe.training.evaluations) | {total}, reverse=True)
        return step == 0 or step not in planned or planned.index(step) % every == 0

    return is_due


def tag_of(suite: WatchedSuite) -> str:
    """The tag of a suite's curve."""
    return (SKILL_NLL if suite.less_is_better else SKILL) + suite.name


def _arm_of(setup: TrainingSetup) -> LoadedArm:
    """The model as it is trained, with the template of the training."""
    model = setup.model
    active = model.active_adapters if hasattr(model, "peft_config") else []
    adapter = active[0] if active else None
    return LoadedArm(Arm("now", ""), SharedModel(model), setup.tokenizer, setup.template, adapter)


def _measure(suite: EncodedSuite, advance: Callable[[int], None]) -> SuiteValues:
    measure = suite.watched.measure
    if measure == NLL:
        return _read(suite, advance)
    if measure in ANSWERED:
        return _answer(suite, advance)
    return _weigh(suite, advance)


def _read(suite: EncodedSuite, advance: Callable[[int], None]) -> SuiteValues:
    texts = {one.item.id: one.item.text for one in suite.items}
    read = read_texts(suite.loaded_arm, texts, lambda done: advance(min(done, len(texts))))
    return SuiteValues(dict(read.nll), dict(read.tokens))


def _weigh(suite: EncodedSuite, advance: Callable[[int], None]) -> SuiteValues:
    cases = [one.ids for one in suite.items if isinstance(one.ids, PrefixCase)]
    items = [weighed(one.item) for one in suite.items]
    found, measure = SuiteValues(), suite.watched.measure
    scores = score_choices(suite.loaded_arm, items, cases, advance)
    for item, score in zip(items, scores, strict=True):
        if measure == GOLD_NLL:
            found.values[item.id], found.tokens[item.id] = -score.sums[0], score.tokens[0]
            continue
        by_length = measure == LIKELIHOOD_NORM
        likeliest = score.likeliest_by_length if by_length else score.likeliest
        picked = "" if likeliest is None else item.choices[likeliest]
        found.values[item.id] = float(picked in item.gold)
        found.picked[item.id] = picked
    return found


def _answer(suite: EncodedSuite, advance: Callable[[int], None]) -> SuiteValues:
    """Greedy answers, those of like length together; each is cut at its own limit."""
    found, done = SuiteValues(), 0
    for batch in _batches(suite):
        prompts = [one.ids for one in batch if isinstance(one.ids, list)]
        limit = max(one.limit for one in batch)
        answers = BatchDecoder(suite.loaded_arm, prompts, Decode(max_new_tokens=limit))
        for answer, one in zip(answers.answers, batch, strict=True):
            answer.limit = min(answer.limit, one.limit)
        ended = 0
        while not answers.done:
            advance(done + ended)
            ended += len(answers.step())
        for at, one in enumerate(batch):
            item = one.item
            sample = answers.sample(at, item.id, item.messages, "now", item.tools)
            scores = score_answers(item, sample.text, sample.parts)
            found.values[item.id] = scores[suite.watched.measure]
            if item.score == "choices":
                found.picked[item.id] = checks.named_choice(item, sample.text)
            if sample.finish == "length":
                found.cut[item.id] = "length"
        done += len(batch)
    advance(done)
    return found


def _batches(suite: EncodedSuite) -> list[list[EncodedItem]]:
    def length(one: EncodedItem) -> int:
        assert isinstance(one.ids, list), "questions that are answered have a prompt"
        return len(one.ids) + one.limit

    left = sorted(suite.items, key=lambda one: -length(one))
    batches = []
    while left:
        fitting = BATCH_BYTES // suite.loaded_arm.model.answer_size(length(left[0]))
        rows = max(1, min(ROWS, fitting))
        batches.append(left[:rows])
        left = left[rows:]
    return batches
