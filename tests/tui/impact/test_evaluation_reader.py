"""An evaluation read from its directory: whole, broken, of another version, changed since."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from engine.compare import samples as sample_files
from engine.compare.votes import Book, Vote, book_of
from engine.jobs.directory import JobDirectory
from engine.judge.questions import Question, write_questions
from engine.recipes.recipe import JudgeRecipe
from tests.judge.judged import make_job, sample
from tests.tui.impact.evaluated import (
    ARMS,
    BASE,
    COUNSEL,
    EMOTION,
    scored,
    staged_results,
    suite_facts,
    write_evaluation,
)
from tui.impact.evaluation_reader import EvaluationSnapshot, read_evaluation


def read(job: JobDirectory) -> EvaluationSnapshot:
    evaluation = read_evaluation(job.path)
    assert evaluation is not None
    return evaluation


def test_a_whole_evaluation_has_a_table_and_a_summary(tmp_path: Path) -> None:
    evaluation = read(write_evaluation(tmp_path, results=staged_results()))
    assert evaluation.table is not None
    assert evaluation.table.arms == ("base", "emotion", "counsel")
    assert evaluation.summary is not None
    # Of arithmetic and French: a song of three items is no score to average.
    assert evaluation.summary.general.value == pytest.approx(((0.96 - 1) + (0.96 - 0.96)) / 2)
    assert (evaluation.problem, evaluation.votes) == ("", ())


def test_nothing_is_read_again_that_did_not_change(tmp_path: Path) -> None:
    job = write_evaluation(tmp_path, results=staged_results())
    first = read(job)
    assert read_evaluation(job.path, first) is None
    job.results.write_text(json.dumps(staged_results()) + " ")
    assert read_evaluation(job.path, first) is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it is not whole"),
        ('{"schema": 2, "arms": {', "it is not whole"),
        ("[]", "it holds no JSON object"),
        ('{"schema": 99, "arms": {}}', "schema 99 is not known"),
        ('{"schema": 2, "suites": {}, "arms": {}}', "it has no arms"),
        ('{"schema": 2, "suites": 5, "arms": {}}', "no results of an evaluation"),
        ('{"arms": {}}', "no results of an evaluation"),
        ("[" * 100_000, "it is not whole"),
        ('{"schema": "\\u001b[2J\\n"}', "is not known"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_the_reason(
    tmp_path: Path, content: str, words: str
) -> None:
    evaluation = read(write_evaluation(tmp_path, results=content))
    assert evaluation.table is None
    assert evaluation.problem.startswith("results.json cannot be read: ")
    assert words in evaluation.problem
    assert "\n" not in evaluation.problem
    assert "\x1b" not in evaluation.problem


def test_no_results_yet_are_no_problem(tmp_path: Path) -> None:
    evaluation = read(write_evaluation(tmp_path))
    assert (evaluation.table, evaluation.problem) == (None, "")


def _version_1() -> dict[str, Any]:
    """Arms in another order than that of the recipe, with the answers themselves."""

    def arm(spec: str, right: int) -> dict[str, Any]:
        scores = {f"q{at}": float(at < right) for at in range(30)}
        answers = {f"q{at}": f"{spec} {at}" for at in range(30)}
        prompts = {f"q{at}": f"Question {at}?" for at in range(30)}
        return {"arm": spec, "suites": {
            "facts": {"scores": scores, "answers": answers, "prompts": prompts},
        }}  # fmt: skip

    return {"schema": 1, "data": "", "arms": {"emotion": arm(EMOTION, 9), "base": arm(BASE, 20)}}


def test_version_1_is_read_with_the_arms_of_the_recipe_in_their_order(tmp_path: Path) -> None:
    evaluation = read(write_evaluation(tmp_path, results=_version_1(), arms=ARMS[:2]))
    assert evaluation.table is not None
    assert evaluation.table.arms == ("base", "emotion")
    assert evaluation.version_1_answers["emotion"]["facts"]["q3"] == f"{EMOTION} 3"


def cast(job: JobDirectory, judge: str, *votes: Vote) -> None:
    book = Book(book_of(job.path, judge))
    for vote in votes:
        book.cast(vote)


def test_votes_and_ratings_have_a_line_each_with_n_and_judges(tmp_path: Path) -> None:
    job = write_evaluation(tmp_path, results=staged_results())
    rated = {BASE: {"helpful": 2}, COUNSEL: {"helpful": 5}}
    cast(
        job, "ana",
        Vote("p1", "p1", BASE, COUNSEL, "right", ratings=rated, judge="ana"),
        Vote("p2", "p2", COUNSEL, BASE, "left", judge="ana"),
        Vote("p3", "p3", COUNSEL, BASE, "tie", judge="ana"),
    )  # fmt: skip
    cast(job, "ben", Vote("p1", "p1", BASE, COUNSEL, "left", ratings=rated, judge="ben"))
    votes = read(job).votes
    assert votes == (
        "votes: counsel against base: 2 of 3, 67% [21%, 94%], 2 judges, 1 tied, 0 both bad",
        "rating helpful, 1 to 5: base 2.0 (n = 2), counsel 5.0 (n = 2), 2 judges",
    )


def test_votes_that_cannot_be_read_leave_the_table(tmp_path: Path) -> None:
    job = write_evaluation(tmp_path, results=staged_results())
    (job.path / "votes-x.jsonl").write_text('{"choice": "sideways"}\n')
    evaluation = read(job)
    assert evaluation.table is not None
    assert "This file is not a votes file." in evaluation.problem


def test_a_new_vote_is_noticed(tmp_path: Path) -> None:
    job = write_evaluation(tmp_path, results=staged_results())
    first = read(job)
    cast(job, "ana", Vote("p1", "p1", BASE, COUNSEL, "tie", judge="ana"))
    again = read_evaluation(job.path, first)
    assert again is not None
    assert len(again.votes) == 1


@pytest.mark.timeout(120)
def test_20_000_items_take_no_minutes(tmp_path: Path) -> None:
    results = {
        "schema": 2,
        "suites": {"big": suite_facts("big", 20_000)},
        "arms": {
            name: {"arm": spec, "suites": {"big": scored("big", 20_000, range(at, 15_000))}}
            for at, (name, spec) in enumerate((("base", BASE), ("emotion", EMOTION)))
        },
    }
    job = write_evaluation(tmp_path, results=results)
    begun = time.monotonic()
    evaluation = read(job)
    assert evaluation.table is not None
    assert evaluation.table.skills[0].items == 20_000
    print(f"{time.monotonic() - begun:.1f} s")


def test_judges_have_lines_of_their_own_and_are_read_again(tmp_path: Path) -> None:
    job = write_evaluation(tmp_path, results=staged_results())
    first = read(job)
    assert first.judges == ()
    recipe = JudgeRecipe(job=f"run:{job.path.name}", judge="j=/models/j", arms=[BASE, COUNSEL])
    judge = make_job(tmp_path, "judge", recipe)
    asked = [
        Question(f"p/helpful/{at}", "p", "helpful", *arms, 3, 4, "p", f"ask {at}")
        for at, arms in enumerate(((BASE, COUNSEL), (COUNSEL, BASE)))
    ]
    write_questions(judge.questions, asked)
    again = read_evaluation(job.path, first)
    assert again is not None
    (line,) = again.judges
    assert line == "judge j, helpful: no pair has a verdict in both orders · 1 without a verdict"
    assert again.votes == ()
    sample_files.append(
        judge.samples,
        [sample(one.id, "j=/models/j", text, asked=one.text)
         for one, text in zip(asked, "BA", strict=True)],
    )  # fmt: skip
    last = read_evaluation(job.path, again)
    assert last is not None
    assert last.judges[0].startswith("judge j, helpful: counsel 1, base 0, tie 0 of 1")
    assert read_evaluation(job.path, last) is None
