"""The section of a report on its own reliability: what of planted losses its skill table finds, how
often it shows a change where there is none, and what identity and null adapters say."""

from collections.abc import Iterator

from engine.impact.changes.controls import IdentityControl
from engine.impact.changes.planted_loss import FoundShare
from engine.impact.changes.skill_rows import SkillRow
from engine.number_format import write_number, write_percent, write_points, write_with_interval
from engine.report.blocks import Block, Bullets, Grid, Paragraph, Section, grid
from engine.report.number_words import NONE, write_digits
from engine.report.report_values import ReportValues

_MOST_NAMED = 8


def show_controls(values: ReportValues) -> Section | None:
    """What the skill table would show of a loss, and shows where nothing is lost."""
    power = values.power
    if not power.skills:
        return None
    losses = list(power.skills[0].planted)
    rows = [
        (one.name, f"{one.items:,}", f"{one.flips:,}", write_share(one.false_alarms),
         *(write_share(one.planted[loss]) for loss in losses), one.reason)
        for one in power.skills
    ]  # fmt: skip
    head = ("skill", "n", "items that differ", "false alarms",
            *(f"loss of {_points(loss)} found" for loss in losses), "why none")  # fmt: skip
    pairs = " and ".join(dict.fromkeys(power.arms))
    blocks: list[Block] = [
        Paragraph(
            f"By simulation, {power.draws:,} draws with fixed seeds, from the pairs of {pairs}: a "
            "false alarm says that the score changed where pairs were exchanged at random; a loss "
            "of so much on average is planted by turning right items wrong, and found where the "
            "verdict says lost, after the correction over all skills. In brackets what the number "
            "of draws leaves open."
        ),
        grid(head, rows, (0, len(head) - 1)),
        Bullets(tuple(say_controls(values))),
    ]
    blocks += _list_controls(values)
    return Section("controls", "What these numbers would show", tuple(blocks))


def say_power(values: ReportValues) -> Iterator[str]:
    """What of the smallest planted loss would be found, skill by skill, the least first."""
    found = [
        (share, one)
        for one in values.power.skills
        for share in [*one.planted.values()][:1]
        if share is not None
    ]
    if not found:
        return
    found.sort(key=lambda pair: (pair[0].share, pair[1].name))
    loss = next(iter(found[0][1].planted))
    (share, first), *others = found[:_MOST_NAMED]
    named = [
        f"A loss of {_points(loss)} of {first.name} would be found in {write_share(share)} of "
        f"cases with these {first.items:,} items",
        *(f"of {one.name} in {write_share(share)} with {one.items:,}" for share, one in others),
    ]
    if len(found) > len(named):
        named.append(f"{len(found) - len(named):,} more are in the table of planted losses")
    yield f"{'; '.join(named)}."


def say_controls(values: ReportValues) -> Iterator[str]:
    """The false alarms of all skills together, and which controls were measured."""
    share = values.power.any_false_alarm
    if any(one.false_alarms for one in values.power.skills):
        yield (
            "At least one skill shows a change where there is none in "
            f"{write_share(share)} of cases; the correction allows 5%."
        )
    passes = [
        each
        for one in values.controls
        if one.row.is_primary and one.row.unit == "score"
        for each in one.identity
    ]
    for of in dict.fromkeys(each.of for each in passes):
        own = [each for each in passes if each.of == of]
        changed, items = (sum(sizes) for sizes in zip(
            *((len(each.changed), each.items) for each in own), strict=True))  # fmt: skip
        yield (
            f"{of} measured a second time, in another order and smaller batches: {changed:,} of "
            f"{items:,} scores changed."
        )
    nulls = [each for one in values.controls for each in one.nulls]
    for of in dict.fromkeys(each.of for each in nulls):
        count = max(len(each.changes) for each in nulls if each.of == of)
        yield (
            f"{count:,} null adapter{'s' * (count != 1)} of {of}, random with the rank and norm of "
            "its layers: real changes of the weights, which give z = (value - mean) / sd with "
            f"{count - 1:,} degrees of freedom, and no verdict; no z where they do not differ."
        )
    if not any(one.identity for one in values.controls) and not nulls:
        yield "Neither an arm's second pass nor null adapters were measured."


def write_share(share: FoundShare | None) -> str:
    """A share in percent with its interval."""
    if share is None:
        return NONE
    return write_with_interval(write_percent, share.share, *share.interval)


def _points(loss: float) -> str:
    return f"{100 * loss:.3g} points"


def _list_controls(values: ReportValues) -> Iterator[Grid]:
    """By the skills' own measures; the others are in `report.json`."""
    own = [one for one in values.controls if one.row.is_primary]
    passes = [(one.row.name, *_write_identity(each)) for one in own for each in one.identity]
    if passes:
        columns = ("skill", "arm", "n", "changed", "by at most", "verdict")
        yield grid(columns, passes, (0, 1, 5), "An arm measured a second time")
    nulls = [
        (one.row.name, each.of, f"{each.items:,}", _write(one.row, each.value),
         _write(one.row, each.mean), _write(one.row, each.sd).lstrip("+"),
         NONE if each.z is None else write_number(each.z, 1, signed=True), f"{each.degrees:,}")
        for one in own
        for each in one.nulls
    ]  # fmt: skip
    if nulls:
        head = ("skill", "arm", "n", "its own change", "mean of null adapters", "sd", "z",
                "degrees")  # fmt: skip
        title = "Null adapters: changes of scores in points, of texts in nats per token"
        yield grid(head, nulls, (0, 1), title)


def _write_identity(one: IdentityControl) -> Iterator[str]:
    yield one.of
    yield f"{one.items:,}"
    yield f"{len(one.changed):,}"
    yield write_digits(one.largest) if one.changed else "0"
    yield one.verdict.words if one.verdict else "diverged"


def _write(row: SkillRow, value: float | None) -> str:
    if value is None:
        return NONE
    return write_points(value) if row.unit == "score" else write_number(value, 3, signed=True)
