"""`finetop impact --tradeoff`: gained against retained as lines of a terminal, or as JSON.

Owns the widths and the order of the lines; what they say is computed in `engine.impact`.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.tradeoff import Tradeoff, measure_tradeoff
from engine.impact.changes.tradeoff_json import tradeoff_to_json
from engine.impact.changes.tradeoff_words import (
    list_notes,
    say_alike,
    say_front,
    say_pairs,
    write_measure,
)
from engine.json_output import format_json
from engine.launching.arm_settings import describe_arms
from engine.text import one_line
from tui import glyphs
from tui.commands.wrapped_lines import wrap
from tui.styled_text import fit, pad

_ARM, _POINTS = 24, 22


def print_tradeoff(
    table: SkillTable, gain: Sequence[str], runs: Sequence[Path], *, as_json: bool
) -> None:
    """Gained against retained of a table's arms; `runs` may have made them. Raises EngineError."""
    tradeoff = measure_tradeoff(table, gain)
    specs = {name: table.results.arms[name].spec for name in table.arms}
    settings = describe_arms(specs, runs)
    if as_json:
        content = tradeoff_to_json(tradeoff, table)
        for point in content["points"]:
            point["settings"] = list(settings.get(point["arm"], ()))
        print(format_json(content))
        return
    drawn = glyphs.detect(os.environ, sys.stdout.encoding)
    for line in list_lines(tradeoff, table, settings, drawn):
        print(line)


def list_lines(
    tradeoff: Tradeoff,
    table: SkillTable,
    settings: Mapping[str, Sequence[str]],
    drawn: glyphs.Glyphs,
) -> Iterator[str]:
    """An arm a line, what tells it from the others under it, then what can be said."""
    head = pad("arm", _ARM), pad("gained, points", _POINTS), pad("retained, points", _POINTS)
    yield "".join(head) + "front"
    for point in tradeoff.points:
        cells = (
            pad(fit(one_line(point.arm), _ARM - 1, drawn.ellipsis), _ARM),
            pad(write_measure(point.gained), _POINTS),
            pad(write_measure(point.retained), _POINTS),
        )
        yield ("".join(cells) + (drawn.done if point.is_on_front else "")).rstrip()
        if facts := settings.get(point.arm):
            yield from wrap(f"    {', '.join(map(one_line, facts))}", "    ")
    yield ""
    for text in (say_front(tradeoff), *say_pairs(tradeoff), say_alike(tradeoff)):
        yield from wrap(one_line(text), "")
    yield ""
    for note in list_notes(tradeoff, table):
        yield from wrap(one_line(note), "")
