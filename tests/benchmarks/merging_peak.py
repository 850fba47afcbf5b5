"""One merged export in this process, and what memory it took at its most; see `bench_export`.

python -P -m tests.benchmarks.merging_peak make|merge FOLDER ADAPTER STORED DTYPE TIED SHARD_MB
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ADAPTERS: Mapping[str, Mapping[str, Any]] = {
    "linear": {"target_modules": "all-linear"},
    "dora": {"target_modules": "all-linear", "use_dora": True},
    "tokens": {"target_modules": "all-linear", "trainable_token_indices": [1, 5, 9]},
    "saved": {"target_modules": "all-linear", "modules_to_save": ["embed_tokens", "lm_head"]},
    "ends": {"target_modules": ["q_proj", "v_proj", "down_proj", "embed_tokens", "lm_head"]},
}
"""LoRA by which parts of the model: `saved`, embedding and head trained whole; `ends`, adapted."""
VOCABULARY, HIDDEN = 32_000, 512


def make(folder: Path, adapter: str, stored: str, tied: bool) -> None:
    """A random Llama of 61 M parameters, and an adapter for it that changes it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=1408,
        num_hidden_layers=14 if tied else 9, num_attention_heads=8, num_key_value_heads=8,
        tie_word_embeddings=tied,
    )  # fmt: skip
    family: Any = LlamaForCausalLM
    model = family(config)
    model.to(getattr(torch, stored)).save_pretrained(folder / "base")
    if adapter == "none":
        return
    settings = LoraConfig(r=16, task_type="CAUSAL_LM", **ADAPTERS[adapter])
    tuned: Any = get_peft_model(model.float(), settings)
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if weight.requires_grad and "lora_A" not in name:
                weight.add_(0.01)
    tuned.save_pretrained(str(folder / "adapter"))


def merge(folder: Path, adapter: str, dtype: str, shard_bytes: int) -> tuple[int, int]:
    """Bytes by which this process grew at its peak, and those of the weights written."""
    import torch

    from engine.worker.release.writing.merged_folder import write_merged
    from tests.benchmarks.peak import resident
    from tests.worker.release.sources import make_source
    from tests.worker.tiny import save_adapter, save_checkpoint

    torch.set_num_threads(1)
    shipped = getattr(torch, dtype) if dtype else None
    small = save_checkpoint(folder / "small")
    sources = (
        make_source(small, save_adapter(folder / "a", small)),
        make_source(folder / "base", None if adapter == "none" else folder / "adapter"),
    )
    before = 0
    for source, name in zip(sources, ("first", "merged"), strict=True):
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        write_merged(source, folder / name, shipped, shard_bytes, lambda done, total: None)
    grown = resident("VmHWM") - before
    files = (folder / "merged").glob("*.safetensors")
    return grown, sum(os.path.getsize(file) for file in files)


def main(step: str, name: str, adapter: str, stored: str, dtype: str, *rest: str) -> None:
    folder, tied, shard_bytes = Path(name), rest[0] == "True", int(rest[1]) * 1_000_000
    if step == "make":
        make(folder, adapter, stored, tied)
    else:
        print(json.dumps(merge(folder, adapter, dtype, shard_bytes)))


if __name__ == "__main__":
    main(*sys.argv[1:])
