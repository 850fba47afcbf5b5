"""The proof of one target of an export, in a process that starts anew.

`python -P -m engine.worker.release.proving.prove SPEC OUT` measures and writes what it found;
`run_proof` starts it, follows it, and ends it at once where its caller is stopped. The process that
wrote an export still holds what it wrote: only a fresh one opens what a user will open.

Owns that process alone: `proof_steps` says what is checked, in which order.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from engine import atomic
from engine.errors import EngineError, JobFailed
from engine.jobs import process
from engine.jobs.child_output import ChildOutput
from engine.jobs.memory_evidence import MemoryEvidence
from engine.jobs.write_errors import refusals_of_child
from engine.release.proof import Check, decode_check, encode_check
from engine.text import one_line
from engine.worker.environment import set_environment
from engine.worker.out_of_memory import is_out_of_memory
from engine.worker.release.proving.proof_spec import ProofSpec, Tick, read_spec, write_spec

POLL_SECONDS = 0.2
_MODULE = "engine.worker.release.proving.prove"


def run_proof(spec: ProofSpec, folder: Path, tick: Tick) -> list[Check]:
    """What a fresh process found of one target.

    `folder` takes the spec, and temporary files that are gone afterwards: distributions of the run
    over its whole vocabulary, a few GB at most (`kept_logs`). `tick` is called several times a
    second, also while nothing moves. Raises what `tick` raises, with the process ended; EngineError
    where the proof could not be made, as where the process died; OSError where the disk refused.
    """
    with tempfile.TemporaryDirectory(prefix=".proof-", dir=folder) as name:
        scratch = Path(name)
        write_spec(spec, scratch / "spec.json")
        out = scratch / "checks.json"
        with refusals_of_child(folder):
            _follow(scratch, out, tick)
            return _read_checks(out)


def main(arguments: list[str]) -> int:
    """Make the proof that the file SPEC asks for, and write it to OUT; 0 where that was done."""
    if len(arguments) != 2:
        print(f"usage: python -m {_MODULE} SPEC OUT", file=sys.stderr)
        return 2
    set_environment()
    # Not above: the job that calls `run_proof` needs no library of models for it.
    from engine.worker.model.malloc import fix_large_blocks
    from engine.worker.release.proving.proof_steps import prove

    fix_large_blocks()  # one model after another: each takes the room of the one before
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    spec, out = Path(arguments[0]), Path(arguments[1])
    try:
        checks = prove(read_spec(spec), out.parent, _say)
        atomic.write_json(out, {"checks": [encode_check(check) for check in checks]})
    except EngineError as error:
        atomic.write_json(out, {"error": [error.title, error.detail, error.hint]})
    except Exception as error:
        traceback.print_exc()
        if not is_out_of_memory(error):
            return 1
        atomic.write_json(out, {"error": list(_no_memory(one_line(str(error))[:300]))})
    return 0


def _say(activity: str, done: int, total: int) -> None:
    print(json.dumps([activity, done, total]), flush=True)


def _end_with_parent() -> None:
    """A job that was killed closes our input: nobody waits for the proof any more."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 1 << 12):
            pass
    os._exit(1)


def _follow(scratch: Path, out: Path, tick: Tick) -> None:
    """Run the process to its end. Raises what `tick` raises, and EngineError where it failed."""
    errors = ChildOutput()
    command = process.module_command(_MODULE, str(scratch / "spec.json"), str(out))
    with tempfile.TemporaryFile(dir=scratch) as lines:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=lines.fileno(),
            stderr=errors.fileno(),
            cwd=scratch,
            env=process.worker_environment() | {"TMPDIR": str(scratch)},
        )
        memory = MemoryEvidence()
        try:
            progress: tuple[str, int, int] = ("loading libraries", 0, 0)
            place = 0
            while child.poll() is None:
                memory.look(child.pid)
                progress, place = _read_progress(lines, place, progress)
                tick(*progress)
                time.sleep(POLL_SECONDS)
            tick(*progress)  # a stop that was asked for ends the process too
            if child.returncode != 0 or not out.exists():
                raise _died(child.returncode, errors.tail(), memory)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            if child.stdin is not None:
                child.stdin.close()
            errors.close()


def _read_progress(
    lines: BinaryIO, place: int, progress: tuple[str, int, int]
) -> tuple[tuple[str, int, int], int]:
    """The newest whole line behind `place`, and where the next one begins."""
    data = os.pread(lines.fileno(), 1 << 20, place)
    whole = data[: data.rfind(b"\n") + 1]
    for line in reversed(whole.splitlines()):
        with contextlib.suppress(ValueError, TypeError):
            activity, done, total = json.loads(line)
            return (one_line(str(activity)), int(done), int(total)), place + len(whole)
    return progress, place + len(whole)


def _read_checks(out: Path) -> list[Check]:
    body: Any = json.loads(out.read_bytes())
    if "error" in body:
        raise JobFailed(*body["error"])
    return [decode_check(value) for value in body["checks"]]


def _died(code: int, tail: str, memory: MemoryEvidence) -> EngineError:
    how = f"Its process ended with {code}."
    if code < 0:
        how = f"Its process was ended by signal {-code}."
    if code == -signal.SIGKILL:
        cause = memory.explain()
        if cause:
            return JobFailed(*_no_memory(f"{cause}\n{tail}".rstrip()))
        how = "Its process was killed by signal 9; often too little memory."
    return JobFailed("The proof of the export could not be made.", f"{how}\n{tail}".rstrip())


def _no_memory(detail: str) -> tuple[str, str, str]:
    return (
        "The machine has too little memory to prove the export.",
        detail,
        "Stop other processes; the proof holds one model at a time, in float32.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
