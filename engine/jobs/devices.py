"""The devices of this machine, found without torch: GPUs by NVML, Apple's by platform, the CPU.

Says what there is and how busy it is. Whether torch can use it is for the worker to find out.
"""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError

DRIVER_TRACES = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
"""Where Linux shows that a GPU's driver is there; the last is Windows' subsystem for Linux."""


@dataclass(frozen=True, slots=True)
class Device:
    kind: str
    """`cuda`, `mps` or `cpu`."""
    key: str
    """What its queue and lock are named by: a GPU's UUID, else its kind."""
    name: str
    index: int = 0
    memory_total: int = 0
    """Bytes; 0 where it is not known."""
    memory_used: int = 0
    """Bytes in use by all processes."""


def find() -> list[Device]:
    """Every device, the best to train on first; the CPU is always last."""
    found = _gpus()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append(Device("mps", "mps", "Apple GPU"))
    found.append(Device("cpu", "cpu", platform.processor() or platform.machine()))
    return found


def choose(wanted: str) -> Device:
    """The device of a recipe: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.

    `auto` and `cuda` take the GPU with the most free memory. Raises EngineError where the wanted
    one is not there: a CPU is never taken in silence.
    """
    devices = find()
    gpus = [device for device in devices if device.kind == "cuda"]
    if wanted == "auto":
        return _freest(gpus) if gpus else devices[0]
    if wanted == "cuda" and gpus:
        return _freest(gpus)
    for device in devices:
        if wanted in (device.kind, f"{device.kind}:{device.index}"):
            return device
    raise EngineError(
        f"There is no device {wanted} here.",
        f"Found: {', '.join(label(device) for device in devices)}.",
        "Set device to auto, cpu, mps, cuda or cuda:N.",
    )


def label(device: Device) -> str:
    """A device as recipes and screens name it."""
    return f"cuda:{device.index}" if device.kind == "cuda" else device.kind


def _freest(gpus: list[Device]) -> Device:
    return max(gpus, key=lambda gpu: gpu.memory_total - gpu.memory_used)


def _gpus() -> list[Device]:
    # Without a driver there is nothing to ask, and the library need not be loaded.
    if sys.platform == "linux" and not any(Path(trace).exists() for trace in DRIVER_TRACES):
        return []
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        found = [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()
    return [gpu for gpu in found if _visible(gpu)]


def _gpu(nvml: Any, index: int) -> Device:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return Device(
        "cuda",
        _text(nvml.nvmlDeviceGetUUID(handle)),
        _text(nvml.nvmlDeviceGetName(handle)),
        index,
        int(memory.total),
        int(memory.used),
    )


def _visible(gpu: Device) -> bool:
    """Whether CUDA_VISIBLE_DEVICES leaves this GPU to us."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return True
    names = [part.strip() for part in allowed.split(",") if part.strip()]
    return any(part == str(gpu.index) or gpu.key.startswith(part) for part in names)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
