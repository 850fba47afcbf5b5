"""Sections as Markdown. What came from models, data and names has no meaning there: it is escaped,
or fenced."""

import re
from collections.abc import Iterable, Iterator

from engine.report.blocks import (
    Block,
    Bullets,
    Grid,
    ItemBlock,
    Paragraph,
    Plot,
    Section,
    clip,
)
from engine.text import clean, one_line

LONGEST_CELL = 400
_SPECIAL = re.compile(r"([\\`*{}\[\]<>|#~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_AT_START = re.compile(r"^(\s*)([-+=>]|\d+[.)])")
_INTERVAL = re.compile(r"\\\[((?:[-+\d., e%]|&[lg]t;)*)\\\](?![(\[:\\])")
"""Numbers in brackets, which mean nothing where no link follows."""
_ADDRESS = re.compile(r"(?i)(https?|ftp)(:)|(www)(\.)")
"""What renderers make links of, without being asked."""


def write_markdown(title: str, sections: Iterable[Section]) -> Iterator[str]:
    """The page, piece by piece."""
    yield f"# {escape_markdown(title)}\n"
    for section in sections:
        yield f"\n## {escape_markdown(section.title)}\n"
        for block in section.blocks:
            yield "\n"
            yield from write_block(block)


def escape_markdown(text: str) -> str:
    """A text within one line, without a meaning in Markdown or HTML."""
    text = _SPECIAL.sub(r"\\\1", one_line(text).replace("&", "&amp;"))
    text = text.replace("\\<", "&lt;").replace("\\>", "&gt;")
    text = _ADDRESS.sub(lambda match: f"{match[1] or match[3]}\\{match[2] or match[4]}", text)
    return _INTERVAL.sub(r"[\1]", text)


def escape_start(text: str) -> str:
    """The same at the start of a line, where a list, a rule or, after spaces, code could begin."""
    escaped = escape_markdown(text).lstrip(" ")
    return _AT_START.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", escaped)


def fence(text: str) -> str:
    """Several lines as they are: the fence is longer than any in the text."""
    cleaned = clean(text)
    longest = max((len(run) for run in re.findall(r"`+", cleaned)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}text\n{cleaned}\n{marks}\n"


def write_block(block: Block) -> Iterator[str]:
    """One block, piece by piece."""
    if isinstance(block, Paragraph):
        yield f"{escape_start(block.text)}\n"
    elif isinstance(block, Bullets):
        yield from (f"- {escape_start(text)}\n" for text in block.texts)
    elif isinstance(block, Grid):
        yield from _write_grid(block)
    elif isinstance(block, Plot):
        caption = escape_markdown(block.caption)
        yield f"![{caption}](figures/{block.name}.svg)\n"
    else:
        yield from _write_item(block)


def _write_grid(block: Grid) -> Iterator[str]:
    if block.title:
        yield f"{escape_start(block.title)}:\n\n"
    yield _write_row(block.head)
    yield _write_row(["---:" if at not in block.texts else "---" for at in range(len(block.head))],
                     is_rule=True)  # fmt: skip
    for row in block.rows:
        yield _write_row([cell.text for cell in row])


def _write_row(cells: Iterable[str], *, is_rule: bool = False) -> str:
    shown = cells if is_rule else (escape_markdown(clip(cell, LONGEST_CELL)) for cell in cells)
    return f"| {' | '.join(shown)} |\n"


def _write_item(block: ItemBlock) -> Iterator[str]:
    yield f"### {escape_markdown(clip(block.title, LONGEST_CELL))}\n\n"
    yield f"{escape_start(block.facts)}\n\n{fence(block.prompt)}\n"
    if block.gold:
        yield f"Right:\n\n{fence(block.gold)}\n"
    for answer in block.answers:
        yield f"**{escape_markdown(answer.arm)}** ({escape_markdown(answer.note)})\n\n"
        yield f"{fence(answer.text)}\n"
