"""A row made, as gates look at it, and what they say of it.

Owns the names of gates, by which outcomes are counted. A gate holds a row back, lets it pass, or
cannot judge it: then the row passes, and that nobody judged it is recorded with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.accepted_rows import find_row
from engine.synthesis.outcomes import Outcome, Reason
from engine.synthesis.questions import CHOSEN, REJECTED
from engine.synthesis.reviews import Review
from engine.synthesis.source_rows import SourceRow
from engine.synthesis.templates import split_template

GateName = Literal[
    "length", "same answer", "copy", "language", "refusal", "special token", "cut source",
    "overlap", "near duplicate", "opening", "judge",
]  # fmt: skip
"""In the order in which a row's reasons are listed."""


@dataclass(frozen=True, slots=True)
class RowCandidate:
    """A row that has its fields; made by `make_candidate`."""

    source: SourceRow
    row: Mapping[str, object]
    texts: Mapping[str, str]
    """The row's texts by field, those taken from the source as well, and none that is a label or
    a number: entries of a list stand on lines of their own."""
    own: Mapping[str, str]
    """The same without what the recipe writes into every row around the source's columns."""
    asked: Mapping[str, str]
    """Those of the texts that a generator wrote."""
    cut: int = 0
    """As `Outcome.cut`."""


class NotJudged(Exception):
    """A gate cannot tell of this row; its text says why."""


class RowsSeen(Protocol):
    """The rows that passed, as a gate remembers them."""

    def add(self, candidate: RowCandidate) -> None:
        """Take up a row, in place of an earlier one of its source."""

    def remove(self, source: str) -> None:
        """Forget the row of a source, where there is one."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: its name, and what it says of a row."""

    name: GateName
    check: Callable[[RowCandidate], str]
    """Why it holds the row back, for the reviewer: untrusted where it quotes; empty: it passes.
    Raises NotJudged."""
    state: RowsSeen | None = None
    """Of a gate that compares rows."""


@dataclass(frozen=True, slots=True)
class HeldOutText:
    """A text of the evaluation side, which no row made may repeat."""

    name: str
    """Where it stands, as a reviewer finds it: file and row, or an item's id."""
    text: str
    is_answer: bool = False
    """A gold answer or reference: a short one stands in many rows by chance."""


@dataclass(frozen=True, slots=True)
class GateFindings:
    """What all gates said of a row."""

    reasons: tuple[Reason, ...] = ()
    """By gate, why the row is held back; empty: it passed."""
    unjudged: tuple[Reason, ...] = ()
    """By gate, why it could not judge the row."""


def make_candidate(
    recipe: SynthesizeRecipe, source: SourceRow, row: Mapping[str, object], cut: int = 0
) -> RowCandidate:
    """The row as gates look at it."""
    texts: dict[str, str] = {}
    for name, value in row.items():
        if _is_text(recipe, name):
            texts[name] = _write(value)
    own = {name: _own_text(_template_of(recipe, name), text) for name, text in texts.items()}
    asked = {name: text for name, text in texts.items() if _is_asked(recipe, name)}
    return RowCandidate(source, dict(row), texts, own, asked, cut)


def standing_candidates(
    recipe: SynthesizeRecipe,
    sources: Mapping[str, SourceRow],
    outcomes: Iterable[Outcome],
    reviews: Mapping[str, Review] | None = None,
) -> Iterator[RowCandidate]:
    """The rows that others are compared with: those that passed, and with `reviews` those that a
    person accepted, in the form in which they were, and none that a person rejected."""
    for outcome in outcomes:
        row = find_row(outcome, (reviews or {}).get(outcome.source))
        if row:
            yield make_candidate(recipe, sources[outcome.source], row, outcome.cut)


def asks_text(recipe: SynthesizeRecipe) -> bool:
    """Whether a row has a text that a generator writes: a label or a number is none."""
    if recipe.mode in ("pairs", "votes"):
        return True
    return any(field.ask and _is_text(recipe, name) for name, field in recipe.fields.items())


def _template_of(recipe: SynthesizeRecipe, name: str) -> str:
    """By which a field is taken from the source; empty of one that is asked for."""
    if recipe.mode in ("pairs", "votes"):
        return "" if name in (CHOSEN, REJECTED) else recipe.pairs.prompt
    field = recipe.fields.get(name)
    return field.take if field else ""


def _own_text(template: str, text: str) -> str:
    for part in split_template(template):
        if part.text.strip():
            text = text.replace(part.text.strip(), "\n", 1)
    return text


def _write(value: object) -> str:
    """A field's value as one text; the prompt of a pair may be a conversation."""
    if not isinstance(value, list):
        return str(value)
    return "\n".join(
        str(one.get("content", "")) if isinstance(one, dict) else str(one) for one in value
    )


def _is_text(recipe: SynthesizeRecipe, name: str) -> bool:
    field = recipe.fields.get(name)
    return field is None or field.type in ("text", "list")


def _is_asked(recipe: SynthesizeRecipe, name: str) -> bool:
    if recipe.mode in ("pairs", "votes"):
        return name in (CHOSEN, REJECTED)
    field = recipe.fields.get(name)
    return field is not None and bool(field.ask)
