"""The items of one skill under one arm: which were kept, lost and gained, and where.

Pure: it takes the scores that were read. What a flip is, is `engine.impact.changes.flips`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.impact.changes.flips import Flips, find_flips, find_loss_step, flip_of, is_right
from engine.impact.results.evaluation_results import (
    LESS_IS_BETTER,
    NLL,
    EvaluationResults,
    SuiteItem,
)
from engine.text import one_line
from tui.impact.arm_paths import Against, find_reference, path_to, steps_of

MOST_TITLE = 400
"""Characters of a prompt that a list begins with."""
CLASSES = ("", "lost", "gained", "regained", "kept", "never")
"""What can be listed; empty: all items."""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item, as both arms have it."""

    id: str
    title: str
    """Its prompt on one line, clean."""
    flip: str
    """One of `engine.impact.changes.flips.Flip`; empty where there is no right or wrong."""
    regained: bool
    """Right at the base, wrong at an arm between, and right now."""
    lost_at: str
    """The first arm at which it was lost, clean; of checkpoints the step."""
    before: float
    after: float

    @property
    def label(self) -> str:
        return "regained" if self.regained else self.flip

    def is_of(self, wanted: str) -> bool:
        """Whether it belongs to one of CLASSES."""
        return not wanted or (self.regained if wanted == "regained" else self.flip == wanted)


@dataclass(frozen=True, slots=True)
class ItemList:
    """All items of a cell that both arms have."""

    skill: str
    arm: str
    reference: str
    measure: str
    rows: tuple[ItemRow, ...]
    flips: Flips | None
    """None of texts that are read."""
    p: float
    """Of McNemar's exact test; of very many flips it takes long, so it is computed here."""
    choices: int
    """Of every item, where chance is known; else 0."""
    unpaired: int
    """Items that only one of the two arms has."""

    @property
    def regained(self) -> int:
        return sum(row.regained for row in self.rows)


def list_items(results: EvaluationResults, skill: str, arm: str, against: Against) -> ItemList:
    """The items of a skill in the order of its file; those of the base are compared with itself."""
    facts = results.suites[skill]
    reference = find_reference(results, arm, against) or arm
    scores = {name: scores_of(results, skill, name) for name in path_to(results, arm)}
    before, after = scores_of(results, skill, reference), scores_of(results, skill, arm)
    is_binary = facts.measure not in LESS_IS_BETTER
    steps = steps_of(results)
    measured = results.arms[arm].suites.get(skill)
    own_steps = measured.lost_at if measured is not None else {}
    rows, titles = [], titles_of(facts.items)
    for item in facts.items:
        if item not in before or item not in after:
            continue
        flip, regained, lost_at = "", False, ""
        if is_binary:
            history = [(name, of_arm.get(item)) for name, of_arm in scores.items()]
            flip = flip_of(before[item], after[item])
            regained = len(history) > 1 and _is_regained(history)
            lost_at = _lost_at(history, steps)
            if flip == "lost" and item in own_steps and len(steps) < 2:
                lost_at = f"step {own_steps[item]:,}"  # of the arm's own run, while it trained
        rows.append(ItemRow(item, titles[item], flip, regained, lost_at, before[item], after[item]))
    flips = find_flips(before, after) if is_binary else None
    return ItemList(
        skill,
        arm,
        reference,
        facts.measure,
        tuple(rows),
        flips,
        flips.p_value() if flips is not None else 1.0,
        facts.choices,
        len(before.keys() ^ after.keys()),
    )


def scores_of(results: EvaluationResults, skill: str, arm: str) -> Mapping[str, float]:
    """By item, an arm's scores on a skill; of texts that are read in nats per token."""
    measured = results.arms[arm].suites.get(skill)
    measure = results.suites[skill].measure
    if measured is None:
        return {}
    values = measured.measures.get(measure, {})
    if measure != NLL:
        return values
    return {item: value / max(1, measured.tokens.get(item, 1)) for item, value in values.items()}


def titles_of(items: Mapping[str, SuiteItem]) -> dict[str, str]:
    """What each item is listed as: its prompt on one line, without a first paragraph that others
    share; its id where there is no prompt."""
    parts = {item: one.prompt.strip().partition("\n\n") for item, one in items.items()}
    heads = Counter(head for head, _, _ in parts.values())
    titles = {}
    for item, (head, _, rest) in parts.items():
        text = f"… {rest}" if rest.strip() and heads[head] > 1 else items[item].prompt
        titles[item] = one_line(" ".join(text[:MOST_TITLE].split()) or item[:MOST_TITLE])
    return titles


def matching(rows: Sequence[ItemRow], wanted: str, text: str) -> list[ItemRow]:
    """The rows of one of CLASSES whose id or title contains a text."""
    word = text.casefold()
    return [
        row
        for row in rows
        if row.is_of(wanted)
        and (not word or word in row.title.casefold() or word in row.id.casefold())
    ]


def next_lost(rows: Sequence[ItemRow], at: int, by: int) -> int | None:
    """The place of the next lost item, around the end too; None where none is lost."""
    places = ((at + by * step) % len(rows) for step in range(1, len(rows) + 1))
    return next((place for place in places if rows[place].flip == "lost"), None)


def _is_regained(history: Sequence[tuple[str, float | None]]) -> bool:
    """`history` is of an item: the arms that it went through, the base first, with its scores."""
    (_, base), *between, (_, last) = history
    if base is None or last is None or not (is_right(base) and is_right(last)):
        return False
    return any(score is not None and not is_right(score) for _, score in between)


def _lost_at(history: Sequence[tuple[str, float | None]], steps: Mapping[str, int]) -> str:
    """Of stages the first one at which it is wrong; of checkpoints the step that two confirm.

    Empty where there is but one arm after the base: that it is lost says where.
    """
    (_, base), *others = history
    if base is None or not is_right(base) or len(others) < 2:
        return ""
    by_step = {steps[name]: score for name, score in others if name in steps and score is not None}
    if len(by_step) > 1:
        step = find_loss_step(by_step, base)
        return "" if step is None else f"step {step:,}"
    return next(
        (one_line(name) for name, score in others if score is not None and not is_right(score)), ""
    )
