"""Put on PYTHONPATH: every Python process notes each try to reach a network, and is refused."""

import json
import os
import sys

_LOG = os.environ["FINETOP_TEST_CONNECTS"]
_NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" or event == "socket.sendto":
        address = arguments[1]
        if not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1"):
            return  # a socket of this machine
    elif event in _NAMES:
        address = arguments[0]
        if address in (None, "", "localhost", "127.0.0.1", "::1"):
            return
    else:
        return
    line = json.dumps({"event": event, "address": repr(address), "argv": sys.orig_argv})
    descriptor = os.open(_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode() + b"\n")
    os.close(descriptor)
    raise OSError(101, "Network is unreachable (a test)")


sys.addaudithook(_watch)
