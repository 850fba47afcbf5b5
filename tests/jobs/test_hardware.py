"""What is read of a machine. NVML's answers are written here; the rest is this machine's own."""

import getpass
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from engine.jobs import devices, hardware
from engine.jobs.devices import Device
from engine.jobs.hardware import MOST_PROCESSES, HardwareReader, occupant, scalars

GB = 10**9
GPU = Device("cuda", "GPU-0aaa", "NVIDIA H200", 0, 141 * GB)


def failing(code: int) -> object:
    def fail(*_: object) -> None:
        raise pynvml.NVMLError(code)

    return fail


def process(pid: int, memory: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=memory)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    answers = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=43, memory=12),
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=141 * GB, used=61 * GB),
        "nvmlDeviceGetPowerUsage": lambda handle: 412_300,
        "nvmlDeviceGetEnforcedPowerLimit": lambda handle: 700_000,
        "nvmlDeviceGetTemperature": lambda handle, sensor: 54,
        "nvmlDeviceGetClockInfo": lambda handle, kind: 1980 if kind == 1 else 3201,
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
            process(10**7, 1 * GB), process(os.getpid(), 58 * GB)],
        "nvmlDeviceGetGraphicsRunningProcesses": lambda handle: [],
    }  # fmt: skip
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    return monkeypatch


def test_cpu_memory_and_disk_are_this_machines(tmp_path: Path) -> None:
    meter = HardwareReader(tmp_path, [])
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass  # something to be seen
    before = time.time()
    sample = meter.read()
    assert 0 < sample.cpu <= 100
    assert 0 < sample.memory_used < sample.memory_total
    assert sample.disk_free
    assert sample.disk_total
    assert sample.disk_free <= sample.disk_total
    assert before <= sample.moment <= time.time()
    assert (sample.gpus, sample.trouble) == ((), "")


def test_a_folder_that_is_gone_has_no_disk(tmp_path: Path) -> None:
    sample = HardwareReader(tmp_path / "gone", []).read()
    assert sample.disk_free is None
    assert "machine/disk_free_bytes" not in scalars(sample)


def test_everything_of_a_gpu_is_read(nvml: pytest.MonkeyPatch, tmp_path: Path) -> None:
    meter = HardwareReader(tmp_path, [GPU])
    (gpu,) = meter.read().gpus
    assert (gpu.utilization, gpu.memory_used, gpu.power, gpu.power_limit) == (
        43,
        61 * GB,
        412.3,
        700,
    )
    assert (gpu.temperature, gpu.clock, gpu.memory_clock) == (54, 1980, 3201)
    mine, gone = gpu.occupants
    assert (mine.pid, mine.owner, mine.memory) == (os.getpid(), getpass.getuser(), 58 * GB)
    assert mine.name.startswith("python")
    assert (gone.owner, gone.name) == ("", ""), "it lives where this user cannot look"
    values = scalars(meter.read())
    assert values["machine/gpu_utilization"] == 43
    assert values["machine/gpu_memory_bytes"] == 61 * GB
    assert values["machine/gpu_power_watts"] == 412.3
    assert values["machine/gpu_temperature"] == 54
    assert values["machine/gpu_clock_mhz"] == 1980
    assert values["machine/gpu_memory_clock_mhz"] == 3201
    meter.close()
    meter.close()


def test_what_a_gpu_does_not_say_is_left_out(nvml: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unsupported = failing(pynvml.NVML_ERROR_NOT_SUPPORTED)
    for name in ("Utilization" + "Rates", "PowerUsage", "ComputeRunningProcesses"):
        nvml.setattr(pynvml, f"nvmlDeviceGet{name}", unsupported)
    sample = HardwareReader(tmp_path, [GPU]).read()
    assert sample.gpus[0].utilization is None
    assert sample.gpus[0].occupants == ()
    assert "machine/gpu_utilization" not in scalars(sample)
    assert scalars(sample)["machine/gpu_temperature"] == 54
    nvml.setattr(pynvml, "nvmlDeviceGetHandleByUUID", failing(pynvml.NVML_ERROR_GPU_IS_LOST))
    assert HardwareReader(tmp_path, [GPU]).read().gpus[0].memory_used is None


def test_a_second_gpu_has_tags_of_its_own(nvml: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = Device("cuda", "GPU-1bbb", "NVIDIA H200", 1, 141 * GB)
    values = scalars(HardwareReader(tmp_path, [GPU, other], occupants=False).read())
    assert {"machine/gpu_utilization", "machine/gpu2_utilization"} <= values.keys()


def test_only_the_largest_processes_are_named(nvml: pytest.MonkeyPatch, tmp_path: Path) -> None:
    many = [process(10**7 + at, at) for at in range(100)]
    nvml.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", lambda handle: many)
    found = HardwareReader(tmp_path, [GPU]).read().gpus[0].occupants
    assert len(found) == MOST_PROCESSES
    assert found[0].memory == 99


def test_a_gpu_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "DRIVER_TRACES", ("/",))
    monkeypatch.setattr(pynvml, "nvmlInit", failing(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    sample = HardwareReader(tmp_path).read()
    assert sample.gpus == ()
    assert "ersion" in sample.trouble
    assert sample.memory_total > 0, "and the rest is read"
    trouble = HardwareReader(tmp_path, [GPU]).read()
    assert trouble.gpus == ()
    assert "ersion" in trouble.trouble


def test_a_process_says_what_an_interpreter_runs() -> None:
    found = occupant(os.getpid(), None)
    assert found.memory is None
    assert hardware.occupant(10**7, 5).name == ""
    assert found.name.split()[0].startswith("python")
