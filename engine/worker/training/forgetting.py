"""The forgetting alarm: how far a model has moved from its base on a text it is not trained on.

Measures the shift of the held-out loss and KL(base‖now). What follows from a budget is for
`stopping_rules` to say. The base is measured once, at the start, and its distributions are kept in
the run's folder `probe/` while it lasts, also where the base is the model with its adapter switched
off: asking it again at each evaluation would double the time that the alarm takes.
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
from engine.bundled import PROBE
from engine.checkpoints.stages import Lineage
from engine.events.event_tags import FORGETTING_TAGS
from engine.number_format import write_number
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.encode import Encoded
from engine.worker.model import loading
from engine.worker.training.evaluator import Tick, no_tick, preserve_rng_and_mode
from engine.worker.training.probe_text import (
    Probe,
    Reference,
    affordable,
    continuations,
    count_passes,
    divergence,
    read_probe,
    vocabulary_of,
)

FOLDER = "probe"

Arithmetic = Callable[[], AbstractContextManager[Any]]
"""Contexts in which products are made as in training."""


@dataclass(frozen=True, slots=True)
class ForgettingMonitor:
    """Measures the shift in nats per token, and KL(base‖now) in nats, to each ancestor."""

    attempt: Attempt
    model: Any
    probe: Probe
    references: dict[str, Reference]
    names: dict[str, str]
    """Of the ancestors, as people know them."""
    activity: str = "measuring forgetting"

    @classmethod
    def start(
        cls,
        attempt: Attempt,
        model: Any,
        lineage: Lineage,
        probe: Probe,
        root: Reference | None,
        arithmetic: Arithmetic,
    ) -> "ForgettingMonitor":
        """Measure the ancestors that a model holds, before anything is trained or loaded into it.

        What was measured before is used again. `root` is of `reference_logprobs`. Raises Stopped.
        """
        started, held = time.monotonic(), _ancestors(model, lineage)
        names = {"base": lineage.root, "parent": lineage.parent or lineage.root}
        references = {} if root is None else {"base": root}
        for name, weights in held.items():
            with weights() as ancestor, preserve_rng_and_mode(ancestor), arithmetic():
                references[name] = Reference.make(
                    _reference_file(attempt, name),
                    probe,
                    ancestor,
                    _tick_of(attempt),
                )
        attempt.show_activity("")
        if root is not None and root.vocabulary != (size := vocabulary_of(model)):
            attempt.log(
                f"{lineage.root} has {root.vocabulary:,} tokens, not {size:,}: not used as "
                "reference"
            )
            del references["base"]
        attempt.log(
            f"reference log-probabilities of {probe.predicted:,} probe tokens from "
            f"{' and '.join(names[one] for one in held)}, {time.monotonic() - started:.1f} s"
        )
        attempt.update(**{one: names[one] for one in references})
        return cls(attempt, model, probe, references, names)

    def measure(self, step: int, tick: Tick = no_tick) -> dict[str, float]:
        """Shift and divergence to each ancestor, a pass of rows at a time."""
        started = time.monotonic()
        nll, start = 0.0, 0
        divergences = dict.fromkeys(self.references, 0.0)
        passes = count_passes(self.model, self.probe)
        for at, (part, logs) in enumerate(continuations(self.model, self.probe), 1):
            _raise_if_stopped(self.attempt)
            tick(at, passes)
            nll += part
            for name, reference in self.references.items():
                base_logs = torch.tensor(reference.logs[start : start + len(logs)])
                divergences[name] += divergence(base_logs.to(logs.device), logs)
            start += len(logs)
        values = {}
        for name, reference in self.references.items():
            shift, kl = FORGETTING_TAGS[name]
            values[shift] = (nll - reference.nll) / self.probe.predicted
            values[kl] = divergences[name] / self.probe.predicted
        moved = ", ".join(
            f"{write_number(values[shift], 4, signed=True)} nats/token and KL "
            f"{write_number(values[kl], 4)} to {self.names[name]}"
            for name, (shift, kl) in FORGETTING_TAGS.items()
            if name in self.references
        )
        self.attempt.log(
            f"step {step}: forgetting {moved}, over {self.probe.predicted:,} tokens, "
            f"{time.monotonic() - started:.2f} s"
        )
        return values

    def remove_reference(self) -> None:
        """Remove the distributions, which are large. The probe stays, for a run given more."""
        for path in (self.attempt.directory.path / FOLDER).glob("*.npy"):
            path.unlink()


def pin_probe(
    attempt: Attempt,
    tokenizer: Any,
    rows: Sequence[Encoded],
    context: int | None,
    lineage: Lineage,
    fresh: bool,
) -> Probe | None:
    """What is to be read; None where the recipe wants no alarm.

    `rows` are those that are trained on, `context` the positions that the model knows. A run that
    goes on keeps the probe it began with; `fresh` is one that begins. Raises EngineError for an
    unusable text.
    """
    recipe = attempt.recipe
    assert isinstance(recipe, TrainRecipe)
    if not recipe.forgetting.tokens:
        return None
    folder, chosen = attempt.directory.path / FOLDER, recipe.forgetting.probe
    path = Path(chosen).expanduser() if chosen else PROBE
    if fresh:  # what an attempt left that saved nothing may be of another base
        shutil.rmtree(folder, ignore_errors=True)
    tokens = probe_tokens(recipe, rows, 1 if lineage.parent is None else 2)
    return _pinned(folder, lambda: read_probe(path, tokenizer, tokens, context or 1 << 30))


def reference_logprobs(
    attempt: Attempt,
    lineage: Lineage,
    probe: Probe,
    load: Callable[[], Any],
    arithmetic: Arithmetic,
) -> Reference | None:
    """How the root continues the probe; None where the model that will be trained holds it.

    To be called before that one is loaded, so that the two never lie in memory together. Raises
    Stopped, EngineError.
    """
    if lineage.parent is None or lineage.off == "root":
        return None
    path = _reference_file(attempt, "base")
    reference = Reference.read(path, probe)
    if reference is None:
        root, started = load(), time.monotonic()
        with preserve_rng_and_mode(root), arithmetic():
            reference = Reference.make(path, probe, root, _tick_of(attempt))
        attempt.show_activity("")
        taken = time.monotonic() - started
        del root
        loading.release()
        attempt.log(
            f"reference log-probabilities of {probe.predicted:,} probe tokens from "
            f"{lineage.root}, {taken:.1f} s"
        )
    return reference


def _ancestors(
    model: Any, lineage: Lineage
) -> Mapping[str, Callable[[], AbstractContextManager[Any]]]:
    """Those that a model holds which is ready to be trained: contexts in which it is one of them.

    Before the first step it is the parent, or where it has none the root.
    """
    held: dict[str, Callable[[], AbstractContextManager[Any]]] = {}
    if lineage.off == "root":
        held["base"] = lambda: _off(model)
    held.setdefault("base" if lineage.parent is None else "parent", lambda: nullcontext(model))
    return held


@contextmanager
def _off(model: Any) -> Iterator[Any]:
    with model.disable_adapter():
        yield model


def probe_tokens(recipe: TrainRecipe, rows: Sequence[Encoded], references: int) -> int:
    """How many tokens to measure, and compare with so many models: as the recipe says.

    Where it says the default, fewer in a short run, so that they take little of its time.
    """
    tokens = recipe.forgetting.tokens
    if tokens != type(recipe.forgetting)().tokens:
        return tokens
    seen = count_training_tokens(recipe, rows)
    return affordable(tokens, int(seen), recipe.training.evaluations + 1, references)


def count_training_tokens(recipe: TrainRecipe, rows: Sequence[Encoded]) -> float:
    """How many tokens a run trains on that learns from these rows, each as often as it comes."""
    training, each = recipe.training, sum(len(row.input_ids) for row in rows)
    if not training.max_steps:
        return each * training.epochs
    steps_rows = training.max_steps * training.batch_size * training.gradient_accumulation_steps
    return each / len(rows) * steps_rows


def _pinned(folder: Path, make: Callable[[], Probe]) -> Probe:
    """The probe of this run; made, and kept, where it has none yet."""
    path = folder / "rows.json"
    with suppress(FileNotFoundError):
        return Probe([list(map(int, row)) for row in json.loads(path.read_bytes())])
    probe = make()
    folder.mkdir(exist_ok=True)
    atomic.write_text(path, json.dumps(probe.rows))
    return probe


def _reference_file(attempt: Attempt, name: str) -> Path:
    """Where the distributions of an ancestor are kept."""
    return attempt.directory.path / FOLDER / f"{name}.npy"


def _tick_of(attempt: Attempt) -> Tick:
    """What to call at each pass over the probe that measures an ancestor. It raises Stopped."""

    def tick(done: int, total: int) -> None:
        _raise_if_stopped(attempt)
        attempt.show_activity("measuring the base", done, total)

    return tick


def _raise_if_stopped(attempt: Attempt) -> None:
    if attempt.stop_requested():
        raise Stopped
