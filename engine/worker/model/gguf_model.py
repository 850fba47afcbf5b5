"""A model and its tokenizer out of a GGUF file, dequantised: as an arm, and to prove an export.

Names and layout of tensors are read as transformers' loader does, by its own tables
(`stored_tensors`). The config comes from the header (`engine.checkpoints.gguf_config`), and bytes
are read a tensor at a time: `from_pretrained(gguf_file=)` drops soft caps, scaled RoPE, windows and
biases of several families, knows no Gemma 1, ignores tensors that it has no place for, and takes
45 s and 3.8 GB for Gemma 3's 270M, whose vocabulary it parses value by value (here 10 s and
2.1 GB). The tokenizer is that of `engine.worker.tokenizers`, which reads `tokenizer.ggml.pre`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.checkpoints.gguf_config import (
    LONG_FACTORS,
    ROPE_FACTORS,
    SHORT_FACTORS,
    end_tokens,
    make_config,
)
from engine.checkpoints.gguf_header import GgufHeader, read_gguf_header
from engine.errors import EngineError
from engine.worker.environment import set_environment
from engine.worker.model.stored_tensors import dequantize_tensor, gguf_tensors
from engine.worker.tokenizers import load as tokenizers
from engine.worker.tokenizers.gguf import read_vocabulary


def load_gguf(path: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """A causal language model in evaluation mode on `device`, every weight in `dtype`.

    Raises EngineError where the file is damaged, is one part of several, holds a family that is
    not mapped, or where tensors and model are not exactly each other's; its title names the file.
    """
    set_environment()
    from transformers import AutoConfig, GenerationConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    header = read_gguf_header(path)
    table = make_config(header)
    content = np.asarray(np.memmap(path, mode="r", dtype=np.uint8))
    _add_long_rope(table, header, content)
    try:
        config = AutoConfig.for_model(**table)
        family: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
        with torch.device("meta"):
            shapes = family(config)
        weights = dict(_read_weights(header, shapes, dtype))
        model, report = family.from_pretrained(
            None, config=config, state_dict=weights, dtype=dtype, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError, IndexError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EngineError(f"{path.name} cannot be loaded.", f"{path}: {lines[0][:300]}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise _misfit(header, f"it lacks weights: {', '.join(missing[:3])}")
    _scale_rope(model, header, content)
    generation: Any = GenerationConfig
    model.generation_config = generation(
        eos_token_id=list(end_tokens(header.values)) or None,
        bos_token_id=config.bos_token_id,
        pad_token_id=config.pad_token_id,
    )
    return model.to(device).eval()


def load_gguf_tokenizer(path: Path) -> Any:
    """The tokenizer of a GGUF file, with its chat template.

    Raises EngineError, also where its pre-tokenizer is not known here: tokens that are cut
    elsewhere would make another model of the same weights.
    """
    set_environment()
    vocabulary = read_vocabulary(path)
    if not tokenizers.knows_split(vocabulary):
        raise EngineError(
            f"{path.name} cannot be used: its pre-tokenizer {vocabulary.split[:40]!r} is unknown",
            str(path),
            "Serve it with llama.cpp, and use the server's address as an arm.",
        )
    return tokenizers.load_file(path)[0]


def _read_weights(
    header: GgufHeader, model: Any, dtype: torch.dtype
) -> Iterator[tuple[str, torch.Tensor]]:
    """Each tensor under its name in the model, in the model's layout. Raises EngineError where one
    has no place there, or is of another shape than its place."""
    stored = gguf_tensors(header, model)
    if stored.unknown:
        family = header.text("general.architecture")
        raise _misfit(header, f"its tensor {stored.unknown[0]} has no place in {family}")
    places = model.state_dict()
    for name, tensor in stored.tensors.items():
        place = tuple(places[name].shape)
        if tensor.shape != place:
            shapes = f"{tensor.shape}, its header says {place}"
            raise _misfit(header, f"{name} has the shape {shapes}")
    for name, tensor in stored.tensors.items():
        yield name, tensor.read().to(dtype)


def _add_long_rope(table: dict[str, Any], header: GgufHeader, content: Any) -> None:
    """LongRoPE's factors, which are tensors, into the config of Phi 3."""
    long, short = header.tensor(LONG_FACTORS), header.tensor(SHORT_FACTORS)
    if long is None or short is None:
        return
    if table["model_type"] != "phi3":
        raise _misfit(header, f"LongRoPE is not supported in {table['model_type']}")
    scaled = {
        "rope_type": "longrope",
        "long_factor": dequantize_tensor(long, content).tolist(),
        "short_factor": dequantize_tensor(short, content).tolist(),
        "original_max_position_embeddings": table["original_max_position_embeddings"],
    }
    prefix = header.text("general.architecture")
    attention = header.values.get(f"{prefix}.rope.scaling.attn_factor")
    if isinstance(attention, float) and attention > 0:
        scaled["attention_factor"] = attention
    table["rope_parameters"] = table["rope_parameters"] | scaled


def _scale_rope(model: Any, header: GgufHeader, content: Any) -> None:
    """Divide the frequencies by the file's factors, which is all that Llama 3's scaling is."""
    tensor = header.tensor(ROPE_FACTORS)
    if tensor is None:
        return
    rotary = getattr(model.model, "rotary_emb", None)
    frequencies = getattr(rotary, "inv_freq", None)
    if frequencies is None or frequencies.shape != tensor.shape:
        raise _misfit(header, f"{ROPE_FACTORS} has no place in {model.config.model_type}")
    factors = torch.from_numpy(np.array(dequantize_tensor(tensor, content))).to(frequencies.device)
    for name in ("inv_freq", "original_inv_freq"):
        getattr(rotary, name).div_(factors)


def _misfit(header: GgufHeader, what: str) -> EngineError:
    return EngineError(
        f"{header.path.name} cannot be used: {what}",
        str(header.path),
        "It was written for another version of this family, or is damaged.",
    )
