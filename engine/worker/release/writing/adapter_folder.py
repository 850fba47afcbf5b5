"""The adapter of an export: PEFT's two files, for the model that all training began with.

A run whose base is an earlier stage with its adapter merged in becomes one adapter on the root:
the ranks of its stages side by side, their scales multiplied into the weights. Refuses stages whose
sum is no LoRA: DoRA stretches the weights, and others replace some.
"""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from engine import atomic
from engine.checkpoints.adapter_config import NAME, read_adapter_config
from engine.errors import EngineError
from engine.release.adapter_stages import WAY_OUT, explain_no_sum, find_adapters, refuse_stages
from engine.release.source import ExportSource
from engine.worker.release.writing.folders import made_whole

Say = Callable[[str], None]
Tensors = dict[str, torch.Tensor]
WEIGHTS = "adapter_model.safetensors"

_IN = (".lora_A.weight", ".lora_embedding_A")
"""Ends of the names of tensors with the rank as their first dimension."""
_OUT = (".lora_B.weight", ".lora_embedding_B")
"""The same with the rank as their second, for each of `_IN`."""
_FROZEN = ".base_layer.weight"
_PREFIX = "base_model.model."
_FREE = frozenset({
    "alpha_pattern", "auto_mapping", "base_model_name_or_path", "ensure_weight_tying",
    "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern",
    "layers_to_transform", "lora_alpha", "lora_dropout", "megatron_core", "peft_type",
    "peft_version", "r", "rank_pattern", "revision", "target_modules", "task_type", "use_rslora",
    "eva_config", "runtime_config",
})  # fmt: skip
"""Settings that a stage may have: those that are in its tensors, or say nothing of them."""


def write_adapter(source: ExportSource, folder: Path, say: Say, base_name: str = "") -> torch.dtype:
    """Write `adapter_config.json` and `adapter_model.safetensors` into `folder`, made here, and
    return the type of most of its weights.

    `base_name` is the hub id of the source's root, empty where nobody knows one; no path or
    revision is written. `say` is told where stages become one. Raises EngineError where no single
    adapter on the root is the same model, or a value is not finite, and FileExistsError for a
    folder that is not empty.
    """
    if source.adapter is None:
        raise EngineError(
            "There is no adapter: the run trained all weights.", str(source.base), WAY_OUT
        )
    stages = find_adapters(source)
    if len(stages) == 1:
        config, tensors = dict(read_adapter_config(stages[0])), read_tensors(stages[0])
    else:
        config, tensors = join_stages(
            [(read_adapter_config(at), read_tensors(at)) for at in stages]
        )
        say(
            f"{len(stages)} stages are one adapter of rank {config['r']}; what merging rounded "
            "between them is not in it"
        )
    _check_finite(tensors)
    public = make_public(config, base_name)
    with made_whole(folder) as aside:
        save_file(tensors, aside / WEIGHTS, metadata={"format": "pt"})
        atomic.write_json(aside / NAME, public)
    counts: Counter[torch.dtype] = Counter()
    for tensor in tensors.values():
        counts[tensor.dtype] += tensor.numel()
    return counts.most_common(1)[0][0]


