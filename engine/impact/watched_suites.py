"""The suites that a run measures while it trains: which may be named, and what is asked of them.

Made of the recipe by whoever starts the run, to refuse what cannot be measured, and again by the
worker. An answer is scored alone, as it is asked once: no solved items before it, no samples, no
scores of another harness. Beside suites and data sets there is `held-out`, what the run itself
holds out. Measures nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.bundled import SUITES
from engine.compare import prompts
from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.data import dataset_list
from engine.errors import EngineError
from engine.impact.evaluation_results import (
    GOLD_NLL,
    LIKELIHOOD,
    LIKELIHOOD_NORM,
    NLL,
    STRICT,
)
from engine.impact.keep_best import KeepBest, parse_keep_best
from engine.impact.suite_specs import SuiteOptions, SuiteSpec, format_suite, parse_suites
from engine.recipes.settings import Evaluation, Stopping
from engine.text import one_line

HELD_OUT = "held-out"
MOST_LABELS = 50
"""Different answers of a data set whose answers are labels; with more they are texts."""
_BUNDLED = "bundled:"
_ONCE = ("fewshot", "samples", "temperature")
"""Options of a suite that only an evaluation of its own has."""
_MEASURES = (STRICT, LIKELIHOOD, LIKELIHOOD_NORM)


@dataclass(frozen=True, slots=True)
class MeasuredItems:
    """The items of a suite that can be measured, and how."""

    spec: SuiteSpec
    measure: str
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    """What is left out, a sentence each."""


def list_watched(evaluation: Evaluation) -> list[SuiteSpec]:
    """The suites of a recipe. Raises EngineError for one that cannot be measured while training."""
    specs = parse_suites(evaluation.suites)
    for spec in specs:
        _check(spec)
    return specs


def parse_rule(stopping: Stopping) -> KeepBest | None:
    """The rule of a recipe; None where it has none. Raises EngineError."""
    return parse_keep_best(stopping.keep_best) if stopping.keep_best.strip() else None


def find_suite(spec: SuiteSpec, runs: Sequence[Path]) -> Path | None:
    """The file of a suite: a bundled suite, the eval rows of a data set, what a run held out, a
    file. None for what the run itself holds out. Raises EngineError where there is none."""
    ref = spec.ref
    if ref == HELD_OUT:
        return None
    if ref.startswith(prompts.RUN):
        return prompts.find(ref, runs)
    bundled = SUITES / f"{ref.removeprefix(_BUNDLED)}.jsonl"
    if ref.startswith(_BUNDLED) and bundled.is_file():
        return bundled
    if ref.startswith(_BUNDLED):
        known = ", ".join(sorted(path.stem for path in SUITES.glob("*.jsonl")))
        try:
            return dataset_list.resolve_eval(ref).path
        except EngineError as error:
            raise EngineError(
                f"Unknown bundled suite {ref.removeprefix(_BUNDLED)!r}.",
                f"evaluation.suites: {ref}",
                f"Suites: {known}; or a bundled data set: emotion, counsel, rehearsal.",
            ) from error
    path = Path(ref).expanduser()
    if path.is_dir():
        return dataset_list.resolve_eval(ref).path
    if not path.is_file():
        raise EngineError("The suite does not exist.", f"evaluation.suites: {path}")
    return path


def anchor(spec: SuiteSpec) -> str:
    """The suite in the grammar, valid from any folder."""
    if spec.ref == HELD_OUT or spec.ref.startswith((_BUNDLED, prompts.RUN)):
        return format_suite(spec)
    return format_suite(replace(spec, ref=str(Path(spec.ref).expanduser().absolute())))


def choose_items(spec: SuiteSpec, path: Path) -> MeasuredItems:
    """The items of a file that can be measured, all by one measure.

    Items with a right answer are answered, those with choices are weighed by likelihood; texts are
    read. Rows that have an answer alone are labels, where these are few, else the likelihood of
    each answer is measured. Raises EngineError where there is nothing to measure.
    """
    items = read_items(path)
    asked = [item for item in items if item.score != "perplexity"]
    scored = [item for item in asked if item.score != "open"]
    if not asked:
        return MeasuredItems(spec, NLL, tuple(items))
    if not scored:
        return _with_references(spec, asked, path)
    notes = []
    if len(asked) < len(items):
        notes.append(f"texts are not measured beside questions: {len(items) - len(asked):,}")
    if len(scored) < len(asked):
        notes.append(f"items without a right answer are left out: {len(asked) - len(scored):,}")
    return _measured(spec, scored, notes)


def _with_references(spec: SuiteSpec, items: Sequence[Item], path: Path) -> MeasuredItems:
    answered = [item for item in items if item.reference.strip()]
    notes = []
    if not answered:
        raise EngineError(
            "The suite has no right answers.",
            f"{spec.name}: none of {len(items):,} items of {path}",
            "Give its items an answer and a score, or use other rows.",
        )
    if len(answered) < len(items):
        notes.append(f"items without an answer are left out: {len(items) - len(answered):,}")
    labels = tuple(sorted({item.reference.strip() for item in answered}))
    if 1 < len(labels) <= MOST_LABELS and 2 * len(labels) <= len(answered):
        marked = [
            replace(item, score="choices", gold=(item.reference.strip(),), choices=labels)
            for item in answered
        ]
        return _measured(spec, marked, notes)
    if spec.options.measure:
        raise EngineError(
            f"{spec.options.measure} needs items that are scored.",
            f"{spec.name}: the items of {path} have answers in free words",
            "Leave the measure out: the likelihood of each answer is then measured.",
        )
    return MeasuredItems(spec, GOLD_NLL, tuple(answered), tuple(notes))


def _measured(spec: SuiteSpec, items: Sequence[Item], notes: Sequence[str]) -> MeasuredItems:
    choosing = all(item.score == "choices" and item.choices for item in items)
    measure = spec.options.measure or (LIKELIHOOD if choosing else STRICT)
    if measure != STRICT and not choosing:
        raise EngineError(
            f"{measure} needs items with choices.",
            f"{spec.name}: {sum(item.score != 'choices' for item in items):,} items have none",
            "Leave the measure out, or use measure=strict.",
        )
    return MeasuredItems(spec, measure, tuple(items), tuple(notes))


def _check(spec: SuiteSpec) -> None:
    """Raise EngineError where a suite cannot be measured in the middle of training."""
    usual = SuiteOptions()
    where = f"evaluation.suites: {spec.name}"
    if spec.is_import:
        raise EngineError(
            "Scores of another harness cannot be measured while training.",
            where,
            "Name a suite of items: bundled:NAME, a file, run:ID or held-out.",
        )
    for name in _ONCE:
        if getattr(spec.options, name) != getattr(usual, name):
            raise EngineError(
                f"{name} is not measured while training.",
                where,
                f"Leave {name} out here, and ask for it with finetop evaluate.",
            )
    if spec.options.measure and spec.options.measure not in _MEASURES:
        raise EngineError(
            f"{spec.options.measure} is not measured while training.",
            where,
            f"Use measure={' or '.join(_MEASURES)}.",
        )
    if not spec.name.strip() or one_line(spec.name) != spec.name:
        raise EngineError("The name of a suite must be one line of text.", f"{where!r}")
