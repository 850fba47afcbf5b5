"""Counts of a job that makes data: the same read at once and as they come."""

import dataclasses
import random
from pathlib import Path
from typing import get_args

import pytest

from engine.errors import EngineError
from engine.recipes.synthesis_settings import Budget
from engine.statistics import wilson
from engine.synthesis.outcomes import State, append_outcomes
from engine.synthesis.reviews import append_review
from engine.synthesis.tally import TallyReader, measure_progress, read_tally
from tests.synthesis.made_job import decide, make_job, make_outcome, make_source, read_recipe

EDIT = {"prompt": "p", "completion": "by hand", "opinion": "disagree"}


def test_counts_by_state_reason_label_and_decision(tmp_path: Path) -> None:
    outcomes = [
        make_outcome(1, repairs=["trailing comma", "trailing comma"]),
        make_outcome(2, "held back", reasons=["copy", "refusal"]),
        make_outcome(3, "held back", reasons=["copy"], opinion="disagree"),
        make_outcome(4, "set aside", reasons=["not JSON"], faults=["not JSON", "cut", "not JSON"]),
        make_outcome(5, opinion="disagree"),
        make_outcome(6),
    ]
    reviews = [decide(3, "accept"), decide(6, "reject"), decide(1, "edit", row=EDIT)]
    job = make_job(tmp_path, [make_source(n) for n in range(1, 9)], outcomes, reviews)
    tally = read_tally(job, read_recipe())
    assert (tally.sources, tally.finished) == (8, 6)
    assert tally.states == {"passed": 3, "held back": 2, "set aside": 1}
    assert [(one.state, one.name, one.sources) for one in tally.reasons] == [
        ("held back", "copy", 2), ("held back", "refusal", 1), ("set aside", "not JSON", 1),
    ]  # fmt: skip
    assert tally.standings == {
        "accepted": 1, "edited": 1, "edit held back": 0, "rejected": 1, "ask again": 0,
        "undecided": 3,
    }  # fmt: skip
    assert tally.repairs == {"trailing comma": 1}, "rows, not repairs"
    # Of 1 as it was edited, 3 as accepted and 5 that passed; not of 2 and 6.
    assert tally.labels == {"opinion": {"agree": 0, "disagree": 3}}
    assert tally.faults == {"not JSON": 2, "cut": 1}
    assert tally.answers == 8
    assert (tally.input_tokens, tally.output_tokens) == (180, 60)
    assert tally.passed.value == 0.5
    assert tally.passed.interval == wilson(3, 6)
    assert tally.to_table()["reasons"][0]["interval"] == list(wilson(2, 6))


def test_a_later_round_replaces_what_a_source_counted_for_and_not_what_it_cost(
    tmp_path: Path,
) -> None:
    job = make_job(tmp_path, [make_source(1)], [make_outcome(1, "held back", reasons=["copy"])])
    reader = TallyReader(job, read_recipe())
    append_review(job.reviews, decide(1, "ask again"))
    assert reader.read().standings["ask again"] == 1
    append_outcomes(job.outcomes, [make_outcome(1, round=1, opinion="disagree")])
    tally = reader.read()
    assert tally.states == {"passed": 1, "held back": 0, "set aside": 0}
    assert tally.reasons == ()
    assert tally.standings["undecided"] == 1
    assert tally.labels["opinion"] == {"agree": 0, "disagree": 1}
    assert tally.input_tokens == 60


def test_reading_as_it_grows_comes_to_the_same_as_reading_at_once(tmp_path: Path) -> None:
    chance = random.Random(3)
    numbers = list(range(1, 30))
    job = make_job(tmp_path, [make_source(n) for n in numbers])
    reader = TallyReader(job, read_recipe())
    for step in range(120):
        number, round = chance.choice(numbers), chance.randrange(3)
        if chance.random() < 0.6:
            state = chance.choice(get_args(State))
            opinion = chance.choice(["agree", "disagree"])
            made = make_outcome(number, state, reasons=["copy"], round=round, opinion=opinion)
            append_outcomes(job.outcomes, [made])
        else:
            decision = chance.choice(["accept", "reject", "edit", "ask again", "undo"])
            review = decide(number, decision, row=EDIT if decision == "edit" else {})
            append_review(job.reviews, dataclasses.replace(review, round=round))
        if step % 10 == 0:
            assert reader.read() == read_tally(job, read_recipe())
    assert reader.read() == read_tally(job, read_recipe())


def test_a_line_that_is_still_written_counts_once_it_is_whole(tmp_path: Path) -> None:
    job = make_job(tmp_path, [make_source(1), make_source(2)], [make_outcome(1), make_outcome(2)])
    whole = job.outcomes.read_bytes()
    reader = TallyReader(job, read_recipe())
    finished = []
    for end in (0, 10, whole.index(b"\n"), whole.index(b"\n") + 1, len(whole) - 1, len(whole)):
        with job.outcomes.open("r+b") as file:
            file.truncate(end)
            file.seek(0)
            file.write(whole[:end])
        finished.append(reader.read().finished)
    assert finished == [0, 0, 0, 1, 1, 2]
    job.outcomes.write_bytes(whole[: whole.index(b"\n") + 1])
    assert reader.read().finished == 1, "the file became shorter: it is read again"


def test_a_line_of_another_file_is_refused_by_name(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.outcomes.write_text('{"state": "passed"}\n')
    with pytest.raises(EngineError, match="makes data") as error:
        read_tally(job, read_recipe())
    assert "outcomes.jsonl" in error.value.detail


def test_rates_price_and_the_limit_that_comes_first(tmp_path: Path) -> None:
    outcomes = [make_outcome(n, tokens=(900, 100)) for n in range(1, 9)]
    outcomes += [make_outcome(n, "held back", tokens=(900, 100)) for n in (9, 10)]
    job = make_job(tmp_path, [make_source(n) for n in range(1, 41)], outcomes)
    tally = read_tally(job, read_recipe())
    free = measure_progress(tally, 120.0, Budget())
    assert (free.passed_per_minute, free.price, free.tokens) == (4.0, None, 10_000)
    assert (free.seconds_left, free.ends_by) == (360.0, "sources")
    prices = Budget(price=0.03, input_price=1.0, output_price=4.0)
    paid = measure_progress(tally, 120.0, prices)
    assert paid.price == pytest.approx(0.013)
    assert paid.ends_by == "price"
    assert paid.seconds_left == pytest.approx(0.017 / 0.013 * 120)
    assert measure_progress(tally, 120.0, Budget(rows=10)).seconds_left == pytest.approx(30)
    assert measure_progress(tally, 120.0, Budget(tokens=10_000)).seconds_left == 0
    by_time = measure_progress(tally, 120.0, Budget(minutes=3))
    assert (by_time.seconds_left, by_time.ends_by) == (60.0, "minutes")


def test_nothing_is_said_of_rates_before_the_first_source_is_finished(tmp_path: Path) -> None:
    tally = read_tally(make_job(tmp_path, [make_source(1)]), read_recipe())
    progress = measure_progress(tally, 5.0, Budget())
    assert (progress.seconds_left, progress.ends_by) == (None, "")
    assert tally.passed.value is None
    assert tally.passed.interval == (0.0, 1.0)
