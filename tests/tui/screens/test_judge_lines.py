"""A judge in words, each number with its n and its interval."""

from pathlib import Path

from engine.compare import votes as vote_files
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.judge.judge_report import read_report
from engine.judge.judge_result import CAUTION
from engine.judge.questions import Question
from engine.text import is_safe
from tests.judge.judged import BASE, TUNED, answered_job, in_turn, judge_job, votes_on
from tui.screens.judge_lines import (
    fit_judge_lines,
    judge_lines,
    read_judge_lines,
    report_lines,
)

ANSWERS = {f"p{at}": ("short", f"a longer answer {at}") for at in range(24)}


def prefer_tuned_but(question: Question) -> str:
    """Tuned, but of every sixth pair base, and of the first one whichever is first."""
    at = int(question.pair[1:])
    liked = BASE if at % 6 == 5 else TUNED
    return "A" if at == 0 or question.first == liked else "B"


def voted(root: Path, people: dict[str, str]) -> JobDirectory:
    job = answered_job(root, ANSWERS)
    book = vote_files.Book(vote_files.book_of(job.path, "ada"))
    for vote in votes_on(people):
        book.cast(vote)
    return job


def test_a_line_and_the_whole_report(root: Path) -> None:
    people = in_turn((TUNED, TUNED, TUNED, BASE), 24)
    judged = voted(root, people)
    job = judge_job(judged, prefer_tuned_but)
    (line,) = read_judge_lines(judged, "·")
    assert line.startswith("judge gemma, helpful: tuned 19, base 4, tie 1 of 24 · ")
    assert " · both orders agree 96% [80%, 99%] · alpha with votes " in line
    assert line.endswith("] (n 24)")
    report = report_lines(read_report(job), "·")
    assert report[0].startswith("judge gemma (gemma) · verdict: its answer, A, B or tie · prompt ")
    assert report[1] == "judge: tuned against base in answers"
    assert report[2] == CAUTION
    text = "\n".join(report)
    assert "  of the ties 0 in both orders, 0 in one, 1 by position" in text
    assert "  wins minus losses +.62 [+.26, +.90] (paired proportions)" in text, text
    assert "  prefers the answer shown first: 52% [" in text
    assert "of 48 verdicts (50% is no position bias)" in text
    assert "  prefers the longer answer: 83% [63%, 93%] of 23 pairs\n    of 23 pairs with" in text
    assert "the same on 17 of 24 pairs" in text, text
    assert "position decides" not in text


def test_few_common_pairs_are_named_and_nothing_is_called_agreement(root: Path) -> None:
    people = {"p0": TUNED, "p1": BASE, "p2": TUNED}
    job = judge_job(voted(root, people), prefer_tuned_but)
    text = "\n".join(report_lines(read_report(job), "·"))
    assert (
        "with the voter: 3 pairs in common, fewer than 20: no agreement; they differ on p0, p1"
        in text
    )
    assert "alpha" not in text
    (line,) = judge_lines([read_report(job)], "·")
    assert "3 pairs with votes, too few for agreement" in line


def test_a_judge_of_places_is_said_to_be_one(root: Path) -> None:
    job = judge_job(answered_job(root, ANSWERS), lambda _: "A", by_likelihood=True)
    (line,) = judge_lines([read_report(job)], "·")
    assert "both orders agree 0% [0%, 14%] · position decides more often than the answer" in line
    text = "\n".join(report_lines(read_report(job), "·"))
    assert "verdict: likeliest of A, B, tie" in text
    assert "prefers the answer shown first: 100%" in text
    assert "prefers the longer answer" not in text
    assert "position averaged out" not in text, "both orders' likelihoods are equal"


def test_a_judge_by_likelihood_has_the_place_averaged_out(root: Path) -> None:
    job = judge_job(answered_job(root, ANSWERS), prefer_tuned_but, by_likelihood=True)
    (line,) = judge_lines([read_report(job)], "·")
    assert " · position averaged out tuned 83% [63%, 93%]" in line
    text = "\n".join(report_lines(read_report(job), "·"))
    assert "position averaged out: tuned preferred on 83% [63%, 93%] of 23 pairs (mean of" in text


def test_whatever_a_judge_writes_is_shown_safely(root: Path) -> None:
    hostile = "A\x1b]0;pwn\x07\u202e or\nB"
    job = judge_job(answered_job(root, ANSWERS), lambda _: hostile, {"kind\x9b31m": "Is\x1b it?"},
                    judge="ge\x1bmma=/models/x")  # fmt: skip
    lines = [*report_lines(read_report(job), "·"), *judge_lines([read_report(job)], "·")]
    assert all(map(is_safe, lines))
    assert any("“A␛]0;pwn␇" in line for line in lines)
    assert any("questions without a verdict: 48 unreadable" in line for line in lines)


def test_a_judge_at_work_and_one_that_cannot_be_read(root: Path) -> None:
    judged = answered_job(root, ANSWERS)
    live = judge_job(judged, lambda one: "A" if one.pair == "p1" else "")
    status.write(live, Status(State.STOPPED, total=48))
    broken = judge_job(judged, lambda _: "A", name="second")
    broken.questions.write_text("{}\n")
    one, other = read_judge_lines(judged, "·")
    assert one.startswith("judge gemma (stopped), helpful: tuned 0, base 0, tie 1 of 1 · ")
    assert one.endswith("23 without a verdict")
    assert other.startswith("judge: This file is not a file of a judge's questions.")
    assert read_judge_lines(judged, "·", (BASE, "x=y:z"))[:-1] == []


def test_more_lines_than_fit_are_counted() -> None:
    assert fit_judge_lines(["a", "b"], 2, "job") == ["a", "b"]
    assert fit_judge_lines(["a", "b", "c"], 2, "job") == [
        "a", "2 more lines of judges: finetop judge show job"
    ]  # fmt: skip
    assert fit_judge_lines(["a", "b"], 1, "job") == ["2 lines of judges: finetop judge show job"]
    assert fit_judge_lines([], 1, "job") == []
