"""What the list of logs says below itself: of the chosen one, and of all of them. Reads no disk."""

from collections.abc import Sequence

from engine.text import one_line
from tui.formatting import LOG_KINDS, odd_tags, said_of
from tui.glyphs import Glyphs
from tui.runs.list_protocols import ListedRuns, ListMemory
from tui.snapshots import RunRow
from tui.styled_text import Line, Piece, facts_line


def about(row: RunRow, separator: str, curve: str = "") -> Line:
    """One line on a log: what it holds, what is wrong with it, where it lies.

    `curve` is the tag that its small curve is of, where that is not the column's.
    """
    log = row.log
    if log is None:
        return []
    between = f" {separator} "
    line: list[Piece] = [
        (f" {one_line(row.view.record.name)}{between}", "strong"),
        (LOG_KINDS[log.kind], "dim"),
    ]
    line.append((f"{between}{len(log.tags)} tags", ""))
    if curve:
        line.append((f"{between}curve of {one_line(curve)}", "dim"))
    if row.odd_tags:
        line.append((between + odd_tags(row), "bad"))
    line += [(f"{between}{one_line(problem.reason)}", "warn") for problem in log.problems[:2]]
    if not log.loaded:
        line.append((between + "loading", "dim"))
    return [*line, *said_of(row, between), (between + one_line(str(row.path)), "dim")]


def summary(listed: ListedRuns, memory: ListMemory, notable: Sequence[str], glyphs: Glyphs) -> Line:
    """How many runs there are, listed and marked, and in which order; or what is wrong with the
    filter. `notable` is as `count_notable` has it.
    """
    if listed.filter_error:
        return [(f" filter: {one_line(listed.filter_error)}", "bad")]
    rows, order = listed.rows, memory.order
    parts = [f"{len(rows):,} run{'s' * (len(rows) != 1)}"]
    if len(listed.shown) != len(rows):
        parts.append(f"{len(listed.shown):,} shown")
    if listed.filter_text and not listed.filter_open:  # as it was left last time
        parts.append(f"filter: {one_line(listed.filter_text)}, esc show all")
    listed_keys = {row.run_key for row in rows} if memory.marked or order.pinned else set()
    pinned = listed_keys & set(order.pinned)
    if marked := (listed_keys & set(memory.marked)) - pinned:  # a pinned run is drawn anyway
        parts.append(f"{len(marked):,} marked")
    if pinned:
        parts.append(f"{len(pinned):,} pinned")
    if order.tag:
        direction = glyphs.falling if order.descending else glyphs.rising
        parts.append(f"by {order.value} {one_line(order.tag)} {direction}")
    return facts_line([*parts, *notable], glyphs.separator)


def count_notable(rows: Sequence[RunRow]) -> list[str]:
    """How many runs there is something to say of, whatever is listed."""
    logs = [row.log for row in rows if row.log is not None]
    counts = {
        "loading": sum(not log.loaded for log in logs),
        "hidden": sum(row.view.notes.hidden for row in rows),
        "archived": sum(row.view.notes.archived for row in rows),
        "with NaN/Inf": sum(bool(row.odd_tags) for row in rows),
        "unreadable": sum(any(one.is_error for one in log.problems) for log in logs),
    }
    return [
        f"{'! ' * (what == 'with NaN/Inf')}{count:,} {what}"
        for what, count in counts.items()
        if count
    ]
