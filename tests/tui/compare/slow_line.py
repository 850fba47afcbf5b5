"""A companion's line whose model takes long for every step, and hears nothing meanwhile.

Run as a process in place of the worker: `python slow_line.py SECONDS`. It speaks the protocol of
`engine.worker.companion.server`, as far as Compare asks for it, from one thread.
"""

import itertools
import json
import sys
import time
from typing import Any

STEP = float(sys.argv[1])
SECONDS_WITHOUT_END = 600


def send(identity: int, event: str, **fields: Any) -> None:
    print(json.dumps({"id": identity, "event": event, **fields}), flush=True)


def main() -> None:
    answering: list[int] = []
    for line in sys.stdin:
        request = json.loads(line)
        if request["type"] == "generate":
            answering.append(request["id"])
            send(request["id"], "begin", prompt_tokens=3, notes=[], adapter=None)
        elif request["type"] == "facts":
            send(request["id"], "error", error={"title": "none", "detail": "", "hint": ""})
        else:
            send(request["id"], "done")
        if len(answering) == 2:
            break
    for step in itertools.count():
        for identity in answering:
            send(identity, "text", text=f"word-{step} " * 20)
        time.sleep(STEP)
        if step * STEP > SECONDS_WITHOUT_END:
            return


if __name__ == "__main__":
    main()
