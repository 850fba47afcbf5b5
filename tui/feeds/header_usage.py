"""How busy this machine is, for the line at the top: a GPU by NVML, else the CPU."""

import socket
from dataclasses import replace

from engine.jobs import devices
from engine.text import one_line
from tui.snapshots import Machine


def measure(*, live: bool) -> Machine:
    """The best device here. `busy` is measured only where `live`: numbers that never rest would
    be written to an idle terminal without end."""
    import psutil

    host = one_line(socket.gethostname().partition(".")[0])
    all_devices = devices.find()
    device = all_devices[0]
    if device.kind == "cuda":
        busy = _gpu_busy(device.key) if live else None
        name = one_line(device.name.replace("NVIDIA ", ""))
        gpus = tuple(replace(gpu, memory_used=0) for gpu in all_devices if gpu.kind == "cuda")
        used = device.memory_used if live else 0
        return Machine(host, name, busy, used, device.memory_total, gpus)
    memory = psutil.virtual_memory()
    busy = round(psutil.cpu_percent()) if live else None
    name = f"{psutil.cpu_count()} CPUs" if device.kind == "cpu" else device.name
    return Machine(host, name, busy, memory.total - memory.available if live else 0, memory.total)


def _gpu_busy(uuid: str) -> int | None:
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            return int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return None
