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
    return _beside(_gpus()[0])


def choose(wanted: str) -> Device:
    """The device of a recipe: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.

    `auto` and `cuda` take the GPU with the most free memory. Raises EngineError where the wanted
    one is not there: a CPU is never taken in silence.
    """
    gpus, trouble = _gpus()
    devices = _beside(gpus)
    if trouble and not gpus and wanted.partition(":")[0] in ("auto", "cuda"):
        raise EngineError(
            "There is a GPU here, but it cannot be used.",
            trouble,
            "See what nvidia-smi says; device cpu runs without the GPU.",
        )
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


def _beside(gpus: list[Device]) -> list[Device]:
    """The GPUs, and what else a machine has."""
    found = list(gpus)
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append(Device("mps", "mps", "Apple GPU"))
    return [*found, Device("cpu", "cpu", platform.processor() or platform.machine())]


def _gpus() -> tuple[list[Device], str]:
    """The GPUs left to us, and why one that is there is not among them."""
    # Without a driver there is nothing to ask, and the library need not be loaded.
    if sys.platform == "linux" and not any(Path(trace).exists() for trace in DRIVER_TRACES):
        return [], ""
    import pynvml

    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        return [], ""  # as in a container that was given no GPU
    except pynvml.NVMLError as error:
        return [], str(error)
    try:
        return _allowed(pynvml)
    finally:
        pynvml.nvmlShutdown()


def _allowed(nvml: Any) -> tuple[list[Device], str]:
    """What CUDA_VISIBLE_DEVICES leaves to us: indices, UUIDs or their beginnings, MIG instances."""
    found, trouble = [], ""
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            found.append(_gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(index), index))
    except nvml.NVMLError as error:  # one that fell off its bus; those before it are well
        trouble = str(error)
    setting = os.environ.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return found, trouble
    names = [part.strip() for part in setting.split(",")]
    if all(name in ("", "-1", "NoDevFiles") for name in names):
        return [], ""  # hidden on purpose
    allowed = [gpu for gpu in found if any(_means(name, gpu) for name in names)]
    for name in names:
        if name.startswith("MIG-"):
            try:
                handle = nvml.nvmlDeviceGetHandleByUUID(name)
                allowed.append(_gpu(nvml, handle, len(allowed)))
            except nvml.NVMLError as error:
                trouble = f"{name}: {error}"
    if found and not allowed:
        trouble = trouble or f"CUDA_VISIBLE_DEVICES={setting} names none of {len(found)}."
    return allowed, trouble


def _gpu(nvml: Any, handle: Any, index: int) -> Device:
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        total, used = int(memory.total), int(memory.used)
    except nvml.NVMLError_NotSupported:  # it shares the memory of the machine
        total, used = 0, 0
    uuid, name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
    return Device("cuda", _text(uuid), _text(name), index, total, used)


def _means(name: str, gpu: Device) -> bool:
    return name == str(gpu.index) or (bool(name) and gpu.key.startswith(name))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
