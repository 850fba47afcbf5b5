"""Plain sentences that follow from the numbers: each by one rule, with its n and its interval.

Owns the rules. A sentence says that something changed only where its verdict does
(`engine.impact.changes.verdicts`), and never more than the table beside it.
"""

from collections.abc import Iterator

from engine.impact.changes.flips import is_right
from engine.impact.changes.forgetting import StageMeasure
from engine.impact.changes.format_words import MEASURE_NAMES, MeasureChange
from engine.impact.changes.real_or_format import FormatVerdict
from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.stage_summary import StageSummary
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.number_format import write_number, write_points
from engine.report.job_answers import ArmAspects, AspectChange
from engine.report.number_words import (
    digits_of,
    write_change,
    write_digits,
    write_interval,
    write_value,
)
from engine.report.report_values import ReportValues

_MOST_ASPECTS = 3
_SHIFTS = {
    "format shift": "the answers changed their form, and the right ones stayed as likely",
    "knowledge shift": "the right answers became less likely",
    "format gained": "more answers are in the right form, and the right ones stayed as likely",
    "knowledge gained": "the right answers became more likely",
}


def list_sentences(values: ReportValues) -> Iterator[str]:
    """All of them, what matters most first."""
    yield from say_primary(values)
    yield from say_others(values)
    yield from say_shifts(values)
    for aspects in values.facts.aspects:
        if aspects.arm == values.last:
            yield from say_aspects(aspects)


def say_primary(values: ReportValues) -> Iterator[str]:
    """The means over skills, then each skill under the last arm against the first."""
    table = values.table
    if len(table.arms) < 2:
        yield "One arm alone: nothing is compared."
        return
    yield from say_summary(values.summary)
    for row in table.skills:
        yield from say_skill(table, row)


def say_summary(summary: StageSummary) -> Iterator[str]:
    """The change of the skills that no stage trained, and backward transfer, where there is one."""
    general = summary.general
    if general.value is not None:
        count = len(general.skills)
        which = (
            f"{general.skills[0]}, which no stage was trained on,"
            if count == 1
            else f"The {count:,} skills that no stage was trained on"
        )
        yield f"{which} changed by {_say_mean(general)}{_on_average(general)}."
    transfer = next(one for one in summary.others if one.name == "backward transfer")
    if transfer.value is not None:
        names = ", ".join(transfer.skills)
        which = (
            f"{names}, trained on at an earlier stage, changed by"
            if len(transfer.skills) == 1
            else f"What earlier stages were trained on ({names}) changed by"
        )
        yield (
            f"{which} {_say_mean(transfer)}{_on_average(transfer)} from the end of its own stage "
            "to the last (backward transfer)."
        )


def _on_average(measure: StageMeasure) -> str:
    return " on average" if len(measure.skills) > 1 else ""


def say_skill(table: SkillTable, row: SkillRow) -> Iterator[str]:
    """The last arm against the first on one skill, and what came back on the way."""
    last = table.arms[-1]
    change = row.changes.get(last)
    if change is None:
        arms = (table.arms[0], last)
        why = next((f" ({row.not_measured[arm]})" for arm in arms if arm in row.not_measured), "")
        if row.results:
            yield f"{row.name} was not measured on both {table.arms[0]} and {last}{why}."
        return
    if change.verdict is None:
        yield f"{row.name} is not finite under one of the two arms: it diverged."
        return
    text = f"{row.name} {_say_verdict(row, change)}{_say_flips(change)}"
    if row.ever_lost:
        count, back = len(row.ever_lost), len(row.regained)
        text += f"; of {count:,} lost at a stage between, {back:,} {_are(back)} right again"
    yield f"{text}."


def say_others(values: ReportValues) -> Iterator[str]:
    """Each other arm against the one that it came from: what it gained and lost."""
    table = values.table
    for arm in table.arms[1:]:
        found: dict[str, list[str]] = {}
        before = table.arms[0]
        for row in table.skills:
            change = row.stage_changes.get(arm) or (
                row.changes.get(arm) if arm != table.arms[-1] else None
            )
            if change is None or change.verdict is None:
                continue
            before = change.before
            if change.verdict.word in ("lost", "gained"):
                found.setdefault(change.verdict.word, []).append(_say_part(row, change))
        if found or arm != table.arms[-1]:
            parts = (f"{word} {', '.join(found[word])}" for word in ("gained", "lost")
                     if word in found)  # fmt: skip
            yield f"{arm} against {before} {'; '.join(parts) or 'lost and gained nothing certain'}."


