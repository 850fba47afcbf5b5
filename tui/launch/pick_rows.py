"""Models, data sets and rows as lists show them. Everything here is untrusted and cleaned here."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.unpaired import LABELLED_FALSE
from engine.errors import EngineError
from engine.text import one_line
from tui.formatting import NONE, error_lines, parameters, size
from tui.glyphs import Glyphs
from tui.screens.answer_lines import message_lines
from tui.styled_text import Line
from tui.widgets.table import Column, TableRow

if TYPE_CHECKING:
    from engine.checkpoints.checkpoint_list import Checkpoint
    from engine.data.dataset_list import DataSet
    from engine.data.rows import Rows

MODEL_COLUMNS = (
    Column("model", 14, 30),
    Column("params", 6, 7, right=True),
    Column("source", 7),
    Column("dtype", 6, 8),
    Column("size", 7, right=True),
    Column("context", 7, right=True),
    Column("vocab", 7, right=True),
    Column("template", 8),
)
SET_COLUMNS = (
    Column("data", 14, 26),
    Column("rows", 7, right=True),
    Column("schema", 12, 26),
    Column("eval", 4),
)
_MOST_CHARACTERS = 2_000
"""Of one turn in the preview."""


def model_row(one: "Checkpoint") -> TableRow:
    """A line of the list; what cannot be used is dim, and says so."""
    name = one_line(one.name) + (" (adapter)" if one.kind == "adapter" else "")
    if one.reason:
        return TableRow(one.ref, (((f"x {name}", ""),), ((one_line(one.reason), ""),)), dim=True)
    cells = (
        name,
        parameters(one.parameters),
        one.source,
        one_line(one.dtype or NONE),
        size(one.size_bytes),
        f"{one.context_length:,}" if one.context_length else NONE,
        f"{one.vocab_size:,}" if one.vocab_size else NONE,
        "yes" if one.chat_template else "no",
    )
    return TableRow(one.ref, tuple(((cell, ""),) for cell in cells))


def about_model(one: "Checkpoint | None", separator: str) -> list[Line]:
    """The chosen model in two lines, or why it cannot be used."""
    if one is None:
        return []
    if one.reason:
        return [
            [(f" {one_line(one.name)}: {one_line(one.reason)}", "bad")],
            [(f" {one_line(str(one.path))}", "dim")],
        ]
    facts = [one_line(one.architecture or "")]
    if one.kind == "adapter":
        facts = [f"adapter on {one_line(one.base or 'an unknown base')}"]
        facts += [f"rank {one.rank}"] if one.rank else []
    if one.parameters is not None:
        facts.append(f"{parameters(one.parameters)} parameters")
    facts += [one_line(one.dtype or ""), size(one.size_bytes)]
    if one.context_length:
        facts.append(f"context {one.context_length:,}")
    if one.vocab_size:
        facts.append(f"vocabulary {one.vocab_size:,}")
    facts.append("chat template" if one.chat_template else "no chat template")
    text = f" {separator} ".join(fact for fact in facts if fact)
    return [[(f" {text}", "base")], [(f" {one_line(str(one.path))}", "dim")]]


def set_row(one: "DataSet") -> TableRow:
    if one.reason:
        parts = f"x {one_line(one.name)}", "invalid", one_line(one.reason)
        return TableRow(one.ref, tuple(((part, ""),) for part in parts), dim=True)
    count = NONE if one.rows is None else f"{'~' * one.estimated}{one.rows:,}"
    cells = (
        one_line(one.name),
        count,
        one_line(one.schema or NONE),
        "yes" if one.eval_path else "",
    )
    return TableRow(one.ref, tuple(((cell, ""),) for cell in cells))


def about_set(one: "DataSet | None", separator: str, further: Sequence[str] = ()) -> list[Line]:
    """The chosen data in two lines; `further` is what the companion found out."""
    if one is None:
        return []
    if one.reason:
        return [[(f" {one_line(one.name)}: {one_line(one.reason)}", "bad")]]
    facts = [one_line(one.description)]
    facts.append(
        "separate eval rows" if one.eval_path else "eval rows split from the training rows"
    )
    lines: list[Line] = [[(" " + f" {separator} ".join(facts), "dim")]]
    return [[(" " + f" {separator} ".join(further), "base")], *lines] if further else lines


def rows_shown(rows: "Rows | EngineError | None", glyphs: Glyphs) -> list[Line]:
    """Decoded rows: who says what, calls and reasoning too; unusable rows with their reason."""
    if rows is None:
        return [[("loading...", "dim")]]
    if isinstance(rows, EngineError):
        return error_lines(rows)
    lines: list[Line] = []
    for reject in rows.rejects:
        where = f"{one_line(Path(reject.file).name)}:{reject.line}"
        if reject.reason == LABELLED_FALSE:
            lines.append([(f"not trained {where}: {LABELLED_FALSE}", "dim")])
            continue
        lines.append([(f"invalid {where}: {one_line(reject.reason)}", "bad")])
    for example in rows.examples:
        lines.append([(one_line(example.source.rpartition("/")[2]), "dim")])
        for message in example.messages:
            is_trained = message.role == "assistant" and message.trained
            cut = replace(message, content=message.content[:_MOST_CHARACTERS])
            shown = message_lines(cut, "tuned" if is_trained else "", "", glyphs)
            heads = [message.role, *[""] * (len(shown) - 1)]
            lines += [
                [(f"{head:<10}", "dim"), *line] for head, line in zip(heads, shown, strict=True)
            ]
        lines.append([])
    return lines
