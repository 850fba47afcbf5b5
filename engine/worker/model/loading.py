"""Models in memory: which device and number format, the base, its tokenizer, adapters on it.

Refuses what is not safetensors, code that comes with a checkpoint, and adapters that do not fit.
"""

import gc
import importlib
import json
import os
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open

from engine.checkpoints import config_json
from engine.checkpoints.adapter_config import explain_unsupported, read_adapter_config
from engine.errors import EngineError
from engine.worker.environment import set_environment
from engine.worker.model import dequantize, quantize
from engine.worker.model.added_rows import check_filled, make_room, misfit

Purpose = Literal["full", "lora", "infer"]
_OTHER_KIND = "Use an adapter that was trained to generate text, such as LoRA."


def pick_device(name: str = "auto") -> torch.device:
    """The device of a `name`: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises EngineError for a device that is not there, and for a GPU that torch cannot use: that is
    never a silent run on the CPU.
    """
    if name == "cpu":
        return torch.device("cpu")
    if name == "auto":
        if torch.cuda.is_available():
            return _tried(torch.device("cuda", 0))
        if _sees_gpu():
            raise _unusable_gpu("torch " + torch.__version__ + " finds no CUDA device")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise EngineError("This machine has no Apple GPU.", hint="Use device auto or cpu.")
        return torch.device("mps")
    kind, _, number = name.partition(":")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise EngineError(f"Unknown device {name!r}.", hint="Use auto, cpu, cuda, cuda:1 or mps.")
    if not torch.cuda.is_available():
        if _sees_gpu():
            raise _unusable_gpu("torch " + torch.__version__ + " finds no CUDA device")
        raise EngineError("This machine has no NVIDIA GPU.", hint="Use device auto or cpu.")
    if int(number or 0) >= torch.cuda.device_count():
        raise EngineError(
            f"Device {name} not found.",
            f"{torch.cuda.device_count()} found.",
            "Device numbers start at 0.",
        )
    return _tried(torch.device("cuda", int(number or 0)))


def pick_dtype(device: torch.device, purpose: Purpose) -> torch.dtype:
    """The number format of the weights: float32 on CPUs and as the master copy of full tuning.

    On GPUs bfloat16 where it is native, float16 where it is not (T4, V100).
    """
    if purpose == "full" or device.type == "cpu":
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if has_bfloat16(device) else torch.float16
    return torch.float16 if purpose == "infer" else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether an NVIDIA GPU computes bfloat16 itself; torch alone would emulate it, slowly."""
    return torch.cuda.get_device_capability(device)[0] >= 8


def warm() -> None:
    """Import what loading a model imports, seconds of it, before somebody waits for it."""
    set_environment()
    # Llama's modules bring along nearly all that any model shares.
    for name in ("auto.modeling_auto", "auto.tokenization_auto", "llama.modeling_llama"):
        importlib.import_module(f"transformers.models.{name}")
    importlib.import_module("transformers").PreTrainedTokenizerFast  # noqa: B018
    importlib.import_module("peft")


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of a checkpoint directory. Raises EngineError."""
    set_environment()
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            str(path), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise EngineError("The tokenizer cannot be read.", f"{path}: {_short(error)}") from error


def load_base(
    path: Path,
    device: torch.device,
    dtype: torch.dtype,
    quantized: str = "none",
    attention: str | None = None,
    *,
    spread: bool = False,
) -> Any:
    """A causal language model in evaluation mode on `device`, its weights in `dtype`.

    `quantized` is `none`, `4bit` or `8bit`, of the linear layers; `attention` the name of another
    way to compute it than the library's own choice; `spread` lays the layers over all GPUs that
    can be seen. Raises EngineError where the checkpoint is unreadable, lacks weights, or is too
    big for the device.
    """
    set_environment()
    if not path.is_dir():  # transformers would take the path for the name of a repository
        raise EngineError("The folder of the checkpoint is gone.", str(path), "Put it back.")
    options: dict[str, Any] = {}
    stored = config_json.find_quantisation(_config_of(path))
    if quantized != "none":
        if stored is not None:
            raise EngineError(
                "The checkpoint is already quantised.",
                str(path),
                "Set method.quantize = none: the stored quantisation is used.",
            )
        options["quantization_config"] = quantize.settings_of(quantized, dtype, device)
    elif stored == "bitsandbytes":
        quantize.load_bitsandbytes()
    if attention is not None:
        options["attn_implementation"] = attention
    if spread:
        options["device_map"] = "balanced"
    elif quantized != "none" or stored is not None:
        # Quantised as they are read, on the device where they stay: moving them is refused.
        options["device_map"] = {"": str(device)}
    from transformers import AutoModelForCausalLM

    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(path),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
        model, report = loaded
        missing = sorted(report["missing_keys"])
        if missing:
            raise EngineError(
                "The checkpoint lacks weights.",
                f"{path}: {', '.join(missing[:3])}" + (" …" if len(missing) > 3 else ""),
                "config.json may belong to another model, or the download is incomplete.",
            )
        if "device_map" in options:
            dequantize.ensure_exact(model)
            return quantize.keep_weights_as_they_are(model).eval()
        return model.to(device).eval()
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(path, device) from error
    except (
        OSError, ValueError, TypeError, KeyError, ImportError, RuntimeError, SafetensorError
    ) as error:  # fmt: skip
        raise EngineError("The checkpoint cannot be loaded.", f"{path}: {_short(error)}") from error


