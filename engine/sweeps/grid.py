"""The points of a sweep: every combination of its values, times its seeds, each a recipe of a run.

Owns how values are written on the command line, and the names of points, by which their runs are
known again. Refuses what cannot be a sweep: a setting that does not exist, a value that does not
validate, an empty list, two points that would train alike. Reads no disk.
"""

import csv
import itertools
import math
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import EngineError
from engine.jobs.summary import short_ref
from engine.recipes import recipe as recipes
from engine.recipes import validation, versions
from engine.recipes.diff import value_at
from engine.recipes.recipe import SweepRecipe, TrainRecipe
from engine.recipes.settings import Replay
from engine.text import one_line

MOST_POINTS = 200
"""Of a sweep that nobody insists on."""
MOST_EVER = 10_000
"""Of any."""
SEED = "training.seed"
_GIVEN = ("name", "kind", "version")
"""Keys of a run's recipe that the sweep gives."""
_SHORT = {
    "training.learning_rate": "lr",
    "training.batch_size": "batch",
    "replay.share": "replay",
    "data.train": "",
    "model.checkpoint": "",
    "method.kind": "",
    "method.variant": "",
}
"""What stands before a value in a point's name, where it is not the last part of the key."""
_BASE = "base"
"""The name of the arm that runs are held against."""
_EXPONENT_BELOW = 0.01
"""A number below it is written as 3e-4."""


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One run of a sweep."""

    name: str
    """Unique in the sweep: `lr3e-4-replay0.1-s7`; also the name of its arm."""
    settings: Mapping[str, Any] = field(hash=False)
    """Those that differ from point to point, by their dotted names, without the seed."""
    seed: int
    recipe: TrainRecipe
    """Of its run, whose name is that of the sweep and this one."""


def list_points(sweep: SweepRecipe) -> tuple[SweepPoint, ...]:
    """The seeds of one combination follow each other; combinations are in the order of `over`.

    Raises EngineError where a value is wrong, and for points that are equal or too many.
    """
    count = count_points(sweep)
    if count > MOST_EVER:
        raise EngineError(f"A sweep of {count:,} points.", f"At most {MOST_EVER:,} are possible.")
    table = recipes.to_table(sweep.base)
    prefixes = _prefixes_of(list(sweep.over))
    points: list[SweepPoint] = []
    for values in itertools.product(*sweep.over.values()):
        changes = dict(zip(sweep.over, values, strict=True))
        for seeded in [{SEED: seed} for seed in sweep.seeds] or [{}]:
            run = _make_recipe(table, changes | seeded)
            settings = {key: value_at(run, key) for key in sweep.over}
            parts = [_write(prefixes[key], value) for key, value in settings.items()]
            parts += [f"s{seed}" for seed in seeded.values()]
            name = "-".join(filter(None, map(one_line, parts)))
            points.append(SweepPoint(name, settings, run.training.seed, run))
    _refuse_equal(points)
    return tuple(rename_point(one, one.name, sweep) for one in _name_apart(points))


def rename_point(point: SweepPoint, name: str, sweep: SweepRecipe) -> SweepPoint:
    """The point, and its run, under another name."""
    return replace(point, name=name, recipe=replace(point.recipe, name=f"{sweep.name}-{name}"))


def count_points(sweep: SweepRecipe) -> int:
    """Raises EngineError where there is nothing to sweep over, or a list that is no list of it."""
    if not sweep.over and not sweep.seeds:
        raise EngineError(
            "Nothing to sweep over.", "", "Use --over KEY=A,B or --seeds N; both may be combined."
        )
    for key, values in sweep.over.items():
        if not values:
            raise EngineError(f"No values to sweep {one_line(key)} over.", "", "Name at least one.")
        if key in _GIVEN:
            raise EngineError(f"A sweep cannot be over {key!r}.", "The sweep names its runs.")
    if sweep.seeds and SEED in sweep.over:
        raise EngineError(
            "Duplicate seeds.",
            f"{SEED} and seeds",
            "Use --seeds, or --over training.seed.",
        )
    return math.prod(map(len, sweep.over.values())) * max(1, len(sweep.seeds))


def parse_over(texts: Sequence[str]) -> dict[str, list[object]]:
    """`KEY=A,B,C` or `KEY=[TOML]` as values typed like the settings; a value with a comma stands in
    double quotes.

    Raises EngineError. Whether a value is right is known once it is in a recipe (`list_points`).
    """
    over: dict[str, list[object]] = {}
    for text in texts:
        key, equals, written = text.partition("=")
        dotted = versions.current_key(key.strip())
        if not equals or not dotted:
            raise EngineError(
                f"Invalid --over value {one_line(text)!r}.", "",
                "Use --over KEY=A,B, e.g. training.learning_rate=1e-4,3e-4.",
            )  # fmt: skip
        if dotted in over:
            raise EngineError(f"Duplicate --over {one_line(dotted)}.", "", "Use one list.")
        values = _parse_list(dotted, written.strip())
        over[dotted] = [versions.current(key.strip(), value)[1] for value in values]
    return over


def name_bases(points: Sequence[SweepPoint]) -> dict[str, str]:
    """The checkpoints that runs begin with, in order, with the name of each as an arm."""
    refs = list(dict.fromkeys(point.recipe.model.checkpoint for point in points))
    names: dict[str, str] = {}
    for ref in refs:
        name = f"{_BASE} {short_ref(ref)}" if names else _BASE
        names[ref] = _number(name, set(names.values()))
    return names


def write_value(value: Any) -> str:
    """A setting's value in a few letters, for names and columns; not cleaned."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if 0 < abs(value) < _EXPONENT_BELOW:
            mantissa, _, exponent = f"{value:.5e}".partition("e")
            return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
        return f"{value:g}"
    if isinstance(value, list):
        return "+".join(map(write_value, value)) or "none"
    if isinstance(value, str):
        return short_ref(value) or "none"
    return str(value)


