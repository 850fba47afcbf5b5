"""The entry of every worker: `python -P -m engine.worker KIND JOB_DIR`, `… serve` or `… get`.

The lock, the signals, the first status and the queue come before any heavy import, so that a
worker is on screen at once and waits cheaply. The one broad `except` of the worker is here: what
went wrong is written into the status.
"""

import importlib
import os
import sys
import traceback
from pathlib import Path

from engine.compare.arms import needs_device
from engine.errors import EngineError
from engine.jobs import write_errors
from engine.jobs.status import Failure, State
from engine.text import clean
from engine.worker import out_of_memory
from engine.worker.attempt import Attempt, Stopped
from engine.worker.environment import set_environment

JOBS = {
    "train": "engine.worker.train",
    "generate": "engine.worker.generate",
    "evaluate": "engine.worker.evaluate",
    "sweep": "engine.worker.sweep",
    "judge": "engine.worker.judge",
    "export": "engine.worker.export",
    "synthesize": "engine.worker.synthesize",
}


def main(arguments: list[str]) -> int:
    """Run one job to its end; the exit code is 0, 1 for a failed job, 2 for wrong use."""
    set_environment(network=arguments[:1] == ["get"])
    if arguments == ["serve"]:
        return int(importlib.import_module("engine.worker.companion.server").main())
    if arguments[:1] == ["get"] and len(arguments) == 2:
        return int(importlib.import_module("engine.worker.download").main(arguments[1]))
    if len(arguments) < 2 or arguments[0] not in JOBS:
        print(f"usage: python -m engine.worker {'|'.join(JOBS)} JOB_DIR, or serve", file=sys.stderr)
        return 2
    kind, path, *options = arguments
    try:
        attempt = Attempt.begin(Path(path), launch=options[0] if options else "")
    except EngineError as error:
        print(clean(str(error)), file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(
            clean(f"The run cannot be written: {error.filename}: {error.strerror}"), file=sys.stderr
        )
        return 1
    return run(attempt, kind)


def run(attempt: Attempt, kind: str) -> int:
    """Run the job of an attempt and write how it ended."""
    try:
        if needs_device(attempt.recipe):
            attempt.wait_for_devices(attempt.recipe.device)
            attempt.log("loading libraries")
        module = importlib.import_module(JOBS[kind])
        message = module.run(attempt) or ""
    except Stopped as stopped:
        return _finish(attempt, "stopped", State.STOPPED, message=str(stopped))
    except EngineError as error:
        return _finish(attempt, "", State.FAILED, explain(error, attempt))
    except BaseException as error:
        return _finish(attempt, traceback.format_exc(), State.FAILED, explain(error, attempt))
    return _finish(attempt, "done", State.DONE, message=message)


def _finish(
    attempt: Attempt, line: str, state: State, failure: Failure | None = None, message: str = ""
) -> int:
    """Write how it ended, where that can be written: else it reads as crashed, with the reason."""
    if line:
        attempt.log(line)
    if failure is not None:
        attempt.remove_unfinished()
        attempt.log("\n".join(filter(None, (failure.title, failure.detail, failure.hint))))
    try:
        attempt.finish(state, failure, message)
    except OSError as error:
        attempt.log(f"the final status could not be written: {error}")
        return 1
    return 1 if failure is not None else 0


def explain(error: BaseException, attempt: Attempt) -> Failure:
    """What a user should read of an exception."""
    if out_of_memory.is_out_of_memory(error):
        return out_of_memory.explain(error, attempt)
    if isinstance(error, EngineError):
        return Failure(error.title, error.detail, error.hint)
    refusal = write_errors.explain(error, attempt.directory.path)
    if refusal is not None:
        return Failure(refusal.title, refusal.detail, refusal.hint)
    if isinstance(error, OSError) and error.filename is not None:
        return Failure(
            "A file cannot be read or written.",
            f"{os.fsdecode(error.filename)}: {error.strerror}",
            f"Check that it is there, and its permissions; more is in {attempt.files.log}.",
        )
    title, _, more = f"{type(error).__name__}: {error}".partition("\n")
    return Failure(title[:200], more[:500], f"The full traceback is in {attempt.files.log}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
