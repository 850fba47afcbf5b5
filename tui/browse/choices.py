"""What can be chosen of a job's answers: which pairs, which skill, which order, which two arms.

Pure: the page shows them in a window, and takes the key of what is chosen.
"""

from dataclasses import replace

from engine.compare.metrics import MEASURES
from tui.browse.answers_feed import Answers
from tui.browse.pair_list import (
    COMMON,
    SHOWN,
    PairSelection,
    passes,
    shown_in_words,
    skills,
)
from tui.screens.prompts import Offer

ALL_SKILLS = "*"


def shown_offers(answers: Answers, selection: PairSelection) -> list[Offer]:
    """The filters; keys are of SHOWN."""
    offers = []
    for shown in SHOWN:
        filtered = replace(selection, shown=shown)
        count = sum(passes(answers, pair, filtered) for pair in answers.pairs)
        offers.append(Offer(shown, shown_in_words(answers, shown), _count_pairs(count)))
    return offers


def skill_offers(answers: Answers) -> list[Offer]:
    """All skills together, then each; keys are those of `skill_key`."""
    offers = [Offer(ALL_SKILLS, "all", _count_pairs(len(answers.pairs)))]
    offers += [
        Offer(skill_key(skill), skill or "none", _count_pairs(count))
        for skill, count in skills(answers).items()
    ]
    return offers


def skill_key(skill: str | None) -> str:
    """A skill may have no name; None is for all of them."""
    return ALL_SKILLS if skill is None else f"={skill}"


def skill_of(key: str) -> str | None:
    """The opposite of `skill_key`."""
    return None if key == ALL_SKILLS else key[1:]


def sort_offers(answers: Answers) -> list[Offer]:
    """As they were asked, by words in common, and by each measure that these answers have."""
    known = {name for pair in answers.pairs for name in pair.left_numbers}
    return [
        Offer("", "as they were asked"),
        Offer(COMMON, COMMON, "fewest first"),
        *(
            Offer(measure.name, measure.name, measure.group)
            for measure in MEASURES
            if measure.name in known
        ),
    ]


def arm_offers(answers: Answers, between: str) -> list[Offer]:
    """Every two arms, either way round; keys are those of `arms_key`."""
    return [
        Offer(arms_key(answers, left, right), answers.names[left] + between + answers.names[right])
        for left in answers.arms
        for right in answers.arms
        if left != right
    ]


def arms_key(answers: Answers, left: str, right: str) -> str:
    """By their places: an arm's text may hold anything."""
    return f"{answers.arms.index(left)} {answers.arms.index(right)}"


def arms_of(answers: Answers, key: str) -> tuple[str, str]:
    """The opposite of `arms_key`."""
    left, right = key.split()
    return answers.arms[int(left)], answers.arms[int(right)]


def _count_pairs(count: int) -> str:
    return f"{count:,} pair{'s' * (count != 1)}"
