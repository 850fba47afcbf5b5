"""A judge's numbers in words: a line beside the votes, and the whole report. Pure text, clean."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

from engine.impact.changes.score_estimate import ScoreEstimate
from engine.jobs.directory import JobDirectory
from engine.judge.family import OWN
from engine.judge.human_votes import FEWEST, Agreement
from engine.judge.judge_report import JudgeReport, read_reports
from engine.judge.judge_result import CAUTION, PLACE_DECIDES, LengthBias, RubricResult
from engine.number_format import write_percent, write_share, write_share_change, write_with_interval
from engine.text import one_line

JUDGED_APART = "judged by models, apart from the votes:"
_READINGS = {
    "likelihood": "verdict: likeliest of A, B, tie",
    "answer": "verdict: its answer, A, B or tie",
}
_LONGEST_EXAMPLE = 60
_MOST_PAIRS = 10
"""That are named where there are too few to speak of agreement."""


def judge_lines(
    reports: Iterable[JudgeReport], separator: str, arms: Collection[str] = ()
) -> list[str]:
    """A line for each judge and rubric: wins, consistency, agreement with votes.

    `arms`: of judges of these two alone, in the grammar.
    """
    between = f" {separator} "
    return [
        between.join(_summary(report, one))
        for report in reports
        if not arms or {report.result.left, report.result.right} == {*arms}
        for one in report.result.rubrics
    ]


def read_judge_lines(judged: JobDirectory, separator: str, arms: Collection[str] = ()) -> list[str]:
    """The lines of all judges of a job, and of those that cannot be read the reason. Blocks."""
    reports, errors = read_reports(judged)
    lines = judge_lines(reports, separator, arms)
    return [*lines, *(one_line(f"judge: {error.title} {error.detail}") for error in errors)]


def _summary(report: JudgeReport, one: RubricResult) -> Iterator[str]:
    state = f" ({report.state})" if report.state != "done" else ""
    yield f"judge {one_line(report.name)}{state}, {one_line(one.rubric)}: {_counts(report, one)}"
    if one.consistency is not None:
        yield f"both orders agree {_percent(one.consistency)}"
    if one.place_decides:
        yield PLACE_DECIDES
    if one.averaged is not None:
        yield f"position averaged out {one_line(report.right_name)} {_percent(one.averaged)}"
    votes = one.votes
    if votes is not None and votes.alpha is not None:
        yield f"alpha with votes {_alpha(votes)} (n {votes.pairs})"
    elif votes is not None:
        yield f"{votes.pairs} pairs with votes, too few for agreement"
    if one.incomplete:
        yield f"{one.incomplete} without a verdict"
    if any(note.startswith(OWN) for note in report.notes):
        yield "judges its own family"


def fit_judge_lines(lines: Sequence[str], most: int, job: str) -> list[str]:
    """The first of the lines, in at most `most` rows, and how the others are printed."""
    if len(lines) <= most:
        return list(lines)
    shown = list(lines[: most - 1])
    rest = f"{len(lines) - len(shown)} {'more ' if shown else ''}lines of judges"
    return [*shown, f"{rest}: finetop judge show {one_line(job)}"]


def report_lines(report: JudgeReport, separator: str) -> list[str]:
    """The whole report, its heads without an indent."""
    between = f" {separator} "
    left, right = one_line(report.left_name), one_line(report.right_name)
    head = [
        f"judge {one_line(report.name)} ({one_line(report.model)})",
        _READINGS.get(report.reading, one_line(report.reading)),
        f"prompt {one_line(report.prompt[:8])}",
    ]
    state = f", {report.state}" if report.state != "done" else ""
    lines = [
        between.join(head),
        f"{one_line(report.id)}{state}: {right} against {left} in {one_line(report.judged)}",
        CAUTION,
        *(f"note: {one_line(note)}" for note in report.notes),
    ]
    for one in report.result.rubrics:
        lines += ["", *_rubric_lines(report, one)]
    among = report.result.among_voters
    if among is not None:
        lines += ["", f"voters among themselves: {_agreement(among)}"]
    return lines


def _rubric_lines(report: JudgeReport, one: RubricResult) -> list[str]:
    lines = [f"{one_line(one.rubric)}: {_counts(report, one)}"]
    if one.pairs:
        lines.append(
            f"  of the ties {one.ties} in both orders, {one.one_tie} in one, "
            f"{one.by_position} by position (the same position preferred in both)"
        )
    if one.difference is not None:
        low, high = one.difference.interval()
        bounds = f"[{write_share_change(low)}, {write_share_change(high)}]"
        change = write_share_change(one.difference.difference)
        lines.append(f"  wins minus losses {change} {_known(bounds, low)} ({one.difference.name})")
    elif one.pairs:
        lines.append("  too few pairs for an interval of the difference")
    if one.consistency is not None:
        lines.append(f"  both orders agree: {_percent(one.consistency)} of {one.pairs} pairs")
    if one.place_decides:
        lines.append(f"  {PLACE_DECIDES}: its ties do not say that the answers are alike")
    if one.first_shown is not None:
        lines.append(
            f"  prefers the answer shown first: {_percent(one.first_shown)} of "
            f"{one.first_shown.items} verdicts (50% is no position bias)"
        )
    if one.averaged is not None:
        lines.append(
            f"  position averaged out: {one_line(report.right_name)} preferred on "
            f"{_percent(one.averaged)} of {one.averaged.items} pairs (mean of both orders)"
        )
    lines += [f"  {line}" for line in _length_lines(one.length)]
    who = "the voter" if report.result.voters == 1 else "most voters"
    if one.votes is not None:
        lines.append(f"  with {who}: {_agreement(one.votes)}")
    if one.averaged_votes is not None:
        lines.append(f"  with {who}, position averaged out: {_agreement(one.averaged_votes)}")
    if one.ratings is not None:
        lines.append(f"  with ratings of {one_line(one.rubric)}: {_agreement(one.ratings)}")
    if one.problems:
        counts = ", ".join(f"{count} {problem}" for problem, count in one.problems.items())
        lines.append(f"  questions without a verdict: {counts}")
        lines += [f"    “{one_line(text)[:_LONGEST_EXAMPLE]}”" for text in one.examples]
    if one.problems.get("cut"):
        lines.append("    cut: a higher decode.max_new_tokens leaves room for reasoning")
    return lines


def _length_lines(length: LengthBias | None) -> list[str]:
    if length is None:
        return []
    count = length.share.items
    line = (
        f"prefers the longer answer: {_percent(length.share)} of {count} pair{'s' * (count != 1)}"
    )
    if length.judge_on_voted is None or length.voters_on_voted is None:
        return [f"{line} (no votes on these pairs to compare with; 50% if length does not matter)"]
    voted = length.judge_on_voted.items
    judge, people = (_percent(one) for one in (length.judge_on_voted, length.voters_on_voted))
    lines = [
        line,
        f"  of {voted} pair{'s' * (voted != 1)} with votes: judge {judge}, voters {people}",
    ]
    if length.difference is not None:
        low, high = length.difference.interval()
        bounds = f"[{write_share_change(low)}, {write_share_change(high)}]"
        change = write_share_change(length.difference.difference)
        lines[-1] += f", difference {change} {_known(bounds, low)}"
    return lines


def _counts(report: JudgeReport, one: RubricResult) -> str:
    """emotion-lora 41, base 22, tie 17 of 80"""
    if not one.pairs:
        return "no pair has a verdict in both orders"
    left, right = one_line(report.left_name), one_line(report.right_name)
    ties = one.pairs - one.wins - one.losses
    return f"{right} {one.wins}, {left} {one.losses}, tie {ties} of {one.pairs}"


def _agreement(agreement: Agreement) -> str:
    if agreement.pairs < FEWEST:
        differing = [one_line(pair) for pair in agreement.differing[:_MOST_PAIRS]]
        more = len(agreement.differing) - len(differing)
        which = ", ".join(differing) + (f" and {more} more" if more else "")
        said = f"; they differ on {which}" if differing else ""
        return f"{agreement.pairs} pairs in common, fewer than {FEWEST}: no agreement{said}"
    same = f"the same on {agreement.same} of {agreement.pairs} pairs"
    if agreement.alpha is None:
        return f"{same}, alpha unknown: {agreement.reason}"
    reason = f" ({agreement.reason})" if agreement.reason else ""
    return f"alpha {_alpha(agreement)}, {same}{reason}"


def _alpha(agreement: Agreement) -> str:
    assert agreement.alpha is not None
    return write_with_interval(_signed, agreement.alpha, agreement.low, agreement.high)


def _signed(value: float) -> str:
    """Of alpha, which may be below 0: .42, -.08."""
    return write_share(value) if value >= 0 else write_share_change(value)


def _percent(share: ScoreEstimate) -> str:
    return write_with_interval(write_percent, share.value, share.low, share.high)


def _known(bounds: str, low: float) -> str:
    return bounds if math.isfinite(low) else "without an interval"
