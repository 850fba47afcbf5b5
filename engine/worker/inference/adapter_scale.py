"""An adapter at a part of its strength: what it changes in each layer, multiplied."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def scaled(model: Any, adapter: str, strength: float) -> Iterator[None]:
    """Within it the adapter of that name changes every layer `strength` times as much.

    LoRA adds to a layer, so what it adds is multiplied. DoRA also stretches the weights that are
    there: with its additions gone it would still not be the base. So the difference that the whole
    of it makes to a layer's output is multiplied, and that of modules that were trained whole.
    Nothing of it stays behind, after errors neither.
    """
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper

    def blend(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
        whole = isinstance(module, ModulesToSaveWrapper)
        before = module.original_module if whole else module.base_layer
        plain = before(*args, **_taken(before, kwargs))
        return plain + strength * (output - plain)

    usual: list[tuple[Any, float]] = []
    hooks: list[Any] = []
    try:
        for module in model.modules():
            whole = isinstance(module, ModulesToSaveWrapper) and adapter in module.modules_to_save
            added = isinstance(module, LoraLayer) and adapter in module.scaling
            if whole or (added and adapter in module.lora_variant):
                hooks.append(module.register_forward_hook(blend, with_kwargs=True))
            elif added:
                usual.append((module, module.scaling[adapter]))
                module.scaling[adapter] *= strength
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, value in usual:
            module.scaling[adapter] = value


def _taken(module: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords that a layer takes. PEFT hands its own (`alora_offsets`, `adapter_names`) to
    the layers that it wraps, and after a pass that failed goes on doing so."""
    parameters = inspect.signature(module.forward).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return keywords
    return {name: value for name, value in keywords.items() if name in parameters}
