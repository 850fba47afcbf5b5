"""Which rows a review lists, in which order, and the filters that can be chosen. Pure."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import get_args

from engine.synthesis.accepted_rows import Standing
from engine.synthesis.outcomes import State
from engine.synthesis.review_sample import sample_order
from engine.synthesis.templates import write_value
from engine.text import one_line
from tui.screens.pick_window import PickOption
from tui.synthesis.made_feed import MadeData

TO_DECIDE = "to decide"
"""A row that there is, and nobody has decided of."""
OPEN: Collection[Standing] = ("undecided", "edit held back")
AS_MADE, AT_RANDOM = "as made", "random"


@dataclass(frozen=True, slots=True)
class ReviewSelection:
    """What is listed."""

    shown: str = ""
    """A key of `filter_options`; empty: all."""
    text: str = ""
    """What a row, its source or a reason must contain."""
    order: str = AS_MADE


def listed(data: MadeData, selection: ReviewSelection) -> list[str]:
    """The ids of the sources that are listed, in order."""
    word = selection.text.casefold()
    passes = _condition(data, selection.shown)
    found = [
        source
        for source in data.outcomes
        if passes(source) and (not word or word in _searched(data, source))
    ]
    if selection.order == AT_RANDOM:
        return sample_order(found, data.recipe.source.seed)
    return found


def filter_options(data: MadeData) -> list[PickOption]:
    """All, then what is to decide, states, decisions, and each reason or gate, with counts."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for source, outcome in data.outcomes.items():
        standing = data.standing_of(source)
        counts["to decide"] += bool(outcome.row) and standing in OPEN
        counts[f"state:{outcome.state}"] += 1
        counts[f"standing:{standing}"] += 1
        reasons.update({one.name for one in outcome.reasons})
    options = [PickOption("", "all", _count(len(data.outcomes)))]
    options.append(PickOption(TO_DECIDE, TO_DECIDE, _count(counts[TO_DECIDE])))
    for state in get_args(State):
        options.append(PickOption(f"state:{state}", state, _count(counts[f"state:{state}"])))
    for standing in get_args(Standing):
        number = counts[f"standing:{standing}"]
        if number:
            options.append(PickOption(f"standing:{standing}", standing, _count(number)))
    for name, number in reasons.most_common():
        options.append(PickOption(f"reason:{name}", f"reason: {one_line(name)}", _count(number)))
    return options


def filter_words(shown: str) -> str:
    """What a filter is called over the list."""
    return one_line(shown.partition(":")[2] or shown)


def next_to_decide(data: MadeData, sources: list[str], after: str) -> str | None:
    """The next one of a list that is to be decided, around its end too; None: all are."""
    at = sources.index(after) if after in sources else -1
    around = [*sources[at + 1 :], *sources[: at + 1]]
    passes = _condition(data, TO_DECIDE)
    return next((source for source in around if passes(source)), None)


def _condition(data: MadeData, shown: str) -> Callable[[str], bool]:
    kind, _, name = shown.partition(":")
    if kind == "state":
        return lambda source: data.outcomes[source].state == name
    if kind == "standing":
        return lambda source: data.standing_of(source) == name
    if kind == "reason":
        return lambda source: any(one.name == name for one in data.outcomes[source].reasons)
    if shown == TO_DECIDE:
        return lambda source: bool(data.row_of(source)) and data.standing_of(source) in OPEN
    return lambda source: True


def _searched(data: MadeData, source: str) -> str:
    """All texts of a source that a search looks in."""
    outcome, row = data.outcomes[source], data.sources.get(source)
    parts = [source, row.text if row else "", *map(write_value, data.row_of(source).values())]
    parts += [f"{one.name} {one.detail}" for one in outcome.reasons]
    return "\n".join(parts).casefold()


def _count(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"
