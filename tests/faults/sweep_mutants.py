"""Mutants of what a sweep writes: its recipe, its points, the records of its runs.

A damaged file is refused in words, or the table has every point of the recipe, each with a run that
a file names or with none; no other job is touched. Parsed here by Python's own parsers.
"""

import json
import math
import shutil
import tomllib
from pathlib import Path
from random import Random
from typing import Any

from engine.errors import EngineError
from engine.jobs import summary
from engine.jobs.store import Store
from engine.launching.in_use import find_users
from engine.sweeps.sweep_table import read_sweep_table, table_to_json
from tests.faults.json_damage import damage
from tests.faults.verdict import LostError, WrongError
from tests.sweeps.made_sweep import make_results, write_sweep

FILES = ("grid-1a2b/recipe.toml", "grid-1a2b/points.json", "grid-run0/job.json",
         "grid-run1/status.json", "grid-evaluation/results.json")  # fmt: skip


def check_sweep(random: Random, folder: Path) -> None:
    """One file of a sweep is damaged. Raises LostError, WrongError."""
    job = write_sweep(folder, results=make_results())
    name = random.choice(FILES)
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(damage(random, whole))
    store = Store(folder)
    try:
        _check(path, whole, store)
    finally:
        shutil.rmtree(job.path)


def _check(path: Path, whole: bytes, store: Store) -> None:
    views = [summary.view(job) for job in store.jobs()]
    if len([one for one in views if one is not None]) < 5:  # a record that was just written: one
        raise LostError(f"{len(views)} jobs")
    find_users(store)
    try:
        table = read_sweep_table(store.at(path.parent.parent / "grid-1a2b"), store)
    except EngineError:
        if path.name != "recipe.toml":
            raise LostError(f"{path.name}: the table is refused") from None
        return
    json.dumps(table_to_json(table), allow_nan=False)
    runs = {row.run for row in table.rows if row.run}
    if path.name == "recipe.toml":
        _check_recipe(path, table.rows)
    elif len(table.rows) != 4:
        raise LostError(f"{len(table.rows)} points")
    elif path.name == "points.json":
        known = {f"grid-run{at}" for at in range(4)}
        if runs != known:  # each run's record names its sweep
            raise LostError(f"runs: {', '.join(sorted(known ^ runs))}")
    elif whole == path.read_bytes() and len(runs) < 4:
        raise LostError("a run")


def _check_recipe(path: Path, rows: Any) -> None:
    try:
        over = tomllib.loads(path.read_bytes().decode()).get("over", {})
    except (ValueError, RecursionError) as error:
        raise WrongError("recipe.toml does not parse, and is read") from error
    combinations = math.prod(len(values) for values in over.values())
    if len(rows) % max(1, combinations):
        raise LostError(f"{len(rows)} points of {combinations} combinations")
