"""How a job that makes data stands, in lines: shares as bars, openings, labels, the newest rows.

Pure, and everything that comes from models or data is cleaned here.
"""

from collections.abc import Mapping, Sequence

from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.gates.opening_gate import OpeningShare
from engine.synthesis.shares import Share
from engine.synthesis.tally import MakingProgress, Tally
from engine.text import one_line
from tui.formatting import NONE, duration
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece, fit, pad, width_of

BAR = 20
"""Cells of the longest bar."""
NAMES = 24
"""Cells of what a bar is of."""
MOST_CHARACTERS = 400
"""Of a row in one line."""
_ROLES = {"passed": "good", "held back": "warn", "set aside": "bad"}


def headline(tally: Tally, progress: MakingProgress, separator: str, *, running: bool) -> Line:
    """How far it is, how fast, and when it ends."""
    line: list[Piece] = [
        (f" {tally.finished:,} of {tally.sources:,} sources", "strong"),
        (f" {separator} {tally.passed.count:,} passed", "good"),
    ]
    if progress.passed_per_minute is not None:
        line.append((f", {progress.passed_per_minute:.3g} a minute", ""))
    if running and progress.seconds_left is not None:
        by = "" if progress.ends_by == "sources" else f" (budget of {progress.ends_by})"
        line.append((f" {separator} {duration(progress.seconds_left)} left{by}", ""))
    return line


def spent(tally: Tally, progress: MakingProgress, separator: str) -> Line:
    """Tokens, and their price where the recipe has prices."""
    read, written = tally.input_tokens, tally.output_tokens
    line: list[Piece] = [(f" {separator} tokens {read:,} read, {written:,} written", "dim")]
    if progress.price is not None:
        line.append((f" {separator} price {progress.price:.3g}", ""))
    return line


def share_lines(tally: Tally, glyphs: Glyphs) -> list[Line]:
    """Each state, under it its reasons; bars by the share of finished sources, 95% intervals."""
    if not tally.finished:
        return [[(" no source is finished yet", "dim")]]
    lines: list[Line] = []
    for state, share in (
        ("passed", tally.passed), ("held back", tally.held_back), ("set aside", tally.set_aside),
    ):  # fmt: skip
        lines.append(_bar(state, share, _ROLES[state], glyphs))
        lines += [
            _bar(f"  {one.name}", tally.share(one), "dim", glyphs)
            for one in tally.reasons
            if one.state == state
        ]
    if tally.faults:
        answers = tally.answers
        lines += [[], [(f" of {answers:,} answers, of no use and asked again or set aside", "dim")]]
        lines += [
            _bar(f"  {name}", Share(count, answers), "dim", glyphs)
            for name, count in tally.faults.items()
        ]
    if tally.repairs:
        lines += [[], [(" rows that needed a repair", "dim")]]
        lines += [
            _bar(f"  {kind}", Share(count, tally.finished), "dim", glyphs)
            for kind, count in tally.repairs.items()
        ]
    if tally.cut:
        lines += [[], [(f" {tally.cut:,} of rows whose source was cut to the context", "warn")]]
    return lines


def label_lines(labels: Mapping[str, Mapping[str, int]], glyphs: Glyphs) -> list[Line]:
    """The balance of each field of labels, over rows that are accepted or may be."""
    lines: list[Line] = []
    for name, counts in labels.items():
        total = sum(counts.values())
        lines.append([(f" {one_line(name)}, of {total:,} rows", "strong")])
        lines += [
            _bar(f"  {label}", Share(count, total), "base", glyphs)
            for label, count in counts.items()
        ]
    return lines


def opening_lines(openings: Sequence[OpeningShare], glyphs: Glyphs) -> list[Line]:
    """The commonest first words of texts that were asked for, of rows that passed."""
    lines: list[Line] = [[(" commonest openings", "strong")]] if openings else []
    return lines + [
        _bar(f"  {one.opening}{glyphs.ellipsis}", Share(one.count, one.rows), "dim", glyphs)
        for one in openings
    ]


def row_text(row: Mapping[str, object], recipe: SynthesizeRecipe) -> str:
    """A row in one line: what was asked for, by name, where there is any of it; clean."""
    asked = {name: value for name, value in row.items()
             if name in recipe.fields and recipe.fields[name].ask}  # fmt: skip
    text = "  ".join(f"{name}: {value}" for name, value in (asked or row).items())
    return one_line(text[:MOST_CHARACTERS])


def source_name(source: str, ellipsis: str) -> str:
    """A source in a list: of a long one the file is cut and not the number, by which those of one
    file are told apart. Clean."""
    file, colon, number = one_line(source).rpartition(":")
    number = fit(f"{colon}{number}", NAMES if not colon else NAMES - 1, ellipsis)
    return fit(file, NAMES - width_of(number), ellipsis) + number


def _bar(name: str, share: Share, role: str, glyphs: Glyphs) -> Line:
    value = share.value or 0.0
    full = round(value * BAR)
    low, high = share.interval
    label = pad(fit(f" {one_line(name)}", NAMES, glyphs.ellipsis), NAMES)
    percent = NONE if share.value is None else f"{100 * value:.3g}%"
    return [
        (f"{label} ", "" if role == "dim" else role),
        (glyphs.bar_full * full, role),
        (glyphs.bar_empty * (BAR - full), "dim"),
        (f" {share.count:>6,}", ""),
        (f" {percent:>6}", ""),
        (f" [{100 * low:.0f}, {100 * high:.0f}]", "dim"),
    ]
