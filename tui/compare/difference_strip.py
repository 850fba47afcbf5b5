"""What differs between the arms beside their weights, and warnings: the strip above the panes.

Says only what the companion reported or measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.recipes.settings import Decode
from engine.text import one_line
from tui.glyphs import Glyphs
from tui.screens.answer_side import Side
from tui.screens.shift_lines import nats
from tui.styled_text import Line, Piece, length

Facts = Mapping[str, Any]
"""As the companion's `facts` tells them."""
ALIKE = ("template", "tokenizer", "decoding", "dtype", "batching")
"""What is said to be the same where it is."""
EQUAL = ("same", "same weights", "no effect")
"""Warnings that two arms are one, as the companion calls them."""


def strip_lines(
    sides: Sequence[Side],
    facts: Facts | None,
    glyphs: Glyphs,
    width: int,
    most: int,
    before: Sequence[Piece] = (),
) -> list[Line]:
    """What comes `before`, warnings with a mark, then what is the same: whole facts, line by line.

    What does not fit on `most` lines falls away.
    """
    pieces = [*before, *((f"! {warning}", "warn") for warning in warnings(sides, facts))]
    pieces += [(note, "dim") for note in notes(sides, facts)]
    between = f" {glyphs.separator} "
    lines: list[list[Piece]] = [[]]
    for text, role in pieces:
        piece = ((between if lines[-1] else " ") + text, role)
        if lines[-1] and length([*lines[-1], piece]) > width:
            if len(lines) == most:
                break
            lines.append([])
            piece = (f" {text}", role)
        lines[-1].append(piece)
    return [*lines]


def warnings(sides: Sequence[Side], facts: Facts | None) -> list[str]:
    """What would mislead a reader, most misleading first; what differs after it."""
    texts = [
        one_line(warning["text"])
        for warning in (facts or {}).get("warnings", ())
        if warning["kind"] != "error"  # the pane has it whole
        and not (warning["kind"] == "no effect" and _is_refuted(warning["arms"], sides))
    ]
    texts += _without_effect(sides, facts)
    texts += [one_line(difference["text"]) for difference in (facts or {}).get("differences", ())]
    if facts is None:
        texts += [remark for side in sides for remark in side.remarks]
    cut = [side.name for side in sides if side.behaviour and side.behaviour.finish == "length"]
    if cut:
        texts.append(f"truncated: {', '.join(cut)}")
    return list(dict.fromkeys(texts))


def notes(sides: Sequence[Side], facts: Facts | None) -> list[str]:
    """What the numbers say, and what is the same."""
    shifts = [
        (side.name, nats(side.shift.kl))
        for side in sides[1:]
        if side.shift is not None and side.shift.tokens and not _is_without_effect(sides[0], side)
    ]
    texts = []
    if shifts and len(sides) == 2:
        texts.append(f"KL vs {sides[0].name} {shifts[0][1]} nats/token")
    elif shifts:
        each = ", ".join(f"{name} {kl}" for name, kl in shifts)
        texts.append(f"KL vs {sides[0].name}, nats/token: {each}")
    if facts is not None and len(sides) > 1:
        unlike = {difference["what"] for difference in facts["differences"]}
        same = [what for what in ALIKE if what not in unlike]
        if same:
            texts.append(f"same {', '.join(same)}")
        for name in dict.fromkeys(arm["dtype"] for arm in facts["arms"] if arm["dtype"]):
            texts.append(one_line(str(name)))
    behaviours = [side.behaviour for side in sides if side.behaviour is not None]
    if behaviours and all(behaviour.finish == "stop" for behaviour in behaviours):
        texts.append("none truncated")
    return texts


def settings_text(decode: Decode, glyphs: Glyphs) -> str:
    """How all arms decode unless they say otherwise."""
    how = "greedy" if decode.temperature == 0 else "sampled"
    parts = [f"temp {decode.temperature:g}", how, f"seed {decode.seed}"]
    return f" {glyphs.separator} ".join([*parts, f"max {decode.max_new_tokens} tokens"])


def _is_refuted(arms: Sequence[int], sides: Sequence[Side]) -> bool:
    """Whether two arms that the prompt did not tell apart have answered otherwise since."""
    first, second = arms
    return second < len(sides) and _said_otherwise(sides[first], sides[second])


def _without_effect(sides: Sequence[Side], facts: Facts | None) -> Iterator[str]:
    """By the answers' shift, of those that the companion has not found out by itself."""
    known = (facts or {}).get("warnings", ())
    equal = [warning["arms"] for warning in known if warning["kind"] in EQUAL]
    arms = (facts or {}).get("arms", ())
    for at, side in enumerate(sides[1:], 1):
        shift = side.shift
        if shift is not None and [0, at] not in equal and _is_without_effect(sides[0], side):
            # Of an adapter it is a fault; of a merged or converted model what was wanted.
            whole = at < len(arms) and arms[at].get("adapter", "") is None
            what = "same answers" if whole else "no effect"
            yield f"{what}: {side.name} answers like {sides[0].name} (KL {nats(shift.kl)})"


def _is_without_effect(first: Side, side: Side) -> bool:
    """Whether the greedy answers are the same text, and the distributions along it agree."""
    same = not _said_otherwise(first, side)
    return side.shift is not None and side.shift.shows_no_effect and same


def _said_otherwise(first: Side, other: Side) -> bool:
    """Whether both have answered, and not the same."""
    return first.answered and other.answered and first.said[-1] != other.said[-1]
