"""Stands for a Python: has the server fork a process for its command, and ends as that one does."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time

PYTHON = ""
SERVER = ""
FOLDER = ""
OWNER = ""
SECONDS = ""


def connect() -> socket.socket:
    """A connection to the server; the first to come starts it."""
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        address = os.path.join(FOLDER, "socket")
        line = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + float(SECONDS)
        started = None
        while True:
            try:
                line.connect(address)
            except OSError:
                if started is None:
                    with open(os.path.join(FOLDER, "log"), "ab") as log:
                        started = subprocess.Popen(
                            [PYTHON, SERVER, address, OWNER],
                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                            start_new_session=True, cwd=FOLDER,
                        )  # fmt: skip
                if started.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the server of warm workers did not start: see {FOLDER}/log")
                time.sleep(0.02)
            else:
                return line


def main() -> int:
    line = connect()
    if not sys.argv[1:]:
        return 0
    wanted = {
        "argv": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd(),
        "leads": os.getsid(0) == os.getpid(),
    }  # fmt: skip
    text = json.dumps(wanted).encode()
    socket.send_fds(line, [len(text).to_bytes(4, "big")], [0, 1, 2])
    line.sendall(text)
    said = line.makefile("r")
    pid = int(said.readline())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: os.kill(pid, number))
    return int(said.readline() or 1)


if __name__ == "__main__":
    sys.exit(main())
