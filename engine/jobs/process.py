"""Worker processes: how their command is made, started detached, found again and ended.

A worker has its own session and process group and writes to a file, so that neither a closed
terminal nor a crashed dashboard affects it.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import engine
from engine.errors import EngineError
from engine.jobs import lock, queue
from engine.jobs.directory import JobDirectory

HEAVY = ("torch", "transformers", "peft", "accelerate", "tensorboard", "safetensors")

# Another interpreter has its own packages; ours come last, so that they never shadow those.
_BOOTSTRAP = (
    "import runpy, sys; sys.path.append({path!r}); "
    "sys.argv[0] = 'engine.worker'; runpy.run_module('engine.worker', run_name='__main__')"
)
_HOME = str(Path(engine.__file__).resolve().parent.parent)


def worker_command(*arguments: str, needs: Sequence[str] = HEAVY) -> list[str]:
    """The command of a worker: this interpreter, or the one that FINETOP_PYTHON names.

    `needs` are the packages that it imports.

    `-P` keeps the current folder out of the module path: a folder of the user's that is called
    `engine` would else be run instead. Raises EngineError where a worker could not run.
    """
    other = os.environ.get("FINETOP_PYTHON")
    ours = str(Path(sys.executable).absolute())
    program = _find_program(other) if other else ours
    if program is None:
        raise EngineError(
            "FINETOP_PYTHON does not exist.",
            str(other),
            "Set it to a Python that has torch, transformers and peft.",
        )
    bootstrap = [program, "-P", "-c", _BOOTSTRAP.format(path=_HOME), *arguments]
    if program != ours:
        return bootstrap
    missing = missing_packages(needs)
    if missing:
        raise EngineError(
            f"{', '.join(missing)} not installed.",
            "This is the light install: it cannot train or generate.",
            "Install 'finetop[train]', or set FINETOP_PYTHON to a Python that has them.",
        )
    # A sweep's worker starts others by its own Python, which may have us from elsewhere as well.
    return bootstrap if other else [program, "-P", "-m", "engine.worker", *arguments]


def _find_program(name: str) -> str | None:
    """The absolute path: a worker has a folder of its own, where a relative one leads nowhere."""
    found = shutil.which(os.path.expanduser(name))
    return None if found is None else str(Path(found).absolute())


def missing_packages(needs: Sequence[str] = HEAVY) -> list[str]:
    """The packages that a worker needs and this interpreter lacks, without importing any."""
    return [name for name in needs if importlib.util.find_spec(name) is None]


def lacks_package(name: str) -> bool:
    """Whether workers run on this interpreter, and it lacks a package; of another one nothing is
    known here."""
    other = os.environ.get("FINETOP_PYTHON")
    program = shutil.which(os.path.expanduser(other)) if other else sys.executable
    is_ours = program is None or Path(program).absolute() == Path(sys.executable).absolute()
    return is_ours and bool(missing_packages([name]))


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours by this very interpreter, which may have us from
    elsewhere: `-P -m MODULE` where it has not."""
    code = (
        f"import runpy, sys; sys.path.append({_HOME!r}); "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-P", "-c", code, *arguments]


def worker_environment() -> dict[str, str]:
    """The environment of a worker: ours. That it leaves the hub alone is the worker's own care."""
    environment = dict(os.environ)
    environment["PYTHONUNBUFFERED"] = "1"
    environment["FINETOP_LOCKS"] = str(queue.locks_path())  # a worker has a folder of its own
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    other = os.environ.get("FINETOP_PYTHON")
    if other and (program := _find_program(other)):
        environment["FINETOP_PYTHON"] = program
    return environment


def start_detached(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, its output in `log`, and reap it when it ends."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=log.parent,
            env=worker_environment(),
        )
    threading.Thread(target=child.wait, name="reaper", daemon=True).start()
    return child


def changed_recipe(job: JobDirectory, launch: str) -> Path:
    """Path at which the launcher writes the changed recipe of this launch's attempt.

    Each launch has its own: two that come at the same time must not take each other's.
    """
    return job.path / f".next-recipe-{launch}.toml"


def send_signal(job: JobDirectory, number: signal.Signals) -> bool:
    """Signal the process group of the job's worker; False where no worker is alive on this host.

    The worker is found as the holder of its lock: a number in a file could be another's by now.
    """
    pid = lock.holder(job.lock_file)
    if not pid:
        return False
    try:
        os.killpg(os.getpgid(pid), number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise EngineError(
            "This run belongs to another user.", str(job.path), "Only its owner can stop it."
        ) from error
    return True
