"""What can be said of gained against retained, in sentences, and what should be known before.

Owns the words of the front, of pairs of arms at equal gain, and of what is missing where nobody can
be named. Names come from files and are not cleaned: that is for whoever shows them.
"""

from collections.abc import Iterator, Sequence

from engine.impact.changes.forgetting import StageMeasure
from engine.impact.changes.skill_notes import SCOPE, say_manners
from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.tradeoff import ArmDifference, ArmPair, Tradeoff
from engine.number_format import write_number, write_points, write_with_interval

_MOST_PAIRS = 6
"""That are named one by one."""


def write_difference(difference: ArmDifference) -> str:
    """A difference with its interval: +12.0 points [+8.1, +16.2]."""
    low, high = map(write_points, (difference.low, difference.high))
    return f"{write_points(difference.value)} points [{low}, {high}]"


def write_measure(measure: StageMeasure) -> str:
    """A mean change in points with its interval: +28.6 [+23.2, +34.0]."""
    if measure.value is None:
        return measure.reason
    return write_with_interval(write_points, measure.value, measure.low, measure.high)


def say_front(tradeoff: Tradeoff) -> str:
    """Which arms are on the front, and on what that rests."""
    names = _join([point.arm for point in tradeoff.front])
    return f"Pareto front by point estimates, not by their intervals: {names}."


def say_pairs(tradeoff: Tradeoff) -> tuple[str, ...]:
    """Who forgot less than whom at equal gain; where nobody is named, what is missing for that."""
    if len(tradeoff.points) < 2:
        return ("There is one arm beside the base: nothing is compared at equal gain.",)
    named = [pair for pair in tradeoff.pairs if pair.is_less_forgotten]
    named.sort(key=lambda pair: -pair.retained.low)
    sentences = [
        f"{pair.kept_more} forgot less than {pair.kept_less} at equal gain "
        f"(within {_delta(tradeoff)}): {write_difference(pair.retained)}."
        for pair in named[:_MOST_PAIRS]
    ]
    if len(named) > _MOST_PAIRS:
        sentences.append(
            f"The same is so of {len(named) - _MOST_PAIRS:,} more pairs: finetop impact JOB "
            "--tradeoff --json lists all."
        )
    return tuple(sentences) or (_say_missing(tradeoff),)


def say_alike(tradeoff: Tradeoff) -> str:
    """Which arms the intervals do not tell apart; empty where all are."""
    alike = [
        f"{pair.kept_more} and {pair.kept_less}"
        for pair in tradeoff.pairs
        if not pair.is_told_apart
    ]
    if not alike:
        return ""
    more = f" and {len(alike) - _MOST_PAIRS:,} more pairs" if len(alike) > _MOST_PAIRS else ""
    return (
        f"Not told apart, neither in gain nor in what they retained, by 95% intervals: "
        f"{'; '.join(alike[:_MOST_PAIRS])}{more} (exploratory, unadjusted)."
    )


def list_notes(tradeoff: Tradeoff, table: SkillTable) -> tuple[str, ...]:
    """What should be known before the points are read, a sentence each."""
    return tuple(_list_notes(tradeoff, table))


def _list_notes(tradeoff: Tradeoff, table: SkillTable) -> Iterator[str]:
    why = "named" if tradeoff.is_chosen else "trained on"
    yield (
        f"Gained: mean change of {_join(tradeoff.targets)} ({why}); retained: mean change of "
        f"{_join(tradeoff.others)}; against {tradeoff.base}, on items that all arms have "
        f"({tradeoff.items:,} at least)."
    )
    for name, reason in tradeoff.left_out.items():
        yield f"Left out: {name}: {reason}."
    skills = (*tradeoff.targets, *tradeoff.others)
    arms = (tradeoff.base, *(point.arm for point in tradeoff.points))
    yield from _say_manners(table, skills, arms)
    yield from _say_seen(table, skills, arms)
    yield (
        "Intervals: 95%, items resampled within skills, arms paired, skills fixed; pairs at equal "
        "gain by Student's t with the resampled standard error, corrected by Holm over all pairs "
        f"({len(tradeoff.pairs):,})."
        if tradeoff.pairs
        else "Intervals: 95%, items resampled within skills, arms paired, skills fixed."
    )
    yield f"Scope: {SCOPE}."


def _say_missing(tradeoff: Tradeoff) -> str:
    """Why no arm is named: gains are not equal, or the intervals of what was retained hold 0."""
    equal = [pair for pair in tradeoff.pairs if pair.is_equal_gain]
    if not equal:
        pair = min(tradeoff.pairs, key=_widest_gain)
        return (
            f"Who forgot least at equal gain cannot be said: no two arms are shown to have gained "
            f"equally within {_delta(tradeoff)}. Nearest are {pair.kept_more} and "
            f"{pair.kept_less}, {write_difference(pair.gain)} at 90%."
        )
    pair = max(equal, key=lambda one: (one.retained.low, one.retained.value))
    count = f"{len(equal):,} pair{'s' * (len(equal) != 1)} of arms gained equally"
    return (
        f"Who forgot least at equal gain cannot be said: {count} within {_delta(tradeoff)}, and "
        f"no interval of what they retained leaves out 0. Nearest to it: {pair.kept_more} less "
        f"{pair.kept_less}, {write_difference(pair.retained)} at "
        f"{100 * pair.retained.confidence:.3g}%."
    )


def _widest_gain(pair: ArmPair) -> float:
    """How far the interval of the gain reaches."""
    return max(abs(pair.gain.low), abs(pair.gain.high))


def _say_manners(table: SkillTable, skills: Sequence[str], arms: Sequence[str]) -> Iterator[str]:
    """How the arms were not asked alike, by the skills of which it is so."""
    of_skills: dict[str, list[str]] = {}
    for skill in skills:
        asked = {
            arm: suite.asked
            for arm in arms
            if (suite := table.results.arms[arm].suites.get(skill)) is not None
        }
        for note in say_manners(asked):
            of_skills.setdefault(note, []).append(skill)
    for note, names in of_skills.items():
        yield f"{_join(names)}: {note}"


def _say_seen(table: SkillTable, skills: Sequence[str], arms: Sequence[str]) -> Iterator[str]:
    """Items that an arm has seen in training, or of which that is not known."""
    seen: dict[str, int] = {}
    unknown: list[str] = []
    for arm in arms:
        found = [
            row.results[arm].seen
            for row in table.skills
            if row.name in skills and arm in row.results
        ]
        if any(one is None for one in found):
            unknown.append(arm)
        if count := sum(len(one) for one in found if one):
            seen[arm] = count
    if seen:
        counts = _join([f"{count:,} by {arm}" for arm, count in seen.items()])
        yield f"Items seen in training, which count as all others: {counts}."
    if unknown:
        whom = "any arm" if len(unknown) == len(arms) else _join(unknown)
        yield f"Whether {whom} saw these items in training is unknown."


def _delta(tradeoff: Tradeoff) -> str:
    return f"{write_number(100 * tradeoff.delta, 0 if tradeoff.delta >= 0.01 else 1)} points"


def _join(names: Sequence[str]) -> str:
    return ", ".join(names)
