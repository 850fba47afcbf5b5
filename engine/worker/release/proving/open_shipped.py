"""Opens the run itself, and what is shipped of it, as its user will.

A GGUF file goes through transformers' loader. That one (5.23) takes sizes, norms, RoPE's base and
the window from the header, and drops the rest: scaled RoPE, soft caps, which layers have a window.
So what it read is compared with the config of the folder that the file was written from, and the
model is built with that config; the dropped keys are `metadata_check`'s. Its table has neither
Gemma 1 nor Mistral: those are filled tensor by tensor, by the same mapping.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from engine.errors import EngineError
from engine.number_format import write_count
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.model import loading
from engine.worker.model.stored_tensors import gguf_tensors
from engine.worker.release.proving.proof_spec import ProofSpec

OPENED = "opens in transformers"
CPU = torch.device("cpu")
_TORCH_TYPES = {
    "float32": torch.float32,
    "f32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "f16": torch.float16,
}
_UNLISTED = ("gemma", "mistral")
"""Model types that transformers cannot open a GGUF file of."""
_MATTERS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
    "rms_norm_eps",
    "sliding_window",
    "vocab_size",
    "tie_word_embeddings",
    "rope_theta",
)
_FREE = frozenset(
    {
        "_model_name_or_path",  # of GGUF files that were loaded: a path or a name, no setting
        "_name_or_path",
        "architectures",
        "bos_token_id",
        "dtype",
        "eos_token_id",
        "pad_token_id",
        "quantization_config",
        "tie_word_embeddings",
        "torch_dtype",
        "transformers_version",
        "use_cache",
        "vocab_size",
    }
)
"""Settings in which an export may differ from its run: what is said of the file, the ends of an
answer, and what the tensors themselves say: how many tokens there are, whether the head is tied."""


def own_type(dtype: str) -> torch.dtype:
    """The number format that weights of a shipped type are used in; block types as float32."""
    return _TORCH_TYPES.get(dtype, torch.float32)


def keeps_weights(dtype: str) -> bool:
    """Whether weights of that type are single numbers, and not quantised in blocks."""
    return dtype in _TORCH_TYPES


def can_open(spec: ProofSpec) -> bool:
    """Whether a GGUF file of the spec's architecture can be opened at all."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    assert spec.checkpoint is not None, "of a GGUF file it is known what it was written from"
    model_type = str(_config(spec.checkpoint).model_type)
    known = {*GGUF_SUPPORTED_ARCHITECTURES, *_UNLISTED}
    return model_type in known or model_type.removesuffix("_text") in known


def open_run(spec: ProofSpec, *, quantized: bool = False) -> Any:
    """The run as it was trained, in float32, its adapter apart from its base; of a run on a
    quantised base that base as it is stored, or `quantized` again. Raises EngineError."""
    how = spec.quantized if quantized else "none"
    model = loading.load_base(spec.base, CPU, torch.float32, how)
    return model if spec.adapter is None else loading.attach_adapter(model, spec.adapter)


def add_adapter(spec: ProofSpec, run: Any) -> Any:
    """What must be shipped of a run: itself where it was trained whole, else the plain model with
    the adapter added by PEFT, in place; PEFT's own sum, not the one that wrote the export. Raises
    EngineError where there is none."""
    if spec.adapter is None:
        return run
    _untie_adapted(run.get_base_model())
    try:
        return run.merge_and_unload(safe_merge=True).eval()
    except (AttributeError, NotImplementedError, ValueError) as error:
        raise EngineError(
            "The adapter cannot be added to its base.", f"{spec.adapter}: {one_line(str(error))}"
        ) from error


