"""Counts of tokens as lines of a table: one text under several tokenizers, and all texts."""

from collections.abc import Sequence

from rich.cells import cell_len

from engine.text import one_line
from engine.tokenizers.tokenizer_output import Count, RenderedTemplate, TokenizerOutput, differ
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece, fit, pad
from tui.tokens.token_text import spell
from tui.widgets.lines import shorten

NONE = "—"
COLORS = ("base", "tuned", "third", "fourth")
"""Roles of the tokenizers, in their order; further ones begin anew."""
ROUND_TRIP = len("round trip")
"""Cells of a text that comes back exactly; what is lost takes more."""


_LEGEND: Line = [
    (" t/word: tokens per word (Chinese: per character); B/token: bytes per token", "dim")
]


def color(at: int) -> str:
    """The role of the tokenizer that is the `at`-th."""
    return COLORS[at % len(COLORS)]


def count_of(reading: TokenizerOutput, name: str) -> Count | None:
    """The counts of the text of that name."""
    return next((text.count for text in reading.texts if text.count.name == name), None)


def counts_table(
    readings: Sequence[TokenizerOutput], name: str, width: int, glyphs: Glyphs
) -> list[Line]:
    """A line a tokenizer: what it is, and what the text of that name costs under it."""
    room = max(8, min(30, width - 54, max((cell_len(each.name) for each in readings), default=8)))
    head = f"{'tokens':>8}{'t/word':>7}{'B/token':>8}{'unknown':>9}  {'round trip':<{ROUND_TRIP}}"
    kinds = [cell_len(_kind_of(each)) for each in readings if not each.trouble]
    if room + 4 + len(head) + min(kinds, default=0) <= width:
        head += "  type"
    lines: list[Line] = [[(pad("  tokenizer", room + 4), "dim"), (head, "dim")]]
    for at, reading in enumerate(readings):
        first: Piece = (
            f"{at + 1} {pad(fit(one_line(reading.name), room, glyphs.ellipsis), room)}  ",
            color(at),
        )
        if reading.trouble:
            lines.append([first, (one_line(reading.trouble[0]), "bad")])
            continue
        count = count_of(reading, name)
        if count is None:
            lines.append([first, ("loading...", "dim")])
            continue
        unknown = f"{count.unknown:,}" if count.unknown else NONE
        lines.append(
            [
                first,
                (f"{count.tokens:>8,}", "strong"),
                (f"{number(count.tokens_per_word):>7}{number(count.bytes_per_token):>8}", ""),
                (f"{unknown:>9}  ", "warn" if count.unknown else "dim"),
                *round_trip(count, glyphs),
                (_kind_of(reading), "dim"),
                *([(f", adds {one_line(' '.join(reading.adds))}", "dim")] if reading.adds else []),
            ]
        )
    return [shorten(line, width, glyphs.ellipsis) for line in [*lines, _LEGEND]]


def _kind_of(reading: TokenizerOutput) -> str:
    return f"  {reading.kind}, vocab {reading.vocabulary:,}"


def round_trip(count: Count, glyphs: Glyphs) -> list[Piece]:
    """Whether decoding gives the text back, and what it loses."""
    if not count.lost:
        return [(f"{f'{glyphs.done} exact':<{ROUND_TRIP}}", "good")]
    return [
        (f"{glyphs.failed} loses", "warn"),
        (f" {one_line('; '.join(count.lost))}", "warn"),
    ]


def number(value: float | None) -> str:
    """Two decimals, one from ten on."""
    if value is None:
        return NONE
    return f"{value:.2f}" if value < 10 else f"{value:,.1f}"


