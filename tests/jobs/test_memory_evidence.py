"""Whether memory is named as the cause of a signal 9: by what the kernel says."""

from pathlib import Path

import pytest

from engine.jobs import memory_evidence, oom_kills
from engine.jobs.memory_evidence import MemoryEvidence, MemoryGroup, read_group

GB = 1 << 30


class Kernel:
    """Its files, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("proc/meminfo", f"MemFree: 1 kB\nMemTotal: {16 * GB // 1024} kB\n")

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def group(self, kills: int, limit: str = "max", path: str = "/job") -> None:
        self.write("proc/self/cgroup", f"0::{path}\n")
        self.write("groups/job/memory.events", f"low 0\noom 9\noom_kill {kills}\n")
        self.write("groups/job/memory.max", f"{limit}\n")

    def peak(self, size: int) -> None:
        self.write("proc/7/status", f"Name:\tpython\nVmHWM:\t {size // 1024} kB\nVmRSS:\t 1 kB\n")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(memory_evidence, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(memory_evidence, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(oom_kills, "COUNTS", tmp_path / "proc" / "vmstat")
    return Kernel(tmp_path)


def test_a_kill_that_the_group_counted(kernel: Kernel) -> None:
    kernel.group(3)
    evidence = MemoryEvidence()
    assert evidence.explain() == ""
    kernel.group(4)
    assert "OOM killer" in evidence.explain()


def test_kills_of_other_groups_are_not_ours(kernel: Kernel) -> None:
    kernel.group(3)
    kernel.write("proc/vmstat", "oom_kill 5\n")
    evidence = MemoryEvidence()
    kernel.write("proc/vmstat", "oom_kill 6\n")
    assert evidence.explain() == ""


def test_without_groups_the_machine_counts(kernel: Kernel) -> None:
    kernel.write("proc/vmstat", "oom_kill 5\n")
    evidence = MemoryEvidence()
    kernel.write("proc/vmstat", "oom_kill 6\n")
    assert "OOM killer" in evidence.explain()


@pytest.mark.parametrize(
    ("limit", "peak", "words"),
    [("max", 15 * GB, "16.1 GB of the 17.2 GB"), ("max", 10 * GB, ""),
     (str(8 * GB), 8 * GB - 4096, "8.59 GB of the 8.59 GB"), (str(8 * GB), 6 * GB, "")],
)  # fmt: skip
def test_a_peak_that_nearly_reached_the_limit(
    kernel: Kernel, limit: str, peak: int, words: str
) -> None:
    kernel.group(0, limit)
    evidence = MemoryEvidence()
    kernel.peak(peak)
    evidence.look(7)
    kernel.peak(GB)  # of what is seen last nothing follows
    evidence.look(7)
    evidence.look(8)  # who is gone
    assert words in evidence.explain()
    assert bool(evidence.explain()) == bool(words)


def test_the_first_version_of_control_groups(kernel: Kernel) -> None:
    """Its path may be that of the machine, which a container does not see."""
    kernel.write("proc/self/cgroup", "9:name=systemd:/x\n4:cpu,memory:/far/away\n0::/\n")
    kernel.write("groups/memory/memory.oom_control", "oom_kill_disable 0\noom_kill 2\n")
    kernel.write("groups/memory/memory.limit_in_bytes", "4096\n")
    assert read_group() == MemoryGroup(2, 4096)


def test_where_nothing_is_known_nothing_is_said(kernel: Kernel) -> None:
    (kernel.folder / "proc" / "meminfo").unlink()
    evidence = MemoryEvidence()
    evidence.look(7)
    assert evidence.explain() == ""
    assert read_group() == MemoryGroup(None, None)
