"""The folder of an export: its parts, and the models among them."""

import shlex
from dataclasses import replace
from pathlib import Path

from engine.checkpoints.describe import list_gguf
from engine.compare.arms import Arm, format_arm
from engine.release.targets import FORMS
from engine.report.render import SUMS


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


def upload_commands(out: Path) -> list[str]:
    """A command for each folder, which is a repository of its own; nothing here runs one."""
    return [
        shlex.join(["hf", "upload", f"ORG/NAME-{part.name}", str(part), ".", "--private"])
        for part in list_parts(out)
    ]


def comparison_command(source: Arm, out: Path, suite: str = "") -> str:
    """The command that measures what was exported beside what left: what merging and quantising
    cost; empty where no whole model left. `suite` is what is asked; empty: every bundled one."""
    shipped = list_arms(out)
    if not shipped:
        return ""
    arms = [replace(source, name="run"), *shipped]
    words = [word for arm in arms for word in ("--arm", format_arm(arm))]
    return shlex.join(["finetop", "evaluate", *words, *(("--suite", suite) if suite else ())])
