"""Recipes: all that is needed to run a job again, as frozen values and as TOML.

Owns the kinds of jobs and how a recipe is read and written; `engine.recipes.settings` has the
tables, `engine.recipes.versions` the names that version 1 had. Does not look at the disk: whether a
checkpoint or a data set exists is for `engine.launching` to say.
"""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from engine.errors import EngineError
from engine.recipes import validation, versions
from engine.recipes.settings import (
    Data,
    Decode,
    Forgetting,
    Method,
    Model,
    Replay,
    Samples,
    SkillEvaluation,
    Stopping,
    Training,
)
from engine.recipes.synthesis_settings import (
    MODES,
    Asking,
    Budget,
    Gates,
    Pairs,
    RowField,
    Source,
)
from engine.recipes.validation import setting
from engine.recipes.versions import VERSION
from engine.safe_open import read_file

_MOST_BYTES = 1 << 20
"""Of a recipe; a larger file is none."""


@dataclass(frozen=True, slots=True)
class TrainRecipe:
    name: str = setting("run", label="Name")
    device: str = setting("auto", label="Device")
    """`auto`, `cpu`, `mps`, `cuda`, `cuda:N`, or several as `cuda:0,cuda:1`: the model's layers
    are spread over them."""
    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    method: Method = field(default_factory=Method)
    training: Training = field(default_factory=Training)
    stopping: Stopping = field(default_factory=Stopping)
    replay: Replay = field(default_factory=Replay)
    samples: Samples = field(default_factory=Samples)
    forgetting: Forgetting = field(default_factory=Forgetting)
    evaluation: SkillEvaluation = field(default_factory=SkillEvaluation)
    kind: str = setting("train", choices=("train",))


@dataclass(frozen=True, slots=True)
class GenerateRecipe:
    name: str = setting("generate")
    device: str = setting("auto")
    arms: list[str] = setting([])
    """In the grammar of `engine.compare.arms`."""
    prompts: str = setting("")
    """A file of prompts, `bundled:NAME`, or `run:ID` for what a run held out."""
    decode: Decode = field(default_factory=Decode)
    kind: str = setting("generate", choices=("generate",))


@dataclass(frozen=True, slots=True)
class EvaluateRecipe:
    name: str = setting("evaluate")
    device: str = setting("auto")
    arms: list[str] = setting([])
    suites: list[str] = setting([])
    """In the grammar of `engine.impact.suites.suite_specs`; empty: every bundled suite."""
    limit: int = setting(0, ge=0)
    """Items of each suite; 0 is all."""
    samples: int = setting(1, ge=1, le=64)
    """Answers to each item: the first is scored, the others tell how diverse they are."""
    temperature: float = setting(0.7, ge=0, le=10)
    """Of the answers after the first one."""
    encoder: str = setting("")
    """A local encoder for BERTScore; empty: it is not measured."""
    controls: bool = setting(False)
    """Measure the first arm a second time, to see what measuring alone changes."""
    null_adapters: int = setting(0, ge=0, le=100)
    """Random adapters of the norms of the last arm's, each measured as it; 0: none."""
    null_items: int = setting(0, ge=0)
    """Items of each suite for null adapters; 0: as many as for the arms."""
    controls_of: str = setting("")
    """Path of the finished evaluation whose arms these are: what it measured is taken from it."""
    tree: str = setting("")
    """The run whose stages the arms are, where they were not named one by one."""
    choices: str = setting("")
    """A suite by the name of `labels`, as version 1 had it."""
    prompts: str = setting("")
    """A suite by the name of `prompts`: answered by every arm, to be read and not scored."""
    decode: Decode = field(default_factory=Decode)
    kind: str = setting("evaluate", choices=("evaluate",))


