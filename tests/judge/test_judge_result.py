"""A judge in numbers: wins, biases, agreement with people."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine.compare import votes as vote_files
from engine.compare.votes import Vote, tally_all
from engine.judge.human_votes import (
    FEWEST,
    TIE,
    agree_among_voters,
    agree_with,
    labels_of_ratings,
    labels_of_votes,
    take_majority,
)
from engine.judge.judge_result import JudgeResult, RubricResult, measure_judge
from engine.judge.judgements import Judgements, find_judges, judged_job, read_judgements
from engine.judge.questions import Question
from engine.judge.verdicts import PairVerdict, Reading
from engine.recipes.recipe import JudgeRecipe
from engine.statistics import paired_proportions, wilson
from tests.judge.judged import (
    BASE,
    HELPFUL,
    TUNED,
    answered_job,
    in_turn,
    judge_job,
    preferring,
    verdict,
    votes_on,
)


def measured(
    pairs: Sequence[PairVerdict], votes: dict[str, list[Vote]] | None = None
) -> JudgeResult:
    recipe = JudgeRecipe(arms=[BASE, TUNED], job="run:none")
    return measure_judge(Judgements(recipe, {"helpful": pairs}), votes or {})


def result_of(
    pairs: Sequence[PairVerdict], votes: dict[str, list[Vote]] | None = None
) -> RubricResult:
    (only,) = measured(pairs, votes).rubrics
    return only


def test_wins_losses_and_kinds_of_ties() -> None:
    pairs = [preferring(f"w{at}", TUNED) for at in range(9)]
    pairs += [preferring(f"l{at}", BASE) for at in range(4)]
    pairs += [preferring(f"t{at}", "tie") for at in range(3)]
    pairs += [verdict("o1", "first", "tie"), verdict("o2", "tie", "second")]
    pairs += [verdict("f", "first", "first"), verdict("n", None, "first")]
    one = result_of(pairs)
    assert (one.pairs, one.wins, one.losses, one.ties, one.one_tie, one.by_position) == (
        19, 9, 4, 3, 2, 1
    )  # fmt: skip
    assert one.incomplete == 1
    assert one.problems == {"unreadable": 1}
    assert one.examples == ("?",)
    assert one.difference is not None
    assert one.difference.difference == pytest.approx(5 / 19)
    assert one.difference.interval() == pytest.approx(paired_proportions(9, 4, 19))
    assert one.consistency is not None
    assert one.consistency.value == pytest.approx(16 / 19)
    assert one.consistency.interval == pytest.approx(wilson(16, 19))


def test_a_judge_that_always_says_a_has_position_bias_1_and_decides_nothing() -> None:
    one = result_of([verdict(f"p{at}", "first", "first") for at in range(30)])
    assert (one.wins, one.losses, one.by_position) == (0, 0, 30)
    assert one.first_shown is not None
    assert one.first_shown.value == 1
    assert one.first_shown.items == 60
    # The two verdicts on one pair are no independent observations.
    assert one.first_shown.interval == pytest.approx(wilson(30, 30))
    assert one.consistency is not None
    assert one.consistency.value == 0
    assert one.length is None


def test_a_judge_of_content_has_position_bias_one_half() -> None:
    pairs = [preferring(f"p{at}", TUNED if at % 4 else BASE) for at in range(40)]
    one = result_of(pairs)
    assert one.first_shown is not None
    assert one.first_shown.value == 0.5
    assert (one.wins, one.losses) == (30, 10)


def test_the_place_is_averaged_out_of_likelihoods() -> None:
    """A judge that always finds A likeliest, and the right arm likelier on 15 of 20 pairs."""
    pairs = []
    for at in range(20):
        likes = 0.1 if at < 15 else -0.1
        readings = tuple(Reading("first", margin=3.0 + sign * likes) for sign in (-1, 1))
        asked = verdict(f"p{at}", "first", "first")
        pairs.append(replace(asked, readings=(readings[0], readings[1])))
    equal = (Reading("first", margin=2.0), Reading("first", margin=2.0))
    pairs.append(replace(verdict("equal", "first", "first"), readings=equal))
    one = result_of(pairs)
    assert one.by_position == 21
    assert one.averaged is not None
    assert (one.averaged.value, one.averaged.items) == (0.75, 20)
    assert one.averaged.interval == pytest.approx(wilson(15, 20))
    assert one.averaged_votes is None
    assert result_of([preferring("p", TUNED)]).averaged is None
    people = {f"p{at}": TUNED if at < 15 else BASE for at in range(20)}
    voted = result_of(pairs, {"ada": votes_on(people | {"equal": TUNED})})
    assert voted.averaged_votes is not None
    assert (voted.averaged_votes.pairs, voted.averaged_votes.alpha) == (20, 1)
    assert voted.votes is not None
    assert voted.votes.same == 0, "by the strict verdicts all are ties"


def test_items_of_one_group_are_no_independent_observations() -> None:
    alone = [preferring(f"p{at}", TUNED if at < 12 else BASE) for at in range(20)]
    grouped = [
        preferring(f"p{at}/{copy}", TUNED if at < 12 else BASE, group=f"p{at}")
        for at in range(20)
        for copy in range(4)
    ]
    one, four = result_of(alone), result_of(grouped)
    assert one.difference is not None
    assert four.difference is not None
    narrow = paired_proportions(48, 32, 80)
    low, high = four.difference.interval()
    assert high - low > 1.5 * (narrow[1] - narrow[0])
    assert (low, high) == pytest.approx(one.difference.interval(), abs=0.05)


def test_a_few_pairs_have_no_interval() -> None:
    assert result_of([preferring(f"p{at}", TUNED) for at in range(5)]).difference is None
    assert result_of([preferring(f"p{at}", TUNED) for at in range(6)]).difference is not None


def longer(pair: str, arm: str, is_longer: bool) -> PairVerdict:
    sizes = (10, 20) if (arm == TUNED) == is_longer else (20, 10)
    return preferring(pair, arm, sizes=sizes)


def test_length_bias_beside_people_on_the_same_pairs() -> None:
    """The judge takes the longer one always; people on every other pair of those they judged."""
    pairs = [longer(f"p{at}", TUNED if at % 2 else BASE, True) for at in range(30)]
    pairs += [preferring("even", TUNED, sizes=(5, 5)), preferring("tie", "tie")]
    bare = result_of(pairs).length
    assert bare is not None
    assert (bare.share.value, bare.share.items) == (1, 30)
    assert bare.voters_on_voted is None

    winners = {one.pair: one.winner or TIE for one in pairs}
    choices = {}
    for at in range(20):
        own = winners[f"p{at}"]
        choices[f"p{at}"] = own if at % 4 < 2 else (BASE if own == TUNED else TUNED)
    choices |= {"p20": "tie", "p21": "both bad", "even": TUNED}
    length = result_of(pairs, {"ada": votes_on(choices)}).length
    assert length is not None
    assert length.judge_on_voted is not None
    assert length.voters_on_voted is not None
    assert (length.judge_on_voted.value, length.judge_on_voted.items) == (1, 20)
    assert (length.voters_on_voted.value, length.voters_on_voted.items) == (0.5, 20)
    assert length.difference is not None
    assert length.difference.difference == 0.5
    assert length.difference.interval() == pytest.approx(paired_proportions(10, 0, 20))


def test_labels_of_voters() -> None:
    cast = votes_on({"p1": TUNED, "p2": BASE, "p3": "tie", "p4": "both bad"})
    again = Vote("p1#2", "p1", BASE, TUNED, "left", again=True)
    other = Vote("p9", "p9", BASE, "x=y:z", "left")
    labels = labels_of_votes({"ada": [*cast, again, other], "bob": votes_on({"p1": BASE})},
                             (BASE, TUNED))  # fmt: skip
    assert labels == {"p1": [TUNED, BASE], "p2": [BASE], "p3": [TIE], "p4": [TIE]}
    assert take_majority({"a": [BASE, BASE, TUNED], "b": [BASE, TUNED], "c": [TIE]}) == {
        "a": BASE, "b": TIE, "c": TIE
    }  # fmt: skip


def test_ratings_say_which_arm_a_voter_prefers_by_a_rubric() -> None:
    def rated(prompt: str, base: object, tuned: object) -> Vote:
        ratings = {BASE: {"safe": base}, TUNED: {"safe": tuned}}
        return Vote(prompt, prompt, BASE, TUNED, "tie", ratings=ratings)  # type: ignore[arg-type]

    votes = {"ada": [rated("p1", 5, 2), rated("p2", 3, 3), rated("p3", 1, 4), rated("p4", "x", 4)]}
    found = labels_of_ratings(votes, (BASE, TUNED), "safe")
    assert found == {"p1": [BASE], "p2": [TIE], "p3": [TUNED]}
    assert labels_of_ratings(votes, (BASE, TUNED), "helpful") == {}


def test_agreement_needs_twenty_common_pairs() -> None:
    pairs = [preferring(f"p{at}", (TUNED, BASE, "tie")[at % 3]) for at in range(30)]
    right = {one.pair: one.winner or TIE for one in pairs}
    few = dict(list(right.items())[: FEWEST - 1]) | {"p0": BASE, "elsewhere": TUNED}
    small = agree_with(pairs, labels_of_votes({"ada": votes_on(few)}, (BASE, TUNED)))
    assert (small.pairs, small.alpha, small.low) == (19, None, None)
    assert small.differing == ("p0",)
    assert "fewer than 20" in small.reason
    enough = dict(list(right.items())[:FEWEST])
    whole = agree_with(pairs, labels_of_votes({"ada": votes_on(enough)}, (BASE, TUNED)))
    assert (whole.pairs, whole.same, whole.alpha) == (20, 20, 1)
    assert whole.low is None, "units that all agree do not show how often others would not"


def test_agreement_by_hand() -> None:
    """Two coders, 40 pairs, three labels; alpha from its definition for two coders without gaps."""
    pairs = [preferring(f"p{at}", (TUNED, BASE, "tie")[at % 3]) for at in range(40)]
    said = {one.pair: one.winner or TIE for one in pairs}
    people = dict(said) | {f"p{at}": TUNED for at in range(10)}
    found = agree_with(pairs, labels_of_votes({"ada": votes_on(people)}, (BASE, TUNED)))
    both = [*said.values(), *people.values()]
    counts = [both.count(label) for label in (TUNED, BASE, TIE)]
    observed = sum(said[pair] != people[pair] for pair in said) / 40
    expected = 1 - sum(count * (count - 1) for count in counts) / (80 * 79)
    assert found.alpha is not None
    assert found.alpha == pytest.approx(1 - observed / expected)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.alpha < found.high
    assert found.same == 40 - sum(said[pair] != people[pair] for pair in said)


def test_incomplete_pairs_are_no_labels() -> None:
    pairs = [preferring(f"p{at}", TUNED) for at in range(10)]
    pairs += [verdict(f"q{at}", None, "first") for at in range(10)]
    votes = votes_on({one.pair: TUNED for one in pairs})
    assert agree_with(pairs, labels_of_votes({"a": votes}, (BASE, TUNED))).pairs == 10


def test_people_among_themselves_are_the_ceiling() -> None:
    pairs = [preferring(f"p{at}", TUNED) for at in range(30)]
    votes = {
        "ada": votes_on(in_turn((TUNED, BASE), 30)),
        "bob": votes_on(in_turn((TUNED, BASE, TUNED), 30), "bob"),
        "eve": votes_on({"p0": TUNED, "elsewhere": BASE}, "eve"),
    }
    among = agree_among_voters(pairs, labels_of_votes(votes, (BASE, TUNED)))
    assert among.pairs == 30
    assert among.alpha is not None
    result = measured(pairs, votes)
    assert result.among_voters == among
    assert result.voters == 3
    assert measured(pairs, {"ada": votes["ada"]}).among_voters is None
    assert measured(pairs, {}).rubrics[0].votes is None


ANSWERS = {f"p{at}": ("short", f"a longer answer {at}") for at in range(8)}


def prefer_longer(question: Question) -> str:
    return "A" if question.first_size > question.second_size else "B"


def test_a_judge_job_is_read(root: Path) -> None:
    judged = answered_job(root, ANSWERS)
    job = judge_job(judged, prefer_longer)
    (pairs,) = read_judgements(job).pairs.values()
    assert [one.winner for one in pairs] == [TUNED] * 8
    assert judged_job(job, read_judgements(job).recipe).path == judged.path
    by_likelihood = judge_job(judged, prefer_longer, name="second", by_likelihood=True)
    found = read_judgements(by_likelihood).pairs["helpful"]
    assert [one.winner for one in found] == [TUNED] * 8
    assert [one.averaged_margin for one in found] == pytest.approx([4.9] * 8)
    assert [one.path.name for one in find_judges(judged)] == ["judge", "second"]
    assert find_judges(job) == []


def test_answers_to_other_questions_or_of_other_arms_do_not_count(root: Path) -> None:
    judged = answered_job(root, ANSWERS)
    job = judge_job(judged, lambda one: "A" if one.pair != "p1" else "")
    lines = job.samples.read_text().splitlines()
    other = [line.replace("/models/gemma", "/models/other").replace('"A"', '"B"') for line in lines]
    wrong = [line.replace("What is p0?", "What is it?").replace('"A"', '"B"') for line in lines]
    job.samples.write_text("\n".join([*lines, *other, *wrong[:2], '{"cut": ', "[]", ""]))
    job.rejects.write_text('{"arm": "x", "prompt_id": "p1/helpful/1", "reason": "no"}\nnull\n')
    pairs = {one.pair: one for one in read_judgements(job).pairs["helpful"]}
    assert [one.verdict for one in pairs["p0"].readings] == ["first", "first"]
    assert [one.problem for one in pairs["p1"].readings] == ["refused", "missing"]


def test_the_newest_answer_counts(root: Path) -> None:
    judged = answered_job(root, ANSWERS)
    job = judge_job(judged, lambda _: "B or A")
    job.samples.write_text(
        job.samples.read_text() + job.samples.read_text().replace("B or A", "tie")
    )
    assert {one.outcome for one in read_judgements(job).pairs["helpful"]} == {"agree"}


def test_people_s_tally_does_not_change_when_a_judge_has_judged(root: Path) -> None:
    judged = answered_job(root, ANSWERS)
    book = vote_files.Book(vote_files.book_of(judged.path, "ada"))
    for vote in votes_on(in_turn((TUNED, BASE, "tie"), 8)):
        book.cast(vote)
    before = vote_files.judges_of(judged.path)
    files = sorted(path.name for path in judged.path.iterdir())
    tally = tally_all(before, TUNED, BASE)
    job = judge_job(judged, prefer_longer, {**HELPFUL, "safe": "Is it harmless?"})
    measure_judge(read_judgements(job), before)
    assert vote_files.judges_of(judged.path) == before
    assert tally_all(vote_files.judges_of(judged.path), TUNED, BASE) == tally
    assert sorted(path.name for path in judged.path.iterdir()) == files
    assert vote_files.judges_of(job.path) == {}
