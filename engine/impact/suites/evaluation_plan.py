"""What an evaluation measures: arms with their stages, and suites with their items as asked.

Made of the recipe, by whoever starts the job, to refuse what cannot be measured, and again by the
worker, who measures it. Loads no weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.bundled import SUITES
from engine.checkpoints.run_outputs import find_run
from engine.compare import prompts
from engine.compare.arms import Arm, parse_arms
from engine.compare.checks import has_right_answer
from engine.compare.items import Item, describe, digest_of
from engine.data.formats import read_raw
from engine.data.raw_row import RawReader
from engine.errors import EngineError
from engine.impact.results.evaluation_results import GOLD_NLL, LIKELIHOOD, NLL, STRICT
from engine.impact.suites.control_arms import ControlArm, list_controls
from engine.impact.suites.fewshot import describe_examples, with_examples
from engine.impact.suites.imported_suites import ImportedSuites, import_suites
from engine.impact.suites.suite_reader import describe_suite, load_suite
from engine.impact.suites.suite_specs import SuiteOptions, SuiteSpec, parse_suites
from engine.jobs.directory import RUN, JobDirectory
from engine.recipes.recipe import EvaluateRecipe, TrainRecipe
from engine.recipes.settings import Decode

LABELS, PROMPTS = "labels", "prompts"
"""Suites that version 1 of the recipe names by keys of their own."""
_ALL = 1_000_000_000
"""A limit above all: these two suites were never cut."""


@dataclass(frozen=True, slots=True)
class Suite:
    """One skill: its items, and how they are asked."""

    spec: SuiteSpec
    items: tuple[Item, ...]
    """As they are asked: with examples before them, where it says so."""
    plain: tuple[Item, ...]
    """The same items without examples."""
    decode: Decode
    """Of the first answer, greedy unless the recipe says otherwise."""
    samples: int
    """Answers to each item."""
    temperature: float
    """Of the answers after the first one."""
    notes: tuple[str, ...] = ()
    """What should be known of its items before the numbers are read, a sentence each."""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def measure(self) -> str:
        """The measure that is the skill's score, as `choose_measure`."""
        return choose_measure(self.spec, self.items)

    @property
    def digest(self) -> str:
        """SHA-256 of all items, by which an edited suite is noticed."""
        return digest_of(self.items)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    arms: tuple[Arm, ...]
    suites: tuple[Suite, ...]
    parents: Mapping[str, str]
    """By arm, the arm that it was trained from, where that is one of these."""
    imported: ImportedSuites = ImportedSuites()
    """What another harness measured of these arms."""
    notes: tuple[str, ...] = ()
    """What of other harnesses could not be taken, a sentence each."""
    controls: tuple[ControlArm, ...] = ()
    """What is measured beside the arms, to judge the measuring itself."""

    @property
    def measured(self) -> tuple[Arm, ...]:
        """The arms, and those of the controls."""
        return (*self.arms, *(control.arm for control in self.controls))


def choose_measure(spec: SuiteSpec, items: Sequence[Item]) -> str:
    """The measure that is a skill's score: the spec's, else NLL of texts, the likelihood where all
    items share their choices or are asked raw, that of the reference where answers are free words,
    and the answer itself of all others.

    A choice alone is a label's or a raw prompt's natural answer; a chat model says a sentence,
    beside which the likelihood of the bare choice tells little. Of free words nothing says which
    answer is right, but how likely the reference is can be measured, as while training.
    """
    if spec.options.measure:
        return spec.options.measure
    scorings = {item.score for item in items}
    if scorings == {"perplexity"}:
        return NLL
    if not any(map(has_right_answer, items)) and any(item.reference.strip() for item in items):
        return GOLD_NLL
    shared = len({frozenset(item.choices) for item in items}) == 1
    is_raw = spec.options.template == "raw"
    return LIKELIHOOD if scorings == {"choices"} and (shared or is_raw) else STRICT


