"""The list of runs as Runs shows it: who stands under whom, what is hidden, what a word finds."""

from dataclasses import dataclass

from engine.jobs.difference import said, value_at
from engine.text import one_line
from tui.lists.ordering import Order, sort
from tui.phrases import state_words
from tui.snapshots import RunRow


@dataclass(frozen=True, slots=True)
class Entry:
    row: RunRow
    depth: int = 0
    """How many ancestors stand above it."""
    last: bool = True
    """Whether no sibling follows."""
    rails: tuple[bool, ...] = ()
    """Of each ancestor below the root: whether a sibling of it follows further down."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Stands over the runs of a group."""

    value: str
    """What they have in common, clean."""
    count: int


def arrange(
    rows: tuple[RunRow, ...], *, hidden: bool = False, archived: bool = False, word: str = ""
) -> list[Entry]:
    """Runs in their order, those that build on a run under it.

    `hidden` and `archived` list what the user put away as well; `word` keeps what holds it,
    without the tree.
    """
    listed = _listed(rows, hidden, archived, word)
    if word:
        return [Entry(row) for row in listed]
    known = {row.view.record.id: row for row in listed}
    children: dict[str, list[RunRow]] = {}
    roots: list[RunRow] = []
    for row in listed:
        parent = parent_of(row)
        if parent in known and parent != row.view.record.id:
            children.setdefault(parent, []).append(row)
        else:
            roots.append(row)
    entries: list[Entry] = []
    seen: set[str] = set()
    for row in roots:
        _add(row, 0, True, (), children, entries, seen)
    # Runs that name each other in a circle have no root; they are listed all the same.
    entries += [Entry(row) for row in listed if row.key not in seen]
    return entries


def sorted_rows(
    rows: tuple[RunRow, ...],
    order: Order,
    *,
    hidden: bool = False,
    archived: bool = False,
    word: str = "",
) -> list[Entry | Heading]:
    """As `arrange`, in an order of the user's: without the tree where that would break it."""
    if order == Order(value=order.value):
        return [*arrange(rows, hidden=hidden, archived=archived, word=word)]
    found = sort(_listed(rows, hidden, archived, word), order)
    if not order.group:
        return [Entry(row) for row in found]
    groups: dict[str, list[RunRow]] = {}
    for row in found:
        recipe = row.view.recipe
        value = said(value_at(recipe, order.group)) if recipe is not None else said(None)
        groups.setdefault(one_line(value), []).append(row)
    entries: list[Entry | Heading] = []
    for value, members in groups.items():
        entries += [Heading(value, len(members)), *map(Entry, members)]
    return entries


def _listed(rows: tuple[RunRow, ...], hidden: bool, archived: bool, word: str) -> list[RunRow]:
    return [
        row
        for row in rows
        if (hidden or not row.view.notes.hidden)
        and (archived or not row.view.notes.archived)
        and word.casefold() in _text(row)
    ]


def _add(
    row: RunRow,
    depth: int,
    last: bool,
    rails: tuple[bool, ...],
    children: dict[str, list[RunRow]],
    entries: list[Entry],
    seen: set[str],
) -> None:
    if row.key in seen:
        return
    seen.add(row.key)
    entries.append(Entry(row, depth, last, rails))
    below = children.get(row.view.record.id, [])
    inner = (*rails, not last) if depth else ()
    for at, child in enumerate(below):
        _add(child, depth + 1, at == len(below) - 1, inner, children, entries, seen)


def parent_of(row: RunRow) -> str:
    """The id of the run that this one builds on; empty where it builds on none."""
    refs = [ref for ref in row.view.record.parents if ref.startswith("run:")]
    return refs[0].removeprefix("run:") if refs else ""


def _text(row: RunRow) -> str:
    view = row.view
    tags = [f"#{tag}" for tag in view.notes.tags]
    parts = (view.record.name, view.record.id, view.base, view.method, state_words(view))
    return " ".join((*parts, *tags, view.notes.note)).casefold()
