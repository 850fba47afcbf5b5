"""Lists of runs: who stands under whom, what is put away, what comes first, what is grouped."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.jobs.directory import RUN
from engine.recipes.diff import NOT_SET, flatten, value_at, write_setting
from engine.recipes.versions import current_key
from engine.text import one_line
from tui.snapshots import RunRow
from tui.widgets.table import TableRow


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

    setting: str
    value: str
    """What they have in common, clean."""
    noun: str
    """What is counted: run, or job where not all of the list are runs."""
    count: int

    @property
    def key(self) -> str:
        """Like a row's, and no row's."""
        return f"\0{self.value}"


def kept(rows: Sequence[RunRow], *, hidden: bool = False, archived: bool = False) -> list[RunRow]:
    """Those that the user did not put away, or also those that he hid, or archived."""
    return [
        row
        for row in rows
        if (hidden or not row.view.notes.hidden) and (archived or not row.view.notes.archived)
    ]


def arrange(rows: Sequence[RunRow], pinned: Collection[str] = ()) -> list[Entry]:
    """Runs in their order, those that build on a run under it, and what a sweep started under the
    sweep; what is pinned is on top."""
    known = {row.view.record.id: row for row in rows}
    children: dict[str, list[RunRow]] = {}
    tops: list[RunRow] = []
    roots: list[RunRow] = []
    for row in rows:
        parent = row.view.record.sweep or parent_of(row)
        if row.run_key in pinned:
            tops.append(row)
        elif parent in known and parent != row.view.record.id:
            children.setdefault(parent, []).append(row)
        else:
            roots.append(row)
    entries: list[Entry] = []
    seen: set[str] = set()
    for row in [*tops, *roots]:
        _add(row, 0, True, (), children, entries, seen)
    # Runs that name each other in a circle have no root; they are listed all the same.
    entries += [Entry(row) for row in rows if row.key not in seen]
    return entries


def lifted(rows: Sequence[RunRow], pinned: Collection[str]) -> list[RunRow]:
    """The same rows, those that are pinned on top."""
    if not pinned:
        return list(rows)
    return sorted(rows, key=lambda row: row.run_key not in pinned)


def grouped(rows: Sequence[RunRow], setting: str, noun: str = "run") -> list[RunRow | Heading]:
    """Under a heading for each value of a setting, in order of appearance; "" is no groups.

    The setting may have been remembered under the name that version 1 of recipes had for it.
    """
    if not setting:
        return [*rows]
    setting = current_key(setting)
    groups: dict[str, list[RunRow]] = {}
    for row in rows:
        groups.setdefault(one_line(write_setting(setting_of(row, setting))), []).append(row)
    lines: list[RunRow | Heading] = []
    for value, members in groups.items():
        lines += [Heading(one_line(setting), value, noun, len(members)), *members]
    return lines


def heading_row(heading: Heading) -> TableRow:
    """A heading as a line of a table."""
    value = heading.value if heading.value == NOT_SET else f"= {heading.value}"
    noun = f"{heading.noun}{'s' * (heading.count != 1)}"
    text = f"{heading.setting} {value} ({heading.count} {noun})"
    return TableRow(heading.key, (((text, "title"),),))


def settings_of(row: RunRow) -> Mapping[str, Any]:
    """What a run was set to, by dotted names: its recipe's, and what its log's writer noted."""
    noted = row.log.settings if row.log is not None else {}
    recipe = row.view.recipe
    return noted if recipe is None else {**noted, **flatten(recipe)}


def setting_of(row: RunRow, name: str) -> Any:
    """One of `settings_of`; None where there is none such."""
    value = None if row.view.recipe is None else value_at(row.view.recipe, name)
    return row.log.settings.get(name) if value is None and row.log is not None else value


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
    refs = [ref for ref in row.view.record.parents if ref.startswith(RUN)]
    return refs[0].removeprefix(RUN) if refs else ""
