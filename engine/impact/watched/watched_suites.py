"""The suites that a run measures while it trains: which may be named, and what is asked of them.

Made of the recipe by whoever starts the run, to refuse what cannot be measured, and again by the
worker. What a suite is, and by which measure it is scored, is as in an evaluation; here an item is
answered once, and no scores of another harness are read. Beside suites and data sets there is
`held-out`, what the run itself holds out. Measures nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compare.checks import has_right_answer
from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.data.formats import read_raw
from engine.data.raw_row import RawReader
from engine.errors import EngineError
from engine.impact.results.evaluation_results import FLEXIBLE, GOLD_NLL, NLL, STRICT
from engine.impact.suites import suite_reader
from engine.impact.suites.evaluation_plan import choose_measure
from engine.impact.suites.fewshot import with_examples
from engine.impact.suites.suite_specs import (
    SuiteOptions,
    SuiteSpec,
    format_suite,
    parse_suites,
)
from engine.impact.watched.keep_best import KeepBest, parse_keep_best
from engine.recipes.settings import SkillEvaluation, Stopping
from engine.text import one_line

HELD_OUT = "held-out"
_ALL = 1_000_000_000
"""A limit above all."""
_SAMPLED = ("samples", "temperature")
"""Options of a suite that only an evaluation of its own has."""
ANSWERED = (STRICT, FLEXIBLE)
"""Measures of an answer; the others need none."""


@dataclass(frozen=True, slots=True)
class MeasuredItems:
    """The items of a suite that can be measured, and how."""

    spec: SuiteSpec
    measure: str
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    """What is left out, a sentence each."""


def list_watched(evaluation: SkillEvaluation) -> list[SuiteSpec]:
    """The suites of a recipe. Raises EngineError for one that cannot be measured while training."""
    specs = parse_suites(evaluation.suites)
    for spec in specs:
        _check(spec)
    return specs


def parse_rule(stopping: Stopping) -> KeepBest | None:
    """The rule of a recipe; None where it has none. Raises EngineError."""
    return parse_keep_best(stopping.keep_best) if stopping.keep_best.strip() else None


def anchor(spec: SuiteSpec, runs: Sequence[Path]) -> str:
    """The suite in the grammar, valid from any folder. Raises EngineError where there is none."""
    return format_suite(spec if spec.ref == HELD_OUT else suite_reader.anchor(spec, runs))


def choose_items(
    spec: SuiteSpec,
    runs: Sequence[Path] = (),
    limit: int = 0,
    own: Path | None = None,
    raw: RawReader = read_raw,
) -> MeasuredItems:
    """The first items of a suite, at most so many (0: all), that can be measured, by one measure.

    `own` is the file of what the run itself holds out, `raw` as for `load_suite`. Rows that have an
    answer and no score are labels, where `share_labels` finds them, else the likelihood of each
    answer is measured. Raises EngineError where there is no suite, or nothing of it to measure.
    """
    options, notes = spec.options, list[str]()
    most = options.limit or limit or _ALL
    # Examples are drawn from all items, also from those that are not measured.
    read = _ALL if options.fewshot else most
    if spec.ref == HELD_OUT:
        assert own is not None, "the caller knows what is held out"
        items = suite_reader.share_labels(read_items(own), read)
    else:
        wider = replace(spec, options=replace(options, limit=read))
        items = suite_reader.load_suite(wider, runs, raw=raw, say=notes.append)
    asked = [item for item in items if item.score != "perplexity"]
    if not asked:
        return MeasuredItems(spec, NLL, items[:most], tuple(notes))
    if len(asked) < len(items):
        notes.append(f"texts are not measured beside questions: {len(items) - len(asked):,}")
    scored = [item for item in asked if has_right_answer(item)]
    if not scored:
        return _with_references(spec, asked, most, notes)
    if len(scored) < len(asked):
        notes.append(f"items without a right answer are left out: {len(asked) - len(scored):,}")
    measure = choose_measure(spec, scored)
    unchosen = sum(not (item.score == "choices" and item.choices) for item in scored)
    if measure not in ANSWERED and unchosen:
        raise EngineError(
            f"{measure} needs items with choices.",
            f"{spec.name}: {unchosen:,} items have none",
            "Leave the measure out, or use measure=strict.",
        )
    return _measured(spec, measure, scored, most, notes)


def _with_references(
    spec: SuiteSpec, items: Sequence[Item], most: int, notes: list[str]
) -> MeasuredItems:
    answered = [item for item in items if item.reference.strip()]
    if not answered:
        raise EngineError(
            "The suite has no right answers.",
            f"{spec.name}: none of {len(items):,} items",
            "Give its items an answer and a score, or use other rows.",
        )
    if len(answered) < len(items):
        notes.append(f"items without an answer are left out: {len(items) - len(answered):,}")
    if spec.options.measure:
        raise EngineError(
            f"{spec.options.measure} needs items that are scored.",
            f"{spec.name}: its items have answers in free words",
            "Leave the measure out: the likelihood of each answer is then measured.",
        )
    return _measured(spec, GOLD_NLL, answered, most, notes)


def _measured(
    spec: SuiteSpec, measure: str, items: Sequence[Item], most: int, notes: Sequence[str]
) -> MeasuredItems:
    options = spec.options
    asked = with_examples(tuple(items), options.fewshot, options.template)[:most]
    return MeasuredItems(spec, measure, tuple(asked), tuple(notes))


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
    for name in _SAMPLED:
        if getattr(spec.options, name) != getattr(usual, name):
            raise EngineError(
                f"{name} is not measured while training.",
                where,
                f"Leave {name} out here, and ask for it with finetop evaluate.",
            )
    if not spec.name.strip() or one_line(spec.name) != spec.name:
        raise EngineError("The name of a suite must be one line of text.", f"{where!r}")
