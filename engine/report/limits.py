"""What the numbers of a report cannot say, by themselves: in sentences, each from a number."""

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist

from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_notes import SCOPE, of_rows
from engine.impact.changes.skill_rows import SkillRow
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.results.evaluation_results import SERVER, ArmSuite
from engine.number_format import NOISE, write_number
from engine.report.control_section import say_power
from engine.report.job_answers import LONGEST
from engine.report.judge_section import name_judge
from engine.report.report_values import ReportValues
from engine.statistics import COVERAGE, paired_proportions

_REACH = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)


def find_detectable(change: SkillChange) -> float | None:
    """The least change that a test at 5% would find 4 times in 5 with as many items of this
    spread: (z_{α/2} + z_β) ω / √n (Miller 2024, arXiv 2411.00640, solved for δ).

    Of items none of which changed, the share that has to flip to one side for that: enough flips
    that the interval of `paired_proportions` leaves out 0 come up 4 times in 5. None where it is
    not finite, or where so few items never give a verdict.
    """
    test = change.test
    if test.items < LEAST_ITEMS:
        return None
    if test.name == "exact bound":
        return _find_share(test.trials)
    value = _REACH * test.error
    return value if math.isfinite(test.variance) and value > NOISE else None


def _find_share(trials: int) -> float | None:
    flips = next(
        (one for one in range(1, trials + 1) if paired_proportions(one, 0, trials)[0] > 0), None
    )
    if flips is None:
        return None
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        fewer = math.fsum(
            math.comb(trials, one) * share**one * (1 - share) ** (trials - one)
            for one in range(flips)
        )
        low, high = (share, high) if fewer > 0.2 else (low, share)
    return high


def list_limits(values: ReportValues) -> Iterator[str]:
    """The limits, the widest first."""
    table, facts = values.table, values.facts
    yield f"All of it is about {SCOPE}: another seed or another recipe of the same kind may differ."
    yield from _say_family(values)
    yield from say_power(values)
    yield _say_manner(values)
    yield from _say_contamination(values)
    yield from values.summary.notes
    yield from table.notes
    yield from of_rows(table.results, table.skills)
    imported = [
        row.name
        for row in table.skills
        if any("source" in suite.asked for arm in table.arms
               if (suite := table.results.arms[arm].suites.get(row.name)) is not None)
    ]  # fmt: skip
    if imported:
        yield f"Measured by another program and imported, not measured here: {', '.join(imported)}."
    if facts.missing_runs:
        yield f"No curves and settings: the runs {', '.join(facts.missing_runs)} were not found."
    for aspects in facts.aspects[:1]:
        if aspects.items < aspects.answered:
            yield (
                f"Wording is compared on {aspects.items:,} of {aspects.answered:,} items, drawn by "
                "the hash of their ids. Each answer counts as one independent observation."
            )
    yield f"Answers are shown to {LONGEST} characters; curves are drawn from their extremes."
    yield from _say_judges(values)
    yield from COVERAGE


def _say_family(values: ReportValues) -> Iterator[str]:
    table = values.table
    if len(table.arms) < 2:
        return
    points = write_number(100 * table.delta, 0 if table.delta >= 0.01 else 1)
    rows = (*table.skills, *table.secondary)
    changes = [one for row in rows for one in (*row.changes.values(), *row.stage_changes.values())]
    primary = sum(one.verdict is not None and one.verdict.is_primary for one in changes)
    others = len(changes) - primary
    yield (
        f"A change up to {points} points is of no interest (delta). {values.last} against "
        f"{values.base} is the primary family: {primary:,} tests, corrected by Holm, and their "
        f"intervals too. The other {others:,} tests are exploratory and unadjusted: where nothing "
        "changed, 1 in 20 of them would say that something did."
    )
    yield f"Fewer than {LEAST_ITEMS} items never give a verdict."


def _say_manner(values: ReportValues) -> str:
    """How the skills were asked, where that is one way for all; else that there are several."""
    ways = {
        (
            str(suite.asked.get("fewshot", 0)),
            str(suite.asked.get("template", "own")),
            _is_greedy(suite),
        )
        for row in values.table.skills
        for arm in values.table.arms
        if (suite := values.table.results.arms[arm].suites.get(row.name)) is not None
        and suite.asked
    }
    tail = "asked in another way, scores and changes may differ."
    if not ways:
        return f"How the skills were asked is not recorded: {tail}"
    if len(ways) > 1:
        return f"Skills were asked in {len(ways)} ways, each named with its skill: {tail}"
    shots, template, is_greedy = ways.pop()
    names = {"own": "each arm's own template", SERVER: "the server's own template"}
    own = names.get(template, f"the template {template}")
    manner = "zero-shot" if shots == "0" else f"with {shots} examples"
    how = f"{manner}, by {own}"
    return f"All skills were asked {how}, {'greedy' if is_greedy else 'sampled'}: {tail}"


def _say_judges(values: ReportValues) -> Iterator[str]:
    facts = values.facts
    if any(one.voters for one in facts.votes):
        yield "Votes are shown apart from scores, and no score uses them."
    elif not facts.judges:
        yield "No judge: right and wrong come from the items alone, and no votes were cast."
    if facts.judges:
        names = ", ".join(dict.fromkeys(map(name_judge, facts.judges)))
        yield (
            f"Judged by models: {names}. No score uses it. A judge prefers places, long answers "
            "and its own family; its errors stand beside its wins, and another judge or wording "
            "may say something else."
        )


def _is_greedy(suite: ArmSuite) -> bool:
    decode = suite.asked.get("decode")
    return not isinstance(decode, Mapping) or not decode.get("temperature", 0)


def _say_contamination(values: ReportValues) -> Iterator[str]:
    if values.summary.seen is None:
        yield (
            f"Contamination is not known: which items stand in the training rows of {values.last} "
            "cannot be said."
        )
    else:
        count = values.summary.seen
        yield (
            f"Contamination: {count:,} {'item stands' if count == 1 else 'items stand'} in rows "
            f"that {values.last} was trained on."
        )


def list_detectable(values: ReportValues) -> Iterator[tuple[SkillRow, SkillChange, float | None]]:
    """Of each skill the primary change, and the least change that it could have found."""
    for row in values.table.skills:
        change = row.changes.get(values.last)
        if change is not None and change.verdict is not None:
            yield row, change, find_detectable(change)
