"""The frozen base in 4 or 8 bits, by bitsandbytes, on NVIDIA GPUs and on CPUs.

Refuses to fetch anything: where the package `kernels` is there as well, bitsandbytes would ask the
hub for a CPU kernel as it is imported. Only the frozen base is quantised; nothing learns in it.
"""

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from engine.errors import EngineError
from engine.recipes.combinations import check_quantize
from engine.worker.environment import set_environment

EXTRA = 'pip install "finetop[quantize]"'


def settings_of(kind: str, compute: torch.dtype, device: torch.device) -> Any:
    """transformers' settings for `4bit` (NF4, its constants quantised too) or `8bit`.

    `compute` is the format that products are made in. Raises EngineError where bitsandbytes is
    missing or broken, or has no way to run on the device.
    """
    check_quantize(device.type, kind)
    load_bitsandbytes()
    from transformers import BitsAndBytesConfig

    make: Any = BitsAndBytesConfig
    if kind == "8bit":
        return make(load_in_8bit=True)
    return make(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def load_bitsandbytes() -> Any:
    """The package, imported so that it fetches nothing. Raises EngineError where it is missing.

    Until this is called, `set_environment` keeps it away from all that would import it.
    """
    # At every product it would write a line about the casts that 8 bits need.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if (known := sys.modules.get("bitsandbytes")) is not None:
        return known
    sys.modules.pop("bitsandbytes", None)
    try:
        with _without_kernels():
            package = importlib.import_module("bitsandbytes")
    except ImportError as error:
        raise EngineError("Quantisation needs bitsandbytes.", str(error), EXTRA) from error
    except (OSError, RuntimeError) as error:
        raise EngineError("bitsandbytes does not work here.", str(error)[:300], EXTRA) from error
    finally:
        set_environment()  # what failed stays away from who did not ask for it
    _tell_libraries()
    return package


@contextmanager
def _without_kernels() -> Iterator[None]:
    known = sys.modules.get("kernels")
    sys.modules["kernels"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if known is None:
            del sys.modules["kernels"]
        else:
            sys.modules["kernels"] = known


def _tell_libraries() -> None:
    """Have those look again that remember that it was not there."""
    from peft.import_utils import is_bnb_4bit_available, is_bnb_available
    from transformers.utils.import_utils import is_bitsandbytes_available

    for remembered in (is_bnb_available, is_bnb_4bit_available, is_bitsandbytes_available):
        remembered.cache_clear()


def keep_weights_as_they_are(model: Any) -> Any:
    """`model`, never to repack its 4-bit weights; to be called before its first forward pass.

    On CPUs with AVX512-BF16 a pass in evaluation mode repacks them for speed, and later backward
    passes read the new layout as the old: gradients are wrong while the loss looks fine.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def is_quantized(model: Any) -> bool:
    """Whether the weights are in 4 or 8 bits, by us or as the checkpoint stores them."""
    return getattr(model, "quantization_method", None) is not None
