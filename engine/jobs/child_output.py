"""What a child process prints, for the message about its end: a file that has no name.

Such a file is gone with the last process that holds it open, whatever ends them, so the temporary
folder stays as it was. Gives its end, cleaned; the output of a job's worker is in the job's log.
"""

import os
import tempfile

from engine.text import clean

_KEPT = 32_768
"""Bytes that are read of its end."""


class ChildOutput:
    """Takes the output of one process: `stderr=output.fileno()`."""

    def __init__(self) -> None:
        """Raises OSError where no temporary folder can be written to."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (`close` closes it)

    def fileno(self) -> int:
        """The descriptor to write to."""
        return self._file.fileno()

    def tail(self, lines: int = 8) -> str:
        """The last lines, safe to show; empty where nothing was printed."""
        descriptor = self.fileno()
        # By place: the child writes where the position that both share stands.
        start = max(0, os.fstat(descriptor).st_size - _KEPT)
        text = os.pread(descriptor, _KEPT, start).decode("utf-8", "replace")
        return "\n".join(clean(text).strip().splitlines()[-lines:])

    def close(self) -> None:
        """Let go of it; a process that still writes to it keeps it for itself."""
        self._file.close()
