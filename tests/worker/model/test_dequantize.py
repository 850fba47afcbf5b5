"""4-bit layers on a CPU compute with the weights that their codes stand for, at any row length."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from engine.errors import EngineError
from engine.worker.model import dequantize, loading, quantize
from tests.worker.families import SIZE
from tests.worker.inference import reference
from tests.worker.tiny import make_tokenizer

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("bitsandbytes")

SIZES = [(64, 128), (32, 96), (96, 160), (48, 80), (40, 100)]
"""Hidden and intermediate size: row lengths that are multiples of 64, of 16 only, and of neither.

At a multiple of 16 that is none of 64, bitsandbytes 0.50.2 is wrong on a CPU with AVX512.
"""


def load_both(hidden: int, intermediate: int, folder: Path) -> tuple[Any, Any]:
    """A random model in 4 bits, and the same with each such layer's weights decoded.

    By a function that uses none of the product or the library.
    """
    sizes: Any = SIZE | {"hidden_size": hidden, "intermediate_size": intermediate}
    torch.manual_seed(0)
    whole: Any = LlamaForCausalLM(LlamaConfig(**sizes))
    whole.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    small = loading.load_base(folder, CPU, torch.float32, "4bit")
    decoded = loading.load_base(folder, CPU, torch.float32)
    named = dict(decoded.named_modules())
    for name, layer in small.named_modules():
        if type(layer).__name__ == "Linear4bit":
            whole = named[name].weight.detach()
            weight = torch.nn.Parameter(reference.decoded(layer.weight), requires_grad=False)
            error = float((weight.detach() - whole).norm() / whole.norm())
            assert error < 0.11, f"{name}: NF4 keeps normal weights to .09"
            named[name].weight = weight
    return small, decoded


@pytest.mark.parametrize(("hidden", "intermediate"), SIZES)
def test_answers_and_gradients_are_those_of_the_decoded_weights(
    hidden: int, intermediate: int, tmp_path: Path
) -> None:
    small, decoded = load_both(hidden, intermediate, tmp_path / "base")
    ids = torch.arange(5, 45).unsqueeze(0)
    states = []
    for model in (small, decoded):
        inputs = model.get_input_embeddings()(ids).detach().requires_grad_(True)
        logits = model(inputs_embeds=inputs).logits
        logits.logsumexp(-1).sum().backward()
        states.append((logits.detach(), inputs.grad))
    for found, right in zip(*states, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_the_corrected_kernel_is_right_in_every_shape(kind: str, dtype: torch.dtype) -> None:
    if not dequantize._corrections:
        dequantize._correct_kernel()
    for block in (64, 256, 2048):
        for columns in (*range(2, 130), 192, 1000, 1025):
            assert dequantize.is_exact(columns, block, kind, dtype), f"{columns} in {block}"


def test_a_wrong_layer_that_cannot_be_corrected_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a processor where the library is wrong, with a torch that hands out no kernel."""
    monkeypatch.setattr(dequantize, "is_exact", lambda columns, *rest: columns != 96)
    monkeypatch.setattr(dequantize, "_corrections", [])
    monkeypatch.delattr(torch.library, "get_kernel", raising=False)
    with pytest.raises(EngineError, match="wrongly on this processor") as caught:
        load_both(96, 128, tmp_path / "base")
    assert "rows of 96 values" in caught.value.detail
    assert quantize.load_bitsandbytes(), "the package stays usable"
