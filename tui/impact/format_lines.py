"""Real or only format, as lines: the words on top, and the measures that they rest on.

Pure text, cleaned here: names of arms and suites come from the user.
"""

from collections.abc import Mapping, Sequence

from engine.impact.changes.format_words import MEASURE_NAMES, FormatWord, MeasureChange, State
from engine.impact.changes.real_or_format import LIKELIHOOD_BOUND, FormatComparison, FormatVerdict
from engine.impact.results.evaluation_results import GOLD_NLL, STRICT
from engine.number_format import write_number, write_share, write_share_change
from engine.text import one_line
from tui.glyphs import Glyphs
from tui.impact.side_by_side import ARM_ROLES, arm_name, lay_side_by_side
from tui.styled_text import Line, Piece, fit, pad, width_of
from tui.widgets.pager import wrap

MEANINGS: Mapping[FormatWord, tuple[str, str]] = {
    "format shift": ("the knowledge is still there", "warn"),
    "knowledge shift": ("the right answers became less likely", "bad"),
    "no change": ("answers and likelihood hold", ""),
    "format gained": ("more answers in the right form, the likelihood holds", "good"),
    "knowledge gained": ("the right answers became more likely", "good"),
    "measures disagree": ("", "warn"),
    "not enough evidence": ("", "dim"),
    "items only": ("", "dim"),
}
"""What each word means, empty where the reason says it; and its role."""
_STATE_ROLES: Mapping[State, str] = {
    "falls": "bad", "rises": "good", "holds": "", "undecided": "dim",
}  # fmt: skip
_NAME_CELLS = 20


def format_lines(
    compared: Sequence[FormatComparison], delta: float, width: int, glyphs: Glyphs
) -> list[Line]:
    """All arms that were compared with the base on one skill, in `width` cells."""
    if not compared:
        return [[(" One arm alone: there is no base to compare with.", "dim")]]
    roles = {one.arm: role for one, role in zip(compared, ARM_ROLES[1:], strict=False)}
    lines: list[Line] = []
    for one in compared:
        lines += _words(one, roles.get(one.arm, ""), width, glyphs)
    for one in compared:
        if one.asked:
            lines += [[], *_tables(one, roles.get(one.arm, ""), width, glyphs)]
    return [*lines, [], *_definitions(compared, delta, width)]


def asked_words(one: FormatVerdict) -> str:
    """How a suite was asked: zero-shot; 5-shot, raw."""
    shots = f"{one.fewshot}-shot" if one.fewshot else "zero-shot"
    return shots if one.template == "own" else f"{shots}, {one_line(one.template)}"


def _words(compared: FormatComparison, role: str, width: int, glyphs: Glyphs) -> list[Line]:
    lines = [_pair(compared, role, width, glyphs)]
    cells = max((width_of(asked_words(one)) for one in compared.asked), default=0)
    for one in compared.asked:
        meaning, of_word = MEANINGS[one.word]
        reason = meaning or one.reason
        line: list[Piece] = [
            (f"   {pad(asked_words(one), cells)}  ", "dim"),
            (one.word, of_word),
            (f": {reason}" if reason else "", ""),
            (f"  {one.items:,} items", "dim"),
        ]
        lines += wrap(line, width, cells + 5)
    notes = [*compared.notes, *(f"{one.suite}: {note}" for one in compared.asked
                                for note in one.notes)]  # fmt: skip
    for note in notes:
        lines += wrap([(f"   {one_line(note)}", "warn")], width, 3)
    return lines


def _pair(compared: FormatComparison, role: str, width: int, glyphs: Glyphs) -> Line:
    base, arm = (arm_name(name, width, glyphs.ellipsis) for name in (compared.base, compared.arm))
    return [(f" {base}", "base"), (f" {glyphs.arrow} ", "dim"), (arm, role)]


def _tables(compared: FormatComparison, role: str, width: int, glyphs: Glyphs) -> list[Line]:
    """A row a measure; the ways in which the suite was asked side by side."""
    measures = [one for one in MEASURE_NAMES if any(one in each.changes for each in compared.asked)]
    head = _pair(compared, role, width, glyphs)
    names: list[Line] = [
        [
            (
                f" {MEASURE_NAMES[measure]:<{_NAME_CELLS}}",
                "strong" if measure in (STRICT, GOLD_NLL) else "",
            )
        ]
        for measure in measures
    ]
    blank: Line = [(" " * (_NAME_CELLS + 1), "")]
    blocks = []
    for one in compared.asked:
        title: Line = [(asked_words(one), "strong")]
        block = [title, _head(compared, role, glyphs)]
        block += [_row(one.changes.get(measure), role) for measure in measures]
        blocks.append(block)
    return [head, *lay_side_by_side(blocks, [blank, blank, *names], width, glyphs)]


def _head(compared: FormatComparison, role: str, glyphs: Glyphs) -> Line:
    base, arm = (
        pad(fit(one_line(name), 7, glyphs.ellipsis), 7, right=True)
        for name in (compared.base, compared.arm)
    )
    return [(base, "base"), (f" {arm}", role), (f" {'change':>7} {'interval':<17}", "dim")]


def _row(change: MeasureChange | None, role: str) -> Line:
    if change is None:
        return [("not measured", "dim")]
    before, after, difference, low, high = _written(change)
    return [
        (f"{before:>7}", "base"),
        (f" {after:>7}", role),
        (f" {difference:>7}", "strong"),
        (f" {f'[{low},{high}]':<17}", "dim"),
        (f" {change.state}", _STATE_ROLES[change.state]),
    ]


def _written(change: MeasureChange) -> tuple[str, str, str, str, str]:
    """Before, after, change and its interval, as the measure's unit is written."""
    verdict = change.verdict
    moves = (verdict.test.difference, verdict.low, verdict.high)
    if change.measure == GOLD_NLL:
        values = [write_number(one, 3) for one in (change.before, change.after)]
        changes = [write_number(one, 3, signed=True) for one in moves]
    else:
        values = [write_share(one) for one in (change.before, change.after)]
        changes = [write_share_change(one) for one in moves]
    return values[0], values[1], changes[0], changes[1], changes[2]


def _definitions(compared: Sequence[FormatComparison], delta: float, width: int) -> list[Line]:
    """What the words rest on."""
    verdicts = [
        change.verdict
        for one in compared
        for asked in one.asked
        for change in asked.changes.values()
    ]
    if not verdicts:
        return []
    levels = sorted({round(100 * one.confidence, 1) for one in verdicts})
    texts = [
        f"Holds: within {100 * delta:g} points, log-prob within {LIKELIHOOD_BOUND:g} nats per token"
        " (two one-sided tests at 5%). Falls, rises: the interval leaves out 0.",
        "Gold log-prob: mean log-probability per token of the right answer, in nats; only between"
        " arms of one tokenizer. Strict score and gold log-prob decide.",
        f"Intervals at {' and '.join(f'{level:g}%' for level in levels)}, as what decides is tested"
        f" together, by {', '.join(dict.fromkeys(one.test.name for one in verdicts))}."
        " Exploratory, unadjusted. This checkpoint, one seed.",
    ]
    return [part for text in texts for part in wrap([(f" {text}", "dim")], width, 1)]
