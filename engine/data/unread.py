"""What rows say and nobody reads: columns, and keys of their turns, each with its number of rows.

The one place where this is counted and put into words, for the run's log, Launch and `finetop data
inspect`. A cell or key that is null or empty says nothing. Holds a bounded number of names.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.data.columns import column_of
from engine.data.turns import READ_KEYS
from engine.data.values import Row, is_blank
from engine.text import one_line

MOST_NAMES = 100
"""Of each kind; rows that say further ones are counted together."""
_LONGEST_HELD = 200
_MOST_SHOWN = 8
_LONGEST_NAME = 40

Counts = Mapping[str, int]


@dataclass(slots=True)
class UnreadFields:
    """Names, in the order in which they came, to the rows that have them."""

    columns: dict[str, int] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    """Of turns; a row counts once."""
    further: int = 0
    """Rows with names beyond those that are held."""

    def add(
        self,
        row: Row,
        read: Collection[str],
        turns: Mapping[str, Sequence[Row]],
        group: str = "",
    ) -> None:
        """Count what nobody reads of a row as the file has it.

        `read` are the columns that are read, beside that of the `group`; `turns` those that the
        fields hold.
        """
        read = {*read, column_of(group, row)}
        columns = [name for name in row if name not in read and not is_blank(row[name])]
        keys = dict.fromkeys(
            key
            for listed in turns.values()
            for turn in listed
            for key in turn
            if key not in READ_KEYS and not is_blank(turn[key])
        )
        fitting = [_count(self.columns, str(name)) for name in columns]
        fitting += [_count(self.keys, str(key)) for key in keys]
        self.further += not all(fitting)

    def merge(self, other: "UnreadFields") -> None:
        """Add what was counted elsewhere."""
        self.further += other.further
        for mine, theirs in ((self.columns, other.columns), (self.keys, other.keys)):
            left = [rows for name, rows in theirs.items() if not _count(mine, name, rows)]
            self.further += max(left, default=0)


def _count(counts: dict[str, int], name: str, rows: int = 1) -> bool:
    """Add rows that have a name, cut to what is held; False where there is no room for it."""
    name = name[:_LONGEST_HELD]
    if name not in counts and len(counts) >= MOST_NAMES:
        return False
    counts[name] = counts.get(name, 0) + rows
    return True


def describe_unread(columns: Counts, keys: Counts, further: int = 0) -> Iterator[str]:
    """What is not read, in a line for columns and one for keys of turns; none where all is read.

    Names are cleaned, and the first few of them are named.
    """
    if columns:
        yield f"unread columns: {_name(columns)}"
    if keys:
        yield f"unread keys of messages: {_name(keys)}"
    if further:
        yield f"more unread names in {further:,} rows"


def _name(counts: Counts) -> str:
    """The names in groups of the same number of rows: `id, source (8 rows), note (3)`."""
    groups: dict[int, list[str]] = {}
    for name, rows in list(counts.items())[:_MOST_SHOWN]:
        short = one_line(name)[:_LONGEST_NAME]
        groups.setdefault(rows, []).append(short if short.strip() else repr(name))
    parts = [f"{', '.join(names)} ({rows:,})" for rows, names in groups.items()]
    parts[0] = parts[0].removesuffix(")") + (" row)" if next(iter(groups)) == 1 else " rows)")
    more = len(counts) - _MOST_SHOWN
    return "; ".join([*parts, *([f"{more:,} more"] if more > 0 else [])])
