"""What one arm scores on one suite: its answers, the likelihood of choices, texts that it reads.

Of an endpoint its answers alone; what it lacks stands in the result with the reason.

Owns the order of the parts and the form of the result, which
`engine.impact.results.evaluation_results` reads. Each part keeps its values row by row, so that a
job that was stopped goes on where it was. An item that the arm cannot be asked, such as one longer
than its context, is left out with the reason.
"""

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.chat import Tools
from engine.compare import checks
from engine.compare.arm_tools import offered_tools, read_arm_tools
from engine.compare.arms import Arm, format_arm
from engine.compare.items import Item
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.impact.results.evaluation_results import (
    GOLD_NLL,
    LIKELIHOOD,
    LIKELIHOOD_NORM,
    NLL,
    SERVER,
    STRICT,
)
from engine.impact.results.item_answers import sample_id
from engine.impact.scores.answer_scores import references_of
from engine.impact.scores.wording import count_languages, measure_diversity, measure_wording
from engine.impact.suites.endpoint_arms import find_unmeasured
from engine.impact.suites.evaluation_plan import Suite, choices_of
from engine.recipes.settings import Decode
from engine.worker.inference.bert_score import BertScorer
from engine.worker.inference.choice_scores import encode_choices, score_choices
from engine.worker.inference.endpoint_batch import PAUSE, EndpointBatch
from engine.worker.inference.model_batch import ModelBatch
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.sample_log import SampleLog
from engine.worker.inference.score_log import ScoreMemory
from engine.worker.inference.shared_prefix import ROWS, PrefixCase
from engine.worker.inference.text_likelihood import Tick, read_texts
from engine.worker.inference.text_scores import score_answer

BERT_SCORE = "bertscore"
WINDOW, RAW_WINDOW = 512, 2048
"""Tokens in which a longer text is read, at most the model's context; raw texts are read as
lm-evaluation-harness reads them with this `max_length`."""


