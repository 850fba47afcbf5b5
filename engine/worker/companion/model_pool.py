"""The models that the companion has at hand: where they run, what is kept, what is in use just now.

What does not fit beside those in use waits for them; nothing here decides what is asked.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from engine.checkpoints.gguf_header import is_gguf
from engine.checkpoints.hub_cache import name_folder
from engine.compare.arm_weights import ArmWeights, locate
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.jobs.store import open_store
from engine.worker.companion.protocol import Cancelled, Event
from engine.worker.inference.models import LoadedArm, ModelCache, SharedModel
from engine.worker.inference.weight_files import free_on, load_tokenizer
from engine.worker.model import loading

_TOKENIZER_FILES = (".json", ".jinja", ".model", ".tiktoken", ".txt")


class ModelPool:
    """Models in memory, and the folder of runs whose checkpoints can be asked for."""

    def __init__(self) -> None:
        self._models: ModelCache | None = None
        self._tokenizers: dict[Path, Any] = {}
        self._written: dict[Path, int] = {}
        """When the newest file of a tokenizer was written, in ns."""
        self._wanted = "auto"
        self._budget: int | None = None
        self._root: str | None = None
        self._in_use: list[SharedModel] = []

    def configure(self, device: str, budget: int | None, root: str | None) -> None:
        """Where to run, how many bytes of weights to keep (None: half of what is free), the runs.

        Raises EngineError for a device that is not there; what is loaded elsewhere is let go.
        """
        if device != self._wanted or budget != self._budget:
            self._models = None
        self._wanted, self._budget, self._root = device, budget, root

    def unload(self) -> None:
        """Let go of all models: nobody has asked for a while."""
        if self._models is not None:
            self._models.clear()

    def locate(self, arm: Arm) -> ArmWeights:
        """Where an arm's weights lie. Raises EngineError, for an endpoint too."""
        if arm.is_endpoint:
            raise EngineError(
                "An endpoint returns only answers.",
                f"{arm.name} at {arm.checkpoint}",
                "Weights, tokens and template of an endpoint are not available.",
            )
        return locate(arm, self.runs())

    def tokenizer(self, arm: Arm) -> Any:
        """An arm's tokenizer, without its model, as its files are now. Raises EngineError.

        It is kept: one with 262,144 tokens takes seconds to read.
        """
        path = self.locate(arm).tokenizer
        inside = [path] if is_gguf(path) else path.iterdir()
        files = (file for file in inside if file.suffix in _TOKENIZER_FILES or file == path)
        written = max((file.stat().st_mtime_ns for file in files if file.is_file()), default=0)
        if path not in self._tokenizers or self._written.get(path, written) != written:
            self._tokenizers[path] = load_tokenizer(path)
        self._written[path] = written
        return self._tokenizers[path]

    def load_arm(
        self, arm: Arm, cancelled: Cancelled
    ) -> Generator[Event | None, None, LoadedArm | None]:
        """The arm, once there is room for it; says what it waits for. None: cancelled."""
        weights = self.locate(arm)
        models = self.models()
        waits = False
        while not cancelled():
            if not waits and not models.holds(arm, weights):
                yield {"event": "loading", "message": f"loading {name_folder(weights.base)}"}
            loaded_arm = models.load_arm(arm, weights, _say_nothing, self._in_use)
            if loaded_arm is not None:
                return loaded_arm
            if not waits:
                yield {"event": "loading", "message": "waiting: both models do not fit in memory"}
            waits = True
            yield None
        return None

    @contextmanager
    def in_use(self, *loaded_arms: LoadedArm) -> Iterator[None]:
        """Within it the arms' models stay in memory; a device that is full is said in words."""
        self._in_use += [loaded_arm.model for loaded_arm in loaded_arms]
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise EngineError(
                "The device ran out of memory.",
                str(error).split("\n")[0],
                "Reduce max new tokens, or use device cpu.",
            ) from error
        finally:
            for loaded_arm in loaded_arms:
                self._in_use.remove(loaded_arm.model)

    def models(self) -> ModelCache:
        """Those in memory. Raises EngineError for a device that is not there."""
        if self._models is None:
            device = loading.pick_device(self._wanted)
            # Half of what is free now, so that a training run beside it has room.
            budget = self._budget or free_on(device) // 2
            self._models = ModelCache(device, budget, self._tokenizers)
        return self._models

    def runs(self) -> Sequence[Path]:
        """The directories that `run:ID` may mean."""
        return [job.path for job in open_store(self._root).jobs()]


def _say_nothing(what: str) -> None:
    """The client was told before: nothing can be sent while a model loads."""
