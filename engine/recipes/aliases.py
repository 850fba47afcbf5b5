"""Names that other trainers give to settings, and what stands for them in a recipe here.

Hints only: no recipe is read by these names. Each answers with a setting, where it can be with the
value too, or says why there is none. Names are of transformers, TRL, PEFT, axolotl and
LLaMA-Factory; one that is a key of ours is known by itself, wherever it stands.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import tomli_w

from engine.recipes import validation, versions
from engine.recipes.validation import UNKNOWN

Settings = Mapping[str, Any]
"""Dotted keys of ours with values."""


@dataclass(frozen=True, slots=True)
class Alias:
    key: str = ""
    """Our dotted key; empty where there is none."""
    note: str = ""
    """What differs, or why there is no such setting."""
    convert: Callable[[Any], Settings] | None = None
    """From a value; empty where nothing here stands for it. None: the value goes with the key."""


def _when(key: str, value: Any, otherwise: Any = None) -> Callable[[Any], Settings]:
    """A switch that is one value of a setting of ours; switched off it is nothing, or another."""

    def convert(switch: Any) -> Settings:
        if switch is True:
            return {key: value}
        return {key: otherwise} if switch is False and otherwise is not None else {}

    return convert


def _fraction(value: Any) -> Settings:
    return {"data.eval_fraction": value} if _is_number(value) and 0 <= value < 1 else {}


def _warmup(value: Any) -> Settings:
    return {"training.warmup_ratio": value} if _is_number(value) and 0 <= value < 1 else {}


def _max_steps(value: Any) -> Settings:
    return {"training.max_steps": 0 if value == -1 else value}


def _modules(value: Any) -> Settings:
    names = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    return {"method.target_modules": ["all-linear"] if names == ["all"] else names}


def _adapter(value: Any) -> Settings:
    if value == "qlora":
        return {"method.kind": "lora", "method.quantize": "4bit"}
    return {"method.kind": "lora"} if value == "lora" else {}


def _metric(value: Any) -> Settings:
    if not isinstance(value, str):
        return {}
    return {"stopping.metric": f"eval/{value.removeprefix('eval_')}" if "/" not in value else value}


def _datasets(value: Any) -> Settings:
    """As axolotl lists them: tables with a path."""
    first = value[0] if isinstance(value, list) and len(value) == 1 else value
    path = first.get("path") if isinstance(first, Mapping) else first
    return {"data.train": path} if isinstance(path, str) else {}


def _nothing(value: Any) -> Settings:
    """Ours counts in another unit."""
    return {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_BATCH = Alias("training.batch_size", "the rows of one forward pass")
_LENGTH = Alias("data.max_length", "the tokens of a row")
_HELD_OUT = Alias(
    "data.eval_fraction",
    "a fraction of the rows; data.eval takes a file of held-out rows",
    _fraction,
)
_DATA = Alias("data.train", "one dataset a run; replay.data mixes in a second one", _datasets)
_MODEL = Alias("model.checkpoint", "a folder, bundled:NAME or run:ID")
_OPTIMISER = Alias(
    note="every run uses AdamW, with training.learning_rate and training.weight_decay"
)

ALIASES: Mapping[str, Alias] = {
    "per_device_train_batch_size": _BATCH,
    "per_device_eval_batch_size": Alias(note="evaluation uses training.batch_size"),
    "micro_batch_size": _BATCH,
    "num_train_epochs": Alias("training.epochs"),
    "num_epochs": Alias("training.epochs"),
    "max_steps": Alias("training.max_steps", "0 leaves it to the epochs", _max_steps),
    "lr": Alias("training.learning_rate"),
    "lr_scheduler": Alias("training.lr_scheduler_type"),
    "warmup_steps": Alias("training.warmup_ratio", "a fraction of all steps", _warmup),
    "optim": _OPTIMISER,
    "optimizer": _OPTIMISER,
    "bf16": Alias("training.dtype", convert=_when("training.dtype", "bfloat16")),
    "fp16": Alias("training.dtype", convert=_when("training.dtype", "float16")),
    "tf32": Alias(note="TF32 is left to torch; training.dtype sets the number format"),
    "logging_steps": Alias(note="every step is logged"),
    "eval_steps": Alias(
        "training.evaluations", "how many there are in the whole run, evenly spread", _nothing
    ),
    "save_steps": Alias(
        "training.saves", "how many there are in the whole run, evenly spread", _nothing
    ),
    "load_best_model_at_end": Alias(
        "stopping.result", convert=_when("stopping.result", "best", "last")
    ),
    "metric_for_best_model": Alias("stopping.metric", "the tag of a logged scalar", _metric),
    "early_stopping_patience": Alias("stopping.patience"),
    "keep_best": Alias("stopping.keep_best"),
    "suites": Alias("evaluation.suites", "what is measured while it trains"),
    "sample_packing": Alias("training.packing"),
    "max_seq_length": _LENGTH,
    "cutoff_len": _LENGTH,
    "sequence_len": _LENGTH,
    "lora_r": Alias("method.rank"),
    "r": Alias("method.rank"),
    "lora_alpha": Alias("method.alpha"),
    "lora_dropout": Alias("method.dropout"),
    "lora_target_modules": Alias("method.target_modules", "a list of names", _modules),
    "target_modules": Alias("method.target_modules", "a list of names", _modules),
    "use_dora": Alias("method.variant", convert=_when("method.variant", "dora")),
    "use_rslora": Alias("method.variant", convert=_when("method.variant", "rslora")),
    "load_in_4bit": Alias("method.quantize", convert=_when("method.quantize", "4bit", "none")),
    "load_in_8bit": Alias("method.quantize", convert=_when("method.quantize", "8bit", "none")),
    "adapter": Alias(
        "method.kind", "lora or full; a run's adapter is a model.checkpoint", _adapter
    ),
    "val_set_size": _HELD_OUT,
    "test_size": _HELD_OUT,
    "train_on_inputs": Alias(
        note="only answers are trained on; rows with one field `text` are trained on whole"
    ),
    "dataset": _DATA,
    "datasets": _DATA,
    "data": _DATA,
    "base_model": _MODEL,
    "model_name_or_path": _MODEL,
    "model": _MODEL,
    "method": Alias("method.kind"),
    "output_dir": Alias(
        note="each run has a directory of its own, in the folder that --runs or FINETOP_RUNS names"
    ),
    "beta": Alias("training.dpo_beta"),
}


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


def _upgraded(old: str, value: Any) -> Settings:
    return dict([versions.current(old, value)])


_OLD = {
    _last(old): Alias(new, convert=partial(_upgraded, old)) for old, new in versions.RENAMED.items()
}
"""What version 1 of recipes called a setting."""


def reasons(cls: type, table: Mapping[str, Any], errors: Mapping[str, str]) -> dict[str, str]:
    """`validation.errors` of a table, with what to write instead where a name is known."""
    told: dict[str, str] = {}
    for dotted, reason in errors.items():
        value = _at(table, dotted)
        inner = _reasons_inside(cls, dotted, value) if not validation.exists(cls, dotted) else {}
        told |= inner or {dotted: _reason(cls, dotted, value, reason)}
    return told


def _reasons_inside(cls: type, dotted: str, value: Any) -> dict[str, str]:
    """Of the keys in a table that does not exist here; empty where none of them is known."""
    if not isinstance(value, Mapping):
        return {}
    told: dict[str, str] = {}
    for key, one in value.items():
        inner = f"{dotted}.{key}"
        told |= _reasons_inside(cls, inner, one) or {inner: _reason(cls, inner, one, UNKNOWN)}
    return told if any(reason != UNKNOWN for reason in told.values()) else {}


def _reason(cls: type, dotted: str, value: Any, reason: str) -> str:
    name = _last(dotted)
    alias = ALIASES.get(name) or _OLD.get(name)
    if validation.exists(
        cls, dotted
    ):  # the value is wrong; it may be one that another trainer takes
        settings = _settings(cls, alias, value) if alias else {}
        fits = bool(settings) and (isinstance(value, str) or dotted in settings)
        return f"{reason}; write {_assignments(settings)}" if fits else reason
    if alias is None:
        keys = [key for key in validation.names(cls) if _last(key) == name]
        if len(keys) != 1:
            return f"{UNKNOWN}; write {' or '.join(keys)}" if keys else reason
        alias = Alias(keys[0])
    if not alias.key:
        return f"{UNKNOWN}: {alias.note}" if validation.exists(cls, "training") else reason
    if not validation.exists(cls, alias.key):
        return reason  # a job of another kind
    settings = _settings(cls, alias, value)
    return f"{UNKNOWN}; write {_assignments(settings) or _describe(cls, alias)}"


def _settings(cls: type, alias: Alias, value: Any) -> Settings:
    """What a value of another trainer is here; empty where it is nothing, or is not known."""
    for one in (value, _typed(value)):
        found = {alias.key: one} if alias.convert is None else alias.convert(one)
        settings = {key: _coerced(cls, key, inner) for key, inner in found.items()}
        table: dict[str, Any] = {}
        for key, inner in settings.items():
            validation.assign(table, key, inner)
        if settings and not validation.errors(cls, table):
            return settings
    return {}


def _describe(cls: type, alias: Alias) -> str:
    note = alias.note or ", ".join(validation.choices_of(cls, alias.key))
    return f"{alias.key} ({note})" if note else alias.key


def _assignments(settings: Settings) -> str:
    return " and ".join(f"{key} = {_toml(value)}" for key, value in settings.items())


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")


def _typed(value: Any) -> Any:
    """What the text of a `--set` or of a quoted value means in TOML; the value where nothing."""
    if not isinstance(value, str):
        return value
    try:
        found = tomllib.loads(f"value = {value.lower()}")["value"]
    except tomllib.TOMLDecodeError:
        return value
    return found if isinstance(found, bool | int | float) else value


def _coerced(cls: type, key: str, value: Any) -> Any:
    return validation.coerce(cls, key, value) if isinstance(value, str) else value


def _at(table: Mapping[str, Any], dotted: str) -> Any:
    value: Any = table
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
