"""How this process gives memory back: large tensors at once, where glibc would keep their room.

By default glibc raises the size above which a block is given back whole with every large block that
is freed. The small tensors of LoRA then lie between large ones and pin them: 40% more memory for a
model of 134 M parameters. A fixed bound costs 1 to 6% of time there, more for small tensors: so it
is for models whose tensors are large anyway. Does nothing on GPUs' memory, nor without glibc.
"""

import ctypes
import mmap
import platform
from pathlib import Path

import torch

from engine.checkpoints import checkpoint_list
from engine.estimates.memory import LARGE_MODEL

LARGE_BLOCK = 1 << 18
"""Bytes."""
_M_MMAP_THRESHOLD = -3
_MADV_PAGEOUT = 21
"""Of Linux 5.4 and later; what another kernel does not know it refuses."""


def give_back_large_blocks(base: Path) -> bool:
    """Fix the bound where the model at `base` is large; whether it was."""
    parameters = checkpoint_list.inspect(base).parameters or 0
    return parameters >= LARGE_MODEL and fix_large_blocks()


def fix_large_blocks() -> bool:
    """Fix the bound for this process, however large its model is; whether it was."""
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK))


def leave_file(model: torch.nn.Module) -> None:
    """Give each weight of a model on the CPU memory of its own in place of its mapped file.

    What replaces such a weight then takes its room: pages of a file that were read stay in memory
    until the last weight of it is gone.
    """
    for weight in model.parameters():
        mapped = weight.data
        weight.data = mapped.clone()
        page_out(mapped)


def page_out(tensor: torch.Tensor) -> None:
    """Let the system take back the pages of a tensor that is not read again soon.

    Weights of a checkpoint are its mapped file: what was read of it stays in memory until the last
    of them is gone. Values stay as they are, and are read again where they are needed.
    """
    if platform.system() != "Linux" or tensor.device.type != "cpu" or not tensor.is_contiguous():
        return
    page = mmap.PAGESIZE
    first = -(-tensor.data_ptr() // page) * page
    size = (tensor.data_ptr() + tensor.nbytes) // page * page - first
    if size > 0:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(size), _MADV_PAGEOUT)
