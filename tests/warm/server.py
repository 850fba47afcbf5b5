"""Forks a process for each command that a client brings, with the heavy libraries there already."""

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys

LOOK_SECONDS = 1.0
HEAVY = ("train", "generate", "evaluate", "companion.server")
"""Modules of workers."""


def main(address: str, owner: str) -> None:
    """Serve on `address` for as long as there is the process `owner`."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from engine.worker.environment import set_environment

    set_environment()
    for name in HEAVY:
        importlib.import_module(f"engine.worker.{name}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        listener.settimeout(LOOK_SECONDS)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a guardian
        while True:
            try:
                line, _ = listener.accept()
            except TimeoutError:
                if os.path.exists(f"/proc/{owner}"):
                    continue
                os.unlink(address)
                return
            if os.fork() == 0:
                listener.close()
                guard(line)
            line.close()


def guard(line: socket.socket) -> None:
    """Fork the worker, tell its number and its end, and end it where its client is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(line, 4, 3)
    if not size:
        os._exit(0)  # it only wanted to know that there is a server
    wanted = json.loads(line.makefile("rb").read(int.from_bytes(size, "big")))
    pid = os.fork()
    if pid == 0:
        line.close()
        become(wanted, streams)
    for stream in streams:
        os.close(stream)
    line.sendall(f"{pid}\n".encode())
    watched = os.pidfd_open(pid)
    ready, _, _ = select.select([watched, line.fileno()], [], [])
    if watched not in ready:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # the client is gone
        line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(wanted: dict[str, object], streams: list[int]) -> None:
    """The process that `PYTHON -P -c CODE ARGUMENTS` would be."""
    if wanted["leads"]:
        os.setsid()
    else:
        os.setpgrp()  # else a signal to its group would reach the server
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()
    os.environ.update(wanted["environment"])  # type: ignore[call-overload]
    os.chdir(str(wanted["folder"]))
    argv = list(wanted["argv"])  # type: ignore[call-overload]
    code = argv[argv.index("-c") + 1]
    sys.argv = ["-c", *argv[argv.index("-c") + 2 :]]
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as error:
        end = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        end = 1
    else:
        end = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(end)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
