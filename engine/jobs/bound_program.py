"""A program that others wrote, run to its end, which never outlives the process that started it.

A process of ours stands between, in a session of its own, which no signal to its starter's group
reaches: `python -P -m engine.jobs.bound_program DESCRIPTOR PROGRAM ...`. It ends the program with
all that this started once the pipe that it reads is closed, as the kernel does where the starter is
killed. Processes of our own code watch their input themselves, and need none.
"""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.jobs import process
from engine.jobs.child_output import ChildOutput
from engine.text import one_line

_MODULE = "engine.jobs.bound_program"
_POLL_SECONDS = 0.1
_MOST_BYTES = 1 << 26
"""Of what a program prints: ids of a few thousand strings are a hundredth of it."""
_TAIL = 12
"""Lines of what it printed that a message shows."""
NOT_STARTED = 127
"""The exit code of a program that could not be started, as a shell has it."""


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    code: int
    """Of its exit; minus the signal that ended it, as of `subprocess`."""
    output: bytes
    """Its standard output, the first 64 MB."""
    tail: str
    """The last lines that it wrote to standard error, or where there are none to standard output;
    safe to show."""
    timed_out: bool

    @property
    def failed(self) -> bool:
        return self.timed_out or self.code != 0

    @property
    def how(self) -> str:
        """As in "exit code 3"."""
        if self.timed_out:
            return "it took too long"
        if self.code == -signal.SIGKILL:
            return "signal 9, often too little memory"
        return f"exit code {self.code}" if self.code >= 0 else f"signal {-self.code}"


def run_program(
    command: Sequence[str],
    watch: Callable[[], None],
    *,
    given: bytes = b"",
    seconds: float | None = None,
    environment: dict[str, str] | None = None,
) -> ProgramEnd:
    """Run it with `given` as its input. `watch` is called several times a second; where that
    raises, and after `seconds`, it is ended with all that it started. Raises what `watch` raises,
    OSError where no process can be started at all."""
    deadline = None if seconds is None else time.monotonic() + seconds
    read, write = os.pipe()
    held = os.fdopen(write, "wb")
    printed, errors = ChildOutput(), ChildOutput()
    try:
        with tempfile.TemporaryFile() as source:
            source.write(given)
            source.seek(0)
            child = subprocess.Popen(
                process.module_command(_MODULE, str(read), *command),
                stdin=source,
                stdout=printed.fileno(),
                stderr=errors.fileno(),
                env=environment,
                pass_fds=(read,),
                start_new_session=True,
            )
        try:
            timed_out = not _wait(child, watch, deadline)
        finally:
            held.close()
            child.wait()
        output = os.pread(printed.fileno(), _MOST_BYTES, 0)
        tail = errors.tail(_TAIL) or printed.tail(_TAIL)
        return ProgramEnd(child.returncode, output, tail, timed_out)
    finally:
        os.close(read)
        held.close()
        printed.close()
        errors.close()


def main(arguments: list[str]) -> int:
    """Run PROGRAM, and end as it does; end it where the pipe of DESCRIPTOR is closed."""
    descriptor = int(arguments[0])
    # Its pages are others': a core of it is nothing that a user could need.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        child = subprocess.Popen(arguments[1:], start_new_session=True)
    except OSError as error:
        print(f"It cannot be started: {one_line(str(error))}", file=sys.stderr)
        return NOT_STARTED
    watch = threading.Thread(target=_end_with_starter, args=(descriptor, child.pid), daemon=True)
    watch.start()
    code = child.wait()
    _end_group(child.pid)
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _end_with_starter(descriptor: int, group: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 1):
            pass
    _end_group(group)


def _end_group(group: int) -> None:
    """End the program and what it started; what has left its session is not found."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _wait(
    child: "subprocess.Popen[bytes]", watch: Callable[[], None], deadline: float | None
) -> bool:
    """Whether it ended by itself before the deadline."""
    while child.poll() is None:
        watch()
        if deadline is not None and time.monotonic() > deadline:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_POLL_SECONDS)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
