"""The entry of every worker: `python -P -m engine.worker KIND JOB_DIR`, `… serve` or `… get`.

The lock, the signals, the first status and the queue come before any heavy import, so that a
worker is on screen at once and waits cheaply. The one broad `except` of the worker is here: what
went wrong is written into the status.
"""

import errno
import importlib
import shutil
import sys
import traceback
from pathlib import Path

from engine.compare.arms import needs_device
from engine.errors import EngineError
from engine.jobs.status import Failure, State
from engine.text import clean
from engine.worker import out_of_memory
from engine.worker.attempt import Attempt, Stopped
from engine.worker.environment import set_environment

JOBS = {
    "train": "engine.worker.train",
    "generate": "engine.worker.generate",
    "evaluate": "engine.worker.evaluate",
}
LEAST_FREE = 256 * 1024
"""Bytes; a disk with less is taken as full when something could not be written."""


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
    except Stopped:
        attempt.log("stopped")
        attempt.finish(State.STOPPED)
        return 0
    except EngineError as error:
        attempt.log(str(error))
        attempt.finish(State.FAILED, explain(error, attempt))
        return 1
    except BaseException as error:
        traceback.print_exc()
        attempt.finish(State.FAILED, explain(error, attempt))
        return 1
    attempt.log("done")
    attempt.finish(State.DONE, message=message)
    return 0


def explain(error: BaseException, attempt: Attempt) -> Failure:
    """What a user should read of an exception."""
    if out_of_memory.is_out_of_memory(error):
        return out_of_memory.explain(error, attempt)
    if isinstance(error, EngineError):
        return Failure(error.title, error.detail, error.hint)
    if _means_full_disk(error, attempt.directory.path):
        return Failure(
            "The disk is full.",
            f"{getattr(error, 'filename', None) or attempt.directory.path}",
            "Free disk space, then resume from the last checkpoint.",
        )
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Failure(
            "The run's directory cannot be written.",
            f"{error.filename or attempt.directory.path}: {error.strerror}",
            "Check owner and permissions, or use another folder with --runs DIR.",
        )
    title, _, more = f"{type(error).__name__}: {error}".partition("\n")
    return Failure(title[:200], more[:500], f"The full traceback is in {attempt.files.log}.")


def _means_full_disk(error: BaseException, folder: Path) -> bool:
    """Whether writing failed for want of space.

    Libraries in Rust and C++ say so in words of their own, if at all: then the disk is asked.
    """
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "No space left" in str(error) or shutil.disk_usage(folder).free < LEAST_FREE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