def texts_table(
    readings: Sequence[TokenizerOutput],
    names: Sequence[str],
    parallel: Sequence[str],
    width: int,
    glyphs: Glyphs,
) -> list[Line]:
    """All texts under all tokenizers: tokens, tokens per word, bytes per token; then ratios.

    `parallel` are names of texts that say the same; the first of them is what the others are held
    against. Tokenizers for which there is no room are named below.
    """
    good = [(at, each) for at, each in enumerate(readings) if not each.trouble]
    label = _label(names)
    fits = fitting(names, width)
    shown, rest = good[:fits], good[fits:]
    lines: list[Line] = [[(" " * label, "")], [(pad(" text", label), "dim")]]
    for at, reading in shown:
        name = fit(one_line(reading.name), 22, glyphs.ellipsis)
        lines[0] = [*lines[0], (pad(name, 22, right=True) + "  ", color(at))]
        lines[1] = [*lines[1], (f"{'tokens':>7}{'t/word':>7}{'B/token':>8}  ", "dim")]
    for name in names:
        lines.append([(f" {pad(name, label - 1)}", ""), *_cells(shown, name, glyphs)])
    if len(parallel) > 1:
        lines += [[], [(f" parallel texts: tokens relative to {parallel[0]}", "title")]]
        times = "x" if glyphs.is_ascii else "×"
        for name in parallel[1:]:
            ratios = [_ratio(reading, name, parallel[0]) for _, reading in shown]
            line = [
                (pad(f"{number(ratio)}{times}" if ratio else NONE, 22, right=True) + "  ", "")
                for ratio in ratios
            ]
            lines.append([(f" {pad(name, label - 1)}", ""), *line])
    lost = [(name, reading, count) for name in names for _, reading in shown
            if (count := count_of(reading, name)) and count.lost]  # fmt: skip
    if lost:
        lines += [[], [(" lost in the round trip", "title")]]
    for name, reading, count in lost:
        losses = one_line("; ".join(count.lost))
        lines.append([(f" {name}", ""), (f"  {one_line(reading.name)}: ", "dim"), (losses, "warn")])
    for reading in readings:
        if reading.trouble:
            trouble = one_line(" ".join(reading.trouble))
            lines.append([(f" {one_line(reading.name)}: {trouble}", "bad")])
    if rest:
        hidden = ", ".join(one_line(reading.name) for _, reading in rest)
        lines += [[], [(f" not shown: {hidden}; press ]", "dim")]]
    return [*lines, [], _LEGEND]


def fitting(names: Sequence[str], width: int) -> int:
    """How many tokenizers there is room for."""
    return max(1, (width - _label(names)) // 24)


def _label(names: Sequence[str]) -> int:
    return max((cell_len(name) for name in names), default=4) + 3


def _cells(shown: Sequence[tuple[int, TokenizerOutput]], name: str, glyphs: Glyphs) -> list[Piece]:
    cells: list[Piece] = []
    for _, reading in shown:
        count = count_of(reading, name)
        if count is None:
            cells.append((pad(NONE, 22, right=True) + "  ", "dim"))
            continue
        cells.append((f"{count.tokens:>7,}", "strong"))
        cells.append((f"{number(count.tokens_per_word):>7}{number(count.bytes_per_token):>8}", ""))
        cells.append((f"{glyphs.failed} " if count.lost else "  ", "warn"))
    return cells


def _ratio(reading: TokenizerOutput, name: str, against: str) -> float | None:
    count, base = count_of(reading, name), count_of(reading, against)
    return count.tokens / base.tokens if count and base and base.tokens else None


def difference_lines(left: RenderedTemplate, right: RenderedTemplate, glyphs: Glyphs) -> list[Line]:
    """Two texts as one: in [- -] what only the first has, in {+ +} what only the second has."""
    lines: list[Line] = [[]]
    marks = {"same": ("", "", ""), "only_left": ("[-", "-]", "base"),
             "only_right": ("{+", "+}", "tuned")}  # fmt: skip
    for change in differ(left, right):
        opening, closing, role = marks[change.kind]
        parts = (change.right if change.kind == "only_right" else change.left).split("\n")
        for at, part in enumerate(parts, 1):
            end = spell("\n", glyphs) if at < len(parts) else ""
            shown = spell(part, glyphs, spaces=False)
            if role and (shown or end):
                lines[-1] = [*lines[-1], (f"{opening}{shown}{end}{closing}", role)]
            else:
                lines[-1] = [*lines[-1], (shown, ""), (end, "dim")]
            if end:
                lines.append([])
    return lines
