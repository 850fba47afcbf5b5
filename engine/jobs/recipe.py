"""Recipes: all that is needed to run a job again, as frozen values and as TOML.

Owns the settings of each kind of job, their defaults and bounds. Does not look at the disk:
whether a checkpoint or a data set exists is for `engine.catalog` to say.
"""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from engine.errors import EngineError
from engine.jobs import fields
from engine.jobs.fields import setting

VERSION = 1


@dataclass(frozen=True, slots=True)
class Model:
    checkpoint: str = setting("bundled:demo-base", label="Checkpoint")
    """`bundled:NAME`, `run:ID` or a path."""


@dataclass(frozen=True, slots=True)
class Data:
    train: str = setting("bundled:emotion", label="Data set")
    """`bundled:NAME` or a path to a file of rows."""
    eval: str = setting("", label="Eval rows")
    """A file of held-out rows; empty: the set's own, else a share of the training rows."""
    eval_share: float = setting(0.1, least=0, most=0.9, label="Eval share")
    limit: int = setting(0, least=0, label="Row limit")
    """Rows of each file to use; 0 is all."""
    max_length: int = setting(256, least=8, most=1_048_576, label="Max length")
    """Tokens of a row; what is longer is cut and counted."""


@dataclass(frozen=True, slots=True)
class Method:
    kind: str = setting("lora", choices=("lora", "full"), label="Method")
    rank: int = setting(8, least=1, most=1024, label="Rank")
    alpha: float = setting(16.0, above=0, label="Alpha")
    """The adapter's output is scaled by alpha / rank."""
    dropout: float = setting(0.0, least=0, most=0.9, label="Dropout")
    targets: list[str] = setting(["all-linear"], label="Targets")
    """Names of the modules that get an adapter; `all-linear` is every linear layer but the head."""


@dataclass(frozen=True, slots=True)
class Training:
    learning_rate: float = setting(2e-4, above=0, most=10, label="Learning rate")
    epochs: float = setting(3.0, above=0, most=10_000, label="Epochs")
    max_steps: int = setting(0, least=0, label="Max steps")
    """Optimiser steps; 0 leaves it to the epochs."""
    batch_size: int = setting(16, least=1, most=65_536, label="Batch size")
    """Rows of one forward pass."""
    accumulation: int = setting(1, least=1, most=65_536, label="Accumulation")
    """Forward passes of one optimiser step."""
    schedule: str = setting("linear", choices=("linear", "cosine", "constant"), label="Schedule")
    warmup_share: float = setting(0.05, least=0, most=1, label="Warm-up share")
    weight_decay: float = setting(0.0, least=0, most=10, label="Weight decay")
    max_grad_norm: float = setting(1.0, least=0, label="Clip gradient at")
    """0 clips nothing."""
    dtype: str = setting("auto", choices=("auto", "float32", "bfloat16", "float16"), label="Dtype")
    seed: int = setting(7, least=0, most=2**32 - 1, label="Seed")
    evaluations: int = setting(10, least=0, most=10_000, label="Evaluations")
    """How often, evenly spread, the held-out rows are measured; 0 is only at the end."""
    saves: int = setting(5, least=0, most=10_000, label="Saves")
    """How often, evenly spread, a checkpoint is kept for resuming; 0 is only at a stop."""
    keep: int = setting(2, least=1, most=1000, label="Keep")
    """Checkpoints kept; older ones are removed."""


@dataclass(frozen=True, slots=True)
class TrainRecipe:
    name: str = setting("run", label="Name")
    device: str = setting("auto", label="Device")
    """`auto`, `cpu`, `mps`, `cuda` or `cuda:N`."""
    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    method: Method = field(default_factory=Method)
    training: Training = field(default_factory=Training)
    kind: str = setting("train", choices=("train",))


@dataclass(frozen=True, slots=True)
class Decode:
    max_new_tokens: int = setting(128, least=1, most=65_536, label="Length")
    temperature: float = setting(0.0, least=0, most=10, label="Temperature")
    """0 is greedy."""
    top_p: float = setting(1.0, above=0, most=1, label="Top p")
    top_k: int = setting(0, least=0, label="Top k")
    seed: int = setting(7, least=0, most=2**32 - 1, label="Seed")


