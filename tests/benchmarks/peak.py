"""One training job in this process, and what memory it took at its most.

    python -P -m tests.benchmarks.peak JOB_DIR FAMILY

Everything that training imports is imported first; what is resident then is the base. The kernel's
high-water mark is reset there (proc(5), clear_refs) and read at the end: no peak is too short to be
seen. Resident counts what malloc holds and has not given back, and the pages of mapped files.
"""

import importlib
import json
import sys
from contextlib import suppress
from pathlib import Path


def main(job: str, family: str) -> int:
    from engine.errors import EngineError
    from engine.worker.environment import set_environment

    set_environment()
    from engine.worker.model import loading, quantize

    for name in ("engine.worker.train", f"transformers.models.{family}.modeling_{family}"):
        importlib.import_module(name)
    loading.warm()
    for load in (quantize.load_bitsandbytes, _import_preferences):
        with suppress(EngineError, ImportError):  # the extras, where they are there
            load()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    from engine.worker.__main__ import main as work

    code = work(["train", job])
    found = {"code": code, "before": before, "peak": resident("VmHWM")}
    Path(job, "peak.json").write_text(json.dumps(found), encoding="ascii")
    return code


def _import_preferences() -> None:
    importlib.import_module("engine.worker.training.dpo")


def resident(field: str) -> int:
    """Bytes, as /proc/self/status says."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
