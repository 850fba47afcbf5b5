"""What a merged export takes of memory: at most 2.2 times the weights that it writes.

The growth of this process's peak over what it holds before, once an export of a tiny model has
imported all that one needs. Measured in a process of its own with 57 M parameters, all linear
layers under LoRA of rank 32: 1.2 times in float32 and in bfloat16.
"""

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.initialization import no_init_weights

from engine.worker.model.weight_writer import SHARD_BYTES
from engine.worker.release.writing.merged_folder import write_merged
from tests.benchmarks.peak import resident
from tests.worker.release.sources import LOAD, make_source
from tests.worker.tiny import save_adapter, save_checkpoint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak")
MOST = 2.2
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def grow(base: Path, adapter: Path, folder: Path) -> int:
    """Bytes by which an export raises this process's resident memory at its peak."""
    gc.collect()
    with suppress(AttributeError):  # what malloc kept of earlier tests would be used again
        ctypes.CDLL(None).malloc_trim(0)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    write_merged(make_source(base, adapter), folder, None, SHARD_BYTES, lambda done, total: None)
    return resident("VmHWM") - before


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 18 M parameters in either type, and an adapter for both."""
    folder = tmp_path_factory.mktemp("models")
    config = LlamaConfig(
        vocab_size=4_000, hidden_size=512, intermediate_size=1536, num_hidden_layers=5,
        num_attention_heads=8, num_key_value_heads=4, tie_word_embeddings=True,
    )  # fmt: skip
    make: Any = LlamaForCausalLM
    with no_init_weights():
        model = make(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(0.01).view(-1)[::7].neg_()
    model.save_pretrained(folder / "float32")
    model.to(torch.bfloat16).save_pretrained(folder / "bfloat16")
    settings = LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(LOAD(folder / "float32"), settings)
    tuned.save_pretrained(str(folder / "lora"))
    small = save_checkpoint(folder / "small")
    grow(small, save_adapter(folder / "a", small), folder / "merged")
    return folder


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_a_merged_export_holds_its_weights_about_once(
    dtype: str, models: Path, tmp_path: Path
) -> None:
    taken = grow(models / dtype, models / "lora", tmp_path / "merged")
    size = (tmp_path / "merged" / "model.safetensors").stat().st_size
    assert size > 17e6 * DTYPES[dtype].itemsize
    assert 0.5 * size < taken < MOST * size, f"{taken / size:.2f} times the weights"
