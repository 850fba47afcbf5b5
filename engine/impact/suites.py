"""Suites: which files of items a recipe names, and the items of each, as they are measured.

A suite is a file of items like any other, so that a file of prompts is one too. Owns their names;
what an item is, is `engine.compare.items`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.bundled import SUITES
from engine.compare import prompts
from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.data.formats import read_raw
from engine.data.raw_row import RawReader
from engine.data.shards import stem_of
from engine.errors import EngineError
from engine.impact.suite_specs import SuiteSpec

_BUNDLED = "bundled:"


def load_suite(
    spec: SuiteSpec, runs: Sequence[Path], limit: int = 0, raw: RawReader = read_raw
) -> tuple[Item, ...]:
    """temporary"""
    if spec.ref.startswith(prompts.RUN):
        items = prompts.read(prompts.find(spec.ref, runs))
    else:
        items = read_items(_find(spec.ref))
    return tuple(items[: spec.options.limit or limit or None])


def load_suites(names: Sequence[str], limit: int = 0) -> Mapping[str, tuple[Item, ...]]:
    """By name, the first `limit` items of each suite (0: all); every bundled one without names.

    A name is `bundled:NAME` or a path. Raises EngineError, also where two are called the same.
    """
    paths = [_find(name) for name in names] or sorted(SUITES.glob("*.jsonl"))
    suites = {stem_of(path): load(path) for path in paths}
    if len(suites) < len(paths):
        raise EngineError("Two suites have the same name.", ", ".join(map(str, paths)))
    return {name: items[:limit] if limit else items for name, items in suites.items()}


def load(path: Path) -> tuple[Item, ...]:
    """The items of one suite file, in order. Raises EngineError as `read_items`."""
    return tuple(read_items(path))


def _find(name: str) -> Path:
    if name.startswith(_BUNDLED):
        suite = SUITES / f"{name.removeprefix(_BUNDLED)}.jsonl"
        return suite if suite.exists() else prompts.find(name)
    return Path(name).expanduser()
