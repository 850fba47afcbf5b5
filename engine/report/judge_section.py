"""The section of a report on what models judged: apart from scores, and from the votes of people,
which are shown beside. Owns no number of it: these are `engine.judge.judge_result`'s."""

import math
from collections.abc import Iterator, Mapping

from engine.impact.changes.score_estimate import ScoreEstimate
from engine.judge.human_votes import Agreement
from engine.judge.judge_result import CAUTION, PLACE_DECIDES, JudgeResult, RubricResult
from engine.number_format import write_number, write_percent, write_points, write_with_interval
from engine.report.blocks import Block, Bullets, Paragraph, Section, grid
from engine.report.judge_facts import JudgeFacts
from engine.report.number_words import NONE
from engine.report.report_values import ReportValues
from engine.statistics import PairedTest

_READINGS = {"likelihood": "the likeliest of A, B, tie", "answer": "its answer: A, B or tie"}


def show_judges(values: ReportValues) -> Section | None:
    """Wins, ties and errors of each judge, its agreement with people, and their own votes."""
    judges = [*zip(values.facts.judges, values.judges, strict=True)]
    if not judges:
        return None
    names = [name_judge(facts) for facts in values.facts.judges]
    labels = {
        facts.id: f"{name}, {facts.id}" if names.count(name) > 1 else name
        for facts, name in zip(values.facts.judges, names, strict=True)
    }
    wins = [
        (labels[facts.id], f"{facts.right} against {facts.left}", one.rubric, f"{one.pairs:,}",
         f"{one.wins:,}", f"{one.losses:,}", f"{one.pairs - one.wins - one.losses:,}",
         _write_test(one.difference))
        for facts, one in _list_rubrics(judges)
    ]  # fmt: skip
    for vote in values.facts.votes:
        decided = vote.wins + vote.losses + vote.ties + vote.both_bad
        wins.append((f"people ({vote.voters:,})", f"{vote.arm} against {vote.other}", "vote",
                     f"{decided:,}", f"{vote.wins:,}", f"{vote.losses:,}",
                     f"{vote.ties + vote.both_bad:,}", NONE))  # fmt: skip
    errors = [
        (labels[facts.id], one.rubric, _write_share(one.consistency), f"{one.by_position:,}",
         _write_share(one.first_shown), _write_share(one.length.share if one.length else None),
         f"{one.incomplete:,}")
        for facts, one in _list_rubrics(judges)
    ]  # fmt: skip
    agreement = [
        row for facts, result in judges for row in _list_agreement(labels[facts.id], result)
    ]
    blocks: list[Block] = [
        Paragraph(CAUTION),
        grid(
            ("judge", "arms", "rubric", "pairs", "won", "lost", "tied", "won less lost, points"),
            wins, (0, 1, 2), "What models preferred, and people apart from them",
        ),
        grid(
            ("judge", "rubric", "both orders agree", "same place in both", "first shown preferred",
             "longer preferred", "without a verdict"),
            errors, (0, 1), "Errors of the judges; one without a bias to the place agrees in both "
            "orders, and prefers the first shown in 50%",
        ),
    ]  # fmt: skip
    if agreement:
        head = ("judge", "rubric", "beside", "pairs", "the same", "alpha, 95% interval", "why none")
        title = "Agreement with the votes of people, as Krippendorff's alpha"
        blocks.append(grid(head, agreement, (0, 1, 2, 6), title))
    blocks.append(Bullets(tuple(_list_notes(judges, labels))))
    return Section("judges", "What models judged", tuple(blocks))


def name_judge(facts: JudgeFacts) -> str:
    """A judge with the model behind it."""
    return facts.name if facts.name == facts.model else f"{facts.name} ({facts.model})"


def _list_rubrics(
    judges: list[tuple[JudgeFacts, JudgeResult]],
) -> Iterator[tuple[JudgeFacts, RubricResult]]:
    for facts, result in judges:
        for one in result.rubrics:
            yield facts, one


def _list_agreement(label: str, result: JudgeResult) -> Iterator[tuple[str, ...]]:
    voters = "the voter" if result.voters == 1 else f"most of {result.voters:,} voters"
    for one in result.rubrics:
        for agreement, beside in (
            (one.votes, voters),
            (one.averaged_votes, f"{voters}, place averaged out"),
            (one.ratings, f"{voters}, their ratings"),
        ):
            if agreement is not None:
                yield label, one.rubric, beside, *_write_agreement(agreement)
    if result.among_voters is not None:
        yield "people", "vote", "each other", *_write_agreement(result.among_voters)


def _list_notes(
    judges: list[tuple[JudgeFacts, JudgeResult]], labels: Mapping[str, str]
) -> Iterator[str]:
    for facts, result in judges:
        name = labels[facts.id]
        reading = _READINGS.get(facts.reading, facts.reading)
        state = "" if facts.state == "done" else f"; the job is {facts.state}"
        wording = f"wording of the questions {facts.prompt[:8]}"
        yield f"{name}: job {facts.id}, verdict is {reading}; {wording}{state}."
        for note in facts.notes:
            yield f"{name}: {note}."
        for one in result.rubrics:
            if one.place_decides:
                yield f"{name}, {one.rubric}: {PLACE_DECIDES}."
            if one.averaged is not None:
                yield (
                    f"{name}, {one.rubric}: with the place averaged out, {facts.right} is "
                    f"preferred on {_write_share(one.averaged)} of {one.averaged.items:,} pairs."
                )
            if one.problems:
                counts = ", ".join(f"{count:,} {word}" for word, count in
                                   sorted(one.problems.items()))  # fmt: skip
                yield f"{name}, {one.rubric}: questions without a verdict: {counts}."


def _write_test(test: PairedTest | None) -> str:
    """A mean in points with its interval; none for too few pairs."""
    if test is None:
        return NONE
    low, high = test.interval()
    if not (math.isfinite(low) and math.isfinite(high)):
        return write_points(test.difference)
    return write_with_interval(write_points, test.difference, low, high)


def _write_share(share: ScoreEstimate | None) -> str:
    if share is None:
        return NONE
    return write_with_interval(write_percent, share.value, share.low, share.high)


def _write_agreement(one: Agreement) -> tuple[str, str, str, str]:
    """Pairs, how many are the same, alpha, and why there is none."""
    alpha = NONE
    if one.alpha is not None:
        alpha = write_with_interval(_write_alpha, one.alpha, one.low, one.high)
    return f"{one.pairs:,}", f"{one.same:,}", alpha, one.reason


def _write_alpha(value: float) -> str:
    return write_number(value, 2, signed=True)
