"""What can be chosen in Browse: each choice is found again by its key."""

from pathlib import Path

import pytest

from engine.compare.answer_pairs import of_job
from tests.tui.browse.answered import BASE, TUNED, write_answers
from tui.browse.answers_feed import JobAnswers
from tui.browse.choices import (
    arm_options,
    arms_key,
    arms_of,
    shown_options,
    skill_key,
    skill_of,
    skill_options,
    sort_options,
)
from tui.browse.pair_list import COMMON, SHOWN, PairSelection, listed


@pytest.fixture
def answers(tmp_path: Path) -> JobAnswers:
    collection = of_job(write_answers(tmp_path / "runs"))
    collection.poll()
    names = {BASE: "base", TUNED: "tuned"}
    return JobAnswers((BASE, TUNED), names, BASE, TUNED, tuple(collection.pairs(BASE, TUNED)))


@pytest.mark.parametrize("skill", [None, "", "*", "=", "creative"])
def test_a_skill_is_found_again_whatever_it_is_called(skill: str | None) -> None:
    assert skill_of(skill_key(skill)) == skill


def test_all_skills_come_first_and_each_says_how_many_pairs_it_has(answers: JobAnswers) -> None:
    options = [(offer.key, offer.label, offer.about) for offer in skill_options(answers)]
    assert options[0] == ("*", "all", "4 pairs")
    assert ("=creative", "creative", "2 pairs") in options
    assert ("=reasoning", "reasoning", "1 pair") in options


def test_every_filter_says_how_many_pairs_it_would_list(answers: JobAnswers) -> None:
    selection = PairSelection(skill="creative")
    for offer in shown_options(answers, selection):
        pairs = listed(answers, PairSelection(offer.key, "creative"))
        assert offer.about.split()[0] == str(len(pairs))
    assert [offer.key for offer in shown_options(answers, selection)] == [*SHOWN]


def test_only_measures_of_these_answers_can_be_sorted_by(answers: JobAnswers) -> None:
    keys = [offer.key for offer in sort_options(answers)]
    assert keys[:2] == ["", COMMON]
    assert set(keys[2:]) <= {name for pair in answers.pairs for name in pair.left_numbers}
    assert "words" in keys


def test_two_arms_are_found_again_either_way_round(answers: JobAnswers) -> None:
    options = arm_options(answers, " to ")
    assert [offer.label for offer in options] == ["base to tuned", "tuned to base"]
    assert [arms_of(answers, offer.key) for offer in options] == [(BASE, TUNED), (TUNED, BASE)]
    assert arms_key(answers, TUNED, BASE) == options[1].key
