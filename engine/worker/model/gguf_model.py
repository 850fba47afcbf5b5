"""A model and its tokenizer out of a GGUF file, as transformers has them: the arm of an export.

The weights are read by transformers' own loader, dequantised. The config is built from the header
here (`engine.checkpoints.gguf_config`): that loader drops soft caps, scaled RoPE, the pattern of
sliding windows and more. The tokenizer is built by `engine.worker.tokenizers`, by the header's
`tokenizer.ggml.pre`, which transformers does not read.
"""

from pathlib import Path
from typing import Any

import torch


def load_gguf(path: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """A causal language model in evaluation mode on `device`, every weight in `dtype`.

    Raises EngineError where the file is damaged, is one part of several, holds a family that is
    not mapped, or lacks weights; its title names the file.
    """
    raise NotImplementedError


def load_gguf_tokenizer(path: Path) -> Any:
    """The tokenizer of a GGUF file, with its chat template. Raises EngineError."""
    raise NotImplementedError