def _untie_adapted(model: Any) -> None:
    """Give the head a weight of its own where an adapter changes the head or the embedding alone:
    PEFT adds to the one weight that both have, so that the other would change as well."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    ends = model.get_output_embeddings(), model.get_input_embeddings()
    if not any(isinstance(one, BaseTunerLayer) for one in ends):
        return
    head, embedding = (getattr(one, "base_layer", one) for one in ends)
    if getattr(head, "weight", None) is getattr(embedding, "weight", None) is not None:
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)


def open_shipped(spec: ProofSpec, dtype: torch.dtype) -> Any:
    """What is shipped, in `dtype`. Raises EngineError where anything of it is missing."""
    if spec.target.startswith("gguf"):
        return _open_gguf(spec, dtype)
    if spec.shipped_base is None:
        return loading.load_base(spec.shipped, CPU, dtype)
    base = loading.load_base(spec.shipped_base, CPU, dtype)
    return loading.attach_adapter(base, spec.shipped)


def check_opened(spec: ProofSpec, model: Any) -> Check:
    """What is known once `open_shipped` gave a model: it took every tensor, and made none up; its
    settings are those of the run, or of the folder that a GGUF file was written from."""
    tensors = len({one.data_ptr() for one in model.state_dict().values()})
    facts: dict[str, Any] = {"tensors": tensors}
    compared, differing = _compare_settings(spec)
    facts["settings"] = compared
    text = f"{write_count(tensors, 'tensor')}, none missing and none newly initialized"
    if spec.shipped_base is not None:
        text = f"the adapter on its base: {text}"
    elif compared:
        text += f"; {write_count(compared, 'setting')} as in the run"
    else:
        text += ", each taken by its name: transformers opens no GGUF file of this architecture"
    if differing:
        text = f"not as in the run: {len(differing)} of {write_count(compared, 'setting')}"
        return Check(OPENED, "failed", text, facts, differing)
    return Check(OPENED, "passed", text, facts)


def _compare_settings(spec: ProofSpec) -> tuple[int, tuple[str, ...]]:
    """How many settings were compared, and those that differ, a line each."""
    if spec.shipped_base is not None:
        return 0, ()
    if not spec.target.startswith("gguf"):
        own, shipped = _config(spec.base).to_dict(), _config(spec.shipped).to_dict()
        keys = sorted({*own, *shipped} - _FREE)
        pairs = [(key, shipped.get(key), own.get(key)) for key in keys]
        where = "the run's config.json"
    else:
        assert spec.checkpoint is not None, "of a GGUF file it is known what it was written from"
        config = _config(spec.checkpoint)
        if config.model_type in _UNLISTED:
            return 0, ()
        read = _read_by_transformers(spec.shipped)
        known = {key: _known(config, key) for key in _MATTERS if key in read}
        pairs = [(key, read[key], value) for key, value in known.items() if value is not None]
        where = "config.json"
    return len(pairs), tuple(
        one_line(f"{key} is {shown!r}, and {own!r} in {where}")
        for key, shown, own in pairs
        if not _same(shown, own)
    )


def _open_gguf(spec: ProofSpec, dtype: torch.dtype) -> Any:
    assert spec.checkpoint is not None, "of a GGUF file it is known what it was written from"
    from transformers import AutoModelForCausalLM

    config = _config(spec.checkpoint)
    if config.model_type in _UNLISTED:
        return _fill(spec.shipped, config, dtype)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(spec.shipped.parent),
            gguf_file=spec.shipped.name,
            config=config,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, NotImplementedError) as error:
        raise _unreadable(spec.shipped, error) from error
    model, report = loaded
    wrong = sorted({*report["missing_keys"], *(one[0] for one in report["mismatched_keys"])})
    if wrong:
        raise _lacking(spec.shipped, wrong)
    return model.eval()


def _fill(file: Path, config: Any, dtype: torch.dtype) -> Any:
    """A model of the config with the tensors of the file, without transformers' loader."""
    from transformers import AutoModelForCausalLM

    make: Any = AutoModelForCausalLM.from_config
    model = make(config, dtype=dtype).eval()
    stored = gguf_tensors(file, model)
    tied = config.tie_word_embeddings
    state = model.state_dict()
    missing = [name for name in state if name not in stored.tensors]
    missing = [name for name in missing if not (tied and name == "lm_head.weight")]
    wrong = sorted(
        name for name, one in stored.tensors.items() if one.shape != tuple(state[name].shape)
    )
    if missing or wrong or stored.unknown:
        raise _lacking(file, [*missing, *wrong, *stored.unknown])
    with torch.no_grad():
        for name, one in stored.tensors.items():
            state[name].copy_(one.read())
    return model


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    config: Any = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    return config


def _read_by_transformers(file: Path) -> Mapping[str, Any]:
    from transformers import modeling_gguf_pytorch_utils

    load: Any = modeling_gguf_pytorch_utils.load_gguf_checkpoint
    config: dict[str, Any] = load(str(file), return_tensors=False)["config"]
    return config


def _known(config: Any, key: str) -> Any:
    """A setting of a config; RoPE's base of layers without a window, where they differ."""
    text = config.get_text_config()
    if key != "rope_theta":
        return getattr(text, key, None)
    parameters = getattr(text, "rope_parameters", None) or {}
    whole = parameters.get("full_attention", parameters)
    return whole.get("rope_theta") if isinstance(whole, Mapping) else None


def _same(one: Any, other: Any) -> bool:
    """Whether two settings are the same; a header has floats in float32."""
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return bool(abs(float(one) - float(other)) <= 1e-6 * max(abs(float(other)), 1e-12))
    return bool(one == other)


def _unreadable(file: Path, error: Exception) -> EngineError:
    lines = one_line(str(error))[:300] or type(error).__name__
    return EngineError("transformers cannot open the GGUF file.", f"{file}: {lines}")


def _lacking(file: Path, names: list[str]) -> EngineError:
    more = " …" if len(names) > 3 else ""
    return EngineError(
        "The GGUF file lacks tensors of the model, or has others.",
        f"{file}: {', '.join(names[:3])}{more}",
    )
