"""What can be chosen of a job's answers: which pairs, which skill, which order, which two arms.

Pure: the page shows them in a window, and takes the key of what is chosen.
"""

from dataclasses import replace

from engine.compare.metrics import MEASURES
from tui.browse.answers_feed import JobAnswers
from tui.browse.pair_list import (
    COMMON,
    SHOWN,
    PairSelection,
    passes,
    shown_in_words,
    skills,
)
from tui.screens.pick_window import PickOption

ALL_SKILLS = "*"


def shown_options(answers: JobAnswers, selection: PairSelection) -> list[PickOption]:
    """The filters; keys are of SHOWN."""
    options = []
    for shown in SHOWN:
        filtered = replace(selection, shown=shown)
        count = sum(passes(answers, pair, filtered) for pair in answers.pairs)
        options.append(PickOption(shown, shown_in_words(answers, shown), _count_pairs(count)))
    return options


def skill_options(answers: JobAnswers) -> list[PickOption]:
    """All skills together, then each; keys are those of `skill_key`."""
    options = [PickOption(ALL_SKILLS, "all", _count_pairs(len(answers.pairs)))]
    options += [
        PickOption(skill_key(skill), skill or "none", _count_pairs(count))
        for skill, count in skills(answers).items()
    ]
    return options


def skill_key(skill: str | None) -> str:
    """A skill may have no name; None is for all of them."""
    return ALL_SKILLS if skill is None else f"={skill}"


def skill_of(key: str) -> str | None:
    """The opposite of `skill_key`."""
    return None if key == ALL_SKILLS else key[1:]


def sort_options(answers: JobAnswers) -> list[PickOption]:
    """As they were asked, by overlap, and by each measure that these answers have."""
    rare = {measure.name for measure in MEASURES if measure.is_rare}
    known = {
        name
        for pair in answers.pairs
        for name, number in (*pair.left_numbers.items(), *pair.right_numbers.items())
        if number or name not in rare
    }
    return [
        PickOption("", "prompt order"),
        PickOption(COMMON, COMMON, "lowest first"),
        *(
            PickOption(measure.name, measure.name, measure.group)
            for measure in MEASURES
            if measure.name in known
        ),
    ]


def arm_options(answers: JobAnswers, between: str) -> list[PickOption]:
    """Every two arms, either way round; keys are those of `arms_key`."""
    return [
        PickOption(
            arms_key(answers, left, right), answers.names[left] + between + answers.names[right]
        )
        for left in answers.arms
        for right in answers.arms
        if left != right
    ]


def arms_key(answers: JobAnswers, left: str, right: str) -> str:
    """By their places: an arm's text may hold anything."""
    return f"{answers.arms.index(left)} {answers.arms.index(right)}"


def arms_of(answers: JobAnswers, key: str) -> tuple[str, str]:
    """The opposite of `arms_key`."""
    left, right = key.split()
    return answers.arms[int(left)], answers.arms[int(right)]


def _count_pairs(count: int) -> str:
    return f"{count:,} pair{'s' * (count != 1)}"
