"""What was measured, beside its bar: kept as `results.json`, shown as `RESULTS.md`.

A benchmark that does not run keeps its last rows, with the date and the versions of that time.
Nothing that names the machine or a folder on it is written. Refuses to measure.
"""

import dataclasses
import json
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine import atomic

FOLDER = Path(__file__).parent
NUMBERS = FOLDER / "results.json"
TABLE = FOLDER / "RESULTS.md"
NOT_MEASURED = "not measured"
PACKAGES = ("textual", "plotext", "numpy", "torch", "transformers", "peft")

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    measured: str | None
    """With its unit; None where it could not be measured, or `not measured: ` and why."""
    bar: str = ""
    """`at most N`, `less than N`, `at least N`, or the very value; empty where there is no bar."""

    @property
    def met(self) -> str:
        """yes, no, not measured; empty where there is no bar."""
        if self.measured is None or self.measured.startswith(NOT_MEASURED):
            return NOT_MEASURED
        if not self.bar:
            return ""
        found, wanted = _number(self.measured), _number(self.bar)
        if self.bar.startswith("at most"):
            return "yes" if found <= wanted else "no"
        if self.bar.startswith("less than"):
            return "yes" if found < wanted else "no"
        if self.bar.startswith("at least"):
            return "yes" if found >= wanted else "no"
        return "yes" if found == wanted else "no"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One benchmark's rows, and the sizes it ran with."""

    rows: Sequence[Row]
    settings: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return all(row.met in ("yes", "") for row in self.rows)


def read() -> dict[str, Any]:
    """What is on disk by benchmark; empty where nothing was ever measured."""
    try:
        table: dict[str, Any] = json.loads(NUMBERS.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return table


def entry(outcome: Outcome) -> dict[str, Any]:
    """An outcome as it is kept, with when and on what it was measured."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
            "load at the end": round(os.getloadavg()[0], 1),
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "settings": dict(outcome.settings),
        "rows": [dataclasses.asdict(row) for row in outcome.rows],
    }


def write(known: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Keep both files. A benchmark of `titles` that was never run is named as not measured."""
    table = {
        name: known.get(name, {"rows": [dataclasses.asdict(Row(title, None))]})
        for name, title in titles.items()
    }
    atomic.write_json(NUMBERS, table)
    atomic.write_text(TABLE, render(table))


def render(table: Mapping[str, Any]) -> str:
    """`RESULTS.md`, whole, from what `results.json` holds."""
    lines = [
        "# Measured",
        "",
        "Written by `make bench` (`python -m tests.benchmarks`) from `results.json`; not by hand.",
    ]
    for name, kept in table.items():
        lines += ["", f"## {name}", ""]
        if "date" in kept:
            lines += [f"{kept['date']} · {_listed(kept['machine'])}", ""]
            lines += [_listed(kept["versions"]), ""]
        if kept.get("settings"):
            lines += [_listed(kept["settings"]), ""]
        lines += ["| what | measured | bar | met |", "|---|---:|---|---|"]
        for values in kept["rows"]:
            row = Row(**values)
            measured = NOT_MEASURED if row.measured is None else row.measured
            lines.append(f"| {row.what} | {measured} | {row.bar} | {row.met} |")
    return "\n".join(lines) + "\n"


def printed(rows: Sequence[Row]) -> str:
    """The same for a terminal."""
    lines = [f"{'what':<62} {'measured':>14}  {'bar':<20} met"]
    for row in rows:
        measured = NOT_MEASURED if row.measured is None else row.measured
        lines.append(f"{row.what:<62} {measured:>14}  {row.bar:<20} {row.met}".rstrip())
    return "\n".join(lines)


def _number(text: str) -> float:
    found = _NUMBER.search(text)
    assert found is not None, f"no number in {text!r}"
    return float(found[0].replace(",", ""))


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