@dataclass(frozen=True, slots=True)
class SweepRecipe:
    """Runs that differ in some settings, and one evaluation of all of them."""

    name: str = setting("sweep")
    device: str = setting("auto")
    """Of the evaluation; each run has its own in its recipe."""
    base: TrainRecipe = field(default_factory=TrainRecipe)
    """What the runs share, whole: no file is read again when one is started."""
    over: dict[str, list[object]] = setting({})
    """By dotted setting, the values that it takes; every combination is a point."""
    seeds: list[int] = setting([])
    """`training.seed` of each point's runs; empty: that of `base`, or those in `over`."""
    suites: list[str] = setting([])
    """What base and runs are measured on at the end, as in `EvaluateRecipe`."""
    limit: int = setting(0, ge=0)
    """Items of each suite; 0 is all."""
    decode: Decode = field(default_factory=Decode)
    """Of the evaluation."""
    kind: str = setting("sweep", choices=("sweep",))


@dataclass(frozen=True, slots=True)
class JudgeRecipe:
    name: str = setting("judge")
    device: str = setting("auto")
    job: str = setting("")
    """`run:ID` of the job whose answers are judged."""
    judge: str = setting("")
    """The arm that judges, in the grammar of `engine.compare.arms`."""
    arms: list[str] = setting([])
    """The two arms whose answers are judged, in that grammar."""
    rubrics: list[str] = setting([])
    """`name: question`, one each; empty: those that the job is voted on by."""
    limit: int = setting(0, ge=0)
    """Pairs that are judged, drawn by the seed; 0 is all."""
    reading: str = setting("auto", choices=("auto", "answer", "likelihood"))
    """Whether a verdict is what the judge answers, or the likeliest of the three labels; `auto`: of
    an endpoint the answer, else the likelihood."""
    prompt: str = setting("")
    """SHA-256 of the wording that the questions are made of."""
    decode: Decode = field(default_factory=Decode)
    kind: str = setting("judge", choices=("judge",))


@dataclass(frozen=True, slots=True)
class ExportRecipe:
    """What leaves the box: a trained model in other forms, each proven to be what was trained."""

    name: str = setting("export")
    device: str = setting("cpu")
    """Nothing here needs a GPU."""
    source: str = setting("")
    """The arm that is exported, in the grammar of `engine.compare.arms`."""
    targets: list[str] = setting([])
    """In the grammar of `engine.release.targets`."""
    out: str = setting("")
    """The folder that is made; it must not exist."""
    dtype: str = setting("auto", choices=("auto", "float32", "bfloat16", "float16"))
    """Of merged weights; `auto`: the type in which the base is stored."""
    shard_gb: float = setting(5.0, gt=0, le=1000)
    """The largest file of weights, in 10^9 bytes."""
    proof_rows: int = setting(100, ge=20, le=10_000)
    """Held-out rows that the proof reads."""
    base_id: str = setting("")
    """What the hub calls the root model; empty: as it is remembered, or not known."""
    model_name: str = setting("")
    """What the model is called in its card and its files; empty: as its run is called."""
    license: str = setting("")
    """Of the result, as the hub names it; empty: that of the base."""
    data_license: str = setting("")
    """License or terms of the training data; empty: not known."""
    intended_use: str = setting("")
    """Typed by the user; for the model card."""
    limitations: str = setting("")
    """Typed by the user; for the model card."""
    report: str = setting("")
    """`run:ID` of the finished evaluation that the card tells; empty: the newest with this arm."""
    kind: str = setting("export", choices=("export",))


@dataclass(frozen=True, slots=True)
class SynthesizeRecipe:
    """Rows to train on, made out of raw texts by a model, checked, and reviewed by a person."""

    name: str = setting("synthesize", label="Name")
    device: str = setting("auto", label="Device")
    mode: str = setting("fields", choices=MODES, label="Mode")
    """`fields`: a question a field; `json`: one object; `pairs`: a chosen and a rejected answer;
    `votes`: pairs out of blind votes."""
    source: Source = field(default_factory=Source)
    asking: Asking = field(default_factory=Asking)
    fields: dict[str, RowField] = setting({})
    """By name, in the order in which the rows have them."""
    pairs: Pairs = field(default_factory=Pairs)
    gates: Gates = field(default_factory=Gates)
    budget: Budget = field(default_factory=Budget)
    decode: Decode = field(default_factory=Decode)
    out: str = setting("", label="Output file")
    """The file of accepted rows, JSONL or Parquet by its ending; empty: it is written later."""
    accept_all: bool = setting(False, label="Accept all")
    """Whether rows that passed the gates are written without a review, which the card says."""
    kind: str = setting("synthesize", choices=("synthesize",))


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """How the bundled model was made. It is read; nothing here launches it."""

    name: str = setting("pretrain")
    device: str = setting("cpu")
    command: str = setting("")
    seed: int = setting(1, ge=0)
    phase_steps: list[int] = setting([])
    minutes: float = setting(0.0, ge=0)
    parameters: int = setting(0, ge=0)
    kind: str = setting("pretrain", choices=("pretrain",))


