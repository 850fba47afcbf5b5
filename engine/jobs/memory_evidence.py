"""Whether a process that was killed by signal 9 was killed for its memory: what the kernel says.

Anybody may send that signal. The kernel counts whom its OOM killer ended, by control group; where a
process had nearly all memory that it may have, nothing else is likely. Owns no advice.
"""

from dataclasses import dataclass
from pathlib import Path

from engine.jobs import oom_kills
from engine.number_format import write_size

GROUPS = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")
_NEARLY_ALL = 0.9
"""Of the memory that there is: from there on it is the likely cause."""


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """The control group of this process, which its children share."""

    kills: int | None
    """Processes of it that the OOM killer ended so far."""
    limit: int | None
    """Bytes that they may have together."""


class MemoryEvidence:
    """Of one child, from its start on."""

    def __init__(self) -> None:
        self._began = _count_kills()
        self._peak = 0

    def look(self, pid: int) -> None:
        """See how much it has had so far; called several times a second."""
        try:
            lines = (PROCESSES / str(pid) / "status").read_text(encoding="ascii").splitlines()
        except (OSError, ValueError):
            return  # it has ended, or this is no Linux
        peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
        self._peak = max(self._peak, peak * 1024)

    def explain(self) -> str:
        """A sentence that tells why memory is the cause; empty where nothing says so."""
        now = _count_kills()
        if self._began is not None and now is not None and now > self._began:
            return "Its process was killed by signal 9 while the kernel's OOM killer ended one."
        most = _usable()
        if most and self._peak >= _NEARLY_ALL * most:
            return (
                f"Its process was killed by signal 9 and had {write_size(self._peak)} of the "
                f"{write_size(most)} that there are."
            )
        return ""


def read_group() -> MemoryGroup:
    """Of this process, by version 2 of control groups or version 1."""
    try:
        lines = (PROCESSES / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            root, names = GROUPS, ("memory.events", "memory.max")
        elif "memory" in controllers.split(","):
            root, names = GROUPS / "memory", ("memory.oom_control", "memory.limit_in_bytes")
        else:
            continue
        # In a container the path may be that of the machine, and its own group the root.
        for folder in (root / path.lstrip("/"), root):
            kills = _number(folder / names[0], "oom_kill")
            if kills is not None:
                return MemoryGroup(kills, _number(folder / names[1]))
    return MemoryGroup(None, None)


def _count_kills() -> int | None:
    """Of our control group; without one of the machine, as far as it counts."""
    kills = read_group().kills
    return oom_kills.memory_kills() if kills is None else kills


def _usable() -> int | None:
    machine = _number(PROCESSES / "meminfo", "MemTotal:")
    limits = [] if machine is None else [machine * 1024]
    limit = read_group().limit
    return min([*limits, *([] if limit is None else [limit])], default=None)


def _number(path: Path, key: str = "") -> int | None:
    """The number of a file, or the one behind `key` in it; None where there is none."""
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            words = line.split()
            if not key:
                return int(words[0])
            if words[:1] == [key]:
                return int(words[1])
    except (OSError, ValueError, IndexError):
        pass
    return None
