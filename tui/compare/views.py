"""How the answers of a comparison are looked at: as text, word by word, by token shift, as tokens.

Owns the view and its cursor, no widget. What takes a model is asked elsewhere; word differences
are made on a thread, by `Views.compare`, because two long answers can take a second.
"""

from collections.abc import Sequence
from typing import Literal

from engine import word_diff
from engine.text import one_line
from engine.word_diff import TextDifference
from tui.compare.answer_pane import ARM_ROLES
from tui.compare.strengths import STRENGTHS, StrengthSweep
from tui.glyphs import Glyphs
from tui.screens.answer_lines import answer_lines
from tui.screens.answer_side import Side, Span, TokenPieces
from tui.screens.diff_lines import Pair, diff_line, diff_lines, pairs
from tui.screens.shift_lines import next_shifted, shift_lines, shift_panel
from tui.styled_text import Line, Piece

View = Literal["text", "diff", "shift", "tokens", "strength"]
LEAST_WIDTH = 38
"""Cells that a pane needs beside others."""


def layouts(count: int, width: int) -> list[tuple[int, ...]]:
    """Which panes can be shown together: as many as fit, the first among them, then each alone."""
    room = max(1, min(count, width // LEAST_WIDTH))
    if room == 1:
        return [(at,) for at in range(max(1, count))]
    together = [(0, *range(start, start + room - 1)) for start in range(1, count - room + 2)]
    return [*together, *((at,) for at in range(1, count)), (0,)]


class Views:
    """The view, and what it makes of the sides."""

    def __init__(self) -> None:
        self.view: View = "text"
        self.subject = 1
        """The side whose tokens, or strengths, are walked."""
        self.cursor = 0
        self.strength_at = len(STRENGTHS) - 1
        """Which of the strengths is looked at."""
        self.sweep = StrengthSweep()
        """The answers at each strength, as far as they are there."""
        self._pair = 0
        self._difference: tuple[tuple[str, str], TextDifference] | None = None

    def turn(self, view: View) -> None:
        """Another view, or back to the text."""
        self.view = "text" if self.view == view else view
        self.cursor = 0

    def turn_pair(self, count: int) -> None:
        """Word differences of the next pair of panes; after the last, the text again."""
        if self.view != "diff":
            self.view, self._pair = "diff", 0
        elif self._pair + 1 < len(pairs(count)):
            self._pair += 1
        else:
            self.view = "text"

    def step(self, sides: Sequence[Side], by: int) -> None:
        """Walk the tokens, or the strengths."""
        if self.view == "strength":
            self.strength_at = max(0, min(self.strength_at + by, len(STRENGTHS) - 1))
        elif (tokens := self._tokens(sides)) > 0:
            self.cursor = max(0, min(self.cursor + by, tokens - 1))

    def jump(self, sides: Sequence[Side], by: int) -> None:
        """To the next token that is not what the first side would have said."""
        shift = self._subject(sides).shift
        if shift is not None:
            self.cursor = next_shifted(shift, self.cursor, by)

    def pair(self, sides: Sequence[Side]) -> Pair | None:
        """The panes whose words are compared now."""
        if self.view != "diff" or len(sides) < 2:
            return None
        known = pairs(len(sides))
        return known[min(self._pair, len(known) - 1)]

    def to_compare(self, sides: Sequence[Side]) -> tuple[str, str] | None:
        """Two texts whose difference is wanted and not known; None: none."""
        pair = self.pair(sides)
        if pair is None or not all(sides[at].answered and not sides[at].busy for at in pair):
            return None
        texts = sides[pair[0]].spoken, sides[pair[1]].spoken
        known = self._difference is not None and self._difference[0] == texts
        return None if known else texts

    def compare(self, texts: tuple[str, str]) -> None:
        """Find the difference. May take a second or two: on a thread."""
        self._difference = texts, word_diff.compare(*texts)

    def last(self, sides: Sequence[Side], at: int, glyphs: Glyphs) -> list[Line] | None:
        """The last answer of a side as it is looked at; None: as plain text."""
        side = sides[at]
        if self.view == "diff":
            pair, difference = self.pair(sides), self._known(sides)
            if pair is not None and difference is not None and at in pair:
                which: Literal["left", "right"] = "left" if at == pair[0] else "right"
                words = diff_lines(difference.changes, which, ARM_ROLES[at], glyphs)
                return answer_lines(side.parts, glyphs, words if side.parts.spoken else None)
        elif self.view == "shift" and side.shift is not None:
            cursor = self.cursor if at == self.subject else -1
            return shift_lines(side.shift, cursor, glyphs, side.pieces.by_token)
        elif self.view == "tokens" and side.answered:
            return token_lines(side.pieces, glyphs)
        elif self.view == "strength" and at == self.subject:
            return self.sweep.lines(self.strength_at, glyphs)
        return None

    def foot(self, at: int) -> Line | None:
        """What stands below a side's answer; None: what it is like, as usual."""
        return (
            self.sweep.foot(self.strength_at)
            if self.view == "strength" and at == self.subject
            else None
        )

    def panel(self, sides: Sequence[Side], width: int, glyphs: Glyphs) -> list[Line]:
        """What is said of it below the panes."""
        if len(sides) < 2 and self.view != "tokens":
            return []
        if self.view == "diff":
            return [self._diff_line(sides, glyphs)]
        if self.view == "shift":
            return self._shift_panel(sides, width, glyphs)
        if self.view == "strength":
            return self.sweep.panel(self.strength_at, name_piece(sides, self.subject))
        if self.view == "tokens":
            opening, closing = glyphs.opening, glyphs.closing
            text = f" tokens: {opening}text{closing}, raw token, id; spaces as "
            return [
                [
                    (f"{text}{_space(glyphs)}", "strong"),
                    ("   special tokens in colour", "warn"),
                ]
            ]
        return []

    def _diff_line(self, sides: Sequence[Side], glyphs: Glyphs) -> Line:
        pair, difference = self.pair(sides), self._known(sides)
        if pair is not None and difference is not None:
            names = name_piece(sides, pair[0]), name_piece(sides, pair[1])
            plain = all(sides[at].parts.is_plain for at in pair)
            return diff_line(difference, names, glyphs, spoken_only=not plain)
        waiting = any(side.busy for side in sides)
        reason = "after both have answered" if waiting or not sides[0].said else "comparing..."
        return [(" word diff  ", "strong"), (reason, "dim")]

    def _shift_panel(self, sides: Sequence[Side], width: int, glyphs: Glyphs) -> list[Line]:
        side = self._subject(sides)
        head: Piece = (" token shift  ", "strong")
        if side.shift is not None:
            names = name_piece(sides, 0), name_piece(sides, self.subject)
            return shift_panel(side.shift, self.cursor, names, width, glyphs)
        if side.shift_trouble:
            return [[head, (side.shift_trouble, "warn")]]
        if side.arm.is_endpoint or sides[0].arm.is_endpoint:
            return [[head, ("an endpoint returns no token ids and no logits", "warn")]]
        waits = side.busy or not side.answered
        reason = f"after {side.name} has answered" if waits else "computing..."
        return [[head, (reason, "dim")]]

    def _known(self, sides: Sequence[Side]) -> TextDifference | None:
        """The difference, where it is that of the texts that are shown."""
        pair = self.pair(sides)
        if pair is None or self._difference is None:
            return None
        texts = sides[pair[0]].spoken, sides[pair[1]].spoken
        return self._difference[1] if self._difference[0] == texts else None

    def _subject(self, sides: Sequence[Side]) -> Side:
        return sides[min(self.subject, len(sides) - 1)]

    def _tokens(self, sides: Sequence[Side]) -> int:
        shift = self._subject(sides).shift
        return len(shift.tokens) if self.view == "shift" and shift is not None else 0


def name_piece(sides: Sequence[Side], at: int) -> Piece:
    """A side's name in its colour."""
    return sides[at].name, ARM_ROLES[at]


def token_lines(pieces: TokenPieces, glyphs: Glyphs) -> list[Line]:
    """Prompt and answer in blocks: the text between marks, then the ids."""
    if not pieces.answer:
        return [[("loading tokens...", "dim")]]
    lines: list[Line] = []
    for name, spans in (("prompt", pieces.prompt), ("answer", pieces.answer)):
        count = sum(len(span.ids) for span in spans)
        lines.append([(f"{name}, {count} token{'s' * (count != 1)}", "dim")])
        lines.append([piece for span in spans for piece in _block(span, glyphs)])
    return lines


def _block(span: Span, glyphs: Glyphs) -> list[Piece]:
    text = one_line(span.text).replace(" ", _space(glyphs))
    block: list[Piece] = [(f"{glyphs.opening}{text}{glyphs.closing}", "warn" * span.special)]
    for token, piece in zip(span.ids, span.pieces, strict=True):
        block += [(f"{one_line(piece)} ", ""), (f"{token} ", "dim")]
    return block


def _space(glyphs: Glyphs) -> str:
    return "_" if glyphs.is_ascii else "·"