@dataclass(slots=True)
class SuiteResult:
    """One arm's values on one suite; all mappings are by item id."""

    asked: dict[str, Any]
    measures: dict[str, dict[str, float]] = field(default_factory=dict)
    finish: dict[str, str] = field(default_factory=dict)
    picked: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Why an item was left out."""
    notes: list[str] = field(default_factory=list)
    not_measured: dict[str, str] = field(default_factory=dict)
    """By measure that the arm cannot have, why."""

    def keep(self, measure: str, item: str, value: float) -> None:
        self.measures.setdefault(measure, {})[item] = value

    def pick(self, way: str, item: str, choice: str) -> None:
        self.picked.setdefault(way, {})[item] = choice

    def to_json(self) -> dict[str, Any]:
        """As `results.json` has it: what is not finite is null, and what is empty is left out."""
        measures = {
            measure: {item: value if math.isfinite(value) else None for item, value in one.items()}
            for measure, one in self.measures.items()
        }
        more = {
            name: getattr(self, name)
            for name in (
                "finish",
                "picked",
                "tokens",
                "bytes",
                "refused",
                "notes",
                "not_measured",
            )
        }
        return {
            "asked": self.asked,
            "measures": measures,
            **{name: value for name, value in more.items() if value},
        }


@dataclass(frozen=True, slots=True)
class SuiteMeasurer:
    """An arm in memory, or behind an address, with where its values are kept."""

    arm: Arm
    loaded_arm: LoadedArm | None
    """None of an endpoint."""
    memory: ScoreMemory
    samples: SampleLog
    encoder: BertScorer | None = None
    rows: int = ROWS
    """Most rows that are computed side by side."""

    def measure(self, suite: Suite, tick: Tick) -> SuiteResult:
        """Everything of one suite; `tick` is told how many of `count_work(suite, arm)` are done.

        Raises EngineError, EndpointGone among them, and what `tick` raises.
        """
        loaded_arm = self.loaded_arm
        if loaded_arm is not None and suite.spec.options.template == "raw":
            raw = replace(loaded_arm.arm, form="raw")
            loaded_arm = replace(loaded_arm, arm=raw, template=None)
        is_asked = loaded_arm is not None or any(item.score != "perplexity" for item in suite.items)
        result = SuiteResult(_describe(suite, loaded_arm, self.arm) if is_asked else {})
        work = _SuiteWork(self, loaded_arm, suite, result, _Progress(tick))
        texts = [item for item in suite.items if item.score == "perplexity"]
        questions = [item for item in suite.items if item.score != "perplexity"]
        if loaded_arm is None:
            result.not_measured = find_unmeasured(suite.items)
        elif texts:
            work.read(texts, loaded_arm)
        if questions:
            work.answer(questions)
        if questions and loaded_arm is not None:
            work.weigh(questions, loaded_arm)
        return result


@dataclass(frozen=True, slots=True)
class _SuiteWork:
    """One suite under way: the arm as it is asked, and what has come of it."""

    measurer: SuiteMeasurer
    loaded_arm: LoadedArm | None
    suite: Suite
    result: SuiteResult
    progress: "_Progress"

    def read(self, items: Sequence[Item], loaded_arm: LoadedArm) -> None:
        texts = {item.id: item.text for item in items}
        memory = self.measurer.memory.of(f"{self.suite.name}, texts")
        raw = loaded_arm.template is None
        read = read_texts(
            loaded_arm,
            texts,
            self.progress.within(len(texts)),
            RAW_WINDOW if raw else WINDOW,
            memory,
            rolling=raw,
            most=self.measurer.rows,
        )
        for item, nll in read.nll.items():
            if not read.tokens[item]:  # an NLL of 0 would be that of a text it knows by heart
                self.result.refused[item] = "Nothing of it is predicted: a text of one token."
                continue
            self.result.keep(NLL, item, nll)
            self.result.tokens[item] = read.tokens[item]
            self.result.bytes[item] = len(texts[item].encode())

    def answer(self, items: Sequence[Item]) -> None:
        """The first answer of each item is scored, and all of them tell how diverse they are."""
        answers: dict[str, list[Sample]] = {item.id: [] for item in items}
        for number in range(self.suite.samples):
            decode = self.measurer.arm.decoding(self.suite.decode)
            if number:
                seed = (decode.seed + number) % 2**32
                decode = replace(decode, temperature=self.suite.temperature, seed=seed)
            samples = self._sample(items, decode, number)
            for name, sample in samples.items():
                answers[name].append(sample)
        for item in items:
            if answers[item.id]:
                _score(item, answers[item.id], self.result)
        opened = [
            answers[item.id][0].spoken
            for item in items
            if item.score == "open" and answers[item.id]
        ]
        firsts = [answers[item.id][0] for item in items if answers[item.id]]
        if diverged := sum(any(map(math.isnan, one.logprobs)) for one in firsts):
            self.result.notes.append(
                f"the model diverged: NaN in the logits of {diverged:,} of {len(firsts):,} "
                "answers, which mean nothing, nor do their choices"
            )
        if opened:
            self.result.notes.append(f"answers by language: {_count(count_languages(opened))}")
        if self.measurer.encoder is not None:
            _compare(
                self.measurer.encoder, [(item, answers[item.id]) for item in items], self.result
            )

    def _sample(self, items: Sequence[Item], decode: Decode, number: int) -> dict[str, Sample]:
        """The answers by item id; those that are known are not made again."""
        memory = self.measurer.memory.of(f"{self.suite.name}, answers {number}")
        named = {sample_id(self.suite.name, item.id, number): item for item in items}
        tools = read_arm_tools(self.measurer.arm)
        settings = [dataclasses.asdict(decode), self.suite.spec.options.template]
        rows = {
            name: memory.key((at, [_asked(item, offered_tools(item, tools)), settings]))
            for at, (name, item) in enumerate(named.items())
        }
        samples = {
            name: sample
            for name, row in rows.items()
            if (sample := self.measurer.samples.find(row)) is not None
        }
        prompts = [replace(item, id=name) for name, item in named.items()]
        advance, before = self.progress.within(len(prompts)), len(samples)
        if before < len(prompts):
            batch = self._open_batch(prompts, named, decode, tools, samples)
            for made in _finished(batch, lambda ended: advance(before + ended)):
                # Under its own name also where this suite is asked raw.
                own = [replace(one, arm=format_arm(self.measurer.arm)) for one in made]
                found = [(rows[one.prompt_id], one, named[one.prompt_id]) for one in own]
                self.measurer.samples.add(found, self.suite.name)
                samples |= {one.prompt_id: one for one in own}
            for name, error in batch.refused.items():
                self.result.refused[named[name].id] = error.line
        advance(len(prompts))
        return {named[name].id: sample for name, sample in samples.items()}

    def _open_batch(
        self,
        prompts: Sequence[Item],
        named: Mapping[str, Item],
        decode: Decode,
        tools: Tools,
        samples: Mapping[str, Sample],
    ) -> ModelBatch | EndpointBatch:
        """What answers the prompts that have no sample yet; `named` are their items by sample."""
        arm = self.measurer.arm
        if self.loaded_arm is not None:
            rows = self.measurer.rows
            return ModelBatch(arm, self.loaded_arm, prompts, decode, rows, tools, samples)
        if self.suite.spec.options.template == "raw":
            arm = replace(arm, form="raw")
        # Of an item whose first answer was refused no further one is asked: that would be scored.
        missing = [
            one
            for one in prompts
            if one.id not in samples and named[one.id].id not in self.result.refused
        ]
        return EndpointBatch(arm, missing, decode, tools)

    def weigh(self, items: Sequence[Item], loaded_arm: LoadedArm) -> None:
        """The likelihood of the choices, or of the right answers where there is nothing to choose
        from."""
        memory = self.measurer.memory.of(f"{self.suite.name}, likelihood")
        cases: list[tuple[Item, PrefixCase]] = []
        for item in items:
            if item.id not in self.result.refused and (choices := choices_of(item)):
                asked = replace(item, choices=choices)
                try:
                    cases.append((asked, encode_choices(loaded_arm, asked)))
                except EngineError as error:  # it has its answer, and no likelihood
                    self.result.refused[item.id] = error.line
        advance = self.progress.within(sum(bool(choices_of(item)) for item in items))
        weighed = [item for item, _ in cases]
        encoded = [case for _, case in cases]
        scores = score_choices(loaded_arm, weighed, encoded, advance, memory, self.measurer.rows)
        for item, score in zip(weighed, scores, strict=True):
            right = item.gold or (item.reference,)
            golds = [at for at, choice in enumerate(item.choices) if choice in right]
            self.result.keep(GOLD_NLL, item.id, score.nll_per_token(golds))
            if item.score == "choices":
                ways = {LIKELIHOOD: score.likeliest, LIKELIHOOD_NORM: score.likeliest_by_length}
                for way, at in ways.items():
                    self.result.keep(way, item.id, float(at in golds))
                    self.result.pick(way, item.id, "" if at is None else item.choices[at])


class _Progress:
    """How many rows of a suite are done, over its parts."""

    def __init__(self, tick: Tick) -> None:
        self._tick = tick
        self._before = 0

    def within(self, rows: int) -> Tick:
        """Progress of the next part, which has so many rows."""
        before = self._before
        self._before += rows
        return lambda done: self._tick(before + done)


def count_work(suite: Suite, arm: Arm) -> int:
    """Rows that an arm has to go through: texts, answers, and items whose choices are weighed; of
    an endpoint answers alone."""
    texts = sum(item.score == "perplexity" for item in suite.items)
    weighed = sum(bool(choices_of(item)) for item in suite.items)
    answers = (len(suite.items) - texts) * suite.samples
    return answers if arm.is_endpoint else texts + answers + weighed


def _score(item: Item, answers: Sequence[Sample], result: SuiteResult) -> None:
    """The scores of the first answer; where nothing says what is right, how it is worded."""
    first = answers[0]
    result.finish[item.id] = first.finish
    scores = score_answer(item, first.text, first.parts)
    if item.score == "open":
        scores |= measure_wording(first.text, first.output_ids, first.finish, first.parts)
    if len(answers) > 1:
        scores |= measure_diversity([one.spoken for one in answers])
    for measure, value in scores.items():
        if measure not in result.not_measured:
            result.keep(measure, item.id, value)
    if item.score == "choices":
        result.pick(STRICT, item.id, checks.named_choice(item, first.text))


def _compare(
    encoder: BertScorer, answers: Sequence[tuple[Item, Sequence[Sample]]], result: SuiteResult
) -> None:
    """BERTScore's F1 of the first answers with their references, with the encoder in its name."""
    rows = [
        (item.id, samples[0].spoken, references)
        for item, samples in answers
        if samples and (references := references_of(item))
    ]
    scores = encoder.score([text for _, text, _ in rows], [golds for _, _, golds in rows])
    for (item, _, _), score in zip(rows, scores, strict=True):
        result.keep(f"{BERT_SCORE} ({encoder.about})", item, score.f1)
    if note := encoder.describe(scores):
        result.notes.append(note)


