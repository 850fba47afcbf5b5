"""Exact numbers of parameters, of a model built without memory: no weight is read or made.

The light engine reckons them by formula and reads them from files that are here; this is what
torch itself would make of a config.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from engine.checkpoints import config_json
from engine.checkpoints.adapter_rows import with_rows
from engine.errors import EngineError
from engine.estimates.parameters import Counted
from engine.recipes import validation
from engine.recipes.settings import Method
from engine.worker.model.lora_targets import adapter_targets, is_transposed


def count(config: Mapping[str, Any], method: Method) -> Counted:
    """The parameters of the model in a `config.json`, on torch's meta device.

    Raises EngineError for a config that transformers cannot build a causal language model from, and
    for targets that it does not have.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    table = {key: value for key, value in config.items() if key != "quantization_config"}
    try:
        built = AutoConfig.for_model(str(table.pop("model_type", None)), **table)
        make: Any = AutoModelForCausalLM.from_config
        with torch.device("meta"):
            model = make(built, trust_remote_code=False)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise EngineError(
            "config.json does not describe a model.", str(error).split("\n")[0][:300]
        ) from error
    head = model.get_output_embeddings()
    linear = sum(
        parameter.numel()
        for module in model.modules()
        if module is not head and _is_linear(module)
        for parameter in module.parameters(recurse=False)
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if method.kind == "full":
        return Counted(parameters, parameters, linear, method)
    return Counted(parameters, _adapter(model, method), linear, method)


def answer(base: Path, method: object, adapter: Path | None = None) -> dict[str, Any]:
    """`count` for the folder of a model, with the tokens that an adapter on it adds, and the method
    table of a recipe. Raises EngineError."""
    table = {} if method is None else method
    wrong = validation.errors(Method, table) if isinstance(table, dict) else {"method": "no table"}
    if not isinstance(table, dict) or wrong:
        raise EngineError(
            "Invalid method.",
            "\n".join(f"{name}: {reason}" for name, reason in wrong.items()),
        )
    config = with_rows(config_json.read_json(base / "config.json"), adapter)
    return dataclasses.asdict(count(config, validation.build(Method, table)))


def _adapter(model: Any, method: Method) -> int:
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=method.rank,
        target_modules=adapter_targets(model, method.target_modules),
        fan_in_fan_out=is_transposed(model),
        use_dora=method.variant == "dora",
        task_type="CAUSAL_LM",
    )
    try:
        with torch.device("meta"):
            adapted = get_peft_model(model, settings)
    except ValueError as error:
        raise EngineError(
            "The adapter cannot be attached.", str(error), "Check method.target_modules."
        ) from error
    return sum(one.numel() for one in adapted.parameters() if one.requires_grad)


def _is_linear(module: Any) -> bool:
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, torch.nn.Linear | Conv1D)
