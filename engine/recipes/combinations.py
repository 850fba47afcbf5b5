"""Settings of a recipe that cannot go together, or not on a kind of device.

Each is looked for where a run is launched, and once more by the worker that would suffer from it.
Reads no disk and asks no device.
"""

from engine.errors import EngineError
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Method, Replay, Stopping, Training


def check_combinations(recipe: TrainRecipe) -> None:
    """Raise EngineError where settings exclude each other."""
    check_method(recipe.method)
    check_stopping(recipe.stopping)
    if recipe.training.objective == "dpo":
        check_dpo_training(recipe.training)
        check_dpo_replay(recipe.replay)


def check_method(method: Method) -> None:
    """Raise EngineError where all weights are trained, and are to be quantised."""
    if method.kind == "full" and method.quantize != "none":
        raise EngineError(
            "Quantised weights cannot be trained.",
            f"method.kind = full, method.quantize = {method.quantize}",
            "Set method.kind = lora, or method.quantize = none.",
        )


def check_stopping(stopping: Stopping) -> None:
    """Raise EngineError where the best weights are chosen, and the last ones are to be left."""
    if stopping.keep_best and stopping.result == "last":
        raise EngineError(
            "keep_best chooses a checkpoint, and the last weights are to be kept.",
            f"stopping.keep_best = {stopping.keep_best!r}, stopping.result = last",
            "Set stopping.result = auto, or leave stopping.keep_best empty.",
        )


def check_dpo_training(training: Training) -> None:
    """Raise EngineError where pairs are to be packed."""
    if training.packing:
        raise EngineError(
            "Preference pairs cannot be packed.",
            "training.objective is dpo, and training.packing is true",
            "Set training.packing = false; training.group_by_length also reduces padding.",
        )


def check_dpo_replay(replay: Replay) -> None:
    """Raise EngineError where rows without pairs are to be mixed in."""
    if replay.data:
        raise EngineError(
            "Replay data has no preference pairs, which DPO needs.",
            f"replay.data = {replay.data!r}",
            "Leave replay.data empty, or set training.objective = sft.",
        )


def check_number_format(device: str, dtype: str) -> None:
    """Raise EngineError where a kind of device (`cuda`, `mps`, `cpu`) cannot train in a format."""
    if device == "mps" and dtype not in ("auto", "float32"):
        raise EngineError(
            "Apple GPUs train only in float32.",
            "Mixed precision is not accurate enough on them.",
            "Set training.dtype = auto.",
        )
    if device == "cpu" and dtype == "float16":
        raise EngineError(
            "The CPU cannot train in float16.",
            "Small gradients would underflow: loss scaling needs an NVIDIA GPU.",
            "Set training.dtype = bfloat16 or auto.",
        )


def check_quantize(device: str, quantize: str) -> None:
    """Raise EngineError where a kind of device has no quantised products."""
    if quantize != "none" and device not in ("cpu", "cuda"):
        raise EngineError(
            f"Quantised weights do not run on {device}.",
            "bitsandbytes supports NVIDIA GPUs and CPUs",
            "Set method.quantize = none, or use device cpu.",
        )