def choices_of(item: Item) -> tuple[str, ...]:
    """What the likelihood of an item is measured of: its choices, else its right answers."""
    if item.score == "perplexity":
        return ()
    return item.choices or item.gold or ((item.reference,) if item.reference else ())


def split_encoder(written: str) -> tuple[Path, int | None]:
    """The folder of an encoder and its layer, of PATH or PATH@LAYER; None: the encoder's usual."""
    path, at, layer = written.rpartition("@")
    if at and path and layer.isdecimal():
        return Path(path), int(layer)
    return Path(written), None


def list_specs(recipe: EvaluateRecipe) -> list[SuiteSpec]:
    """The suites that a recipe names; every bundled one where it names none.

    Raises EngineError for one that is not in the grammar, and for two of one name.
    """
    bundled = [f"bundled:{path.stem}" for path in sorted(SUITES.glob("*.jsonl"))]
    old = {LABELS: recipe.choices, PROMPTS: recipe.prompts}
    specs = parse_suites(recipe.suites or bundled)
    return specs + [
        SuiteSpec(name, ref, SuiteOptions(limit=_ALL)) for name, ref in old.items() if ref
    ]


def make_plan(
    recipe: EvaluateRecipe, runs: Sequence[Path], raw: RawReader = read_raw
) -> EvaluationPlan:
    """All that a recipe asks to measure. `raw` reads the rows of Parquet and Arrow, for a worker.

    Raises EngineError where an arm or a suite is not in its grammar, or a suite cannot be read.
    """
    arms = tuple(parse_arms(recipe.arms))
    if not arms:
        raise EngineError("No arms to evaluate.", hint="Use at least one --arm.")
    specs = list_specs(recipe)
    suites = tuple(_make_suite(spec, recipe, runs, raw) for spec in specs if not spec.is_import)
    notes: list[str] = []
    imported = import_suites(
        [spec for spec in specs if spec.is_import],
        [arm.name for arm in arms],
        [suite.name for suite in suites],
        notes.append,
    )
    controls = list_controls(arms, recipe)
    return EvaluationPlan(arms, suites, find_parents(arms, runs), imported, tuple(notes), controls)


def _make_suite(
    spec: SuiteSpec, recipe: EvaluateRecipe, runs: Sequence[Path], raw: RawReader
) -> Suite:
    options = spec.options
    most = options.limit or recipe.limit or _ALL
    notes: list[str] = []
    # Examples are drawn from all items, also from those that are not measured.
    read = _ALL if options.fewshot else most
    if spec == list_specs(recipe)[-1] and recipe.prompts:
        # Also a set that has the name of a data set.
        whole = tuple(prompts.load(spec.ref, runs))
    else:
        cut = replace(spec, options=replace(options, limit=read))
        whole = load_suite(cut, runs, raw=raw, say=notes.append)
    notes += describe_suite(whole, raw=options.template == "raw")
    if options.fewshot:
        notes += describe_examples(whole)
    items, plain = with_examples(whole, options.fewshot, options.template)[:most], whole[:most]
    decode = recipe.decode
    if options.max_new_tokens:
        decode = replace(decode, max_new_tokens=options.max_new_tokens)
    return Suite(
        spec,
        items,
        plain,
        decode,
        options.samples or recipe.samples,
        options.temperature if options.temperature >= 0 else recipe.temperature,
        (*notes, *describe(items)),
    )


def find_parents(arms: Sequence[Arm], runs: Sequence[Path]) -> dict[str, str]:
    """By the name of an arm that is a run's result, the arm which that run began with.

    Only where that one is among the arms: two bases exist after stage one, the root and the parent.
    """
    by_ref = {arm.adapter or arm.checkpoint: arm.name for arm in reversed(arms)}
    parents = {}
    for arm in arms:
        ref = arm.adapter or arm.checkpoint
        run = find_run(ref, runs) if ref.startswith(RUN) else None
        recipe = JobDirectory(run).recipe() if run is not None else None
        if isinstance(recipe, TrainRecipe):
            parent = by_ref.get(recipe.model.checkpoint, "")
            if parent and parent != arm.name:
                parents[arm.name] = parent
    return parents
