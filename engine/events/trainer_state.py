"""The curves in a Trainer's `trainer_state.json`, for runs that wrote no event files.

Tags are named as the Trainer's TensorBoard callback names them (transformers,
integrations/integration_utils.py, `rewrite_logs`), so that the same run reads the same by either
way. The file holds no times, so wall times are NaN. It is read again, whole, when it changes.
"""

import json
import math
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from engine.events.event_file import RETRY_SECONDS, Problem
from engine.events.hparams_and_text import Setting, Text
from engine.events.series import Series
from engine.events.watched_folder import TRAINER, Folder, Signature
from engine.safe_open import read_file

LARGEST = 1 << 28
"""Bytes above which such a file is not read: a log of this size is not one."""
LARGEST_STEP = (1 << 63) - 1
"""Steps are integers of 64 bits."""
_CHECKPOINT = re.compile(r"checkpoint-\d+$")
_SPLITS = ("eval", "test")


class TrainerLog:
    """Follows the trainer state of one output directory; same interface as `LogDir`."""

    def __init__(
        self,
        path: Path,
        state: str = TRAINER,
        *,
        clock: Callable[[], float] = time.monotonic,
        folder: Folder | None = None,
    ) -> None:
        """`state` is the file that is followed, relative to `path`: its own, or a checkpoint's."""
        self.path = path
        self.folder = folder or Folder(path)
        self.series: dict[str, Series] = {}
        self.problems: tuple[Problem, ...] = ()
        self.others: Counter[str] = Counter()
        self.settings: dict[str, Setting] = {}
        """The Trainer's own values: best_metric, max_steps, num_train_epochs, …"""
        self.texts: dict[str, Text] = {}
        self.pending = False
        self._state = state
        self._clock = clock
        self._read: tuple[str, Signature] | None = None
        self._retry_at = float("inf")

    @property
    def modified(self) -> float:
        """When the state changed, in seconds since the epoch; 0 where there is none."""
        source = self._source()
        return source[1][3] / 1e9 if source else 0.0

    def follow(self, state: str) -> None:
        """Follow another state of the same run: a checkpoint's that was written later."""
        self._state = state

    def poll(self, budget_seconds: float | None = None) -> bool:
        """Read the state again if it changed; True where anything shown has changed."""
        self.folder.look(self._clock())
        return self.read(budget_seconds)

    def waits(self) -> bool:
        return self._source() != self._read or self._clock() >= self._retry_at

    def read(self, budget_seconds: float | None = None) -> bool:
        """`poll` for a folder that was just looked at. One file is one piece of work."""
        source = self._source()
        if source == self._read and self._clock() < self._retry_at:
            return False
        self._read, self._retry_at = source, float("inf")
        before = self.problems
        if source is None:
            changed = bool(self.series)
            self.series, self.settings, self.problems = {}, {}, ()
            return changed or bool(before)
        name = source[0]
        try:
            state = load_state(self.path / name)
        except (OSError, ValueError, RecursionError) as error:
            # It is written in place: the earlier content is kept until the new one is complete.
            reason = getattr(error, "strerror", None) or str(error)
            self.problems = (Problem(name, f"cannot be read: {reason}"),)
            self._retry_at = self._clock() + RETRY_SECONDS
            return self.problems != before
        self.series = curves(state.get("log_history"))
        passed_over = _out_of_range(state.get("log_history"))
        self.problems = (Problem(name, passed_over),) if passed_over else ()
        self.settings = {
            key: value
            for key, value in state.items()
            if value is None or isinstance(value, str | int | float | bool)
        }
        return True

    def _source(self) -> tuple[str, Signature] | None:
        """The state that is followed, as it is now."""
        if self._state != TRAINER:
            signature = signature_of(os.path.join(self.path, self._state))
            return (self._state, signature) if signature else None
        known = self.folder.known.get(TRAINER)
        return (TRAINER, known) if known else None


def signature_of(path: str) -> Signature | None:
    """What `stat` says of a file; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def checkpoints(folders: Iterable[str]) -> list[str]:
    """Those of `folders` that are named as the Trainer's checkpoints are."""
    return [name for name in folders if is_checkpoint(name)]


def is_checkpoint(name: str) -> bool:
    return _CHECKPOINT.match(name) is not None


def curves(history: object) -> dict[str, Series]:
    """The series in a `log_history`; entries of another shape are passed over.

    An integer beyond the range of a float becomes infinite, as `1e999` does.
    """
    points: dict[str, tuple[list[int], list[float]]] = {}
    for entry in history if isinstance(history, list) else []:
        step = _step(entry)
        if step is None or abs(step) > LARGEST_STEP:
            continue
        for key, value in entry.items():
            if key == "step" or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            steps, values = points.setdefault(tag_of(key), ([], []))
            steps.append(step)
            values.append(as_float(value))
    return {tag: _series(tag, steps, values) for tag, (steps, values) in points.items()}


def _step(entry: object) -> int | None:
    step = entry.get("step") if isinstance(entry, Mapping) else None
    return step if isinstance(step, int) and not isinstance(step, bool) else None


def _out_of_range(history: object) -> str:
    steps = map(_step, history) if isinstance(history, list) else ()
    count = sum(step is not None and abs(step) > LARGEST_STEP for step in steps)
    return f"{count:,} entries skipped: step exceeds 64 bits" if count else ""


def as_float(value: float) -> float:
    """A number of any size: an integer beyond the range of a float becomes infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def tag_of(key: str) -> str:
    """A key of the Trainer's log as a tag: `eval_loss` is `eval/loss`, `loss` is `train/loss`."""
    split, _, rest = key.partition("_")
    return f"{split}/{rest}" if rest and split in _SPLITS else f"train/{key}"


def _series(tag: str, steps: list[int], values: list[float]) -> Series:
    arrays = np.array(steps, np.int64), np.full(len(steps), np.nan), np.array(values)
    for array in arrays:
        array.flags.writeable = False
    return Series(tag, *arrays)


def load_state(path: Path) -> Mapping[str, object]:
    """The state; NaN and infinity are understood. Raises OSError, ValueError, RecursionError."""
    value = json.loads(read_file(path, LARGEST))
    if not isinstance(value, dict) or "log_history" not in value:
        raise ValueError("not a trainer state: no log_history")
    return value
