"""`finetop demo` as a user types it, in a fresh folder: how long it takes, and what it shows.

    python -m tests.benchmarks.bench_demo [--long] [OPTION OF THE DEMO ...]

The numbers are those that it writes with `--json`; its time is that of the whole command.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.results import Outcome, Row, printed

BRIEF = ("--items", "4", "--set", "training.max_steps=4", "--set", "data.limit=40")
SECONDS_BAR, LONG_SECONDS_BAR = "at most 240 s", "at most 600 s"
ACCURACY_BAR = "at least 0.80"


def bench(options: Sequence[str] = ()) -> Outcome:
    """Run the demo with these options. Raises AssertionError where it fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = dict(os.environ)
        for variable in ("STATE", "LOCKS"):
            environ[f"FINETOP_{variable}"] = str(folder / variable.lower())
            (folder / variable.lower()).mkdir()
        told = folder / "demo.json"
        command = [sys.executable, "-m", "tui.cli", "--runs", str(folder / "runs"), "demo"]
        if "--long" in options:
            command += ["--out", str(folder / "report")]
        began = time.monotonic()
        ended = subprocess.run([*command, "--json", str(told), *options], env=environ, check=False)
        seconds = time.monotonic() - began
        assert ended.returncode == 0, f"the demo ended with {ended.returncode}"
        table = json.loads(told.read_text(encoding="utf-8"))
    steps = next(iter(table["recipes"].values()))["training"]
    settings = {"epochs": steps["epochs"], "batch size": steps["batch_size"]}
    bar = LONG_SECONDS_BAR if "--long" in options else SECONDS_BAR
    return Outcome(rows(table, seconds, bar), settings | _pairs(options))


def rows(table: Mapping[str, Any], seconds: float, bar: str = SECONDS_BAR) -> list[Row]:
    """The command's time; the task, each skill and prose, before and after, by run."""
    labels, prose = table["labels"], table["prose"]
    items = f"emotion, {labels['items']:,} held-out rows"
    found = [
        Row("seconds of the whole command, once set up", f"{seconds:.0f} s", bar),
        Row("of them training", f"{table['training_seconds']:.0f} s"),
        Row(f"{items}, by likelihood, base", _share(labels["likelihood"]["base"])),
        Row(f"{items}, majority class", f"{labels['majority']:.3f}"),
        Row(f"{items}, by generated answer, base", _share(labels["generated"]["base"])),
    ]
    runs = list(table["runs"])
    for run in runs:
        beside = f", {run}" if len(runs) > 1 else ""
        # A second stage is trained on something else: what is left of the first is its result.
        least = "" if run == "second" else ACCURACY_BAR
        found += [
            Row(f"{items}, by likelihood of the labels{beside}",
                _share(labels["likelihood"][run]), least),
            Row(f"{items}, by generated answer{beside}", _share(labels["generated"][run])),
        ]  # fmt: skip
        for name, skill in table["skills"].items():
            change = f"{_share(skill['base'])} -> {_share(skill[run])}"
            what = f"skill {name}, {skill['items']} items, before -> after{beside}"
            found.append(Row(what, change))
        change = f"{prose['base']['perplexity']:.3f} -> {prose[run]['perplexity']:.3f}"
        tokens = f"{prose['base']['tokens']:,} tokens"
        found.append(Row(f"perplexity of plain prose, {tokens}, before -> after{beside}", change))
    return found


def _share(counted: Mapping[str, Any]) -> str:
    """With its 95% Wilson interval."""
    low, high = counted["interval"]
    return f"{counted['accuracy']:.3f} [{low:.2f}, {high:.2f}]"


def _pairs(options: Sequence[str]) -> dict[str, str | int | float]:
    return {"options": " ".join(options)} if options else {}


if __name__ == "__main__":
    print(printed(bench(sys.argv[1:]).rows))
