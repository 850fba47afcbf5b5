"""Tiny things to export, for tests of all parts: a LoRA run, a full run, and what proves them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from engine.compare.arms import Arm
from engine.release.source import ExportSource
from engine.worker.release.proving.proof_spec import ProofSpec, make_spec
from tests.worker.tiny import save_adapter, save_checkpoint


def lora_source(folder: Path, **settings: Any) -> ExportSource:
    """A base and a LoRA adapter on it, whose tokenizer lies beside the adapter as a run's does.

    `settings` are LoRA's own.
    """
    from transformers import AutoTokenizer

    base = save_checkpoint(folder / "base")
    adapter = save_adapter(folder / "adapter", base, **settings)
    AutoTokenizer.from_pretrained(base).save_pretrained(adapter)
    return ExportSource(
        arm=Arm("tuned", str(base), str(adapter)),
        base=base,
        adapter=adapter,
        root=base,
        before=base,
        before_adapter=None,
        tokenizer=adapter,
        run=None,
        stages=(),
        held_out=write_held_out(folder / "held_out.jsonl"),
        quantized="none",
    )


def full_source(folder: Path) -> ExportSource:
    """A model that was trained whole, and another that it began with."""
    before = save_checkpoint(folder / "before")
    base = save_checkpoint(folder / "trained", seed=5)
    return ExportSource(
        arm=Arm("tuned", str(base)),
        base=base,
        adapter=None,
        root=before,
        before=before,
        before_adapter=None,
        tokenizer=base,
        run=None,
        stages=(),
        held_out=write_held_out(folder / "held_out.jsonl"),
        quantized="none",
    )


def write_held_out(path: Path, rows: int = 30) -> Path:
    """Prompts with their answers, as a run writes what it held out."""
    labels = ("sadness", "joy", "anger")
    lines = [
        {
            "id": f"row-{at}",
            "messages": [{"role": "user", "content": f"What emotion is in text {at}? i miss you"}],
            "reference": labels[at % len(labels)],
        }
        for at in range(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def spec_of(
    source: ExportSource,
    shipped: Path,
    target: str = "merged",
    ends: tuple[int, ...] = (1,),
    **changes: Any,
) -> ProofSpec:
    """What a fresh process would be asked of `shipped`; token 1 is the tiny tokenizer's end."""
    spec = make_spec(source, target, shipped, "float32", ends)
    return dataclasses.replace(spec, **changes)
