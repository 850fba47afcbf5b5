"""An adapter at a part of its strength: what it changes in each layer, multiplied."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def scaled(model: Any, adapter: str, strength: float) -> Iterator[None]:
    """Within it the adapter of that name changes every layer `strength` times as much.

    LoRA adds to a layer, so what it adds is multiplied. DoRA also stretches the weights that are
    there: with its additions gone it would still not be the base. So the difference that the whole
    of it makes to a layer's output is multiplied. Nothing of it stays behind, after errors neither.
    """
    from peft.tuners.lora import LoraLayer

    def blend(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
        plain = module.base_layer(*args, **kwargs)
        return plain + strength * (output - plain)

    usual: list[tuple[Any, float]] = []
    hooks: list[Any] = []
    try:
        layers: list[Any] = [one for one in model.modules() if isinstance(one, LoraLayer)]
        for module in layers:
            if adapter not in module.scaling:
                continue
            if adapter in module.lora_variant:
                hooks.append(module.register_forward_hook(blend, with_kwargs=True))
            else:
                usual.append((module, module.scaling[adapter]))
                module.scaling[adapter] *= strength
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, value in usual:
            module.scaling[adapter] = value
