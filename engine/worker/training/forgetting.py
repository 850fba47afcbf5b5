"""The forgetting alarm: how far a model has moved from its base on a text it is not trained on.

Measures the shift of the held-out loss and KL(base‖now). What follows from a budget is for
`verdicts` to say. The base is measured once, at the start, and kept in the run's folder `probe/`.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine import atomic
from engine.demo import PROBE
from engine.jobs.recipe import TrainRecipe
from engine.worker.attempt import Attempt, Stopped
from engine.worker.model.stages import Lineage
from engine.worker.rows.encode import Encoded
from engine.worker.training.gauges import undisturbed
from engine.worker.training.probe import (
    Probe,
    Reference,
    affordable,
    continuations,
    divergence,
    read_probe,
    vocabulary_of,
)
from engine.worker.training.verdicts import SHIFT

FOLDER = "probe"
TAGS = {
    "base": (SHIFT, "forget/kl_to_base"),
    "parent": ("forget/nll_shift_parent", "forget/kl_to_parent"),
}
"""The tags of shift and divergence by ancestor: the root of all stages, and the one before."""

Ancestors = Mapping[str, Callable[[], AbstractContextManager[Any]]]
"""`base`, and `parent` where it is another: contexts in which there is a model of these weights."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """A gauge of the shift in nats per token, and of KL(base‖now) in nats, to each ancestor."""

    attempt: Attempt
    model: Any
    probe: Probe
    references: dict[str, Reference]

    @classmethod
    def begin(
        cls,
        attempt: Attempt,
        model: Any,
        tokenizer: Any,
        ancestors: Ancestors,
        rows: Sequence[Encoded],
        autocast: Callable[[], AbstractContextManager[Any]],
        fresh: bool,
    ) -> "Forgetting | None":
        """Measure the ancestors, before anything is trained or loaded, or read what was measured.

        `rows` are those that are trained on, `autocast` the arithmetic of training. A run that goes
        on keeps the probe it began with; `fresh` is one that begins. None where the recipe wants no
        alarm. Raises Stopped, and EngineError for an unusable probe text.
        """
        recipe = attempt.recipe
        assert isinstance(recipe, TrainRecipe)
        if not recipe.forgetting.tokens:
            return None
        folder, chosen = attempt.directory.path / FOLDER, recipe.forgetting.probe
        path = Path(chosen).expanduser() if chosen else PROBE
        if fresh:  # what an attempt left that saved nothing may be of another base
            shutil.rmtree(folder, ignore_errors=True)
        probe = _fixed(
            folder,
            lambda: read_probe(path, tokenizer, probe_tokens(recipe, rows), _context(model)),
        )
        started = time.monotonic()
        references = {}
        for name, weights in ancestors.items():
            with weights() as ancestor, undisturbed(ancestor), autocast():
                if (size := vocabulary_of(ancestor)) != vocabulary_of(model):
                    attempt.log(f"the {name} has {size:,} tokens, and is not compared with")
                    continue
                references[name] = Reference.make(
                    folder / f"{name}.npy", probe, ancestor, lambda: _heed(attempt)
                )
        if not references:
            return None
        attempt.log(
            f"probe of {probe.predicted:,} tokens read by {' and '.join(references)}, "
            f"{time.monotonic() - started:.1f} s"
        )
        return cls(attempt, model, probe, references)

    def measure(self, step: int) -> dict[str, float]:
        """Shift and divergence to each ancestor, a pass of rows at a time."""
        started = time.monotonic()
        nll, start = 0.0, 0
        apart = dict.fromkeys(self.references, 0.0)
        for part, logs in continuations(self.model, self.probe):
            _heed(self.attempt)
            nll += part
            for name, reference in self.references.items():
                kept = torch.tensor(reference.logs[start : start + len(logs)])
                apart[name] += divergence(kept.to(logs.device), logs)
            start += len(logs)
        values = {}
        for name, reference in self.references.items():
            shift, kl = TAGS[name]
            values[shift] = (nll - reference.nll) / self.probe.predicted
            values[kl] = apart[name] / self.probe.predicted
        moved = ", ".join(
            f"{values[shift]:+.4f} nats/token and KL {values[kl]:.4f} to {name}"
            for name, (shift, kl) in TAGS.items()
            if name in self.references
        )
        self.attempt.log(
            f"step {step}: forgetting {moved}, over {self.probe.predicted:,} tokens, "
            f"{time.monotonic() - started:.2f} s"
        )
        return values

    def discard(self) -> None:
        """Remove the distributions, which are large. The probe stays, for a run given more."""
        for path in (self.attempt.directory.path / FOLDER).glob("*.npy"):
            path.unlink()


def find_ancestors(model: Any, lineage: Lineage, load_root: Callable[[], Any]) -> Ancestors:
    """Those of a model that is ready to be trained; the root is loaded where it is nowhere in it.

    Before the first step the model is the parent, or where it has none the root.
    """
    if lineage.off == "root":
        base: Callable[[], AbstractContextManager[Any]] = lambda: _off(model)  # noqa: E731
    elif lineage.parent is None:
        base = lambda: nullcontext(model)  # noqa: E731
    else:
        base = lambda: nullcontext(load_root())  # noqa: E731
    if lineage.parent is None:
        return {"base": base}
    return {"base": base, "parent": lambda: nullcontext(model)}


@contextmanager
def _off(model: Any) -> Iterator[Any]:
    with model.disable_adapter():
        yield model


def probe_tokens(recipe: TrainRecipe, rows: Sequence[Encoded]) -> int:
    """How many tokens to measure: as the recipe says.

    Where it says the default, fewer in a short run, so that they take little of its time.
    """
    wanted, training = recipe.forgetting.tokens, recipe.training
    if wanted != type(recipe.forgetting)().tokens:
        return wanted
    each = sum(len(row.input_ids) for row in rows)
    seen = each * training.epochs
    if training.max_steps:
        steps_rows = training.max_steps * training.batch_size * training.accumulation
        seen = each / len(rows) * steps_rows
    # The base once, and step 0.
    return affordable(wanted, int(seen), training.evaluations + 2)


def _fixed(folder: Path, make: Callable[[], Probe]) -> Probe:
    """The probe of this run; made, and kept, where it has none yet."""
    path = folder / "rows.json"
    with suppress(FileNotFoundError):
        return Probe([list(map(int, row)) for row in json.loads(path.read_bytes())])
    probe = make()
    folder.mkdir(exist_ok=True)
    atomic.write_text(path, json.dumps(probe.rows))
    return probe


def _context(model: Any) -> int:
    """Positions that the model knows."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 1 << 30


def _heed(attempt: Attempt) -> None:
    if attempt.stop_requested():
        raise Stopped