@dataclass(frozen=True, slots=True)
class GenerateRecipe:
    name: str = setting("generate")
    device: str = setting("auto")
    arms: list[str] = setting([])
    """In the grammar of `engine.compare.arms`."""
    prompts: str = setting("")
    """A file of prompts, or `bundled:NAME`."""
    decode: Decode = field(default_factory=Decode)
    kind: str = setting("generate", choices=("generate",))


@dataclass(frozen=True, slots=True)
class EvaluateRecipe:
    name: str = setting("evaluate")
    device: str = setting("auto")
    arms: list[str] = setting([])
    suites: list[str] = setting([])
    """Files of items, or `bundled:NAME`; empty: every bundled suite."""
    limit: int = setting(0, least=0)
    """Items of each suite; 0 is all."""
    choices: str = setting("")
    """A data set whose answers are labels: measured by likelihood and by generated answer."""
    prompts: str = setting("")
    """A file of prompts, or `bundled:NAME`: answered by every arm, to be read and not scored."""
    decode: Decode = field(default_factory=Decode)
    kind: str = setting("evaluate", choices=("evaluate",))


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """How the bundled model was made. It is read; nothing here launches it."""

    name: str = setting("pretrain")
    device: str = setting("cpu")
    command: str = setting("")
    seed: int = setting(1, least=0)
    phase_steps: list[int] = setting([])
    minutes: float = setting(0.0, least=0)
    parameters: int = setting(0, least=0)
    kind: str = setting("pretrain", choices=("pretrain",))


Recipe = TrainRecipe | GenerateRecipe | EvaluateRecipe | PretrainRecipe
KINDS: dict[
    str,
    type[TrainRecipe] | type[GenerateRecipe] | type[EvaluateRecipe] | type[PretrainRecipe],
] = {
    "train": TrainRecipe,
    "pretrain": PretrainRecipe,
    "generate": GenerateRecipe,
    "evaluate": EvaluateRecipe,
}


def parse(table: Mapping[str, Any], where: str = "the recipe") -> Recipe:
    """A recipe from a table. Raises EngineError naming every setting that is wrong."""
    body = dict(table)
    version = body.pop("version", VERSION)
    if version != VERSION:
        raise EngineError(
            f"This recipe has version {version!r}; this finetop reads version {VERSION}.",
            where,
            "Write it again with this finetop, or use the one that wrote it.",
        )
    cls = KINDS.get(str(body.get("kind", "train")))
    if cls is None:
        raise EngineError(
            f"Unknown kind of job: {body['kind']!r}.", where, f"Kinds: {', '.join(KINDS)}."
        )
    wrong = fields.problems(cls, body)
    if wrong:
        raise EngineError(
            "The recipe cannot be used." if len(wrong) > 1 else "A setting cannot be used.",
            "\n".join(f"{where}: {key}: {reason}" for key, reason in wrong.items()),
            "Correct these settings and start again.",
        )
    return fields.build(cls, body)


def read(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe in a TOML file, with `key=value` changes. Raises EngineError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(
            "The recipe cannot be read.", f"{path}: {error.strerror}", "Check the path."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EngineError("The recipe is not valid TOML.", f"{path}: {error}") from error
    return parse(with_changes(table, changes), str(path))


def with_changes(table: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """A copy of a table with `key=value` changes, values typed as the recipe's settings are."""
    changed = _copy(table)
    cls = KINDS.get(str(changed.get("kind", "train")), TrainRecipe)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not key.strip():
            raise EngineError(
                f"Not a change: {change!r}.", "", "Write --set key=value, as training.epochs=2."
            )
        fields.assign(changed, key.strip(), fields.coerce(cls, key.strip(), text))
    return changed


def to_table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a table for TOML, its version and kind first."""
    table = dataclasses.asdict(recipe)
    return {"version": VERSION, "kind": table.pop("kind"), **table}


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML text."""
    return tomli_w.dumps(to_table(recipe))


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copy(value) if isinstance(value, Mapping) else value for key, value in table.items()
    }