AnswersRecipe = GenerateRecipe | EvaluateRecipe
"""Of jobs that keep answers in `samples.jsonl`."""
Recipe = (
    TrainRecipe
    | GenerateRecipe
    | EvaluateRecipe
    | SweepRecipe
    | JudgeRecipe
    | ExportRecipe
    | SynthesizeRecipe
    | PretrainRecipe
)
KINDS: dict[
    str,
    type[TrainRecipe]
    | type[GenerateRecipe]
    | type[EvaluateRecipe]
    | type[SweepRecipe]
    | type[JudgeRecipe]
    | type[ExportRecipe]
    | type[SynthesizeRecipe]
    | type[PretrainRecipe],
] = {
    "train": TrainRecipe,
    "pretrain": PretrainRecipe,
    "generate": GenerateRecipe,
    "evaluate": EvaluateRecipe,
    "sweep": SweepRecipe,
    "judge": JudgeRecipe,
    "export": ExportRecipe,
    "synthesize": SynthesizeRecipe,
}


def parse(table: Mapping[str, Any], where: str = "the recipe") -> Recipe:
    """A recipe from a table. Raises EngineError naming every setting that is wrong."""
    body = versions.upgrade(table)
    version = body.pop("version")
    if version != VERSION:
        raise EngineError(
            f"This recipe has version {version!r}; this finetop reads versions 1 to {VERSION}.",
            where,
            "Create it again with this version, or use the version that wrote it.",
        )
    cls = KINDS.get(str(body.get("kind", "train")))
    if cls is None:
        raise EngineError(
            f"Unknown job kind {body['kind']!r}.", where, f"Kinds: {', '.join(KINDS)}."
        )
    wrong = validation.errors(cls, body)
    if wrong:
        from engine.recipes import aliases  # a recipe that is right needs none

        wrong = aliases.reasons(cls, body, wrong)
        raise EngineError(
            "Invalid recipe." if len(wrong) > 1 else "Invalid setting.",
            "\n".join(f"{where}: {key}: {reason}" for key, reason in wrong.items()),
            "Correct these settings and try again.",
        )
    return validation.build(cls, body)


def read(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe in a TOML file, with `key=value` changes. Raises EngineError."""
    try:
        table = tomllib.loads(read_file(path, _MOST_BYTES).decode())
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError | tomllib.TOMLDecodeError):
            raise EngineError("The recipe is not valid TOML.", f"{path}: {error}") from error
        reason = error.strerror if isinstance(error, OSError) else error
        raise EngineError(
            "The recipe cannot be read.", f"{path}: {reason}", "Check the path."
        ) from error
    except RecursionError:
        raise EngineError("The recipe is nested too deeply.", str(path)) from None
    return parse(with_changes(table, changes), str(path))


def with_changes(table: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """A copy of a table with `key=value` changes, values typed as the recipe's settings are."""
    changed = versions.upgrade(table)
    cls = KINDS.get(str(changed.get("kind", "train")), TrainRecipe)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not key.strip():
            raise EngineError(
                f"Invalid --set value {change!r}.",
                "",
                "Use --set key=value, e.g. training.epochs=2.",
            )
        # Hints that version 1 wrote into the status of a job name its own keys.
        dotted, text = versions.current(key.strip(), text)
        validation.assign(changed, dotted, validation.coerce(cls, dotted, text))
    return changed


def changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """The recipe with `key=value` changes. Raises EngineError."""
    return parse(with_changes(to_table(recipe), changes))


def to_table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a table for TOML, its version and kind first."""
    table = dataclasses.asdict(recipe)
    return {"version": VERSION, "kind": table.pop("kind"), **table}


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML text."""
    return tomli_w.dumps(to_table(recipe))
