"""How busy this machine is: its GPUs by NVML, the CPU, memory, the disk of a folder.

What cannot be measured is None, and a GPU that cannot be read is reported with the reason. Owns no
history, and no decision on what a run may use: that is `engine.jobs.devices`.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.jobs import devices
from engine.jobs.devices import Device

MOST_PROCESSES = 16


@dataclass(frozen=True, slots=True)
class Occupant:
    """A process that has memory on a GPU."""

    pid: int
    owner: str
    """Who started it; empty where that is not to be seen from here."""
    name: str
    memory: int | None
    """Bytes; None where the driver does not say, as in some containers."""


@dataclass(frozen=True, slots=True)
class Gpu:
    device: Device
    utilization: int | None = None
    """Percent of the last sample period in which some kernel ran."""
    memory_used: int | None = None
    """Bytes, of all processes."""
    power: float | None = None
    """Watts."""
    power_limit: float | None = None
    temperature: int | None = None
    """Degrees Celsius."""
    clock: int | None = None
    """MHz of its multiprocessors."""
    memory_clock: int | None = None
    occupants: tuple[Occupant, ...] = ()
    """The largest first, MOST_PROCESSES at most."""


@dataclass(frozen=True, slots=True)
class HardwareSample:
    moment: float
    """Unix seconds."""
    cpu: float
    """Percent of all cores together since the last sample; 0 at the first."""
    cores: int
    memory_used: int
    memory_total: int
    disk_free: int | None
    """Bytes that this user may write; None where the folder is gone."""
    disk_total: int | None
    gpus: tuple[Gpu, ...] = ()
    trouble: str = ""
    """Why a GPU that seems to be here is not among them; not cleaned."""


class HardwareReader:
    """Reads one machine repeatedly. Keeps NVML open; `close` closes it."""

    def __init__(
        self, folder: Path, gpus: Sequence[Device] | None = None, *, occupants: bool = True
    ) -> None:
        """`gpus` are those to read; None: all visible ones. `folder` names the disk."""
        import psutil

        self.folder = folder
        self._occupants = occupants
        self._trouble = ""
        if gpus is None:
            gpus, self._trouble = devices.gpus()
        self._gpus = [gpu for gpu in gpus if gpu.kind == "cuda"]
        self._nvml: Any = self._open() if self._gpus else None
        psutil.cpu_percent()  # the first call only begins to count

    def read(self) -> HardwareSample:
        """Everything, now. Takes about a millisecond, with a GPU a few."""
        import psutil

        memory = psutil.virtual_memory()
        free, total = self._disk()
        return HardwareSample(
            time.time(),
            psutil.cpu_percent(),
            psutil.cpu_count() or 1,
            memory.total - memory.available,
            memory.total,
            free,
            total,
            tuple(self._gpu(device) for device in self._gpus) if self._nvml else (),
            self._trouble,
        )

    def close(self) -> None:
        if self._nvml is not None:
            nvml, self._nvml = self._nvml, None
            _asked(nvml, nvml.nvmlShutdown)

    def _open(self) -> Any:
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            self._trouble = str(error)
            return None
        return pynvml

    def _disk(self) -> tuple[int | None, int | None]:
        try:
            usage = shutil.disk_usage(self.folder)
        except OSError:
            return None, None
        return usage.free, usage.total

    def _gpu(self, device: Device) -> Gpu:
        nvml = self._nvml
        handle = _asked(nvml, nvml.nvmlDeviceGetHandleByUUID, device.key)
        if handle is None:
            return Gpu(device)
        rates = _asked(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
        memory = _asked(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
        power = _asked(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
        limit = _asked(nvml, nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
        return Gpu(
            device,
            None if rates is None else int(rates.gpu),
            None if memory is None else int(memory.used),
            None if power is None else power / 1000,
            None if limit is None else limit / 1000,
            _asked(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            _asked(nvml, nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
            _asked(nvml, nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM),
            self._occupants_of(handle) if self._occupants else (),
        )

    def _occupants_of(self, handle: Any) -> tuple[Occupant, ...]:
        nvml = self._nvml
        memory_by_pid: dict[int, int | None] = {}
        for ask in (
            nvml.nvmlDeviceGetComputeRunningProcesses,
            nvml.nvmlDeviceGetGraphicsRunningProcesses,
        ):
            for one in _asked(nvml, ask, handle) or ():
                memory_by_pid[one.pid] = one.usedGpuMemory
        largest = sorted(memory_by_pid.items(), key=lambda one: -(one[1] or 0))
        return tuple(occupant(pid, memory) for pid, memory in largest[:MOST_PROCESSES])


def occupant(pid: int, memory: int | None) -> Occupant:
    """A process by its number, with what this user may see of it."""
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Occupant(pid, process.username(), _name(process), memory)
    except (psutil.Error, OSError):
        return Occupant(pid, "", "", memory)


def scalars(sample: HardwareSample) -> dict[str, float]:
    """A sample as the scalars that a run logs beside its own; what is unknown is left out."""
    values: dict[str, float | None] = {
        "machine/cpu_percent": sample.cpu,
        "machine/memory_bytes": sample.memory_used,
        "machine/disk_free_bytes": sample.disk_free,
    }
    for at, gpu in enumerate(sample.gpus):
        name = f"machine/gpu{at + 1 if at else ''}_"
        values |= {
            f"{name}utilization": gpu.utilization,
            f"{name}memory_bytes": gpu.memory_used,
            f"{name}power_watts": gpu.power,
            f"{name}temperature": gpu.temperature,
            f"{name}clock_mhz": gpu.clock,
            f"{name}memory_clock_mhz": gpu.memory_clock,
        }
    return {tag: float(value) for tag, value in values.items() if value is not None}


def _name(process: Any) -> str:
    """What it is called; of an interpreter, what it runs."""
    command = process.cmdline()
    words = [os.path.basename(word) for word in command[1:] if word and word[0] != "-"]
    name: str = process.name()
    return f"{name} {words[0]}" if name.startswith("python") and words else name


def _asked(nvml: Any, ask: Callable[..., Any], *arguments: Any) -> Any:
    """What NVML answers; None where this GPU, or its driver, does not say."""
    try:
        return ask(*arguments)
    except nvml.NVMLError:
        return None