def release() -> None:
    """Give back to the device what models held that nobody refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def base_of(model: Any) -> Any:
    """The causal model itself, without what an adapter laid around it."""
    return model.get_base_model() if hasattr(model, "peft_config") else model


def count_embeddings(model: Any) -> int:
    """How many tokens the model has an embedding for, whatever an adapter laid around it."""
    embedding: Any = base_of(model).get_input_embeddings()
    for wrapped in ("original_module", "base_layer"):
        embedding = getattr(embedding, wrapped, embedding)
    return int(embedding.num_embeddings)


def stored_dtype(path: Path) -> torch.dtype:
    """The number format that a model's config names; float32 where it names none that torch has."""
    config = _config_of(path)
    named = getattr(torch, str(config.get("dtype") or config.get("torch_dtype")), None)
    return named if isinstance(named, torch.dtype) else torch.float32


def _config_of(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def attach_adapter(
    model: Any, path: Path, name: str = "default", *, trainable: bool = False, mapped: bool = False
) -> Any:
    """`model` as a PeftModel that also holds the adapter at `path`, under `name`.

    A PeftModel gets one adapter more and is returned itself. `mapped` weights of the adapter are
    its file until they change, of the types there. The adapter's tensors must be exactly those that
    the model has places for; anything else raises EngineError. A model whose vocabulary is smaller
    than that of the adapter gets rows for the added tokens, and keeps them.
    """
    set_environment()
    from peft import PeftModel, get_peft_model_state_dict

    _check_kind(path)
    stored = _stored_names(path)
    first = make_room(model, path)
    try:
        if isinstance(model, PeftModel):
            model.load_adapter(str(path), adapter_name=name, is_trainable=trainable)
        else:
            model = PeftModel.from_pretrained(
                model, str(path), name, is_trainable=trainable, low_cpu_mem_usage=mapped
            )
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(path, model.device) from error
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
        raise misfit(path, _short(error)) from error
    placed = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    astray = sorted(set(placed) ^ stored)
    if any("lora_" in key for key in astray):
        raise misfit(path, f"{len(astray)} tensors do not match, e.g. {astray[0]}")
    if first is not None:
        check_filled(model, name, first, path)
    return model.eval()


def _check_kind(path: Path) -> None:
    """Refuse an adapter that would load, and then answer wrongly or not at all."""
    from peft import PeftConfig

    config = read_adapter_config(path)
    reason = explain_unsupported(config)
    try:
        if reason is None and PeftConfig.from_pretrained(str(path)).is_prompt_learning:
            reason = "prompt learning is not supported"  # of a method that our list lacks
    except (OSError, ValueError, KeyError, TypeError) as error:
        method = config.get("peft_type")
        raise EngineError(
            "The adapter cannot be read.",
            f"{path}: this version of PEFT cannot read its config ({method}): {_short(error)}",
            "Update the package peft, or use another adapter.",
        ) from error
    if reason is not None:
        raise EngineError("This adapter cannot be used.", f"{path}: {reason}", _OTHER_KIND)


def _stored_names(path: Path) -> set[str]:
    weights = path / "adapter_model.safetensors"
    try:
        with safe_open(weights, framework="pt") as file:
            return set(file.keys())
    except (OSError, SafetensorError) as error:
        raise EngineError("The adapter cannot be read.", f"{weights}: {_short(error)}") from error


def _out_of_memory(path: Path, device: torch.device) -> EngineError:
    return EngineError(
        f"{device} has not enough memory for this checkpoint.",
        str(path),
        "Free the device, use another one, or device cpu.",
    )


def _unusable_gpu(detail: str) -> EngineError:
    return EngineError(
        "torch cannot use the GPU.",
        detail,
        "Update the driver, install a matching torch, or use device cpu.",
    )


def _tried(device: torch.device) -> torch.device:
    """`device`, after one real kernel ran on it: an old GPU is listed by torch and then fails."""
    try:
        torch.ones(2, device=device).sum().item()
    except torch.OutOfMemoryError as error:
        raise EngineError(f"{device} is out of memory.", _short(error)) from error
    except (RuntimeError, AssertionError) as error:
        raise _unusable_gpu(_short(error)) from error
    return device


def _sees_gpu() -> bool:
    """Whether the driver knows a GPU that the user has not hidden from this process."""

    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return False
    import pynvml

    try:
        pynvml.nvmlInit()
        count = int(pynvml.nvmlDeviceGetCount())
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return Path("/proc/driver/nvidia/version").exists()
    return count > 0


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
