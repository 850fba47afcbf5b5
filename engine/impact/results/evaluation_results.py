"""`results.json` of an evaluation, read: what was measured of each arm, item by item.

Version 2 keeps every measure of a suite apart; version 1, which knew one score an item and the
labels of one data set, is read as the same. Owns the names of the measures. Refuses to compute:
what follows from the values is for the table, the classification and the forgetting matrix.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from engine.impact.results.result_fields import (
    read_asked,
    read_counts,
    read_table,
    read_text,
    read_text_table,
    read_texts,
    read_values,
    read_weight,
)

SCHEMA = 2

STRICT = "strict"
"""The item's own score of the first answer, which is greedy: 1 right, 0 wrong."""
FLEXIBLE = "flexible"
"""Whether a right answer is found anywhere in what the answer says: 1 or 0."""
LIKELIHOOD = "likelihood"
"""Whether a right choice is the likeliest one, by the sum of its log-probabilities: 1 or 0."""
LIKELIHOOD_NORM = "likelihood_norm"
"""The same by the mean over the characters of each choice."""
GOLD_NLL = "gold_nll"
"""Of the likeliest right answer, in nats per token; less is better."""
NLL = "nll"
"""Of a text that is read, its sum in nats; less is better. `tokens` and `bytes` belong to it."""
LESS_IS_BETTER = frozenset((GOLD_NLL, NLL))

SERVER = "server"
"""The `template` of `ArmSuite.asked` where a server applied its own, which nobody here knows."""

Seen = Literal["question", "answer"]
"""Whether an item stands in the training rows of an arm or of its ancestors, and which part."""
Finish = Literal["stop", "length"]
Control = Literal["identity", "null"]
"""An arm that is measured once more, anew and in other batches; an arm whose adapter has a random
change of the same norms in place of its own."""
CONTROLS: tuple[Control, ...] = get_args(Control)


@dataclass(frozen=True, slots=True)
class SuiteItem:
    """What is known of one item without any arm."""

    prompt: str
    """Its last question, or the text that is read."""
    gold: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    group: str = ""
    """Items that share one are no independent observations; empty: a group of its own."""
    weight: float = 1.0
    score: str = "open"
    """How its answers are scored, as `engine.compare.items.Scoring`."""
    digest: str = ""
    """Of all that it asks and how, also what is not here, as its system message and its tools;
    empty where that is not known."""


