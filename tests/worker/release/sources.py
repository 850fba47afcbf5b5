"""Sources of exports, and what models say: for tests of what is written."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from engine.compare.arms import Arm
from engine.release.source import ExportSource
from engine.worker.model import loading

CPU = torch.device("cpu")
IDS = torch.arange(5, 25).unsqueeze(0)
LOAD: Any = AutoModelForCausalLM.from_pretrained


def make_source(base: Path, adapter: Path | None = None, **changes: Any) -> ExportSource:
    """The source of a base and an adapter on it, of no run."""
    fields: dict[str, Any] = {
        "arm": Arm("tuned", str(adapter or base)),
        "base": base,
        "adapter": adapter,
        "root": base,
        "before": base,
        "before_adapter": None,
        "tokenizer": base,
        "run": None,
        "stages": (),
        "held_out": None,
        "quantized": "none",
    }
    return ExportSource(**fields | changes)


def logits_with(base: Path, adapter: Path) -> torch.Tensor:
    """Float32 logits of the adapter on its base, as PEFT computes them."""
    model = loading.load_base(base, CPU, torch.float32)
    return logits_of(loading.attach_adapter(model, adapter))


def logits_of(model: Any) -> torch.Tensor:
    """Logits of a model, or of the checkpoint at a path in float32."""
    if isinstance(model, Path):
        model = LOAD(model, dtype=torch.float32)
    with torch.no_grad():
        return torch.as_tensor(model.eval()(input_ids=IDS, use_cache=False).logits)
