"""A classified suite as lines: scores with bars, confusions side by side, scores by label.

Pure text, cleaned here: labels and names of arms come from data and from the user.
"""

from collections.abc import Mapping
from itertools import zip_longest

from engine.impact.changes.classification import LabelScores
from engine.impact.changes.classified_suite import ClassifiedSuite, LabelChange
from engine.number_format import write_share, write_share_change
from engine.text import one_line
from tui.charts.plotext_frame import bars
from tui.glyphs import Glyphs
from tui.impact.confusion_lines import Confusions, label_name
from tui.impact.side_by_side import ARM_ROLES, arm_name
from tui.styled_text import Line, Piece, fit, length, pad, width_of
from tui.widgets.pager import wrap

_LEAST_BAR = 14
_MOST_BAR = 80
_VERDICT_ROLES = {"lost": "bad", "gained": "good"}


def classification_lines(
    counted: ClassifiedSuite, width: int, glyphs: Glyphs, *, as_difference: bool = False
) -> list[Line]:
    """All that is known of a suite in one way, in `width` cells.

    `as_difference` shows what changed of the confusions against the first arm.
    """
    notes = [
        line for note in counted.notes for line in wrap([(f" {one_line(note)}", "warn")], width, 1)
    ]
    if not counted.arms:
        return [[(" Nothing to count.", "dim")], *notes]
    roles = dict(zip_longest(list(counted.arms), ARM_ROLES[: len(counted.arms)], fillvalue=""))
    confusions = Confusions(counted, roles, width, glyphs)
    lines = [*score_lines(counted, roles, width, glyphs), []]
    lines += confusions.differences() if as_difference else confusions.counts()
    if about := change_lines(counted, roles, width, glyphs):
        lines += [[], *about]
    lines += [[], *label_lines(counted, roles, width, glyphs)]
    return lines + ([[], *notes] if notes else [])


