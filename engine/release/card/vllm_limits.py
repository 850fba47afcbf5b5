"""What vLLM cannot serve of an adapter, and which options it needs, by the adapter's config.

Owns the rules as vLLM 0.22 has them (`vllm/lora/peft_helper.py`, `vllm/config/lora.py`): what it
refuses when the adapter is loaded, and what it does not read at all. Loads nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` may be."""
USUAL_RANK = 16
"""`--max-lora-rank` where it is not given."""


@dataclass(frozen=True, slots=True)
class VllmLimits:
    refusals: tuple[str, ...]
    """Why it is not served, a clause each; none: it is."""
    cautions: tuple[str, ...]
    """What depends on the version or the model, a sentence each."""
    max_rank: int | None
    """`--max-lora-rank`; None: the usual one is enough."""


@dataclass(frozen=True, slots=True)
class AddedRows:
    """Of the embedding of an adapter to whose vocabulary tokens were added."""

    rows: int
    of_base: int


def list_limits(config: Mapping[str, Any], added: AddedRows | None = None) -> VllmLimits:
    """The limits for an adapter with this `adapter_config.json`, and the tokens added to it."""
    rank = config.get("r")
    largest = max([rank if isinstance(rank, int) else 0, *_read_ranks(config)])
    allowed = next((one for one in RANKS if one >= largest), None)
    return VllmLimits(
        tuple(_list_refusals(config, largest, added)),
        tuple(_list_cautions(config)),
        allowed if allowed is not None and allowed > USUAL_RANK else None,
    )


def _read_ranks(config: Mapping[str, Any]) -> list[int]:
    pattern = config.get("rank_pattern")
    values = pattern.values() if isinstance(pattern, dict) else ()
    return [value for value in values if isinstance(value, int)]


def _list_refusals(config: Mapping[str, Any], rank: int, added: AddedRows | None) -> Iterator[str]:
    if config.get("peft_type") != "LORA":
        yield f"its method is {config.get('peft_type')}, and only LoRA is served"
    if config.get("use_dora"):
        yield "it is DoRA (use_dora)"
    if saved := config.get("modules_to_save"):
        yield f"it brings whole modules ({_join(saved)} in modules_to_save)"
    if config.get("bias", "none") != "none" or config.get("lora_bias"):
        yield "it trained biases"
    if added is not None:
        yield (
            f"its vocabulary has {added.rows:,} tokens and that of its base {added.of_base:,}, "
            "which vLLM keeps as it is"
        )
    if rank > RANKS[-1]:
        yield f"its rank is {rank:,}, and at most {RANKS[-1]} are served"
    if config.get("target_parameters"):
        yield "it changes parameters that are no layers of their own (target_parameters)"
    if config.get("layer_replication"):
        yield "it repeats layers of the base (layer_replication)"
    scales = {
        "rank_pattern": config.get("rank_pattern"),
        "alpha_pattern": config.get("alpha_pattern"),
    }
    if named := [key for key, value in scales.items() if value]:
        yield f"its layers differ in rank or scale ({_join(named)}), which is not read"


def _list_cautions(config: Mapping[str, Any]) -> Iterator[str]:
    targets = config.get("target_modules")
    names = targets if isinstance(targets, list) else [targets]
    parts = sorted({str(name).rpartition(".")[2] for name in names} & {"embed_tokens", "lm_head"})
    if parts:
        yield (
            f"It adapts {_join(parts)}: vLLM serves that only of models whose class lists these "
            "as embedding modules."
        )
    if config.get("trainable_token_indices"):
        yield (
            "It brings trained rows of the embedding (trainable_token_indices): older versions of "
            "vLLM do not read them, newer ones need --max-lora-trainable-tokens."
        )


def _join(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list) else str(names)
