"""The `evaluate` job: each arm on each suite, and on a data set of labels, into `results.json`.

All arms meet the same items in the same order with greedy decoding, so that results can be paired.
The base of an adapter is the same weights with the adapter off. What was measured is kept row by
row in `scores.jsonl`, so that a job that was stopped or killed goes on where it was; its batches
are those of the whole set, and its results as if it had never stopped.
"""

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine import atomic
from engine.chat import Message
from engine.compare import prompts
from engine.compare.arm_weights import ArmWeights, locate
from engine.compare.arms import Arm, format_arm, parse_arms
from engine.compare.items import Item, describe
from engine.data import dataset_list, rows
from engine.data.rows import Example
from engine.errors import EngineError
from engine.impact.suites import load_suites
from engine.jobs.store import open_store
from engine.recipes.recipe import EvaluateRecipe
from engine.recipes.settings import Decode
from engine.statistics import wilson
from engine.words import fold
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.arrow import read_raw
from engine.worker.inference.decoding import answer_all
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.inference.score_log import NO_MEMORY, Row, ScoreLog, ScoreMemory
from engine.worker.inference.scoring import (
    ROWS,
    Scored,
    Tick,
    label_scores,
    read_texts,
    score_items,
)
from engine.worker.inference.weight_files import stamped
from engine.worker.model.loading import pick_device

SCHEMA = 1
LABEL_TOKENS = 24
MOST_LABELS = 50


def run(attempt: Attempt) -> str:
    """Measure all arms. Raises EngineError before it starts where anything is wrong."""
    recipe = attempt.recipe
    assert isinstance(recipe, EvaluateRecipe)
    if not recipe.arms:
        raise EngineError("No arms to evaluate.", hint="Use at least one --arm.")
    arms = parse_arms(recipe.arms)
    chosen = load_suites(recipe.suites, recipe.limit)
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    examples = _label_rows(recipe.choices, runs)
    open_prompts = prompts.load(recipe.prompts, runs) if recipe.prompts else []
    for note in describe([*itertools.chain(*chosen.values()), *open_prompts]):
        attempt.log(note)
    weights = {arm: locate(arm, runs) for arm in arms}
    models = ModelCache(pick_device(attempt.device.kind if attempt.device else recipe.device))

    each = sum(map(len, chosen.values())) + 2 * len(examples) + len(open_prompts)
    tally = _Tally(attempt, each * len(arms))
    work = _Work(chosen, examples, open_prompts, recipe.decode)
    log = ScoreLog(attempt.directory.scores)
    results: dict[str, Any] = {}
    for arm in sorted(arms, key=lambda arm: str(weights[arm].base)):
        identity = _identify(arm, weights[arm], models.device)
        memory = ScoreMemory(log, identity, arm.name)
        whole: Row = (0, work.to_json())
        result = memory.of("result").find(whole)
        if result is None:
            tally.begin(f"{arm.name}: loading", 0)
            loaded_arm = models.load_arm(arm, weights[arm], attempt.log)
            assert loaded_arm is not None, "without a budget there is always room"
            for note in loaded_arm.notes:
                attempt.log(note)
            result = work.measure(loaded_arm, memory, tally)
            memory.of("result").add([(whole, result)])
        else:
            tally.begin(f"{arm.name}: known", each)
            tally.tick(each)
        results[arm.name] = result
    table = {"schema": SCHEMA, "data": recipe.choices, "arms": results}
    atomic.write_json(attempt.directory.results, table)
    return f"{len(arms)} arms on {len(chosen)} suites"


def _identify(arm: Arm, weights: ArmWeights, device: torch.device) -> list[object]:
    """What an arm's rows are known again by: its words, its weights as written, and the device."""
    paths = [weights.base, *([weights.adapter] if weights.adapter else [])]
    stamps = [[str(stamp.path), stamp.written] for stamp in map(stamped, paths)]
    return [format_arm(arm), stamps, device.type]


@dataclass(frozen=True, slots=True)
class _Work:
    """What every arm is measured on."""

    suites: Mapping[str, tuple[Item, ...]]
    examples: list[Example]
    prompts: list[Item]
    decode: Decode

    def measure(
        self, loaded_arm: LoadedArm, memory: ScoreMemory, tally: "_Tally"
    ) -> dict[str, Any]:
        """All that is measured of an arm, as JSON knows it. Raises Stopped, EngineError."""
        arm = loaded_arm.arm
        result: dict[str, Any] = {"arm": format_arm(arm), "suites": {}}
        for name, items in self.suites.items():
            tally.begin(f"{arm.name}: {name}", len(items))
            part = memory.of(f"suite {name}")
            result["suites"][name] = measure_suite(loaded_arm, items, tally.tick, part)
        if self.examples:
            tally.begin(f"{arm.name}: labels", 2 * len(self.examples))
            part = memory.of("labels")
            result["choices"] = measure_labels(loaded_arm, self.examples, tally.tick, part)
        if self.prompts:
            tally.begin(f"{arm.name}: open prompts", len(self.prompts))
            open_ids = [loaded_arm.prompt(one.messages, one.id, one.tools) for one in self.prompts]
            part = memory.of("prompts")
            answers = answer_all(loaded_arm, open_ids, self.decode, ROWS, tally.tick, part)
            pairs = zip(self.prompts, answers, strict=True)
            result["answers"] = {prompt.id: text for prompt, text in pairs}
        return result

    def to_json(self) -> object:
        """All of it, so that a change of any item is noticed."""
        return [
            {name: [item.to_json() for item in items] for name, items in self.suites.items()},
            [[one.source, *(turn.to_json() for turn in one.messages)] for one in self.examples],
            [item.to_json() for item in self.prompts],
            dataclasses.asdict(self.decode),
        ]


