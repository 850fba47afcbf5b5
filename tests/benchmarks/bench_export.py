"""What a merged export takes of memory, in times of the weights that it writes: 60 M parameters.

    python -m tests.benchmarks.bench_export

Each case is written by a process of its own, once an export of a tiny model has imported all that
one needs: the growth of its resident memory at its peak, with the pages of mapped files.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.results import Outcome, Row, printed

MOST = 2.2
HOME = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Case:
    adapter: str
    """A key of `ADAPTERS` in `merging_peak`."""
    stored: str = "float32"
    dtype: str = ""
    """Of the weights written; empty: as they are stored."""
    tied: bool = False
    shard_mb: int = 5000

    @property
    def name(self) -> str:
        types = f"{self.stored} to {self.dtype or self.stored}"
        shards = f", shards of {self.shard_mb} MB" if self.shard_mb < 5000 else ""
        return f"{self.adapter}, {'tied' if self.tied else 'own'} head, {types}{shards}"


CASES = (
    Case("none"),
    Case("linear"),
    Case("linear", dtype="bfloat16", tied=True),
    Case("linear", "bfloat16"),
    Case("linear", "bfloat16", "float32"),
    Case("dora", dtype="bfloat16", tied=True),
    Case("tokens", dtype="bfloat16", tied=True),
    Case("saved"),
    Case("saved", dtype="bfloat16"),
    Case("saved", dtype="bfloat16", tied=True),
    Case("saved", "bfloat16"),
    Case("saved", "bfloat16", "float32"),
    Case("ends"),
    Case("ends", dtype="bfloat16"),
    Case("ends", dtype="bfloat16", tied=True),
    Case("ends", "bfloat16"),
    Case("ends", dtype="bfloat16", shard_mb=30),
    Case("linear", "bfloat16", shard_mb=30),
)
BRIEF = (Case("saved", dtype="bfloat16"),)


def bench(cases: tuple[Case, ...] = CASES) -> Outcome:
    """Each case's ratio. Raises AssertionError where a process fails."""
    rows = []
    for case in cases:
        taken, written = measure(case)
        rows.append(Row(case.name, f"{taken / written:.2f} times", f"at most {MOST} times"))
        print(f"{taken / written:.2f}  {taken >> 20} of {written >> 20} MiB  {case.name}")
    return Outcome(rows, {"threads": 1})


def measure(case: Case) -> tuple[int, int]:
    """Bytes by which memory grew, and bytes of the weights written."""
    with tempfile.TemporaryDirectory() as name:
        found = []
        for step in ("make", "merge"):
            command = [sys.executable, "-P", "-c", _START.format(home=str(HOME)), step, name]
            command += [case.adapter, case.stored, case.dtype, str(case.tied), str(case.shard_mb)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{case.name}: {done.stderr[-2000:]}"
            found.append(done.stdout)
        taken, written = json.loads(found[1].splitlines()[-1])
        return int(taken), int(written)


_START = (
    "import runpy, sys; sys.path.insert(0, {home!r}); "
    "runpy.run_module('tests.benchmarks.merging_peak', run_name='__main__')"
)

if __name__ == "__main__":
    print(printed(bench().rows))
