"""Whether a recipe fits: one line under the form, and a panel that says what makes it so large.

The estimates are `engine.estimates.fit`'s; here they become words. Reads no disk.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.estimates.epoch import MeasuredRows
from engine.estimates.fit import part_sizes
from engine.estimates.parameters import Counted
from engine.recipes.settings import Method
from engine.text import one_line
from tui.formatting import NONE, estimated_range, parameters, size, size_range
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece

if TYPE_CHECKING:
    from engine.estimates.fit import Fit


_NAME = 15
"""Cells of a part's name."""


def counted(event: Mapping[str, Any], method: Method) -> Counted:
    """What the companion counted for a method."""
    return Counted(event["parameters"], event["trained"], event["linear"], method)


def measured(report: Mapping[str, Any], limit: int) -> MeasuredRows | None:
    """The size of an epoch from a report on data; `limit` is the recipe's, 0 is all rows.

    The histogram's bins stand for their rows, each row as long as the middle of its bin.
    """
    lengths, long, sides = report["lengths"], report["too_long"], report["sides"]
    looked = report["data"]["looked_at"]
    if not lengths or not looked:
        return None
    most = long["max_length"]
    dropped = long["dropped"]["rows"]
    rows = lengths["rows"] - dropped
    tokens = sum(
        min((one["least"] + one["most"]) / 2, most) * one["rows"] for one in lengths["bins"]
    )
    tokens -= dropped * min(lengths["most"], most)  # they are the longest ones
    if rows <= 0 or tokens <= 0:
        return None
    total = report["data"]["rows"] or looked
    divided = report["divided"]
    # Conversations may be several training rows each.
    several = lengths["rows"] / (lengths["rows"] - divided["rows"] + divided["examples"])
    kept = several * rows / lengths["rows"]
    trained = sides["train"] * kept * min(total, limit or total) / looked
    own = MeasuredRows(
        int(tokens / rows * trained),
        min(most, lengths["most"]),
        min(1.0, report["learned_tokens"] / tokens),
        tokens / rows,
        _notes(report),
    )
    replay = report["replay"]
    return _mixed(own, trained, replay) if replay is not None and replay["kept"] else own


def _mixed(own: MeasuredRows, rows: float, replay: Mapping[str, Any]) -> MeasuredRows:
    """An epoch of so many `rows` with those that are replayed beside them."""
    beside = rows * replay["share"] / (1 - replay["share"])
    more = beside * replay["tokens"] / replay["kept"]
    learned = own.tokens * own.target_share + beside * replay["learned_tokens"] / replay["kept"]
    total = own.tokens + more
    longest, row_tokens = max(own.longest, replay["most"]), total / (rows + beside)
    return MeasuredRows(int(total), longest, learned / total, row_tokens, own.notes)


def _notes(report: Mapping[str, Any]) -> tuple[str, ...]:
    """How many rows are rejected, and the first of them with its reason."""
    rejected, looked = report["rejected"], report["data"]["looked_at"]
    if not rejected:
        return ()
    first = report["rejects"][0]
    where = f"{os.path.basename(first['file'])}:{first['line']}"
    return (one_line(f"{rejected:,} of {looked:,} rows rejected, {where}: {first['reason']}"),)


def fit_line(fit: "Fit | None", glyphs: Glyphs) -> Line:
    """Whether it fits, and all of it in a line; what matters less falls away from the right."""
    if fit is None:
        return [(" estimating memory...", "dim")]
    if fit.needed is None:
        return [(f" {glyphs.lost} memory unknown: {one_line(fit.problem)}", "warn")]
    between = f" {glyphs.separator} "
    facts = [("very roughly " if _rough(fit) else "") + _range_of_free(fit)]
    if fit.seconds is not None:
        facts.append(_time(fit))
    if fit.largest_batch is not None:
        facts.append(f"largest batch {fit.largest_batch:,}")
    if fit.disk_needed is not None:
        facts.append(f"disk {size(fit.disk_needed)}")
    return [_verdict(fit, glyphs), (facts[0], ""), *((between + one, "dim") for one in facts[1:])]


def _verdict(fit: "Fit", glyphs: Glyphs) -> Piece:
    if fit.fits is None:
        return (f" {glyphs.lost} needs ", "dim")
    if fit.fits:
        return (f" {glyphs.done} fits: ", "good")
    if not fit.measured:
        return (f" {glyphs.lost} may not fit: ", "warn")
    return (f" {glyphs.failed} does not fit: ", "bad")


def _range_of_free(fit: "Fit") -> str:
    """0.8-1.1 of 80 GB free: what it needs, in the unit of what is free."""
    low, high = fit.needed_range or (fit.needed or 0,) * 2
    if fit.free is None:
        return size_range(low, high)
    number, _, unit = size(fit.free).partition(" ")
    return f"{size_range(low, high, unit).removesuffix(unit).rstrip()} of {number} {unit} free"


def _time(fit: "Fit") -> str:
    """A range, no finer than it can be known."""
    return NONE if fit.seconds_range is None else estimated_range(*fit.seconds_range)


def _rough(fit: "Fit") -> bool:
    return fit.memory is not None and fit.memory.rough


def fit_lines(fit: "Fit | None", glyphs: Glyphs) -> list[Line]:
    """Memory part by part, the largest batch, time and disk, and what to turn down."""
    if fit is None:
        return [[("searching...", "dim")]]
    where = [(f" on {one_line(fit.device)}", "")] if fit.needed is not None else []
    lines: list[Line] = [[*fit_line(fit, glyphs)[:2], *where], []]
    if fit.fits is False and fit.advice:
        lines += [[("Any one of these changes would fit:", "warn")]]
        lines += [[(f"  {one_line(one.text)}", "warn")] for one in fit.advice] + [[]]
    if fit.notes:
        lines += [*([(f"note: {one_line(note)}", "warn")] for note in fit.notes), []]
    memory = fit.memory
    if memory is not None:
        whole = max(sum(fit.parts.values()), 1)
        sizes, total = part_sizes(fit.parts)
        for name, part in fit.parts.items():
            if not part:
                continue
            cells = min(20, -(-part * 20 // whole))
            lines.append([
                (f"{name:<{_NAME}}", "dim"), (f"{sizes[name]:>9}  ", ""),
                (glyphs.bar_full * cells, "tuned"),
            ])  # fmt: skip
        lines.append(
            [
                (f"{'peak':<{_NAME}}", "strong"),
                (f"{total:>9}", "strong"),
                (f"  {memory.moment}", "dim"),
            ]
        )
        if fit.needed_range is not None:
            lines.append([("range          ", "dim"), (size_range(*fit.needed_range), "strong")])
        lines += [[(fit.memory_basis, "dim")], []]
        count = (
            f"{parameters(memory.parameters)} parameters, {parameters(memory.trained)} trainable"
        )
        how = " (counted)" if memory.counted else " (estimated)"
        lines += [[(count, ""), (how, "dim")], [(fit.formats, "dim")]]
    if fit.largest_batch is not None:
        lines.append([("largest batch  ", "dim"), (f"{fit.largest_batch:,}", "strong")])
    lines.append([("time           ", "dim"), (_time(fit), "strong")])
    lines += [[(one_line(fit.basis), "dim")]] if fit.basis else []
    if fit.disk_needed is not None:
        free = "" if fit.disk_free is None else f" of {size(fit.disk_free)} free"
        each = "" if fit.checkpoint is None else f", {size(fit.checkpoint)} per checkpoint"
        lines.append([("disk           ", "dim"), (f"{size(fit.disk_needed)}{free}{each}", "")])
    return lines
