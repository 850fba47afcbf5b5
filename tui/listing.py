"""The list of runs as Runs shows it: who stands under whom, what is hidden, what a word finds."""

from dataclasses import dataclass

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


def arrange(rows: tuple[RunRow, ...], *, hidden: bool = False, word: str = "") -> list[Entry]:
    """Runs in their order, those that build on a run under it.

    `hidden` lists what the user hid as well; `word` keeps what holds it, without the tree.
    """
    listed = [row for row in rows if hidden or not row.view.notes.hidden]
    if word:
        return [Entry(row) for row in listed if word.casefold() in _text(row)]
    known = {row.view.record.id: row for row in listed}
    children: dict[str, list[RunRow]] = {}
    roots: list[RunRow] = []
    for row in listed:
        parent = _parent(row)
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


def _parent(row: RunRow) -> str:
    refs = [ref for ref in row.view.record.parents if ref.startswith("run:")]
    return refs[0].removeprefix("run:") if refs else ""


def _text(row: RunRow) -> str:
    view = row.view
    parts = (view.record.name, view.record.id, view.base, view.method, state_words(view))
    return " ".join((*parts, *view.notes.tags, view.notes.note)).casefold()
