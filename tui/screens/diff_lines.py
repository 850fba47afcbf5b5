"""Two answers word by word, as panes show it: what only one of them says stands between marks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.number_format import write_percent
from engine.word_diff import Change, TextDifference
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece

if TYPE_CHECKING:
    from typing import Literal

Pair = tuple[int, int]


def pairs(count: int) -> list[Pair]:
    """All pairs among so many panes; those with the first pane come first."""
    return [(left, right) for left in range(count) for right in range(left + 1, count)]


def diff_lines(
    changes: Sequence[Change], side: "Literal['left', 'right']", role: str, glyphs: Glyphs
) -> list[Line]:
    """One side's text, as lines; `role` is how its own words look. The text is clean already."""
    lines: list[list[Piece]] = [[]]
    for change in changes:
        own = change.kind != "same"
        for at, part in enumerate((change.left if side == "left" else change.right).split("\n")):
            if at:
                lines.append([])
            word = part.strip(" ")
            if not own or not word:
                lines[-1].append((part, ""))
                continue
            before, after = part.split(word, 1)
            lines[-1] += [
                (before, ""),
                (f"{glyphs.opening}{word}{glyphs.closing}", role),
                (after, ""),
            ]
    return [[piece for piece in line if piece[0]] for line in lines]


def diff_line(
    difference: TextDifference,
    names: tuple[Piece, Piece],
    glyphs: Glyphs,
    *,
    spoken_only: bool = False,
) -> Line:
    """What the two have in common, on one line; `spoken_only`: their reasoning and calls aside."""
    (left, left_role), (right, right_role) = names
    only_left = difference.left_words - difference.same_words
    only_right = difference.right_words - difference.same_words
    between = f" {glyphs.separator} "
    share = write_percent(difference.share)
    head = "identical words" if difference.share == 1 else f"{share} overlap"
    return [
        (f" word diff{' of the text' if spoken_only else ''}{between}{head}", "strong"),
        (between, "dim"),
        (f"{only_left} only in ", ""),
        (left, left_role),
        (between, "dim"),
        (f"{only_right} only in ", ""),
        (right, right_role),
        (f"   {glyphs.opening}word{glyphs.closing} only in this answer", "dim"),
    ]
