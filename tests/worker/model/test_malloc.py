"""Large blocks go back at once where the model is large, and only there."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from engine.estimates.memory import LARGE_MODEL
from tests import patience
from tests.checkpoints.made import make_model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc alone is set")

PIN = """
import sys
from pathlib import Path
import torch
from engine.worker.model import malloc
from tests.benchmarks.peak import resident

print(malloc.give_back_large_blocks(Path(sys.argv[1])))
# What raises glibc's own bound: a large block that is freed.
del_me = torch.zeros(6 << 20)
del del_me
before, small = resident("VmRSS"), []
for number in range(40):
    large = torch.ones(1 << 20)
    small.append(torch.ones(64))
    kept = torch.ones(1 << 19) if number % 4 else None
    small.append(kept)
    del large
del small[:], kept
print((resident("VmRSS") - before) >> 20)
"""


def of_size(folder: Path, parameters: int) -> Path:
    """A checkpoint whose header names so many parameters; its file is a hole on the disk."""
    table = {"w": {"dtype": "F16", "shape": [parameters], "data_offsets": [0, 2 * parameters]}}
    head = json.dumps(table).encode()
    made = make_model(folder, weights=struct.pack("<Q", len(head)) + head)
    with (made / "model.safetensors").open("r+b") as file:
        file.truncate(8 + len(head) + 2 * parameters)
    return made


def run(base: Path) -> tuple[bool, int]:
    """Whether the bound was fixed, and MiB that were not given back."""
    done = subprocess.run(
        [sys.executable, "-c", PIN, str(base)], capture_output=True, text=True, check=True,
        timeout=patience.PROCESS_SECONDS, cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    fixed, left = done.stdout.split()
    return fixed == "True", int(left)


def test_a_small_model_is_left_alone(tmp_path: Path) -> None:
    assert run(of_size(tmp_path, LARGE_MODEL - 1))[0] is False


def test_nothing_large_stays_with_a_large_model(tmp_path: Path) -> None:
    fixed, left = run(of_size(tmp_path, LARGE_MODEL))
    assert fixed
    assert left < 8
