"""The folder of an export: its parts, and the models among them."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from engine.checkpoints.describe import list_gguf
from engine.checkpoints.run_outputs import find_producer
from engine.compare.arms import Arm, format_arm
from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory
from engine.release.targets import FORMS
from engine.report.render import SUMS
from engine.safe_open import read_lines

CARD = "README.md"
_HEADING = re.compile(r"# ([A-Za-z0-9._-]+)")
_MOST_LINES = 200
"""Of a card, in which its heading is looked for."""


def list_parts(out: Path) -> list[Path]:
    """The folders of an export that are there, each whole by itself."""
    return [out / name for name in FORMS if (out / name / SUMS).is_file()]


def list_arms(out: Path) -> list[Arm]:
    """The whole models of an export as arms: the merged one, and each GGUF file by its type, which
    ends its name; the adapter, which needs a base, is what was trained and not one of them."""
    arms = [Arm("merged", str(out / "merged"))] if (out / "merged" / SUMS).is_file() else []
    for file in list_gguf(out / "gguf"):
        kind = file.stem.rpartition("-")[2].lower()
        arms.append(Arm(kind if kind not in {arm.name for arm in arms} else file.stem, str(file)))
    return arms


def read_name(part: Path) -> str:
    """What the card of a folder calls the model in it; NAME where it has none."""
    try:
        for line in islice(read_lines(part / CARD, "the model card"), _MOST_LINES):
            if found := _HEADING.fullmatch(line.decode("utf-8", "replace").rstrip()):
                return found[1]
    except EngineError:
        pass
    return "NAME"


def upload_commands(out: Path) -> list[str]:
    """A command for each folder, which is a repository of its own; nothing here runs one."""
    return [
        shlex.join(
            ["hf", "upload", f"ORG/{read_name(part)}-{part.name}", str(part), ".", "--private"]
        )
        for part in list_parts(out)
    ]


def comparison_command(source: Arm, out: Path, runs: Sequence[Path]) -> str:
    """The command that measures what was exported beside what left: what merging and quantising
    cost; empty where no whole model left. Asked is what the source's run held out, which is one of
    `runs`; every bundled suite where it held out nothing."""
    arms = comparison_arms(source, out)
    if not arms:
        return ""
    held_out = held_out_suite(source, runs)
    words = [word for arm in arms for word in ("--arm", format_arm(arm))]
    suite = ["--suite", held_out] if held_out else []
    return shlex.join(["finetop", "evaluate", *words, *suite])


def comparison_arms(source: Arm, out: Path) -> list[Arm]:
    """What left the box beside the run that it is of, which is the first; none where no whole model
    left."""
    shipped = list_arms(out)
    return [replace(source, name="run"), *shipped] if shipped else []


def held_out_suite(source: Arm, runs: Sequence[Path]) -> str:
    """The suite of what the run of a source held out, `run:ID`; empty where it held out nothing."""
    run = find_producer(source.adapter or source.checkpoint, runs)
    if run is None or not JobDirectory(run).held_out.is_file():
        return ""
    return f"{RUN}{run.name}"