def _count(languages: Mapping[str, int]) -> str:
    return ", ".join(
        f"{language or 'not known'} {count:,}" for language, count in languages.items()
    )


def _asked(item: Item, tools: Any) -> Any:
    return [[message.to_json() for message in item.messages], tools]


def _finished(batch: ModelBatch | EndpointBatch, tick: Tick) -> Iterator[list[Sample]]:
    """Samples as they are done; `tick` is told how many, at each token, and may raise to stop."""
    ended = 0
    try:
        while not batch.done:
            tick(ended)
            if made := batch.step():
                ended += len(made)
                yield made
            elif isinstance(batch, EndpointBatch):
                time.sleep(PAUSE)
    finally:
        if isinstance(batch, EndpointBatch):
            batch.cancel()


def _describe(suite: Suite, loaded_arm: LoadedArm | None, arm: Arm) -> dict[str, Any]:
    """How the suite was asked of this arm: what makes two scores comparable."""
    asked = {
        "fewshot": suite.spec.options.fewshot,
        "system": arm.system,
        "prefix": arm.prefix,
        "decode": dataclasses.asdict(arm.decoding(suite.decode)),
        "samples": suite.samples,
        "temperature": suite.temperature,
    }
    if loaded_arm is None:
        is_raw = arm.form == "raw" or suite.spec.options.template == "raw"
        return asked | {"template": "raw" if is_raw else SERVER}
    template = loaded_arm.template
    return asked | {
        "template": "raw" if template is None else suite.spec.options.template,
        "template_hash": template.hash if template else "",
        "dtype": loaded_arm.model.dtype,
        "device": loaded_arm.model.device.type,
    }
