"""Versions of a recipe: what version 1 called a setting, and a value, that has another name now.

Version 2 grows by optional keys only: a key is never renamed or given another meaning. Recipes are
converted when they are read, never on disk: a job keeps the file that it was launched with.
A recipe without a version, as people write them, may use the names of either.
"""

from collections.abc import Mapping
from typing import Any

VERSION = 2

RENAMED = {
    "data.eval_share": "data.eval_fraction",
    "method.targets": "method.target_modules",
    "training.accumulation": "training.gradient_accumulation_steps",
    "training.schedule": "training.lr_scheduler_type",
    "training.warmup_share": "training.warmup_ratio",
    "training.keep": "training.save_total_limit",
    "stopping.higher_is_better": "stopping.greater_is_better",
    "stopping.min_improvement": "stopping.min_delta",
}
"""Dotted keys of version 1 to those of version 2. No other key may ever take one of these names."""
_VALUES: Mapping[str, Mapping[object, str]] = {
    "data.too_long": {"cut": "truncate"},
    "training.objective": {"answers": "sft"},
    "training.schedule": {"constant": "constant_with_warmup"},
}
"""By the key of version 1: values that have another name."""


def upgrade(table: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a recipe's table as version 2; one of a version that is not known as it is.

    A key that is there under both names is left, so that it is refused as unknown.
    """
    upgraded = _copy(table)
    if upgraded.get("version", 1) != 1:
        return upgraded
    upgraded["version"] = VERSION
    for dotted in {**RENAMED, **_VALUES}:
        section, _, name = dotted.partition(".")
        settings = upgraded.get(section)
        if not isinstance(settings, dict) or name not in settings:
            continue
        key, value = current(dotted, settings[name])
        renamed = key.partition(".")[2]
        if renamed == name or renamed not in settings:
            del settings[name]
            settings[renamed] = value
    return upgraded


def current(dotted: str, value: Any) -> tuple[str, Any]:
    """The key and value that a key and value of either version have now."""
    values = _VALUES.get(dotted, {})
    return current_key(dotted), values.get(value, value) if isinstance(value, str) else value


def current_key(dotted: str) -> str:
    """The dotted key that a key of either version has now; another one as it is."""
    return RENAMED.get(dotted, dotted)


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copy(value) if isinstance(value, Mapping) else value for key, value in table.items()
    }
