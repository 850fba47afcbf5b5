"""The items of a run's suites, encoded for its model, and how many of them it can afford.

A run keeps the items that it began with: they stand in `skills.jsonl`, and are taken from there
when it goes on. An item that the model cannot be asked, such as one longer than its context, is
left out and counted. Measures nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.compare.items import Item
from engine.errors import EngineError
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.results.evaluation_results import NLL, STRICT
from engine.impact.suites.suite_specs import SuiteSpec, format_suite, parse_suite
from engine.impact.watched.skill_log import WatchedSuite
from engine.impact.watched.watched_suites import ANSWERED, HELD_OUT, MeasuredItems, choose_items
from engine.recipes.settings import SkillEvaluation
from engine.worker.data.arrow import read_raw
from engine.worker.data.chat_template import plain_ids, render_prompt
from engine.worker.data.template_sandbox import Fault
from engine.worker.inference.choice_scores import encode_choices
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.shared_prefix import PrefixCase

SHARE = 0.04
"""Of the time of training that all measurements of skills may take, by the count of tokens."""
TRAINED = 2.5
"""Passes of a token that is trained on, forward and backward."""
READ = 2.0
"""Passes that a token costs which is read or weighed, its float32 logits too: 1.2 to 2.2 were
measured on the bundled model, whose vocabulary is most of it; of larger models it is about 1."""
DECODED = 6.0
"""Passes that a token of an answer may cost, which is computed beside those of other answers only:
1.5 to 4 were measured on a CPU, where most answers end before their limit. A GPU is less busy."""
GOOD_ITEMS = 50
"""Of each suite. Where a run can bear fewer at each evaluation, it measures at fewer of them: with
50 items the alarm finds a loss of 20 points, with 20 hardly any."""
LEAST_MEASUREMENTS = 3
"""Step 0 and the two in a row that an alarm needs."""
SLACK = 8
"""Tokens by which an answer that must equal the right one may be longer before it is cut."""

EncodedInput = PrefixCase | list[int]
"""A question with its choices; the ids of a prompt; those of a text that is read."""


@dataclass(frozen=True, slots=True)
class EncodedItem:
    item: Item
    ids: EncodedInput
    limit: int = 0
    """Tokens that its answer may have; 0 where none is asked for."""

    @property
    def cost(self) -> float:
        """Of measuring it once, in passes of one token."""
        if isinstance(self.ids, PrefixCase):
            case = self.ids  # nothing follows on the last token of an answer
            return READ * (len(case.context) + sum(len(tail) - 1 for tail in case.tails))
        return READ * len(self.ids) + DECODED * self.limit


@dataclass(frozen=True, slots=True)
class EncodedSuite:
    """A suite that is ready to be measured."""

    watched: WatchedSuite
    loaded_arm: LoadedArm
    items: tuple[EncodedItem, ...]
    notes: tuple[str, ...] = ()


def read_suite(
    spec: SuiteSpec,
    loaded_arm: LoadedArm,
    evaluation: SkillEvaluation,
    runs: Sequence[Path],
    own: Path,
) -> EncodedSuite:
    """The suite of a run that begins; `own` is the file of what it holds out.

    Raises EngineError where the suite cannot be read, or nothing of it can be measured.
    """
    if spec.ref == HELD_OUT and not own.is_file():
        raise EngineError(
            "There are no eval rows to measure.",
            f"evaluation.suites: {spec.name}",
            "Set data.eval, or data.eval_fraction above 0.",
        )
    chosen = choose_items(spec, runs, evaluation.limit, own, read_raw)
    most = spec.options.max_new_tokens or evaluation.max_new_tokens
    return _encode_suite(chosen, loaded_arm, most if chosen.measure in ANSWERED else 0)


def restore_suite(watched: WatchedSuite, loaded_arm: LoadedArm) -> EncodedSuite:
    """The suite of a run that goes on, with the items that it began with. Raises EngineError."""
    spec = parse_suite(watched.spec)
    chosen = MeasuredItems(spec, watched.measure, watched.items)
    return _encode_suite(chosen, loaded_arm, watched.max_new_tokens)


def fit_to_run(
    suites: Sequence[EncodedSuite], training_tokens: float, evaluations: int
) -> list[EncodedSuite]:
    """The suites with as many items, and at as many evaluations, as the run can bear; those whose
    limit was set by hand with all of them."""
    fixed = [bool(parse_suite(suite.watched.spec).options.limit) for suite in suites]
    costs = [[one.cost for one in suite.items] for suite in suites]
    open_ones = [each for each, is_fixed in zip(costs, fixed, strict=True) if not is_fixed]
    if not open_ones:
        return list(suites)
    spent = sum(sum(each) for each, is_fixed in zip(costs, fixed, strict=True) if is_fixed)
    number, every = afford(open_ones, training_tokens, evaluations, spent)
    return [
        take(suite, len(suite.items) if is_fixed else number, every)
        for suite, is_fixed in zip(suites, fixed, strict=True)
    ]


def afford(
    costs: Sequence[Sequence[float]],
    training_tokens: float,
    evaluations: int,
    spent: float = 0.0,
) -> tuple[int, int]:
    """How many items of each suite so short a run can bear, and at each how many evaluations it
    measures them: 1 at every one, 2 at every other.

    `costs` are those of the items of each suite, `spent` what is measured each time beside them.
    Not fewer items than a verdict needs: of a very
    short run they take more than their share.
    """
    budget = SHARE * TRAINED * training_tokens
    most, looks = max(map(len, costs)), max(1, evaluations)
    while True:
        every = -(-max(1, evaluations) // looks)
        number = _count_within(costs, budget / (1 + looks) - spent)
        if number >= min(GOOD_ITEMS, most) or looks < LEAST_MEASUREMENTS:
            return max(number, min(LEAST_ITEMS, most)), every
        looks -= 1


def _count_within(costs: Sequence[Sequence[float]], budget: float) -> int:
    """How many items of each suite cost so much together."""
    number, spent = 0, 0.0
    for number in range(max(map(len, costs))):
        spent += sum(each[number] for each in costs if number < len(each))
        if spent > budget:
            return number
    return number + 1


def estimate_share(
    suites: Sequence[EncodedSuite], training_tokens: float, evaluations: int
) -> float:
    """Of the time of training, what all measurements of these suites take, by their tokens."""
    each = sum(one.cost for suite in suites for one in suite.items)
    measurements = 1 + -(-max(1, evaluations) // suites[0].watched.every)
    return each * measurements / max(1.0, TRAINED * training_tokens)


def take(suite: EncodedSuite, number: int, every: int) -> EncodedSuite:
    """The first so many items of a suite, at one in `every` evaluations."""
    items = suite.items[:number]
    watched = replace(suite.watched, items=tuple(one.item for one in items), every=every)
    return replace(suite, watched=watched, items=items)


def _encode_suite(chosen: MeasuredItems, loaded_arm: LoadedArm, most: int) -> EncodedSuite:
    spec, measure = chosen.spec, chosen.measure
    if spec.options.template == "raw":
        raw = replace(loaded_arm.arm, form="raw")
        loaded_arm = replace(loaded_arm, arm=raw, template=None)
    encode = _encoder(measure, loaded_arm, most)
    items: list[EncodedItem] = []
    reasons: list[str] = []
    for item in chosen.items:
        try:
            items.append(encode(item))
        except EngineError as error:
            reasons.append(f"{item.id}: {error.line}")
    if not items:
        raise EngineError("No item of the suite can be measured.", f"{spec.name}: {reasons[0]}")
    notes = list(chosen.notes)
    if reasons:
        notes.append(f"items left out: {len(reasons):,}, the first of them {reasons[0]}")
    measured = tuple(one.item for one in items)
    watched = WatchedSuite(spec.name, format_suite(spec), measure, measured, most)
    return EncodedSuite(watched, loaded_arm, tuple(items), tuple(notes))


def _encoder(measure: str, loaded_arm: LoadedArm, most: int) -> Callable[[Item], EncodedItem]:
    """What encodes an item for a measure; it raises EngineError."""
    context = loaded_arm.model.context
    tokenizer = loaded_arm.tokenizer

    def check(tokens: int, ids: Sequence[int], item: Item) -> None:
        if tokens > context:
            raise EngineError("It is longer than the context.", f"{tokens} tokens of {context}")
        loaded_arm.check_ids(ids, item.id)

    def encode_text(item: Item) -> EncodedItem:
        ids = plain_ids(item.text, tokenizer)
        loaded_arm.check_ids(ids, item.id)  # a longer one is read window by window
        if len(ids) < 2:
            raise EngineError("Nothing of it is predicted.", "a text of one token")
        return EncodedItem(item, ids)

    def encode_answers(item: Item) -> EncodedItem:
        return EncodedItem(item, encode_choices(loaded_arm, weighed(item)))

    def encode_question(item: Item) -> EncodedItem:
        ids = _prompt_ids(item, loaded_arm)
        check(len(ids) + 1, ids, item)
        enough = _enough_for(item, tokenizer, most) if measure == STRICT else most
        limit = min(most, enough, context - len(ids))
        return EncodedItem(item, ids, limit)

    if measure in ANSWERED:
        return encode_question
    return encode_text if measure == NLL else encode_answers


def weighed(item: Item) -> Item:
    """An item whose choices are weighed: of one without choices its answer alone."""
    return item if item.choices else replace(item, choices=(item.reference,))


def _prompt_ids(item: Item, loaded_arm: LoadedArm) -> list[int]:
    """As training encodes what stands before an answer. Raises EngineError."""
    template, tokenizer = loaded_arm.template, loaded_arm.tokenizer
    if template is None:
        return render_prompt(item.messages, tokenizer, "raw")
    try:
        text = template.render(item.messages, tokenizer, answer_next=True, tools=item.tools)
    except Fault as error:
        raise EngineError("The chat template rejects it.", error.reason) from error
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _enough_for(item: Item, tokenizer: Any, most: int) -> int:
    """Tokens after which an answer that is compared as a whole can no longer be right."""
    if item.score != "exact":
        return most
    longest = max(len(tokenizer(gold, add_special_tokens=False)["input_ids"]) for gold in item.gold)
    return longest + SLACK
