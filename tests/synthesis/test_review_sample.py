"""A sample that is drawn and not picked, and what is said of the rows that nobody reviewed."""

import random

from engine.synthesis.accepted_rows import Standing
from engine.synthesis.review_sample import judge_sample, sample_order

SOURCES = [f"reviews.jsonl:{number}" for number in range(1, 301)]


def review(
    reviewed: list[str], bad: int = 0, bad_standing: Standing = "rejected"
) -> dict[str, Standing]:
    standings: dict[str, Standing] = dict.fromkeys(SOURCES, "undecided")
    standings |= dict.fromkeys(reviewed, "accepted")
    return standings | dict.fromkeys(reviewed[:bad], bad_standing)


def test_the_order_is_of_the_seed_and_keeps_its_places_as_rows_come() -> None:
    order = sample_order(SOURCES, 7)
    assert sorted(order) == sorted(SOURCES)
    assert order == sample_order(reversed(SOURCES), 7) != sample_order(SOURCES, 8)
    some = SOURCES[::3]
    assert sample_order(some, 7) == [one for one in order if one in some]
    # As a random order does, it begins with as many of any half as of the other.
    first_half = {*SOURCES[:150]}
    counts = [sum(one in first_half for one in sample_order(SOURCES, s)[:50]) for s in range(40)]
    assert 23 < sum(counts) / 40 < 27


def test_rejects_of_a_drawn_sample_say_what_the_rest_holds() -> None:
    drawn = sample_order(SOURCES, 7)[:50]
    found = judge_sample(review(drawn, bad=9), 7)
    assert (found.drawn, found.bad.count, found.rest) == (50, 9, 250)
    assert found.words == (
        "9 of 50 drawn at random were rejected: 18% [10, 31] of the other 250 are likely bad"
    )
    edited = judge_sample(review(drawn, bad=9, bad_standing="edited"), 7)
    assert "9 of 50 drawn at random were rejected or edited: 18% [10, 31]" in edited.words


def test_rows_that_were_picked_say_nothing() -> None:
    """Also where, by chance, some of the order's first are among them."""
    for seed in range(60):
        found = judge_sample(review(SOURCES[:200], bad=20), seed)
        assert found.drawn == 0 or found.drawn > 11
    picked = judge_sample(review(SOURCES[:200], bad=20), 7)
    assert picked.words == (
        "the rows that were reviewed (200) were not drawn at random: they say nothing of the "
        "other 100"
    )
    another = sample_order(SOURCES, 8)[:50]
    assert judge_sample(review(another), 7).drawn == 0


def test_further_rows_that_were_picked_do_not_spoil_the_sample() -> None:
    order = sample_order(SOURCES, 7)
    found = judge_sample(review(order[:50] + order[200:210], bad=9), 7)
    assert (found.reviewed, found.drawn, found.bad.count) == (60, 50, 9)


def test_of_a_whole_review_nothing_is_estimated() -> None:
    assert judge_sample(review(SOURCES, 20), 7).words == "all rows that passed (300) were reviewed"
    assert judge_sample(review([]), 7).words == ""
    assert judge_sample({}, 7).words == ""


def test_the_interval_holds_the_share_of_the_rest() -> None:
    """Of 100 reviews of 50 of 500 rows, 15% of them bad, in 90 at least."""
    chance, held = random.Random(1), 0
    sources = [f"s:{number}" for number in range(500)]
    for seed in range(100):
        bad = {*chance.sample(sources, 75)}
        drawn = sample_order(sources, seed)[:50]
        standings: dict[str, Standing] = dict.fromkeys(sources, "undecided")
        standings |= {one: "rejected" if one in bad else "accepted" for one in drawn}
        found = judge_sample(standings, seed)
        low, high = found.bad.interval
        held += low <= (75 - found.bad.count) / 450 <= high
    assert held >= 90
