"""What is measured of several arms, side by side: their names and roles, and blocks of lines.

One for confusions and for measures. Blocks never touch; those without room stand below.
"""

from collections.abc import Sequence

from engine.text import one_line
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece, fit, length

ARM_ROLES = ("base", "tuned", "third", "fourth")
"""Of arms in their order; those after have none."""
_RULE = 3
"""Cells of the rule with a blank column on each side."""


def arm_name(name: str, width: int, ellipsis: str) -> str:
    """An arm's name, clean, in so many cells that two and what stands beside them have room."""
    return fit(one_line(name), max(6, min(24, width // 5)), ellipsis)


def lay_side_by_side(
    blocks: Sequence[Sequence[Line]], left: Sequence[Line], width: int, glyphs: Glyphs
) -> list[Line]:
    """As many blocks as fit in `width` cells, then the others, each row of them after `left`.

    `left` has lines of one length, which stand before those of each block; without it one blank
    cell does.
    """
    lines: list[Line] = []
    waiting = list(blocks)
    margin = length(left[0]) if left else 1
    while waiting:
        taken = [waiting.pop(0)]
        while waiting and margin + _cells_of([*taken, waiting[0]]) <= width:
            taken.append(waiting.pop(0))
        widths = [_widest(block) for block in taken]
        for at in range(max(len(left), *map(len, taken))):
            line: list[Piece] = list(left[at]) if at < len(left) else [(" " * margin, "")]
            for place, (block, wide) in enumerate(zip(taken, widths, strict=True)):
                cells = block[at] if at < len(block) else []
                if place:
                    line.append((f" {glyphs.pipe} ", "dim"))
                line += [*cells, (" " * (wide - length(cells)), "")]
            lines.append(line)
    return lines


def _cells_of(blocks: Sequence[Sequence[Line]]) -> int:
    return sum(map(_widest, blocks)) + _RULE * (len(blocks) - 1)


def _widest(block: Sequence[Line]) -> int:
    return max(map(length, block))
