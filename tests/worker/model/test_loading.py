"""Loading: the right device and format, and a plain word for everything that does not fit."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoints.adapter_config import explain_unsupported
from engine.checkpoints.adapter_rows import shares_base
from engine.errors import EngineError
from engine.worker.environment import set_environment
from engine.worker.model import loading
from engine.worker.model.saving import make_portable
from tests.worker.tiny import save_adapter, save_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture
def broken(base: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(base, tmp_path / "broken"))


def change(path: Path, **settings: Any) -> None:
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | settings))


def test_weights_come_in_the_format_that_was_asked_for(broken: Path) -> None:
    model = loading.load_base(broken, CPU, torch.bfloat16)
    model.save_pretrained(broken)
    assert json.loads((broken / "config.json").read_text())["dtype"] == "bfloat16"
    model = loading.load_base(broken, CPU, torch.float32)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert not model.training


def test_a_folder_that_is_gone_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="folder of the checkpoint is gone"):
        loading.load_base(tmp_path / "gone", CPU, torch.float32)


@pytest.mark.parametrize("content", ["[]", '{"pad_token_id": "x"}'])
def test_a_generation_config_that_transformers_cannot_take(broken: Path, content: str) -> None:
    (broken / "generation_config.json").write_text(content)
    with pytest.raises(EngineError, match="cannot be loaded"):
        loading.load_base(broken, CPU, torch.float32)


def page(path: Path) -> None:
    (path / "model.safetensors").write_text("<!DOCTYPE html><title>404</title>")


def truncated(path: Path) -> None:
    whole = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def pickled(path: Path) -> None:
    (path / "model.safetensors").unlink()
    torch.save({}, path / "pytorch_model.bin")


def absent(path: Path) -> None:
    (path / "model.safetensors").unlink()


def deeper(path: Path) -> None:
    change(path / "config.json", num_hidden_layers=3)


def wider(path: Path) -> None:
    change(path / "config.json", hidden_size=64)


def own_code(path: Path) -> None:
    code = {"AutoModelForCausalLM": "modeling_x.X", "AutoConfig": "modeling_x.C"}
    change(path / "config.json", model_type="x", auto_map=code)
    (path / "modeling_x.py").write_text("raise SystemExit('ran code from a checkpoint')")


@pytest.mark.parametrize(
    "breaking",
    [page, truncated, pickled, absent, deeper, wider, own_code],
    ids=lambda one: one.__name__,
)
def test_a_checkpoint_that_cannot_be_loaded_is_an_error_in_words(
    breaking: Callable[[Path], None], broken: Path
) -> None:
    breaking(broken)
    with pytest.raises(EngineError) as caught:
        loading.load_base(broken, CPU, torch.float32)
    assert str(broken) in caught.value.detail


def test_a_folder_without_a_tokenizer_is_an_error_in_words(broken: Path) -> None:
    for file in broken.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(EngineError, match="tokenizer cannot be read"):
        loading.load_tokenizer(broken)


@pytest.mark.parametrize(
    ("settings", "adapter"),
    [
        ({"hidden_size": 64, "head_dim": 8}, {}),
        ({"num_hidden_layers": 3}, {}),
        ({"num_hidden_layers": 1}, {}),
        ({"vocab_size": 310}, {"modules_to_save": ["lm_head"]}),
        ({}, {"target_modules": ["gate_proj"], "base": "gpt2"}),
    ],
    ids=["wider", "deeper", "shallower", "vocabulary", "another architecture"],
)
def test_an_adapter_of_another_base_is_refused(
    settings: dict[str, Any], adapter: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config

    small = GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    config: Any = small if adapter.pop("base", "") else AutoConfig.from_pretrained(base)
    for name, value in settings.items():
        setattr(config, name, value)
    make: Any = AutoModelForCausalLM.from_config
    other = make(config)
    trained = save_adapter(tmp_path / "adapter", base, **adapter)
    with pytest.raises(EngineError, match="does not match this base"):
        loading.attach_adapter(other, trained)


def test_an_adapter_fits_its_own_base_and_pickles_are_refused(base: Path, tmp_path: Path) -> None:
    trained = save_adapter(tmp_path / "adapter", base)
    model = loading.attach_adapter(loading.load_base(base, CPU, torch.float32), trained, "one")
    again = loading.attach_adapter(model, trained, "two")
    assert again is model
    assert set(model.peft_config) == {"one", "two"}
    torch.save({}, trained / "adapter_model.bin")
    (trained / "adapter_model.safetensors").unlink()
    with pytest.raises(EngineError, match="adapter cannot be read"):
        loading.attach_adapter(model, trained, "three")


@pytest.mark.parametrize(
    ("settings", "shared"),
    [
        ({}, True),
        ({"use_dora": True}, True),
        ({"init_lora_weights": "gaussian"}, True),
        ({"init_lora_weights": "eva"}, True),
        ({"init_lora_weights": "orthogonal"}, True),
        ({"bias": "lora_only"}, False),
        ({"modules_to_save": ["lm_head"]}, False),
        ({"trainable_token_indices": [1, 2]}, False),
        ({"init_lora_weights": "pissa"}, False),
        ({"init_lora_weights": "olora"}, False),
        ({"kasa_config": {}, "use_dora": False}, True),
        ({"kasa_config": {"beta": 0.0001}}, False),
        ({"peft_type": "IA3"}, False),
    ],
)
def test_only_what_adds_shares_its_base(
    settings: dict[str, Any], shared: bool, base: Path, tmp_path: Path
) -> None:
    path = save_adapter(tmp_path / "adapter", base)
    change(path / "adapter_config.json", **settings)
    assert shares_base(base, path) is shared


def save_kind(path: Path, base: Path, config: Any) -> Path:
    """An adapter of any kind, as PEFT saves it."""
    from peft import get_peft_model

    get_peft_model(loading.load_base(base, CPU, torch.float32), config).save_pretrained(str(path))
    return path


def prompt_learning_kinds() -> dict[str, Any]:
    import peft

    return {
        "prompt tuning": peft.PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
        "prefix tuning": peft.PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
        "P-tuning": peft.PromptEncoderConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
    }


@pytest.mark.parametrize("kind", ["prompt tuning", "prefix tuning", "P-tuning"])
def test_prompt_learning_is_refused_when_it_is_attached(
    kind: str, base: Path, tmp_path: Path
) -> None:
    path = save_kind(tmp_path / "adapter", base, prompt_learning_kinds()[kind])
    model = loading.load_base(base, CPU, torch.float32)
    with pytest.raises(EngineError, match="adapter cannot be used") as caught:
        loading.attach_adapter(model, path)
    assert f"{kind} is not supported: its virtual tokens" in caught.value.detail
    assert not hasattr(model, "peft_config"), "the base is as it was"


def test_every_method_of_prompt_learning_that_peft_has_is_known_without_it() -> None:
    from peft.config import PromptLearningConfig
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    methods = {
        str(method.value): issubclass(kind, PromptLearningConfig)
        for method, kind in PEFT_TYPE_TO_CONFIG_MAPPING.items()
    }
    assert sum(methods.values()) >= 5
    for method, prompts in methods.items():
        reason = explain_unsupported({"peft_type": method, "task_type": "CAUSAL_LM"})
        assert ("virtual tokens" in (reason or "")) is prompts, method


def test_every_task_of_peft_but_that_of_causal_models_is_refused_when_it_is_attached(
    base: Path, tmp_path: Path
) -> None:
    from peft import TaskType

    path = save_adapter(tmp_path / "adapter", base)
    model = loading.load_base(base, CPU, torch.float32)
    for task in TaskType:
        change(path / "adapter_config.json", task_type=task.value)
        if task == TaskType.CAUSAL_LM:
            continue
        with pytest.raises(EngineError, match="adapter cannot be used") as caught:
            loading.attach_adapter(model, path)
        assert f"task_type {task.value}" in caught.value.detail
    change(path / "adapter_config.json", task_type=None)
    loading.attach_adapter(model, path)


@pytest.mark.parametrize(
    ("settings", "title", "detail"),
    [
        ({"alora_invocation_tokens": [5, 6]}, "adapter cannot be used", "activated LoRA"),
        ({"peft_type": "POLY"}, "adapter cannot be used", "a task number with every prompt"),
        ({"peft_type": "NEWEST"}, "adapter cannot be read", "this version of PEFT"),
        ({"task_type": "POETRY"}, "adapter cannot be read", "this version of PEFT"),
    ],
)
def test_an_adapter_that_cannot_be_attached_tells_the_true_reason(
    settings: dict[str, Any], title: str, detail: str, base: Path, tmp_path: Path
) -> None:
    path = save_adapter(tmp_path / "adapter", base)
    change(path / "adapter_config.json", **settings)
    with pytest.raises(EngineError, match=title) as caught:
        loading.attach_adapter(loading.load_base(base, CPU, torch.float32), path)
    assert detail in caught.value.detail


def test_an_adapter_on_a_model_of_the_hub_is_saved_with_its_name(
    base: Path, tmp_path: Path
) -> None:
    for name, main in (("org--one", True), ("org--two", False)):
        commit = "0123abcd" * 5
        repository = tmp_path / f"models--{name}"
        snapshot = Path(shutil.copytree(base, repository / "snapshots" / commit))
        (repository / "snapshots" / "newer").mkdir()
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit if main else "newer")
        trained = save_adapter(tmp_path / name, snapshot)
        model = loading.load_base(snapshot, CPU, torch.float32)
        tuned = loading.attach_adapter(model, trained)
        make_portable(tuned, snapshot)
        tuned.save_pretrained(str(tmp_path / "saved" / name))
        config = json.loads((tmp_path / "saved" / name / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == name.replace("--", "/")
        assert config["revision"] == (None if main else commit)
        assert not (tmp_path / "saved" / name / "README.md").exists()


def test_devices_that_are_not_here_are_refused() -> None:
    assert loading.pick_device("cpu") == CPU
    for wanted in ("gpu", "cuda:x", "cuda:-1"):
        with pytest.raises(EngineError, match="Unknown device"):
            loading.pick_device(wanted)


@pytest.mark.parametrize("wanted", ["auto", "cuda", "cuda:0"])
def test_a_gpu_that_torch_cannot_use_is_never_a_silent_cpu_run(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(loading, "_sees_gpu", lambda: True)
    with pytest.raises(EngineError, match="torch cannot use the GPU") as caught:
        loading.pick_device(wanted)
    assert "driver" in caught.value.hint
    assert loading.pick_device("cpu") == CPU


@pytest.mark.parametrize(
    ("device", "capability", "purpose", "dtype"),
    [
        ("cpu", None, "full", torch.float32),
        ("cpu", None, "infer", torch.float32),
        ("cuda", (8, 0), "full", torch.float32),
        ("cuda", (9, 0), "lora", torch.bfloat16),
        ("cuda", (7, 5), "infer", torch.float16),
        ("cuda", (7, 0), "lora", torch.float16),
        ("mps", None, "lora", torch.float32),
    ],
)
def test_the_number_format_goes_by_rule(
    device: str,
    capability: tuple[int, int] | None,
    purpose: loading.Purpose,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert loading.pick_dtype(torch.device(device), purpose) == dtype


def test_workers_are_offline_unless_the_user_allows_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FINETOP_ALLOW_NETWORK", "1")
    set_environment()
    assert "HF_HUB_OFFLINE" not in os.environ
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    monkeypatch.setenv("FINETOP_ALLOW_NETWORK", "0")
    set_environment()
    assert {os.environ[name] for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")} == {"1"}
