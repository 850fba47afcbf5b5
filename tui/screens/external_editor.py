"""A text in the user's own editor, which has the terminal meanwhile.

Blocks: nothing is drawn, and no key taken, until the editor ends. Owns a folder for one text, which
is gone afterwards.
"""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from engine.errors import EngineError
from engine.safe_open import read_file

_MOST_BYTES = 1 << 20


def edit_outside(app: App[Any], text: str, name: str) -> str:
    """The text as $VISUAL or $EDITOR left it; `name` of its file, by which editors know its format.

    Raises EngineError where there is no editor, where it fails, or where what it left is no text.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    if not command.strip():
        raise EngineError(
            "No editor is set.", hint="Set VISUAL or EDITOR before starting finetop; e edits here."
        )
    try:
        words = shlex.split(command)
        with tempfile.TemporaryDirectory(prefix="finetop-") as folder:
            path = Path(folder, name)
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            with app.suspend():
                ended = subprocess.run([*words, str(path)], check=False)
            if ended.returncode:
                raise EngineError(
                    "The editor failed.", f"{command}: exit code {ended.returncode}",
                    "The text stays as it was.",
                )  # fmt: skip
            return read_file(path, _MOST_BYTES).decode("utf-8")
    except SuspendNotSupported as error:
        raise EngineError(
            "This terminal cannot be handed to an editor.", hint="e edits here."
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise EngineError(
            "The text could not be edited.", f"{command}: {reason}", "Correct VISUAL or EDITOR."
        ) from error
