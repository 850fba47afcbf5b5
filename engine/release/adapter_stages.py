"""The adapters of a run whose base is an earlier stage with its adapter merged in.

Owns which they are, and what their settings alone say of whether they are one adapter on the root.
Loads no weights; what only tensors tell is for whoever joins them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.checkpoints import checkpoint_list
from engine.checkpoints.adapter_config import explain_no_strength, read_adapter_config
from engine.checkpoints.adapter_rows import explain_replaced
from engine.checkpoints.run_outputs import MERGED, find_run_around, read_checkpoint
from engine.errors import EngineError
from engine.release.source import ExportSource

WAY_OUT = "Export the whole model instead (--as merged)."


def check_stages(source: ExportSource) -> None:
    """Raise EngineError where the source is no single adapter on its root."""
    stages = find_adapters(source)
    if len(stages) == 1:
        return
    for stage in stages:
        reason = explain_no_sum(read_adapter_config(stage))
        if (reason := reason or explain_replaced(source.root, stage)) is not None:
            raise refuse_stages(reason)


def find_adapters(source: ExportSource) -> list[Path]:
    """The adapters that make the source's model of its root, the first stage first.

    Raises EngineError where weights of the root were trained whole in between, or a stage is gone.
    """
    assert source.adapter is not None, "only an adapter has stages"
    found, base = [source.adapter], source.base
    while base.resolve() != source.root.resolve():
        run = find_run_around(base)
        if run is None or base.name != MERGED:
            raise refuse_stages(f"{base} was trained whole, and is not the root model")
        ref = read_checkpoint(run)
        try:
            before = checkpoint_list.resolve(ref or "", source.stages)
        except EngineError as error:
            raise refuse_stages(f"what {run.name} merged is not found: {error.title}") from error
        if before.kind != "adapter" or before.base_path is None:
            raise refuse_stages(f"what {run.name} merged is no adapter, or has no base: {ref}")
        found.insert(0, before.path)
        base = before.base_path
    return found


def explain_no_sum(config: Mapping[str, Any]) -> str | None:
    """Why what an adapter changes is no sum with that of others; None where nothing in its
    settings tells against it."""
    if (reason := explain_no_strength(config)) is not None:
        return reason
    if config.get("use_dora"):
        return "it is DoRA, which stretches the weights (use_dora)"
    if config.get("modules_to_save"):
        return f"it trained whole modules (modules_to_save = {config['modules_to_save']})"
    return None


def refuse_stages(reason: str) -> EngineError:
    """The error of stages that are not one adapter."""
    return EngineError("The stages of this run are not one adapter.", reason, WAY_OUT)
