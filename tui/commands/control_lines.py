"""Controls as lines of a terminal, 80 columns wide: what measuring alone changes, what of a planted
loss is found, and how far the arm stands out of null adapters. Owns the words and the widths."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from engine.number_format import write_number
from engine.text import one_line
from tui.commands.wrapped_lines import wrap
from tui.glyphs import Glyphs
from tui.styled_text import fit, pad

if TYPE_CHECKING:
    from engine.impact.changes.controls import ControlRow, IdentityControl, NullControl
    from engine.impact.changes.planted_loss import FoundShare, PowerTable, SkillPower
    from engine.impact.changes.skill_rows import SkillRow, SkillTable

_NAME, _COUNT, _AGAIN, _ALARM, _FOUND, _NULL, _Z = 15, 6, 6, 7, 12, 15, 7
"""Of the columns, each with the space before it."""


def list_lines(
    table: "SkillTable",
    controls: Sequence["ControlRow"],
    power: "PowerTable",
    glyphs: Glyphs,
    *,
    is_whole: bool = False,
) -> Iterator[str]:
    """The table, and how it is read. With `is_whole` every other measure too."""
    by_row = {(one.row.name, one.row.measure): one for one in controls}
    powers = {one.name: one for one in power.skills}
    losses = list(power.skills[0].planted) if power.skills else []
    heads = [f"power {100 * loss:.3g}" for loss in losses]
    yield _join("skill", "n", "again", "FPR", heads, "null (sd)", "z", glyphs)
    for row in (*table.skills, *(table.secondary if is_whole else ())):
        own = by_row.get((row.name, row.measure))
        if row.is_primary or own is not None:
            skill_power = powers.get(row.name) if row.is_primary else None
            yield _say_row(row, own, skill_power, losses, glyphs)
    yield ""
    yield from _explain_again(controls)
    yield from _explain_power(power)
    yield from _explain_nulls(controls)


def _say_row(
    row: "SkillRow",
    own: "ControlRow | None",
    power: "SkillPower | None",
    losses: Sequence[float],
    glyphs: Glyphs,
) -> str:
    identity = own.identity[0] if own and own.identity else None
    null = own.nulls[-1] if own and own.nulls else None
    found = [_say_found(power.planted[loss] if power else None) for loss in losses]
    alarms = power.false_alarms if power else None
    return _join(
        row.name if row.is_primary else f" {row.name} {row.measure}",
        f"{power.items if power else row.items:,}",
        "-" if identity is None else f"{len(identity.changed):,}",
        "-" if alarms is None else f"{100 * alarms.share:.1f}%",
        found,
        "-" if null is None else _say_null(row, null),
        "-" if null is None or null.z is None else write_number(null.z, 1, signed=True),
        glyphs,
    )


def _join(
    name: str, count: str, again: str, alarm: str, found: Sequence[str], null: str, z: str,
    glyphs: Glyphs,
) -> str:  # fmt: skip
    cells = (f"{count:>{_COUNT}}", f"{again:>{_AGAIN}}", f"{alarm:>{_ALARM}}")
    shares = "".join(f"{one:>{_FOUND}}" for one in found)
    start = pad(fit(one_line(name), _NAME - 1, glyphs.ellipsis), _NAME)
    return f"{start}{''.join(cells)}{shares}{null:>{_NULL}}{z:>{_Z}}".rstrip()


def _say_found(share: "FoundShare | None") -> str:
    """The share in percent, with how far the draws let it be known."""
    if share is None:
        return "-"
    low, high = share.interval
    return f"{round(100 * share.share)}% {math.floor(100 * low)}-{math.ceil(100 * high)}"


def _say_null(row: "SkillRow", null: "NullControl") -> str:
    """Mean and standard deviation: of scores in points."""
    scale, digits = (100, 1) if row.unit == "score" else (1, 3)
    mean = write_number(scale * null.mean, digits, signed=True)
    return mean if null.sd is None else f"{mean} ({write_number(scale * null.sd, digits)})"


def _explain_again(controls: Sequence["ControlRow"]) -> Iterator[str]:
    passes: list[tuple[SkillRow, IdentityControl]] = [
        (one.row, each) for one in controls if one.row.is_primary for each in one.identity
    ]
    if not passes:
        yield from wrap(
            "again: not measured. The first arm a second time: finetop evaluate --controls-of JOB."
        )
        return
    of = ", ".join(dict.fromkeys(one_line(each.of) for _, each in passes))
    scored = [each for row, each in passes if row.unit == "score"]
    changed = sum(len(each.changed) for each in scored)
    items = sum(each.items for each in scored)
    yield from wrap(
        f"again: {of} measured a second time, computed anew in another order and smaller batches: "
        f"{changed:,} of {items:,} scores changed."
    )
    for row, each in passes:
        if each.changed:
            word = each.verdict.words if each.verdict else "diverged, no verdict"
            unit = " nats/token" if row.unit == "nats per token" else ""
            yield from wrap(
                f"  {one_line(row.name)}: {len(each.changed):,} of {each.items:,} changed, by at "
                f"most {each.largest:.2g}{unit}; verdict: {word}",
                "    ",
            )


def _explain_power(power: "PowerTable") -> Iterator[str]:
    first, last = map(one_line, power.arms)
    low, high = (f"{100 * one:.1f}" for one in power.any_false_alarm.interval)
    yield from wrap(
        "FPR, the false positive rate: the verdict says that the score changed where it did not, "
        f"in {power.draws:,} draws: the pairs of {first} and {last} exchanged at "
        "random, so that as many items flip and nothing is lost. "
        f"Of any skill {100 * power.any_false_alarm.share:.1f}% "
        f"[{low}, {high}]; 5% is what the correction allows."
    )
    shown = next((one for one in power.skills if any(one.planted.values())), None)
    if shown is not None:
        loss, share = next((loss, one) for loss, one in shown.planted.items() if one)
        yield from wrap(
            "power: in how many cases the verdict says lost, after the correction over all skills, "
            "where so many points are lost on average: right items turned wrong at random, among "
            "flips that leave no change (as many lost as gained). Behind it its 95% interval over "
            "the draws. "
            "A loss of "
            f"{100 * loss:.3g} points of {one_line(shown.name)} would be found in "
            f"{round(100 * share.share)}% of cases with these {shown.items:,} items."
        )
    for one in power.skills:
        if one.reason:
            yield from wrap(f"  {one_line(one.name)}: {one_line(one.reason)}", "    ")


def _explain_nulls(controls: Sequence["ControlRow"]) -> Iterator[str]:
    nulls = [one.nulls[-1] for one in controls if one.row.is_primary and one.nulls]
    if not nulls:
        yield from wrap(
            "null: not measured. Random adapters of the norms of the last arm's: "
            "finetop evaluate --controls-of JOB --null-adapters 20."
        )
        return
    null = nulls[0]
    items = sorted({one.items for one in nulls})
    yield from wrap(
        f"null: mean and sd of the changes that {len(null.changes):,} random adapters make, with "
        f"the rank and norm of {one_line(null.of)}'s in each layer, on "
        f"{items[0]:,}{f' to {items[-1]:,}' if len(items) > 1 else ''} items a skill, in points "
        f"(of texts and references nats per token). z: how far {one_line(null.of)}'s own change on "
        f"these items lies from that mean, in sd: {null.degrees:,} "
        f"degree{'s' * (null.degrees != 1)} of freedom, no verdict; "
        "none where they do not differ. "
        "These are real changes of the weights, no noise: |z| near 0 says that the arm lost what "
        "any change of its size loses."
    )
