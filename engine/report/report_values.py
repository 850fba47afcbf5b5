"""What every section of a report is made from: the inputs, and what is computed of them once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engine.errors import EngineError
from engine.impact.changes.classified_suite import WAYS, ClassifiedSuite, classify_suite
from engine.impact.changes.controls import ControlRow, read_controls
from engine.impact.changes.planted_loss import PowerTable, measure_power
from engine.impact.changes.real_or_format import FormatComparison, compare_format, has_likelihood
from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import StageSummary, summarize
from engine.impact.changes.tradeoff import Tradeoff, measure_tradeoff
from engine.impact.results.fewshot_arms import add_fewshot_arms
from engine.judge.judge_result import JudgeResult
from engine.report.judge_facts import measure_facts
from engine.report.report_inputs import CollectedFacts, ReportInputs
from engine.report.telling_items import TellingItem, choose_items

MOST_CLASSES = 40
"""Labels of a suite that are counted one by one."""
DRAWS = 400
"""Of planted losses: a share that is found is then known to 5 in 100 at most."""


@dataclass(frozen=True, slots=True)
class TradeoffTable:
    """Gained against retained, and the table that it was made from."""

    tradeoff: Tradeoff
    table: SkillTable


@dataclass(frozen=True, slots=True)
class ReportValues:
    """All that sections show. Computed once, in a few seconds for many items."""

    facts: CollectedFacts
    table: SkillTable
    summary: StageSummary
    telling: tuple[TellingItem, ...]
    formats: Mapping[str, tuple[FormatComparison, ...]] = field(hash=False)
    """By skill, of each arm against the first."""
    classified: tuple[ClassifiedSuite, ...]
    controls: tuple[ControlRow, ...]
    """What was measured of them; empty: none."""
    power: PowerTable
    """What the first arm and the last can show, by planted losses."""
    judges: tuple[JudgeResult, ...]
    """Of each judge of `facts`, in their order."""
    tradeoff: TradeoffTable | None
    """Gained against retained."""
    no_tradeoff: str
    """Why there is none, where several arms stand beside the base; else empty."""

    @property
    def base(self) -> str:
        return self.table.arms[0]

    @property
    def last(self) -> str:
        return self.table.arms[-1]


def compute_values(inputs: ReportInputs) -> ReportValues:
    """Raises ValueError where the inputs name arms or a delta that their results do not allow."""
    facts = inputs.facts
    table = build_table(inputs.results, facts.arms, facts.delta)
    tradeoff, no_tradeoff = _weigh(inputs, table)
    return ReportValues(
        facts,
        table,
        summarize(table),
        tuple(choose_items(inputs.results, facts.arms)),
        dict(_compare_formats(table)),
        tuple(_classify(table)),
        read_controls(table),
        measure_power(table, draws=DRAWS),
        tuple(map(measure_facts, facts.judges)),
        tradeoff,
        no_tradeoff,
    )


def _weigh(inputs: ReportInputs, table: SkillTable) -> tuple[TradeoffTable | None, str]:
    """Gained against retained of all arms, and of those that were asked all skills with examples
    too; where there is none, the reason."""
    facts = inputs.facts
    if len(facts.arms) < 2:
        return None, ""
    results = add_fewshot_arms(inputs.results)
    fewshot = [arm for arm in results.arms if arm not in inputs.results.arms]
    if fewshot:
        table = build_table(results, (*facts.arms, *fewshot), facts.delta)
    try:
        return TradeoffTable(measure_tradeoff(table), table), ""
    except EngineError as error:
        return None, error.line if len(table.arms) > 2 else ""


def _compare_formats(table: SkillTable) -> Iterator[tuple[str, tuple[FormatComparison, ...]]]:
    done: set[str] = set()
    for row in table.skills:
        skill = row.name.partition(",")[0].strip()
        if skill in done or not has_likelihood(table.results, row.name):
            continue
        compared = tuple(
            one
            for arm in table.arms[1:]
            if (
                one := compare_format(table.results, row.name, arm, table.arms[0], table.delta)
            ).asked
        )
        if compared:
            done.add(skill)
            yield skill, compared


def _classify(table: SkillTable) -> Iterator[ClassifiedSuite]:
    for row in table.skills:
        labels = table.results.suites[row.name].labels
        if not 1 < len(labels) <= MOST_CLASSES:
            continue
        for way in WAYS:
            found = classify_suite(table.results, row.name, way, table.arms, table.delta)
            if found.arms:
                yield found
