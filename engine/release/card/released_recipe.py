"""The recipe of a run as it leaves the box: the same settings, without a path of this machine.

Owns what stands in the place of a path. The file is still a recipe: what names a file is to be put
where the reader has it. Hashes of data files stand above it as comments.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import tomli_w

from engine.recipes.recipe import TrainRecipe, to_table
from engine.report.short_names import ShortNames
from engine.text import one_line

_REFS = {
    "model": ("checkpoint",), "data": ("train", "eval", "template"), "replay": ("data",),
    "samples": ("prompts",), "forgetting": ("probe",),
}  # fmt: skip
_TYPED = {"data": ("system", "label_prompt")}
"""Texts that a model reads: they are what was trained with, and kept as they are."""


def write_recipe(
    recipe: TrainRecipe, names: ShortNames, base_name: str, notes: Iterable[str]
) -> str:
    """TOML with `notes` above it, a comment each. `base_name` takes the place of the checkpoint
    where that is a path; empty: its short name does."""
    table = _clear(to_table(recipe), names)
    if base_name and not recipe.model.checkpoint.startswith(("run:", "bundled:")):
        table["model"]["checkpoint"] = base_name
    comments = "".join(f"# {one_line(note)}\n" for note in notes)
    return f"{comments}\n{tomli_w.dumps(table)}" if comments else tomli_w.dumps(table)


def _clear(table: Mapping[str, Any], names: ShortNames) -> dict[str, Any]:
    cleared: dict[str, Any] = {}
    for section, values in table.items():
        if not isinstance(values, Mapping):
            cleared[section] = _clear_value(values, names)
            continue
        refs, typed = _REFS.get(section, ()), _TYPED.get(section, ())
        cleared[section] = {
            key: names.name_ref(value) if key in refs and isinstance(value, str)
            else value if key in typed
            else _clear_value(value, names)
            for key, value in values.items()
        }  # fmt: skip
    return cleared


def _clear_value(value: Any, names: ShortNames) -> Any:
    if isinstance(value, str):
        return names.clear_text(value)
    if isinstance(value, list | tuple):
        return [_clear_value(one, names) for one in value]
    if isinstance(value, Mapping):
        return {key: _clear_value(one, names) for key, one in value.items()}
    return value