@dataclass(frozen=True, slots=True)
class SuiteFacts:
    """One suite, which is one skill."""

    name: str
    items: Mapping[str, SuiteItem] = field(hash=False)
    """By id, in the order of the file."""
    measure: str = STRICT
    """The one that is the skill's score."""
    digest: str = ""
    """SHA-256 of the items, by which an edited suite is noticed; empty in version 1."""
    notes: tuple[str, ...] = ()
    """What should be known of its items before the numbers are read, a sentence each."""

    def to_json(self) -> dict[str, Any]:
        """As `results.json` has it."""
        items = {}
        for name, item in self.items.items():
            table = dataclasses.asdict(item)
            usual = {
                "group": "",
                "weight": 1.0,
                "score": "open",
                "gold": (),
                "choices": (),
                "digest": "",
            }
            items[name] = {key: one for key, one in table.items() if usual.get(key) != one}
        return {
            "measure": self.measure,
            "digest": self.digest,
            "notes": list(self.notes),
            "items": items,
        }

    @property
    def choices(self) -> int:
        """Choices of every item, where all have the same number; else 0: chance is not known."""
        counts = {len(item.choices) for item in self.items.values()}
        return counts.pop() if len(counts) == 1 else 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The choices that all items share: the suite is a classification; else none. A choice
        that is there twice is no label."""
        each = {tuple(sorted(item.choices)) for item in self.items.values()}
        labels = each.pop() if len(each) == 1 else ()
        return labels if len(set(labels)) == len(labels) else ()


@dataclass(frozen=True, slots=True)
class ArmSuite:
    """What was measured of one arm on one suite. All mappings are by item id."""

    measures: Mapping[str, Mapping[str, float]] = field(hash=False)
    """By measure; an item that a measure does not apply to is left out. Not finite: diverged."""
    asked: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """How: fewshot, template (own or raw), template_hash, decode, samples."""
    tokens: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Predicted, of texts that are read."""
    bytes: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Of those texts, in UTF-8."""
    finish: Mapping[str, Finish] = field(default_factory=dict, hash=False)
    """Of the first answer: `length` was cut, and its score is that of a part."""
    picked: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    """By `likelihood` and `strict`: the choice that the arm made; empty: none of them."""
    seen: Mapping[str, Seen] | None = None
    """None: its training rows are not known. An item that is not there was not seen."""
    notes: tuple[str, ...] = ()
    """What should be known before the numbers are read, a sentence each."""
    lost_at: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Items that were right before the run of this arm, with the step at which two of the run's own
    evaluations found them lost."""
    not_measured: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By measure, why this arm cannot have it: of an endpoint there are no likelihoods."""

    @property
    def is_perplexity(self) -> bool:
        return NLL in self.measures

    def to_json(self) -> dict[str, Any]:
        """As `results.json` has it: what is not finite is null, and what is empty is left out."""
        measures = {
            measure: {item: value if math.isfinite(value) else None for item, value in one.items()}
            for measure, one in self.measures.items()
        }
        more = {
            "tokens": dict(self.tokens),
            "bytes": dict(self.bytes),
            "finish": dict(self.finish),
            "picked": {way: dict(picked) for way, picked in self.picked.items()},
            "notes": list(self.notes),
            "lost_at": dict(self.lost_at),
            "not_measured": dict(self.not_measured),
        }
        return {
            "asked": dict(self.asked),
            "measures": measures,
            "seen": None if self.seen is None else dict(self.seen),
            **{name: value for name, value in more.items() if value},
        }


@dataclass(frozen=True, slots=True)
class ArmResults:
    name: str
    spec: str
    """The arm in the grammar of `engine.compare.arms`."""
    suites: Mapping[str, ArmSuite] = field(hash=False)
    parent: str = ""
    """The arm that this stage was trained from; empty: the first arm is its base."""
    trained: tuple[str, ...] = ()
    """Suites that the stage itself was trained on."""
    notes: tuple[str, ...] = ()
    """What is known of its training rows, and what is not, a sentence each."""
    control: Control | None = None
    """None: an arm that somebody wants to compare."""
    of: str = ""
    """The arm that it is a control of."""


@dataclass(frozen=True, slots=True)
class EvaluationResults:
    arms: Mapping[str, ArmResults] = field(hash=False)
    """In the order in which they were named, the base first. No control is among them, so that no
    table takes one for an arm."""
    suites: Mapping[str, SuiteFacts] = field(hash=False)
    controls: Mapping[str, ArmResults] = field(default_factory=dict, hash=False)
    """What was measured to judge the measuring itself, as `engine.impact.changes.controls` reads
    it: an arm a second time, and null adapters."""


def read_results(table: Mapping[str, Any]) -> EvaluationResults:
    """The results of a parsed `results.json`. Raises ValueError where it is none."""
    try:
        if table["schema"] == 1:
            return _read_version_1(table)
        if table["schema"] != SCHEMA:
            raise ValueError(f"schema {table['schema']!r} is not known")
        suites = {name: _read_facts(name, one) for name, one in table["suites"].items()}
        every = {name: _read_arm(name, one) for name, one in table["arms"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no results of an evaluation: {error!r}") from error
    arms = {name: arm for name, arm in every.items() if arm.control is None}
    return EvaluationResults(arms, suites, {k: v for k, v in every.items() if k not in arms})


def _read_facts(name: str, table: Mapping[str, Any]) -> SuiteFacts:
    items = {
        item: SuiteItem(
            read_text(one["prompt"], "a prompt"),
            read_texts(one.get("gold", ()), "the gold"),
            read_texts(one.get("choices", ()), "the choices"),
            read_text(one.get("group", ""), "a group"),
            read_weight(one.get("weight", 1.0), "a weight"),
            read_text(one.get("score", "open"), "the scoring"),
            read_text(one.get("digest", ""), "the digest"),
        )
        for item, one in read_table(table["items"], "the items").items()
    }
    return SuiteFacts(
        name,
        items,
        read_text(table["measure"], "the measure"),
        read_text(table.get("digest", ""), "the digest"),
        read_texts(table.get("notes", ()), "the notes"),
    )


def _read_arm(name: str, table: Mapping[str, Any]) -> ArmResults:
    suites = {suite: _read_arm_suite(one) for suite, one in table["suites"].items()}
    return ArmResults(
        name,
        read_text(table["arm"], "an arm"),
        suites,
        read_text(table.get("parent", ""), "a parent"),
        read_texts(table.get("trained", ()), "what was trained on"),
        read_texts(table.get("notes", ()), "the notes"),
        _read_control(table.get("control")),
        read_text(table.get("of", ""), "the arm of a control"),
    )


def _read_control(value: object) -> Control | None:
    if value is not None and value not in CONTROLS:
        raise ValueError("a control is of no known kind")
    return value


def _read_arm_suite(table: Mapping[str, Any]) -> ArmSuite:
    seen = table.get("seen")
    picked = read_table(table.get("picked", {}), "the picks")
    finish = read_text_table(table.get("finish", {}), "the ends")
    return ArmSuite(
        {measure: read_values(values, measure) for measure, values in table["measures"].items()},
        read_asked(table.get("asked", {}), "how it was asked"),
        read_counts(table.get("tokens", {}), "the tokens"),
        read_counts(table.get("bytes", {}), "the bytes"),
        cast(Mapping[str, Finish], finish),
        {way: read_text_table(one, "the picks") for way, one in picked.items()},
        None if seen is None else cast(Mapping[str, Seen], read_text_table(seen, "what was seen")),
        read_texts(table.get("notes", ()), "the notes"),
        read_counts(table.get("lost_at", {}), "the steps"),
        read_text_table(table.get("not_measured", {}), "what was not measured"),
    )


_LABELS = "labels"


def _read_version_1(table: Mapping[str, Any]) -> EvaluationResults:
    facts: dict[str, SuiteFacts] = {}
    arms = {}
    for name, arm in table["arms"].items():
        suites = {}
        for suite, items, measured in _parts_of_version_1(arm):
            suites[suite] = measured
            facts.setdefault(suite, SuiteFacts(suite, items, _only_measure(measured)))
        arms[name] = ArmResults(name, read_text(arm["arm"], "an arm"), suites)
    return EvaluationResults(arms, facts)


def _only_measure(measured: ArmSuite) -> str:
    if NLL in measured.measures:
        return NLL
    return LIKELIHOOD if LIKELIHOOD in measured.measures else STRICT


def _parts_of_version_1(
    arm: Mapping[str, Any],
) -> Iterator[tuple[str, dict[str, SuiteItem], ArmSuite]]:
    for name, suite in arm["suites"].items():
        prompts = read_text_table(suite.get("prompts", {}), "the prompts")
        groups = read_text_table(suite.get("groups", {}), "the groups")
        scores = read_values(suite.get("scores", {}), "the scores")
        if scores:
            items = {
                item: SuiteItem(prompts.get(item, ""), group=groups.get(item, ""))
                for item in scores
            }
            yield name, items, ArmSuite({STRICT: scores})
        if nll := read_values(suite.get("nll") or {}, "the NLL"):
            label = f"{name}, perplexity" if scores else name
            texts = {
                item: SuiteItem("", group=groups.get(item, ""), score="perplexity") for item in nll
            }
            tokens = read_counts(suite["text_tokens"], "the tokens")
            yield label, texts, ArmSuite({NLL: nll}, tokens=tokens)
    if choices := arm.get("choices", {}):
        yield _LABELS, *_read_choices_of_version_1(choices)


def _read_choices_of_version_1(
    choices: Mapping[str, Any],
) -> tuple[dict[str, SuiteItem], ArmSuite]:
    labels = read_texts(choices.get("labels", ()), "the labels")
    likelihood, generated = choices["likelihood"], choices["generated"]
    prompts = read_text_table(generated.get("prompts", {}), "the prompts")
    measures = {
        LIKELIHOOD: read_values(likelihood["scores"], "the scores"),
        STRICT: read_values(generated["scores"], "the scores"),
    }
    picked = read_text_table(likelihood.get("answers", {}), "the answers")
    items = {
        item: SuiteItem(prompts.get(item, ""), choices=labels, score="choices")
        for item in measures[LIKELIHOOD]
    }
    return items, ArmSuite(measures, picked={LIKELIHOOD: picked})
