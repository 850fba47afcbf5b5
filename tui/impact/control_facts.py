"""The controls of a skill in words, a line each: of the page with all that is known of a cell.

Owns the words. What a planted loss shows takes seconds, and is printed by `finetop impact JOB
--controls`.
"""

from engine.impact.changes.controls import ControlRow, IdentityControl, NullControl
from engine.number_format import write_number
from engine.text import one_line
from tui.styled_text import Line


def list_control_facts(controls: ControlRow) -> list[Line]:
    """Clean lines; none where no control was measured."""
    return [
        *map(_say_identity, controls.identity),
        *(_say_null(controls, null) for null in controls.nulls),
    ]


def _say_identity(identity: IdentityControl) -> Line:
    count = len(identity.changed)
    text = (
        f"{one_line(identity.of)} measured a second time: {count:,} of {identity.items:,} items "
        "changed"
    )
    if not count:
        return [(text, "")]
    return [(f"{text}, by at most {identity.largest:.2g}", "warn")]


def _say_null(controls: ControlRow, null: NullControl) -> Line:
    is_score = controls.row.unit == "score"
    scale, digits = (100, 1) if is_score else (1, 3)
    unit = " points" if is_score else " nats/token" if controls.row.unit != "value" else ""

    def write(value: float) -> str:
        return f"{write_number(scale * value, digits, signed=True)}{unit}"

    of, count = one_line(null.of), len(null.changes)
    sd = "" if null.sd is None else f" (sd {write_number(scale * null.sd, digits)})"
    text = (
        f"{count:,} null adapter{'s' * (count != 1)} of {of}, on {null.items:,} items: "
        f"{write(null.mean)}{sd}; {of} itself {write(null.value)}"
    )
    if null.z is None:
        return [(f"{text}; no z, for they do not differ", "")]
    z = write_number(null.z, 1, signed=True)
    degrees = f"{null.degrees:,} degree{'s' * (null.degrees != 1)} of freedom"
    return [(f"{text}; z {z}, {degrees}, no verdict", "")]
