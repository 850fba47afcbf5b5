"""A round of Compare as samples to keep: the last answer of each side, and those of a scale."""

from collections.abc import Sequence
from dataclasses import replace

from engine.compare.arms import format_arm, parse_arm
from engine.compare.samples import Sample, from_table
from tui.answers.conversation import Side
from tui.answers.scale import Scale


def round_of(sides: Sequence[Side], scale: Scale, prompt_id: str) -> list[Sample]:
    """All that was answered in this round, arm by arm. At a strength an arm is called by that."""
    found = [from_table(side.sample) for side in sides if side.sample is not None]
    for rung in scale.rungs:
        if rung.sample is not None:
            made = from_table(rung.sample)
            arm = parse_arm(made.arm)
            called = replace(arm, name=f"{arm.name} at {rung.strength:g}")
            found.append(replace(made, arm=format_arm(called)))
    return [replace(one, prompt_id=prompt_id) for one in found]