def score_lines(
    counted: ClassifiedSuite, roles: Mapping[str, str], width: int, glyphs: Glyphs
) -> list[Line]:
    """Accuracy and macro-F1 of each arm, with their intervals and as bars."""
    label, share = counted.majority
    majority = fit(label_name(label), width // 4, glyphs.ellipsis)
    head = [
        (f" {'95% intervals':<30}", "dim"),
        (f"majority class: {majority}, ", "dim"),
        (write_share(share), ""),
    ]
    lines: list[Line] = [head]
    cells, groups = [], []
    names = {arm: arm_name(arm, width, glyphs.ellipsis) for arm in counted.arms}
    name_cells = max(map(width_of, names.values()))
    for arm, one in counted.arms.items():
        low, high = one.macro_f1_interval
        groups.append((one.accuracy, one.macro_f1))
        of_f1 = _interval(low, high) if low < high else ""
        for at, (measure, value, interval) in enumerate(
            (
                ("accuracy", one.accuracy, _interval(*one.accuracy_interval)),
                ("macro-F1", one.macro_f1, of_f1),
            )
        ):
            name = names[arm] if not at else ""
            cells.append(
                [
                    (f" {pad(name, name_cells)} ", roles[arm]),
                    (f"{measure} ", "dim"),
                    (f"{write_share(value):>4} ", "strong"),
                    (f"{interval:<11} ", "dim"),
                ]
            )
    room = min(_MOST_BAR, width - length(cells[0]) - 1)
    if room < _LEAST_BAR:
        return [*lines, *cells]
    markers = "#=" if glyphs.is_ascii else "█▒"
    drawn = bars(tuple(groups), markers, room, plain=glyphs.is_ascii)
    blank = " " * length(cells[0])
    each = [arm for arm in counted.arms for _ in range(2)]
    for row, arm, bar in zip(cells, each, drawn, strict=False):
        lines.append([*row, (bar[:1], "dim"), (bar[1:], roles[arm])])
    lines += [[(blank + bar, "dim")] for bar in drawn[-2:]]
    return lines


def change_lines(
    counted: ClassifiedSuite, roles: Mapping[str, str], width: int, glyphs: Glyphs
) -> list[Line]:
    """How many predictions are no label, and what changed against the first arm."""
    first = next(iter(counted.arms))
    names = {arm: arm_name(arm, width, glyphs.ellipsis) for arm in counted.arms}
    lines: list[Line] = []
    if any(one.no_label for one in counted.arms.values()):
        counts: list[Piece] = [(" Predictions that are no label, counted as wrong:", "dim")]
        for at, (arm, one) in enumerate(counted.arms.items()):
            counts += [("," if at else "", "dim"), (f" {names[arm]} ", roles[arm])]
            counts.append((f"{one.no_label:,}", "strong"))
        lines.append(counts)
    for arm, change in counted.changes.items():
        lines.append(
            [
                (f" {names[first]}", roles[first]),
                (f" {glyphs.arrow} ", "dim"),
                (names[arm], roles[arm]),
                ("  ", ""),
                *_change(change),
            ]
        )
    if counted.changes:
        lines.append([(" Exploratory, unadjusted. This checkpoint, one seed.", "dim")])
    return [part for line in lines for part in wrap(line, width, 3)]


def _change(change: LabelChange) -> list[Piece]:
    verdict = change.accuracy
    low, high = change.macro_f1_interval
    words = f"accuracy {write_share_change(verdict.test.difference)} "
    of_f1 = "" if change.is_same else f" {_interval(low, high, signed=True)}"
    pieces: list[Piece] = [
        (f"{words}{_interval(verdict.low, verdict.high, signed=True)} ", ""),
        (verdict.word, _VERDICT_ROLES.get(verdict.word, "dim")),
        (f" ({verdict.test.name})", "dim"),
    ]
    if verdict.word == "not enough evidence" and verdict.items_needed:
        pieces.append((f", about {verdict.items_needed:,} items would do", "dim"))
    pieces.append((f"  macro-F1 {write_share_change(change.macro_f1)}{of_f1}", ""))
    if change.is_same:
        pieces.append(("  all predictions are the same", "dim"))
    return pieces


def label_lines(
    counted: ClassifiedSuite, roles: Mapping[str, str], width: int, glyphs: Glyphs
) -> list[Line]:
    """Precision, recall and F1 of each label, an arm a line."""
    arm_cells = max(min(width_of(one_line(arm)), 8 if width < 120 else 20) for arm in counted.arms)
    fixed = arm_cells + 6 + 3 * 17 + 3
    room = max(6, min(30, width - fixed))
    labels = [fit(label_name(label), room, glyphs.ellipsis) for label in counted.labels]
    label_cells = max(5, *(width_of(label) for label in labels))
    head = [
        (" Labels", "strong"),
        (" " * (label_cells + arm_cells - 5), ""),
        (f"{'n':>6} {'precision':<17}{'recall':<17}{'F1':<17}", "dim"),
    ]
    lines: list[Line] = [head]
    scores = {arm: one.by_label() for arm, one in counted.arms.items()}
    for at, label in enumerate(labels):
        for place, (arm, each) in enumerate(scores.items()):
            name = fit(one_line(arm), arm_cells, glyphs.ellipsis)
            count = f"{each[at].items:,}" if not place else ""
            lines.append(
                [
                    (f" {pad(label if not place else '', label_cells)} ", ""),
                    (f"{pad(name, arm_cells)} ", roles[arm]),
                    (f"{count:>5} ", "dim"),
                    *_of_label(each[at]),
                ]
            )
    return lines


def _of_label(one: LabelScores) -> list[Piece]:
    pieces: list[Piece] = []
    for value, interval in (
        (one.precision, one.precision_interval),
        (one.recall, one.recall_interval),
        (one.f1, one.f1_interval),
    ):
        pieces.append((f"{write_share(value):>4} ", "strong"))
        pieces.append((f"{_interval(*interval):<12}", "dim"))
    return pieces


def _interval(low: float, high: float, *, signed: bool = False) -> str:
    write = write_share_change if signed else write_share
    return f"[{write(low)},{write(high)}]"
