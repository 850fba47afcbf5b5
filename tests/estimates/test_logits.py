"""What logits take, against the tensors that the head really keeps and makes."""

from typing import Any

import pytest

from engine.estimates.architectures import read_dims
from engine.estimates.logits import chunk_states, logits_bytes, rows_at_once

torch = pytest.importorskip("torch")

SIZES: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 4000, "hidden_size": 32, "intermediate_size": 64,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
}  # fmt: skip


def test_labels_count_and_not_tokens_and_no_more_than_a_chunk() -> None:
    dims = read_dims(SIZES)
    assert dims is not None
    rows = rows_at_once(4000, "cpu")
    assert rows == (1 << 24) // 4000
    assert logits_bytes(dims, 10, "cpu") == 3 * 10 * 4000 * 4
    assert logits_bytes(dims, rows * 9, "cpu") == logits_bytes(dims, rows, "cpu")
    assert chunk_states(dims, rows, "cpu") == 0
    assert chunk_states(dims, rows + 1, "cpu") == 2 * (rows + 1) * 32 * 4
    assert rows_at_once(1 << 30, "cpu") == 1, "a row at least"
    assert rows_at_once(4000, "mps") == rows_at_once(4000, "cuda") > rows


def test_a_cap_saves_one_tensor_more() -> None:
    plain, capped = (read_dims(SIZES | {"model_type": name}) for name in ("llama", "gemma2"))
    assert plain is not None
    assert capped is not None
    assert logits_bytes(capped, 10, "cpu") * 3 == logits_bytes(plain, 10, "cpu") * 4


def test_the_head_keeps_what_is_counted() -> None:
    """Of n labels the backward pass begins with a row of log-probabilities each, whatever the
    length of the batch; of a loss in chunks no more are made at once than one chunk has."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from engine.worker.model.label_head import LabelHead

    make: Any = AutoModelForCausalLM.from_config
    model = make(AutoConfig.for_model(**SIZES))
    ids = torch.arange(5, 125).view(2, 60)
    labels = torch.full_like(ids, -100)
    labels[:, 30:40] = ids[:, 30:40]
    for chunk, largest in ((None, 20 * 4000), (5, 5 * 4000)):
        sizes: list[int] = []
        mask = torch.ones_like(ids)

        def keep(tensor: Any, sizes: list[int] = sizes) -> Any:
            if not isinstance(tensor, torch.nn.Parameter) and tensor.dtype is torch.float32:
                sizes.append(tensor.numel())
            return tensor

        head = LabelHead(keeps=True, chunk=chunk)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            head.nll_by_row(model, {"input_ids": ids, "attention_mask": mask}, labels)
        body = 2 * 60 * 64
        assert max(size for size in sizes if size != 4000 * 32) == max(largest, body)
