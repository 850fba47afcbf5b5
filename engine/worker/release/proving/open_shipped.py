"""Opens the run itself, and what is shipped of it, as its user will.

A GGUF file is opened as an arm of Compare is (`gguf_model`): tensors by transformers' own mapping,
each with its place, the config by the file's header, so that a soft cap, a window or a factor of
RoPE that the header lacks changes the answers that are compared. Families that we do not write
ourselves go through transformers' loader.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from engine.errors import EngineError
from engine.number_format import write_count
from engine.release.gguf_targets import MODEL_TYPES
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.model import loading
from engine.worker.model.gguf_model import load_gguf
from engine.worker.model.malloc import leave_file
from engine.worker.release.proving.opened_settings import (
    SettingPair,
    pair_by_transformers,
    pair_folders,
    pair_header,
)
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


def own_type(dtype: str) -> torch.dtype:
    """The number format that weights of a shipped type are used in; block types as float32."""
    return _TORCH_TYPES.get(dtype, torch.float32)


def keeps_weights(dtype: str) -> bool:
    """Whether weights of that type are single numbers, and not quantised in blocks."""
    return dtype in _TORCH_TYPES


def can_open(spec: ProofSpec) -> bool:
    """Whether a GGUF file of the spec's architecture can be opened at all."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    model_type = str(_checkpoint_config(spec).model_type)
    known = {*MODEL_TYPES, *GGUF_SUPPORTED_ARCHITECTURES}
    return model_type in known or model_type.removesuffix("_text") in known


def open_run(
    spec: ProofSpec, *, quantized: bool = False, dtype: torch.dtype = torch.float32
) -> Any:
    """The run as it was trained, in `dtype`, its adapter apart from its base; of a run on a
    quantised base that base as it is stored, or `quantized` again. Raises EngineError."""
    how = spec.quantized if quantized else "none"
    model = loading.load_base(spec.base, CPU, dtype, how)
    if how == "none":
        leave_file(model)  # the adapter is added in place
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
        if _checkpoint_config(spec).model_type in MODEL_TYPES:
            return load_gguf(spec.shipped, CPU, dtype)
        return _open_by_transformers(spec, dtype)
    if spec.shipped_base is None:
        return loading.load_base(spec.shipped, CPU, dtype)
    base = loading.load_base(spec.shipped_base, CPU, dtype)
    return loading.attach_adapter(base, spec.shipped)


def check_opened(spec: ProofSpec, model: Any) -> Check:
    """What is known once `open_shipped` gave a model: it took every tensor, and made none up; its
    settings are those of the run, or of the folder that a GGUF file was written from."""
    tensors = len({one.data_ptr() for one in model.state_dict().values()})
    facts: dict[str, Any] = {"tensors": tensors}
    pairs = [*_pair_settings(spec, model)]
    facts["settings"] = len(pairs)
    text = f"{write_count(tensors, 'tensor')}, none missing and none newly initialized"
    if spec.shipped_base is not None:
        text = f"the adapter on its base: {text}"
    else:
        text += f"; {write_count(len(pairs), 'setting')} as in the run"
    where = "config.json" if spec.target.startswith("gguf") else "the run's config.json"
    differing = tuple(pair.describe(where) for pair in pairs if not pair.same)
    if differing:
        text = f"not as in the run: {len(differing)} of {write_count(len(pairs), 'setting')}"
        return Check(OPENED, "failed", text, facts, differing)
    return Check(OPENED, "passed", text, facts)


def _pair_settings(spec: ProofSpec, model: Any) -> Iterable[SettingPair]:
    if spec.shipped_base is not None:
        return ()
    if not spec.target.startswith("gguf"):
        return pair_folders(_config(spec.shipped), _config(spec.base))
    checkpoint = _checkpoint_config(spec)
    if checkpoint.model_type in MODEL_TYPES:
        return pair_header(model, checkpoint)
    return pair_by_transformers(_read_by_transformers(spec.shipped), checkpoint)


def _open_by_transformers(spec: ProofSpec, dtype: torch.dtype) -> Any:
    """A family that a program of llama.cpp wrote: transformers' own loader drops what the header
    says of many settings, so the model is built with the config of the folder."""
    from transformers import AutoModelForCausalLM

    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(spec.shipped.parent),
            gguf_file=spec.shipped.name,
            config=_checkpoint_config(spec),
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, NotImplementedError) as error:
        lines = one_line(str(error))[:300] or type(error).__name__
        raise EngineError(
            "transformers cannot open the GGUF file.", f"{spec.shipped}: {lines}"
        ) from error
    model, report = loaded
    wrong = sorted({*report["missing_keys"], *(one[0] for one in report["mismatched_keys"])})
    if wrong:
        more = " …" if len(wrong) > 3 else ""
        raise EngineError(
            "The GGUF file lacks tensors of the model, or has others.",
            f"{spec.shipped}: {', '.join(wrong[:3])}{more}",
        )
    return model.eval()


def _read_by_transformers(file: Path) -> Mapping[str, Any]:
    from transformers import modeling_gguf_pytorch_utils

    load: Any = modeling_gguf_pytorch_utils.load_gguf_checkpoint
    config: dict[str, Any] = load(str(file), return_tensors=False)["config"]
    return config


def _checkpoint_config(spec: ProofSpec) -> Any:
    """That of the folder which a GGUF file was written from."""
    assert spec.checkpoint is not None, "of a GGUF file it is known what it was written from"
    return _config(spec.checkpoint)


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    config: Any = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    return config
