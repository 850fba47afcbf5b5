"""What a report's pages are made of, before Markdown or HTML: sections of blocks, in plain text.

Texts here are as they came, not cleaned and not escaped: each writer does both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from engine.charts.figure import Sketch

Tone = Literal["", "good", "bad", "dim"]


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GridCell:
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. The columns in `texts` are texts, to the left; all others numbers, to the right."""

    head: tuple[str, ...]
    rows: tuple[tuple[GridCell, ...], ...]
    texts: tuple[int, ...] = (0,)
    title: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, with the file that it has beside the pages."""

    name: str
    """Of the file, without its ending: letters, digits and hyphens."""
    caption: str
    sketch: Sketch


@dataclass(frozen=True, slots=True)
class AnswerText:
    """One arm's answer to an item."""

    arm: str
    text: str
    note: str
    """How it was scored, and how much of it is left out."""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class ItemBlock:
    """An item with the answers of all arms."""

    title: str
    facts: str
    prompt: str
    gold: str
    answers: tuple[AnswerText, ...]


Block = Paragraph | Bullets | Grid | Plot | ItemBlock


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report, with a heading."""

    key: str
    """What links lead to: letters, digits and hyphens."""
    title: str
    blocks: tuple[Block, ...]


def grid(
    head: Iterable[str],
    rows: Iterable[Iterable[str | GridCell]],
    texts: tuple[int, ...] = (0,),
    title: str = "",
) -> Grid:
    """A table of texts and cells."""
    cells = tuple(
        tuple(one if isinstance(one, GridCell) else GridCell(one) for one in row) for row in rows
    )
    return Grid(tuple(head), cells, texts, title)


def clip(text: str, most: int) -> str:
    """At most so many characters; the end says that more were there."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
