"""Checkpoints of a run as a worker leaves them, written without torch."""

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from engine.jobs.directory import MANIFEST, JobDirectory

WEIGHTS, MOMENTS, TOKENIZER = 4000, 8000, 9000
"""Bytes."""


def write_checkpoints(job: JobDirectory, steps: Sequence[int], best: int | None = None) -> None:
    """One at each step, whose tokenizers are hard links to the first; an adapter as the result."""
    for step in steps:
        folder = job.checkpoints / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(bytes(WEIGHTS))
        (folder / "optimizer.pt").write_bytes(bytes(MOMENTS))
        for name in ("scheduler.pt", "rng_state.pth"):
            (folder / name).write_bytes(bytes(10))
        first = job.checkpoints / f"checkpoint-{steps[0]}" / "tokenizer.json"
        if step == steps[0]:
            first.write_bytes(bytes(TOKENIZER))
        else:
            os.link(first, folder / "tokenizer.json")
        files = {path.name: _fingerprint(path) for path in sorted(folder.iterdir())}
        (folder / MANIFEST).write_text(json.dumps({"step": step, "files": files}, indent=1))
    (job.checkpoints / "marks.json").write_text(json.dumps({"best": best}))


def write_result(job: JobDirectory) -> None:
    """An adapter that shares the tokenizer."""
    job.adapter.mkdir(exist_ok=True)
    (job.adapter / "adapter_model.safetensors").write_bytes(bytes(WEIGHTS))
    source = min(job.checkpoints.glob("checkpoint-*/tokenizer.json"))
    os.link(source, job.adapter / "tokenizer.json")


def verifies(checkpoint: Path) -> bool:
    """By its manifest, as a worker reads it."""
    files = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
    return all(_fingerprint(checkpoint / name) == known for name, known in files.items())


def _fingerprint(path: Path) -> list[int]:
    return [path.stat().st_size, zlib.crc32(path.read_bytes())]
