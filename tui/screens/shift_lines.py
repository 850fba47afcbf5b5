"""Token shift as a screen shows it: the answer by kinds, the token at the cursor, KL by position.

Every kind has marks beside its colour. Pure text; the numbers come from the companion.
"""

import itertools
from collections.abc import Iterator, Sequence

from engine.compare.token_shift import KINDS, NO_EFFECT, Candidate, Kind, Shift
from engine.number_format import write_number, write_percent
from engine.text import clean, one_line
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece, fit, pad

ROLES: dict[Kind, str] = {"unshifted": "", "marginal": "marginal", "shifted": "shifted"}
_CANDIDATE = 15
"""Cells of a candidate and its probability."""


def brackets(kind: Kind, glyphs: Glyphs) -> tuple[str, str]:
    """What stands before and after tokens of a kind, in any colour or none."""
    if kind == "unshifted":
        return "", ""
    if kind == "marginal":
        return ("<", ">") if glyphs.is_ascii else ("‹", "›")
    return glyphs.opening, glyphs.closing


def shift_lines(shift: Shift, at: int, glyphs: Glyphs, pieces: Sequence[str] = ()) -> list[Line]:
    """The answer; tokens of a kind that follow each other share their marks.

    `pieces` are what the tokens add to the text, where that is known: a character that takes
    several tokens comes with the last of them, and counts as the worst of them.
    """
    lines: list[list[Piece]] = [[]]
    now: Kind = "unshifted"

    def turn(kind: Kind) -> None:
        nonlocal now
        if kind != now:
            lines[-1].append((brackets(now, glyphs)[1], ROLES[now]))
            lines[-1].append((brackets(kind, glyphs)[0], ROLES[kind]))
            now = kind

    for text, kind, picked in _stretches(shift, at, pieces):
        role = "pick" if picked else ROLES[kind]
        for part_at, part in enumerate(clean(text).split("\n")):
            if part_at:
                if picked:
                    lines[-1].append(("⏎", role))
                turn("unshifted")
                lines.append([])
            rest = part
            if part and kind != now:
                rest = part.lstrip(" ")
                lead = part[: len(part) - len(rest)]
                turn("unshifted")
                lines[-1].append((lead, role if not rest else ""))
                if rest:
                    turn(kind)
            lines[-1].append((rest, role))
    turn("unshifted")
    return [[piece for piece in line if piece[0]] for line in lines]


def _stretches(shift: Shift, at: int, pieces: Sequence[str]) -> Iterator[tuple[str, Kind, bool]]:
    """Text that can be shown, its kind, and whether the cursor is in it."""
    if len(pieces) != len(shift.tokens):
        pieces = [token.piece for token in shift.tokens]
    kind: Kind = "unshifted"
    picked = False
    for place, (token, piece) in enumerate(zip(shift.tokens, pieces, strict=True)):
        kind = max(kind, token.kind, key=KINDS.index)
        picked = picked or place == at
        if piece:
            yield piece, kind, picked
            kind, picked = "unshifted", False


def shift_panel(
    shift: Shift, at: int, names: tuple[Piece, Piece], width: int, glyphs: Glyphs
) -> list[Line]:
    """The shares of the kinds, KL by position, and what both models would say at the cursor."""
    if not shift.tokens:
        return [[(" token shift  the answer is empty", "dim")]]
    token = shift.tokens[at]
    (base, _), (tuned, _) = names
    place = f"{at + 1}/{len(shift.tokens)}"
    facts = [
        f"id {token.id}",
        f"{token.kind}: rank {token.rank:,} under {base}",
        f"KL {nats(token.kl)}",
    ]
    between = f" {glyphs.separator} "
    room = max(len(base), len(tuned), 4)
    return [
        _shares_line(shift, base, glyphs),
        _curve_line(shift, at, width, glyphs),
        [(f" token {place}  ", "dim"), (_quoted(token.piece), "pick"), *_facts(facts, between)],
        _top_line(token.base_top, names[0], room, token.id, glyphs),
        _top_line(token.tuned_top, names[1], room, token.id, glyphs),
    ]


def next_shifted(shift: Shift, at: int, by: int) -> int:
    """The place of the next token, or the one before, that is not unshifted; `at` if none is."""
    places = [n for n, token in enumerate(shift.tokens) if token.kind != "unshifted"]
    beyond = [n for n in places if (n > at if by > 0 else n < at)]
    return (beyond[0] if by > 0 else beyond[-1]) if beyond else at


def levels_of(values: Sequence[float], cells: int) -> list[float]:
    """At most `cells` values: the highest of each part, so that a spike is not lost."""
    count = min(cells, len(values))
    if count <= 0:
        return []
    edges = [part * len(values) // count for part in range(count + 1)]
    return [max(values[start:end]) for start, end in itertools.pairwise(edges)]


def _shares_line(shift: Shift, base: str, glyphs: Glyphs) -> Line:
    line: list[Piece] = [(f" token shift vs {base}", "strong")]
    shares = shift.shares
    for kind in KINDS:
        before, after = brackets(kind, glyphs)
        line.append((f"  {before}{kind}{after} {write_percent(shares[kind])}", ROLES[kind]))
    count = len(shift.tokens)
    line.append((f"  KL {nats(shift.kl)} nats/token over {count} token{'s' * (count != 1)}", "dim"))
    if not shift.greedy:
        line.append(("  sampled, so ranks are of sampled tokens", "warn"))
    return line


def _curve_line(shift: Shift, at: int, width: int, glyphs: Glyphs) -> Line:
    values = [token.kl for token in shift.tokens]
    top = max(values)
    head, tail = " KL by position  ", f"  max {nats(top)} at token {values.index(top) + 1}"
    levels = levels_of(values, width - len(head) - len(tail) - 1)
    if not levels:
        return [(head, "dim")]
    steps = len(glyphs.spark) - 1
    text = "".join(
        glyphs.spark[round(level / top * steps) if top > NO_EFFECT else 0] for level in levels
    )
    cell = next(n for n in range(len(levels)) if (n + 1) * len(values) // len(levels) > at)
    return [
        (head, "dim"),
        (text[:cell], "tuned"),
        (text[cell], "pick"),
        (text[cell + 1 :], "tuned"),
        (tail, "dim"),
    ]


def _top_line(top: Sequence[Candidate], name: Piece, room: int, said: int, glyphs: Glyphs) -> Line:
    line: list[Piece] = [(f" {pad(name[0], room)} ", name[1]), ("p", "dim")]
    for one in top:
        piece = fit(_quoted(one.piece), _CANDIDATE - 6, glyphs.ellipsis)
        text = pad(f" {piece} {probability(one.probability)}", _CANDIDATE)
        line.append((text, "strong" if one.id == said else ""))
    return line


def probability(value: float) -> str:
    """A probability in four characters; 1.00 is certain, and nothing else."""
    if 0.005 <= value < 0.995:
        return f"{value:.2f}"[1:]
    return "1.00" if value == 1 else ">.99" if value > 0.5 else "<.01"


def nats(value: float) -> str:
    """A divergence, with as many digits as say something."""
    return write_number(value, 2 if value >= 0.01 else 4)


def _quoted(piece: str) -> str:
    return f'"{one_line(piece)}"'


def _facts(facts: Sequence[str], between: str) -> list[Piece]:
    return [((between if at else "  ") + fact, "dim") for at, fact in enumerate(facts)]
