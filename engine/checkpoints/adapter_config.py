"""What the config of an adapter tells of its use, in plain words and without PEFT.

Whether it can answer at all, whether switching it off gives its base back, and whether what it
changes can be multiplied. Refuses kinds whose answers would be wrong: such an adapter loads without
an error, so the kind alone tells.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.checkpoints.config_json import read_json
from engine.checkpoints.module_patterns import explain_slow_pattern

NAME = "adapter_config.json"

Config = Mapping[str, Any]

_METHODS = {
    "PROMPT_TUNING": "prompt tuning",
    "MULTITASK_PROMPT_TUNING": "multitask prompt tuning",
    "P_TUNING": "P-tuning",
    "PREFIX_TUNING": "prefix tuning",
    "CPT": "context-aware prompt tuning (CPT)",
    "CARTRIDGE": "a cartridge",
}
"""PEFT's methods of prompt learning."""
_TASKS = {
    "SEQ_CLS": "classifies texts",
    "TOKEN_CLS": "classifies tokens",
    "SEQ_2_SEQ_LM": "belongs to an encoder-decoder model",
    "QUESTION_ANS": "marks answers in a text",
    "FEATURE_EXTRACTION": "makes embeddings",
}
"""What an adapter is that does not answer as causal models do, by its `task_type`."""
_HEADS = {
    "ForSequenceClassification": "SEQ_CLS",
    "ForTokenClassification": "TOKEN_CLS",
    "ForQuestionAnswering": "QUESTION_ANS",
}
"""The same by the end of its base's class, which PEFT saves where no task was set."""
_ADDING_STARTS = (True, False, None, "gaussian", "eva", "orthogonal", "mica")
"""Values of `init_lora_weights` that leave the base's weights as they are."""


def read_adapter_config(folder: Path) -> Config:
    """The config of the adapter in a folder. Raises EngineError."""
    return read_json(folder / NAME)


def explain_unsupported(config: Config) -> str | None:
    """Why an adapter of this kind cannot be used with any base; None where it can."""
    method = config.get("peft_type")
    if isinstance(method, str) and method in _METHODS:
        return (
            f"{_METHODS[method]} is not supported: its virtual tokens are added at every token, "
            "so only the first token of an answer would be right"
        )
    if config.get("alora_invocation_tokens"):
        return (
            "activated LoRA (aLoRA) is not supported: it acts only after its invocation tokens, "
            "which are not known while an answer is generated"
        )
    if method == "POLY":
        return "Poly is not supported: it needs a task number with every prompt"
    if method == "XLORA" or config.get("arrow_config"):
        return "it mixes several other adapters, which is not supported"
    return explain_slow_pattern(config) or _explain_task(config)


def explain_no_strength(config: Config) -> str | None:
    """Why what the adapter changes cannot be multiplied; None where it can."""
    method = config.get("peft_type")
    if method != "LORA":
        return f"its method is {method or 'unknown'}: only that of LoRA can be scaled"
    bias, start = config.get("bias", "none"), config.get("init_lora_weights", True)
    if bias != "none":
        return f"it trained biases of the base (bias = {bias})"
    if start not in _ADDING_STARTS:
        return f"its initialisation changes weights of the base (init_lora_weights = {start})"
    if config.get("kasa_config"):
        return "it removes a part of the base's weights (kasa_config)"
    if config.get("trainable_token_indices"):
        return "it replaces rows of the embedding (trainable_token_indices)"
    if config.get("layer_replication"):
        return "it repeats layers of the base (layer_replication)"
    return None


def explain_no_null(config: Config) -> str | None:
    """Why no random change of the same norms can take the place of the adapter's; None where it
    can: of LoRA on linear layers and embeddings, of DoRA on linear layers, and of whole modules."""
    if (reason := explain_no_strength(config)) is not None:
        return reason
    if config.get("target_parameters"):
        return "it changes parameters that are no layers of their own (target_parameters)"
    if config.get("use_bdlora") or config.get("use_qalora"):
        return "its LoRA is of a block-wise kind (use_bdlora, use_qalora)"
    return None


def _explain_task(config: Config) -> str | None:
    task = config.get("task_type") or _task_of_head(config)
    if not isinstance(task, str) or task not in _TASKS:
        return None
    end = "which is not supported" if task == "SEQ_2_SEQ_LM" else "and does not generate text"
    return f"it {_TASKS[task]} (task_type {task}), {end}"


def _task_of_head(config: Config) -> str | None:
    mapping = config.get("auto_mapping")
    base = mapping.get("base_model_class") if isinstance(mapping, dict) else None
    return next((task for end, task in _HEADS.items() if str(base).endswith(end)), None)
