"""The devices of this machine, found without torch: GPUs by NVML, Apple's by platform, the CPU.

Lists the devices, their load, and which of them a recipe may use. Whether torch can use them is
checked by the worker.
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
_HINT = "Use auto, cpu, mps, cuda, cuda:N, or several, e.g. cuda:0,cuda:1."


@dataclass(frozen=True, slots=True)
class Device:
    kind: str
    """`cuda`, `mps` or `cpu`."""
    key: str
    """What its lock is named by: a GPU's UUID, else its kind."""
    name: str
    index: int = 0
    memory_total: int = 0
    """Bytes; 0 where it is not known."""
    memory_used: int = 0
    """Bytes in use by all processes, whoever owns them."""

    @property
    def memory_free(self) -> int:
        """Bytes; 0 where it is not known."""
        return self.memory_total - self.memory_used


Option = tuple[Device, ...]
"""Devices that one run takes together."""


def find() -> list[Device]:
    """Every device, the best to train on first; the CPU is always last."""
    return _beside(_gpus()[0])


def gpus() -> tuple[list[Device], str]:
    """The visible GPUs, and why a GPU that seems to exist is not among them."""
    return _gpus()


def options(wanted: str) -> list[Option]:
    """What a recipe's device may mean here and now, best first; each entry is one whole choice.

    `auto` and `cuda` may be any GPU, the one with the most free memory first; `cuda:0,cuda:1` is
    both together. Raises EngineError where the wanted one is not there: a CPU is never chosen
    silently.
    """
    gpus, trouble = _gpus()
    devices = _beside(gpus)
    names = [part.strip() for part in wanted.split(",")]
    if trouble and not gpus and names[0].partition(":")[0] in ("auto", "cuda"):
        raise EngineError(
            "The GPU cannot be used.",
            trouble,
            "Check nvidia-smi, or use device cpu.",
        )
    if wanted in ("auto", "cuda") and gpus:
        return [(gpu,) for gpu in sorted(gpus, key=lambda gpu: -gpu.memory_free)]
    if wanted == "auto":
        return [(devices[0],)]
    chosen = tuple(_named(name, devices) for name in names)
    if len(chosen) > 1 and any(device.kind != "cuda" for device in chosen):
        raise EngineError("Only GPUs can be combined.", f"device: {wanted}", _HINT)
    if len({device.key for device in chosen}) < len(chosen):
        raise EngineError("A device is listed twice.", f"device: {wanted}", _HINT)
    return [chosen]


def label(device: Device) -> str:
    """A device as recipes and screens name it."""
    return f"cuda:{device.index}" if device.kind == "cuda" else device.kind


def labels(devices: Option) -> str:
    """Several devices as a recipe names them."""
    return ",".join(label(device) for device in devices)


def _named(name: str, devices: list[Device]) -> Device:
    for device in devices:
        if name in (device.kind, f"{device.kind}:{device.index}"):
            return device
    names = ", ".join(label(device) for device in devices)
    raise EngineError(f"Device {name!r} not found.", f"Devices: {names}.", _HINT)


def _beside(gpus: list[Device]) -> list[Device]:
    """The GPUs, and what else a machine has."""
    choices = list(gpus)
    if sys.platform == "darwin" and platform.machine() == "arm64":
        choices.append(Device("mps", "mps", "Apple GPU"))
    return [*choices, Device("cpu", "cpu", platform.processor() or platform.machine())]


def _gpus() -> tuple[list[Device], str]:
    """The visible GPUs, and why an existing one is not among them."""
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
    """The GPUs that CUDA_VISIBLE_DEVICES makes visible: indices, UUIDs or their beginnings, MIG
    instances."""
    found, trouble = [], ""
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            found.append(_gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(index), index))
    except nvml.NVMLError as error:  # a failed GPU; those before it work
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
        trouble = trouble or f"CUDA_VISIBLE_DEVICES={setting} matches none of {len(found)} GPUs."
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
