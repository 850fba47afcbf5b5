"""Sets of prompts by their refs: a file of items, `bundled:NAME`, what a run held out.

Every item is something to ask here: of one whose text is read for its perplexity, the text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from engine.bundled import PROMPTS
from engine.chat import Message
from engine.checkpoints.run_outputs import find_run
from engine.compare.arms import Arm
from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory

ALL = "all"
"""`bundled:all` is every bundled set, one after the other."""
_FORMER_NAMES = {"outside": "general"}
"""Of bundled sets, as recipes of earlier versions have them."""


def bundled() -> list[str]:
    """The names of the bundled sets."""
    return sorted(path.stem for path in PROMPTS.glob("*.jsonl"))


def load(ref: str, runs: Sequence[Path] = ()) -> list[Item]:
    """The prompts that `ref` names, as `find`, or `bundled:all`. Raises EngineError."""
    if ref == f"bundled:{ALL}":
        return [item for name in bundled() for item in read(find(f"bundled:{name}"))]
    return read(find(ref, runs))


def find(ref: str, runs: Sequence[Path] = ()) -> Path:
    """The file that `ref` names: `bundled:NAME`, `run:ID` of one of these runs, or a path.

    Raises EngineError for no such set, and for a run that held nothing out.
    """
    scheme, colon, name = ref.partition(":")
    if scheme == "bundled" and colon:
        name = _FORMER_NAMES.get(name, name)
        if name not in bundled():
            raise EngineError(
                f"Unknown bundled prompt set {name!r}.",
                f"Bundled sets: {', '.join(bundled())}, {ALL}.",
                "Use one of these, or a file.",
            )
        return PROMPTS / f"{name}.jsonl"
    return _find_held_out(ref, runs) if ref.startswith(RUN) else Path(ref).expanduser()


def read(path: Path) -> list[Item]:
    """The prompts of a file, in order. Raises EngineError as `read_items`."""
    return [
        item if item.messages else replace(item, messages=(Message("user", item.text),))
        for item in read_items(path)
    ]


def list_held_out(arms: Iterable[Arm], runs: Sequence[Path]) -> list[tuple[str, int]]:
    """`run:ID` of the arms' runs that held rows out, each once, and how many rows."""
    refs = dict.fromkeys(ref for arm in arms for ref in (arm.checkpoint, arm.adapter or ""))
    found = {ref: find_run(ref, runs) for ref in refs if ref.startswith(RUN)}
    paths = {ref: JobDirectory(run).held_out for ref, run in found.items() if run is not None}
    return [(ref, _count_lines(path)) for ref, path in paths.items() if path.is_file()]


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _find_held_out(ref: str, runs: Sequence[Path]) -> Path:
    run = find_run(ref, runs)
    if run is None:
        raise EngineError(f"run not found: {ref.removeprefix(RUN)}", hint="See finetop runs.")
    path = JobDirectory(run).held_out
    if not path.is_file():
        raise EngineError(
            f"{ref} has no held-out rows",
            str(path),
            "A training run writes them when its data is loaded, if data.eval or "
            "data.eval_fraction holds rows out.",
        )
    return path
