"""What `finetop gate` says: before it measures, on stderr, and its table, 80 columns wide."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.impact.changes.gate import GateOutcome, GateReport, Limit, write_change
from engine.impact.changes.gate_plan import DISCORDANT, plan_limit
from engine.impact.suites.evaluation_plan import Suite
from engine.number_format import write_percent
from engine.text import one_line
from tui.commands.wrapped_lines import wrap
from tui.styled_text import fit, pad

if TYPE_CHECKING:
    from engine.launching.discordance import Discordance

_NAME, _COUNT, _VALUE, _LIMIT = 14, 7, 9, 18
_SIGNS = {"lost at most": "lost <=", "gained at least": "gained >="}


def list_plan_lines(
    limits: Sequence[Limit],
    suites: Mapping[str, Suite],
    discordance: "Mapping[str, Discordance]",
) -> Iterator[str]:
    """How many items each limit needs, and what those of its suite can show; by name the suites
    that can be read here, and what earlier evaluations tell of them."""
    for limit in limits:
        text = _say_plan(limit, suites.get(limit.suite), discordance.get(limit.suite))
        yield from wrap(f"{one_line(limit.suite)}, {limit.words}: {text}")


def _say_plan(limit: Limit, suite: Suite | None, measured: "Discordance | None") -> str:
    if suite is None:
        return "its items are counted once they are read."
    share = DISCORDANT if measured is None else measured.share
    plan = plan_limit(limit, suite.measure, suite.items, share)
    if plan is None:
        return f"{len(suite.items):,} items; how many it needs follows from what is measured."
    count = f"{plan.items:,}"
    count += f" in {plan.groups:,} groups" if plan.groups < plan.items else ""
    source = ""
    if measured is not None and plan.discordant == measured.share:
        source = f" as in {measured.job}"
    needs = (
        f"needs about {plan.needed:,} items to pass in 90% of cases {plan.assumption} and "
        f"{write_percent(plan.discordant)} are discordant{source}; it has {count}"
    )
    if not plan.chance:
        unit = " groups" if plan.groups < plan.items else ""
        return f"{needs} and cannot pass: the least is {plan.least:,}{unit}."
    chance = write_percent(plan.chance)
    return f"{needs} and passes in {'' if chance[0] in '<>' else 'about '}{chance}."


def list_report_lines(report: GateReport) -> Iterator[str]:
    """A line a limit, under it what belongs to it, and the outcome of all."""
    head = pad("skill", _NAME) + pad("n", _COUNT, right=True)
    head += pad("change", _VALUE, right=True) + pad("bound", _VALUE, right=True)
    yield f"{head}  {pad('limit', _LIMIT)}outcome"
    for judged in report.outcomes:
        yield _outcome_line(judged)
        for note in (*_list_facts(judged), *map(one_line, judged.notes)):
            yield from wrap(f"  {note}", "    ")
    yield ""
    yield from wrap(
        f"{one_line(report.title)}: {report.outcome}. "
        "Changes are in points, of perplexities in percent; each bound holds with 95% on its one "
        "side (of a failed limit the other one), and every limit must be kept."
    )
    for note in report.notes:
        yield from wrap(one_line(note))


def _outcome_line(judged: GateOutcome) -> str:
    kind = judged.limit.kind
    amount = f"{100 * judged.limit.share:.6g}"
    limit = f"{_SIGNS[kind]} {amount}" if kind in _SIGNS else f"perplexity <= +{amount}%"
    cells = pad(fit(one_line(judged.limit.suite), _NAME - 1, "~"), _NAME)
    cells += pad(f"{judged.items:,}", _COUNT, right=True)
    for value in (judged.change, judged.bound):
        cells += pad(write_change(judged, value), _VALUE, right=True)
    return f"{cells}  {pad(limit, _LIMIT - 1)} {judged.outcome}"


def _list_facts(judged: GateOutcome) -> Iterator[str]:
    if judged.reason:
        yield f"{judged.reason[:1].upper()}{judged.reason[1:]}."
    if judged.items_needed is not None:
        yield f"About {judged.items_needed:,} items would decide, if {judged.needed_if}."
    if judged.unseen is not None:
        change = write_change(judged.unseen, judged.unseen.change)
        yield (
            f"Without the items that were seen in training: {judged.unseen.outcome}, {change} "
            f"(n = {judged.unseen.items:,})."
        )