def _parse_list(dotted: str, text: str) -> list[object]:
    if text.startswith("["):
        try:
            table = tomllib.loads(f"values = {text}")
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise _refuse_list(dotted, text, str(error)) from error
        if table.keys() != {"values"}:
            raise _refuse_list(dotted, text, "more than a list")
        return list(table["values"])
    if not text:
        return []
    try:
        (parts,) = csv.reader([text], skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise _refuse_list(dotted, text, str(error)) from error
    return [validation.coerce(TrainRecipe, dotted, part.strip()) for part in parts]


def _refuse_list(dotted: str, text: str, reason: str) -> EngineError:
    return EngineError(
        "Invalid list of --over.", f"{one_line(dotted)}={one_line(text[:200])}: {reason}",
        'Use A,B,"C, D", or a list as in TOML: ["a, b", "c"].',
    )  # fmt: skip


def _make_recipe(table: Mapping[str, Any], changes: Mapping[str, object]) -> TrainRecipe:
    copy: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in table.items()
    }
    for key, value in changes.items():
        validation.assign(copy, key, value)
    made = recipes.parse(copy, "a point of the sweep")
    assert isinstance(made, TrainRecipe), "its kind cannot be changed"
    return made


def _prefixes_of(keys: Sequence[str]) -> dict[str, str]:
    """What stands before the values of each key: short, and of no other key."""
    short = {key: _SHORT.get(key, key.rpartition(".")[2]) for key in keys}
    times = Counter(short.values())
    return {key: name if times[name] == 1 or not name else key for key, name in short.items()}


def _write(prefix: str, value: Any) -> str:
    """`rank8`, and words apart: `template_chat`."""
    text = write_value(value)
    return f"{prefix}_{text}" if prefix and not text[:1].isdigit() else prefix + text


def _name_apart(points: Sequence[SweepPoint]) -> list[SweepPoint]:
    """Two folders of one name, or values that are alike in five digits, need a number; and so does
    what is called as a base, which is an arm beside the runs."""
    bases = set(name_bases(points).values())
    times: Counter[str] = Counter()
    taken = {one.name for one in points} | bases
    named = []
    for one in points:
        times[one.name] += 1
        name = one.name
        if times[name] > 1 or name in bases:
            name = _number(name, taken)
        taken.add(name)
        named.append(replace(one, name=name))
    return named


def _number(name: str, taken: Collection[str]) -> str:
    """The name, with the first number that makes it one of its own."""
    numbered, number = name, 2
    while numbered in taken:
        numbered, number = f"{name}.{number}", number + 1
    return numbered


def _refuse_equal(points: Sequence[SweepPoint]) -> None:
    """Two that train alike would be one run, counted twice."""
    known: dict[str, SweepPoint] = {}
    for point in points:
        recipe = point.recipe
        without = not (recipe.replay.data and recipe.replay.share)
        replay = Replay() if without else recipe.replay
        before = known.setdefault(repr(replace(recipe, name="", replay=replay)), point)
        if before is point:
            continue
        is_of_replay = without and any(key.startswith("replay.") for key in point.settings)
        said = "replay.share has no effect without replay.data" if is_of_replay else ""
        raise EngineError(
            "Two points of the sweep are equal.",
            "\n".join(filter(None, (f"{before.name} and {point.name}", said))),
            "Name each value once.",
        )