def _check_finite(tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise EngineError(
                "A weight has values that are not finite (NaN or infinity).",
                name,
                "Use another checkpoint of the run.",
            )


def read_tensors(folder: Path) -> Tensors:
    """The tensors of an adapter. Raises EngineError."""
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise EngineError("The adapter cannot be read.", f"{folder / WEIGHTS}: {error}") from error


def join_stages(
    stages: Sequence[tuple[Mapping[str, Any], Tensors]],
) -> tuple[dict[str, Any], Tensors]:
    """Config and tensors of one LoRA adapter that adds what all `stages` add, one on the other.

    With A (r, in) and B (out, r) of a layer in each stage and its scale s, the sum of s B A is
    [s1 B1, s2 B2 ...] [A1; A2; ...]: alpha equals the rank. Raises EngineError.
    """
    for config, tensors in stages:
        if (reason := explain_apart(config, tensors)) is not None:
            raise refuse_stages(reason)
    parts: dict[tuple[str, int], tuple[list[torch.Tensor], list[torch.Tensor]]] = {}
    for config, tensors in stages:
        for name, first in tensors.items():
            kind = _kind_of(name, _IN)
            if kind is None:
                continue
            layer = name.removesuffix(_IN[kind])
            inner, outer = parts.setdefault((layer, kind), ([], []))
            scale = find_scale(config, layer.removeprefix(_PREFIX), len(first))
            # In float32: a scale that is no power of two would round in the stored type.
            inner.append(first.float())
            outer.append(tensors[layer + _OUT[kind]].float() * scale)
    joined: Tensors = {}
    ranks: dict[str, int] = {}
    for (layer, kind), (inner, outer) in parts.items():
        joined[layer + _IN[kind]] = torch.cat(inner, dim=0).contiguous()
        joined[layer + _OUT[kind]] = torch.cat(outer, dim=1).contiguous()
        ranks[layer.removeprefix(_PREFIX)] = sum(map(len, inner))
    most = max(ranks.values())
    others = {layer: rank for layer, rank in sorted(ranks.items()) if rank != most}
    return dict(stages[-1][0]) | {
        "r": most,
        "lora_alpha": most,
        "rank_pattern": others,
        "alpha_pattern": others,
        "use_rslora": False,
        "init_lora_weights": True,
        "target_modules": sorted(ranks),
        "exclude_modules": None,
        "layers_to_transform": None,
        "layers_pattern": None,
        "eva_config": None,
    }, joined


def explain_apart(config: Mapping[str, Any], tensors: Tensors) -> str | None:
    """Why what a stage changes cannot be joined with that of others; None where it can."""
    if (reason := explain_no_sum(config)) is not None:
        return reason
    usual = _usual_settings()
    for name, value in config.items():
        if name not in _FREE and value and value != usual.get(name):
            return f"it has the setting {name} = {value}"
    # PEFT saves the frozen embedding beside what it adds to it: that of this stage's own base.
    factors = {name: one for name, one in tensors.items() if not name.endswith(_FROZEN)}
    odd = [name for name, one in factors.items() if not _is_factor(name) or one.dim() != 2]
    return f"it has the tensor {odd[0]}" if odd else None


def find_scale(config: Mapping[str, Any], layer: str, rank: int) -> float:
    """The factor on what a LoRA adds to a layer: alpha over the rank, or over its root."""
    from peft.utils.other import get_pattern_key

    pattern: Mapping[str, float] = config.get("alpha_pattern") or {}
    key = get_pattern_key(list(pattern), layer)
    alpha = float(pattern.get(key, config["lora_alpha"]))
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def make_public(config: Mapping[str, Any], base_name: str) -> dict[str, Any]:
    """The config as others may read it: it names the base by its hub id, and no path.

    Raises EngineError for a number that JSON cannot represent.
    """
    named = {"base_model_name_or_path": base_name, "revision": None, "inference_mode": True}
    return {name: _without_paths(value) for name, value in config.items()} | named


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_paths(one) for name, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise EngineError("A setting of the adapter is not finite.", f"{NAME}: {value}")
    is_path = isinstance(value, str) and (Path(value).is_absolute() or value.startswith("~"))
    return None if is_path else value


def _usual_settings() -> dict[str, Any]:
    from peft import LoraConfig

    return json.loads(json.dumps(dataclasses.asdict(LoraConfig()), default=str))  # type: ignore[no-any-return]


def _kind_of(name: str, ends: Sequence[str]) -> int | None:
    return next((kind for kind, end in enumerate(ends) if name.endswith(end)), None)


def _is_factor(name: str) -> bool:
    return _kind_of(name, (*_IN, *_OUT)) is not None