class _Tally:
    """How many items are behind us, over all parts of the job."""

    def __init__(self, attempt: Attempt, total: int) -> None:
        self._attempt = attempt
        self._total = total
        self._before = 0
        self._part = 0
        self._what = ""

    def begin(self, what: str, items: int) -> None:
        """The part before is done; this one comes."""
        self._before += self._part
        self._part, self._what = items, what
        self.tick(0)

    def tick(self, done: int) -> None:
        """`done` items of this part are done. Raises Stopped where somebody asked for it."""
        if self._attempt.stop_requested():
            raise Stopped
        self._attempt.progress(self._before + done, self._total, message=self._what)


def measure_suite(
    loaded_arm: LoadedArm,
    items: Sequence[Item],
    tick: Tick = lambda done: None,
    memory: ScoreMemory = NO_MEMORY,
) -> dict[str, Any]:
    """One suite's results as JSON knows them. Open items are answered and not scored."""
    texts = {item.id: item.text for item in items if item.score == "perplexity"}
    questions = [item for item in items if item.score != "perplexity"]
    result: dict[str, Any] = {}
    if questions:
        scored = score_items(loaded_arm, questions, tick, memory=memory.of("answers"))
        prompts = {item.id: item.messages[-1].content for item in questions}
        result |= _accuracy(scored) if scored.scores else {"answers": scored.answers}
        result |= _weigh(scored, questions)
        result["prompts"] = prompts
    if texts:
        read = read_texts(
            loaded_arm,
            texts,
            lambda done: tick(len(questions) + done),
            memory=memory.of("texts"),
        )
        result |= {
            "perplexity": _finite(read.perplexity),
            "tokens": sum(read.tokens.values()),
            "nll": {name: _finite(value) for name, value in read.nll.items()},
            "text_tokens": read.tokens,
        }
    if groups := {item.id: item.group for item in items if item.group}:
        result["groups"] = groups
    return result


def measure_labels(
    loaded_arm: LoadedArm,
    examples: Sequence[Example],
    tick: Tick = lambda done: None,
    memory: ScoreMemory = NO_MEMORY,
) -> dict[str, Any]:
    """Accuracy on rows whose answers are labels: by likelihood, by generated answer, by majority.

    Raises EngineError where the rows have too many different answers to be labels.
    """
    truth = [example.messages[-1].content.strip() for example in examples]
    labels = sorted(set(truth))
    if len(labels) > MOST_LABELS:
        raise EngineError(
            "These answers are not class labels.",
            f"{examples[0].source}: {len(labels)} distinct answers in {len(truth)} rows",
            f"A labelled dataset has at most {MOST_LABELS} labels.",
        )
    conversations = [example.messages[:-1] for example in examples]
    prompts = [
        loaded_arm.prompt(messages, example.source)
        for messages, example in zip(conversations, examples, strict=True)
    ]
    scored = label_scores(loaded_arm, conversations, labels, tick, memory.of("likelihood"))
    # A diverged model finds no label likely, and not the first of them all.
    likely = ["" if any(map(math.isnan, row)) else labels[row.index(max(row))] for row in scored]
    answers = answer_all(
        loaded_arm,
        prompts,
        Decode(max_new_tokens=LABEL_TOKENS),
        ROWS,
        lambda done: tick(len(examples) + done),
        memory.of("answers"),
    )
    names = [example.source for example in examples]
    questions = {example.source: example.messages[-2].content for example in examples}
    return {
        "labels": labels,
        "majority": Counter(truth).most_common(1)[0][1] / len(truth),
        "likelihood": _accuracy(_match(names, likely, truth)),
        "generated": _accuracy(_match(names, answers, truth)) | {"prompts": questions},
    }


def _match(names: Sequence[str], answer: Sequence[str], truth: Sequence[str]) -> Scored:
    """Right is the label itself and nothing else, letter case and white space aside."""
    pairs = list(zip(names, answer, truth, strict=True))
    return Scored(
        {name: float(fold(one.strip()) == fold(right)) for name, one, right in pairs},
        {name: one for name, one, _ in pairs},
    )


def _accuracy(scored: Scored) -> dict[str, Any]:
    items = len(scored.scores)
    return {
        "right": scored.right,
        "items": items,
        "accuracy": scored.right / items,
        "interval": list(wilson(scored.right, items)),
        "scores": scored.scores,
        "answers": scored.answers,
    }


def _weigh(scored: Scored, items: Sequence[Item]) -> dict[str, float]:
    """The mean of the scores by the items' weights, where these differ."""
    weights = {item.id: item.weight for item in items if item.id in scored.scores}
    total = sum(weights.values())
    if len(set(weights.values())) < 2 or not total:
        return {}
    weighed = sum(weights[name] * value for name, value in scored.scores.items())
    return {"weighted_accuracy": weighed / total}


def _finite(value: float) -> float | None:
    """A number as JSON knows it; None for what a diverged model makes of it."""
    return value if math.isfinite(value) else None


def _label_rows(ref: str, runs: Sequence[Path]) -> list[Example]:
    """The rows that a run (`run:ID`) held out, or the held-out rows of a data set.

    Of a data set that keeps none apart all rows: what a run of it held out, only the run knows.
    """
    if not ref:
        return []
    if ref.startswith(prompts.RUN):
        items = prompts.read(prompts.find(ref, runs))
        return [
            Example((*item.messages, Message("assistant", item.reference)), item.id)
            for item in items
            if item.reference
        ]
    dataset = dataset_list.resolve(ref)
    # Texts with labels are asked as in training: with all the labels that its rows have.
    labels = rows.open_rows(dataset.path, raw=read_raw).labels or None
    return rows.read(dataset.eval_path or dataset.path, labels=labels, raw=read_raw).examples
