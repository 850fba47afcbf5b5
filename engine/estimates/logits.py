"""What logits take at the most: of labelled positions alone, and of many of them in chunks.

`engine.worker.model.label_head` makes them so; a model that it must ask for all logits takes more,
and its log says so.
"""

from engine.estimates.architectures import ModelDims

CHUNK = {"cpu": 1 << 24, "cuda": 1 << 27}
"""Logits that are made at once, at the most, by kind of device; a row at least. On a CPU 64 MB of
float32: larger ones are not faster. A GPU needs some hundred rows to be busy."""


def rows_at_once(vocabulary: int, device_kind: str) -> int:
    """Rows of logits in a chunk; kinds that are not named are taken for GPUs."""
    return max(1, CHUNK.get(device_kind, CHUNK["cuda"]) // vocabulary)


def logits_bytes(dims: ModelDims, labels: int, device_kind: str) -> int:
    """Bytes, as the backward pass of the head begins: of each label a row of log-probabilities, its
    gradient and that of the logits, in float32, and where these have a cap what it saved."""
    rows = min(labels, rows_at_once(dims.vocabulary, device_kind))
    copies = 4 if dims.family.capped else 3
    return copies * rows * dims.vocabulary * 4


def chunk_states(dims: ModelDims, labels: int, device_kind: str) -> int:
    """Bytes of what waits for the backward pass of a loss in chunks: of each label its hidden state
    and the gradient of it. 0 where one chunk holds all labels."""
    chunked = labels > rows_at_once(dims.vocabulary, device_kind)
    return 2 * labels * dims.hidden * 4 if chunked else 0
