"""The environment of a worker: offline, quiet, fair. Standard library only, so it can come first.

The libraries read these variables when they are imported, not later; and they look then for what
they could work with.
"""

import contextlib
import os
import sys
import warnings
from pathlib import Path

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_EVALUATE_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
# Torch's threads spin while they wait for each other: as libgomp has it, two workers on the same
# cores are three times slower for it. Without any spinning one worker alone is twice slower, since
# its threads sleep between any two small operations; so many turns (about 20 µs) cost neither much.
_FAIR = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000"}


_COMPILED = "TORCHINDUCTOR_CACHE_DIR"
"""Else torch makes a folder in the temporary folder, whether anything is compiled or not."""


def set_environment(*, network: bool = False) -> None:
    """Shut the network for this process and its children, unless FINETOP_ALLOW_NETWORK=1.

    `network` opens it, for `finetop get` alone: whoever types that asks for it. What the user has
    set himself stays, but for the telemetry, which is off in every case.
    """
    for name, value in (_QUIET | _FAIR).items():
        os.environ.setdefault(name, value)
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if _COMPILED not in os.environ:
        # Without a home that can be written to, torch's own folder does.
        with contextlib.suppress(OSError, RuntimeError):
            folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "finetop"
            (folder / "torchinductor").mkdir(parents=True, exist_ok=True)
            os.environ[_COMPILED] = str(folder / "torchinductor")
    # What a library will change one day is for us to read, not for the reader of a run's log.
    warnings.filterwarnings("ignore", category=FutureWarning)
    # Said by PEFT at each checkpoint: it looks for the base by a name that no hub knows.
    warnings.filterwarnings("ignore", message="Could not find a config file in")
    # PEFT would import it for every model: a second, a fetch (see `quantize`), and the end of a
    # run that does not want it where its libraries are broken. `quantize` lifts this.
    sys.modules.setdefault("bitsandbytes", None)  # type: ignore[arg-type]
    if network:
        for name in _OFFLINE:
            os.environ.pop(name, None)
    elif os.environ.get("FINETOP_ALLOW_NETWORK") != "1":
        os.environ.update(_OFFLINE)
