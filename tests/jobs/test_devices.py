"""Which device a recipe gets: a GPU that is there is used or complained of, never passed over.

NVML's answers are written here: no machine has all of these troubles.
"""

from types import SimpleNamespace

import pynvml
import pytest

from engine.errors import EngineError
from engine.jobs import devices

GB = 10**9


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Two GPUs, the second with more memory free."""
    answers = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: f"GPU-{index}aaa",
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetUUID": lambda handle: handle,
        "nvmlDeviceGetName": lambda handle: "a GPU",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(
            total=80 * GB, used=(70 if handle == "GPU-0aaa" else 1) * GB
        ),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    monkeypatch.setattr(devices, "DRIVER_TRACES", ("/",))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def failing(code: int) -> object:
    def fail(*_: object) -> None:
        raise pynvml.NVMLError(code)

    return fail


def keys(wanted: str) -> list[tuple[str, ...]]:
    return [tuple(device.key for device in option) for option in devices.options(wanted)]


def test_any_gpu_will_do_the_one_with_most_free_memory_first(nvml: pytest.MonkeyPatch) -> None:
    assert keys("auto") == keys("cuda") == [("GPU-1aaa",), ("GPU-0aaa",)]
    assert keys("cuda:0") == [("GPU-0aaa",)]
    assert keys("cpu") == [("cpu",)]


def test_several_gpus_are_one_choice(nvml: pytest.MonkeyPatch) -> None:
    assert keys("cuda:1,cuda:0") == keys("cuda:1, cuda:0") == [("GPU-1aaa", "GPU-0aaa")]
    assert devices.labels(devices.options("cuda:1,cuda:0")[0]) == "cuda:1,cuda:0"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("cuda:0,cpu", "Only GPUs"), ("cuda:0,cuda:0", "listed twice"), ("cuda:0,cuda:7", "cuda:7"),
     ("gpu", "Device 'gpu' not found"), ("", "not found"), ("cuda:", "not found")],
)  # fmt: skip
def test_what_is_no_device_is_refused_with_what_there_is(
    nvml: pytest.MonkeyPatch, wanted: str, words: str
) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        devices.options(wanted)
    assert "cuda:0,cuda:1" in caught.value.hint


@pytest.mark.parametrize(
    ("setting", "key"),
    [("0", "GPU-0aaa"), ("GPU-0", "GPU-0aaa"), ("1,0", "GPU-1aaa"), ("MIG-x", "MIG-x"),
     ("", "cpu"), ("-1", "cpu"), ("NoDevFiles", "cpu")],
)  # fmt: skip
def test_what_the_user_leaves_visible_is_taken(
    nvml: pytest.MonkeyPatch, setting: str, key: str
) -> None:
    nvml.setenv("CUDA_VISIBLE_DEVICES", setting)
    assert keys("auto")[0] == (key,)


def test_a_gpu_that_does_not_tell_its_memory_is_taken(nvml: pytest.MonkeyPatch) -> None:
    nvml.setattr(pynvml, "nvmlDeviceGetMemoryInfo", failing(pynvml.NVML_ERROR_NOT_SUPPORTED))
    assert keys("auto")[0][0].startswith("GPU")


@pytest.mark.parametrize("wanted", ["auto", "cuda", "cuda:0"])
def test_a_driver_that_does_not_answer_is_no_silent_run_on_the_cpu(
    nvml: pytest.MonkeyPatch, wanted: str
) -> None:
    nvml.setattr(pynvml, "nvmlInit", failing(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    with pytest.raises(EngineError, match="cannot be used"):
        devices.options(wanted)
    assert keys("cpu") == [("cpu",)]


def test_a_wrong_name_in_the_environment_is_no_silent_run_on_the_cpu(
    nvml: pytest.MonkeyPatch,
) -> None:
    nvml.setenv("CUDA_VISIBLE_DEVICES", "7")
    with pytest.raises(EngineError) as caught:
        devices.options("auto")
    assert "CUDA_VISIBLE_DEVICES=7" in caught.value.detail


def test_a_container_without_a_gpu_runs_on_the_cpu(nvml: pytest.MonkeyPatch) -> None:
    nvml.setattr(pynvml, "nvmlInit", failing(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    assert keys("auto") == [("cpu",)]