def say_aspects(aspects: ArmAspects) -> Iterator[str]:
    """The numbers of the answers that changed most, in units of their interval."""
    found = [one for one in aspects.rows if one.low > 0 or one.high < 0]
    found.sort(key=lambda one: (-_clearness(one), one.name))
    for one in found[:_MOST_ASPECTS]:
        verb = "rose" if one.after > one.before else "fell"
        digits = digits_of(one.low, one.high)
        change = write_number(one.after - one.before, digits, signed=True)
        yield (
            f"In the answers of {aspects.arm}, {one.name} {verb} from {write_digits(one.before)} "
            f"to {write_digits(one.after)}, by {change} "
            f"{write_interval(one.low, one.high, digits, signed=True)} over {one.items:,} pairs "
            "(exploratory)."
        )


def _clearness(one: AspectChange) -> float:
    """The difference over half of its interval."""
    return abs(one.after - one.before) / max(1e-12, (one.high - one.low) / 2)


def _say_mean(measure: StageMeasure) -> str:
    assert measure.value is not None, measure.reason
    points = f"{write_points(measure.value)} points"
    if measure.low is None or measure.high is None:
        return f"{points} (no interval: {measure.reason.removeprefix('no interval: ')})"
    return f"{points} [{write_points(measure.low)}, {write_points(measure.high)}]"


def _say_verdict(row: SkillRow, change: SkillChange) -> str:
    assert change.verdict is not None, "it is finite"
    word, count = change.verdict.word, f"{change.test.items:,} {_items(row, change.test.items)}"
    if word == "items only":
        return f"has {count}: fewer than {LEAST_ITEMS} give no verdict{_say_right(row, change)}"
    if word in ("lost", "gained"):
        return f"{word} ({write_change(row, change)} on {count}, {_say_scores(row, change)})"
    if word in ("higher", "lower"):
        nats = row.unit == "nats per token"
        what = f"{'less' if word == 'higher' else 'more'} likely" if nats else word
        return (
            f"became {what} under {change.after}: {write_change(row, change)} on {count} "
            f"({_say_scores(row, change)})"
        )
    if word in ("the same within", "changed within"):
        return (
            f"{'is ' if word.startswith('the') else ''}{change.verdict.words}: "
            f"{write_change(row, change)} on {count} ({_say_scores(row, change)})"
        )
    needed = change.verdict.items_needed
    more = f", and about {needed:,} would do" if needed is not None else ""
    return f"gives not enough evidence of a change: {write_change(row, change)} on {count}{more}"


def _say_part(row: SkillRow, change: SkillChange) -> str:
    return f"{row.name} {write_change(row, change)} (n {change.test.items:,})"


def _say_scores(row: SkillRow, change: SkillChange) -> str:
    before, after = (
        write_value(row.results[arm].score, row) for arm in (change.before, change.after)
    )
    return f"{'perplexity ' if row.is_perplexity else ''}{before} to {after}"


def _say_right(row: SkillRow, change: SkillChange) -> str:
    if change.flips is None:
        return ""
    before, after = (
        sum(map(is_right, row.results[arm].scores.values()))
        for arm in (change.before, change.after)
    )
    return f"; {before} right under {change.before}, {after} under {change.after}"


def _say_flips(change: SkillChange) -> str:
    """How many of the items that were right are lost, and how many others are gained."""
    if change.flips is None or (change.verdict and change.verdict.word == "items only"):
        return ""
    lost, gained = len(change.lost), len(change.gained)
    right = len(change.flips.kept) + lost
    other = change.flips.items - right
    parts = []
    if right:
        noun = _plural("item", right)
        parts.append(
            f"{lost:,} of the {right:,} {noun} that {change.before} had right {_are(lost)} lost"
        )
    if other:
        parts.append(f"{gained:,} of the other {other:,} {_are(gained)} gained")
    return f": {', '.join(parts)}"


def say_shifts(values: ReportValues) -> Iterator[str]:
    """Whether the last arm's changes are those of knowledge or of form alone."""
    for skill, compared in values.formats.items():
        for one in compared:
            for verdict in one.asked if one.arm == values.last else ():
                if verdict.word in _SHIFTS:
                    yield (
                        f"{verdict.suite or skill}, {verdict.word}: {_SHIFTS[verdict.word]} "
                        f"({_say_states(verdict)}; {verdict.items:,} items)."
                    )


def _say_states(verdict: FormatVerdict) -> str:
    deciding: list[MeasureChange] = [
        verdict.changes[name] for name in MEASURE_NAMES if name in verdict.changes
    ]
    return ", ".join(f"{MEASURE_NAMES[one.measure]} {one.state}" for one in deciding)


def _items(row: SkillRow, count: int) -> str:
    return _plural("text" if row.is_perplexity else "item", count)


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
