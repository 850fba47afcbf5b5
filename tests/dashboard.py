"""`finetop` for tests that take longer than a heartbeat: runs of another host stay alive.

Run as a script, by `python -P`, in a process of its own.
"""

import sys

from engine.jobs import status
from tui import cli

DAY = 86_400

if __name__ == "__main__":
    status.STALE_SECONDS = DAY
    sys.exit(cli.main(sys.argv[1:]))
