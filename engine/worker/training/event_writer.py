"""A run's TensorBoard events: one file an attempt, all in one directory for the life of the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter


class EventWriter:
    """Writes scalars by optimiser step, flushed at every log so that a kill loses none."""

    def __init__(self, folder: Path, attempt: int, first_step: int) -> None:
        # What earlier attempts wrote from here on was never saved: readers are told to purge it.
        self._writer = SummaryWriter(
            str(folder),
            purge_step=first_step if attempt > 1 else None,
            filename_suffix=f".{attempt}",
        )
        self._file: Any = self._writer._get_file_writer()  # type: ignore[no-untyped-call]

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write scalars by tag, as in `train/loss`, at a step; one record of the file holds all."""
        parts = [Summary.Value(tag=tag, simple_value=float(value)) for tag, value in values.items()]
        self._file.add_summary(Summary(value=parts), step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
