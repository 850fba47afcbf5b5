"""What a model card tells, collected: base, license, stages, data, evaluation.

Owns what is taken from where; frozen, so that a card is a pure function of it. Reads directories of
jobs and the base's folder; computes nothing, and leaves out what only this machine can read.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.bundled import DATA
from engine.checkpoints.config_json import read_json
from engine.checkpoints.describe import inspect_base
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, slugify
from engine.recipes.recipe import ExportRecipe, TrainRecipe
from engine.release.card.base_identity import (
    choose_base_id,
    find_base_revision,
    is_bundled,
    is_hub_id,
)
from engine.release.card.card_impact import CardImpact, read_impact
from engine.release.card.licenses import BaseLicense, find_license, obey_naming, parse_license
from engine.release.source import ExportSource
from engine.report.run_facts import RunFacts, read_run
from engine.report.short_names import ShortNames
from engine.safe_open import read_lines

ReadMetadata = Callable[[Path], Mapping[str, Any]]
"""The head of the README.md in a folder; empty where there is none."""
_DATA_SET = re.compile(r"/datasets--([^/]+?)--([^/]+)/snapshots/[^/]+")
_ROWS = re.compile(
    r"(?<![\d,])([\d,]+) training rows \(([\d,]+) trained tokens per epoch\), ([\d,]+) eval rows"
)
_EVALUATED = re.compile(r"step [\d,]+: eval loss \S+ over ([\d,]+) (tokens|pairs)")
_LONGEST_TERMS = 100
_LONGEST_LOG = 200_000
"""Lines of a log that are read."""


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """The whole model that all training began with."""

    id: str
    """On the Hub; empty: not known, or not there."""
    revision: str
    """A commit on the Hub; empty: not known."""
    name: str
    is_bundled: bool
    architecture: str
    parameters: int | None
    dtype: str
    context: int | None
    vocabulary: int | None


@dataclass(frozen=True, slots=True)
class DataFile:
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class StageFacts:
    """One run on the way."""

    run: RunFacts
    rows: int | None
    """Trained on in an epoch; None: its log does not say."""
    trained_tokens: int | None
    """Of an epoch, that count in the loss."""
    held_out_rows: int | None
    evaluated: str
    """How much an evaluation read, as in "2,114 tokens"; empty: not known."""
    data: str
    """The training data by its short name."""
    data_set: str
    """Its id on the Hub; empty: none."""
    data_terms: str
    """The license that its own card states; empty: none."""
    files: tuple[DataFile, ...]
    """Data files by name, with their SHA-256 when the run began."""
    is_bundled_data: bool


@dataclass(frozen=True, slots=True)
class CardFacts:
    name: str
    """Of the model, as the license of its base wants it."""
    base: BaseFacts
    license: BaseLicense
    """Of the base."""
    stated: tuple[str, str, str] | None
    """`license`, `license_name` and `license_link` of the result, where the user said them."""
    data_license: str
    intended_use: str
    limitations: str
    stages: tuple[StageFacts, ...]
    """The first stage first; none: trained elsewhere."""
    run: str
    """The id of the last stage, or of the run that it is a checkpoint of; empty: none."""
    step: str
    """Of a checkpoint on the way, its name; empty: the result."""
    quantized: str
    """How the base was loaded while it was trained: `none`, `4bit` or `8bit`."""
    impact: CardImpact | None
    remarks: tuple[str, ...] = field(default=())
    """What the user should know before publishing, a sentence each."""


def collect_facts(
    source: ExportSource, recipe: ExportRecipe, runs: Sequence[Path], read_metadata: ReadMetadata
) -> CardFacts:
    """The facts of an export; `runs` are those that `run:ID` may mean. Raises EngineError for a
    license that is none, and for an evaluation that is named and cannot be reported."""
    base = read_base(source.root, recipe.base_id)
    base_license = read_license(source.root, base.id, read_metadata)
    terms = base_license.terms
    names = ShortNames()
    name = choose_name(source, recipe)
    title = name_model(source, recipe, base_license)
    remarks = list(base_license.remarks)
    if title != name:
        remarks.append(
            f"The {base_license.title} wants the name of a model made with it to begin with "
            f"{terms.prefix if terms else ''!r}: the card calls this one {title}; call "
            "its repository so too."
        )
    if terms is not None and not base_license.has_text and (terms.notice or terms.limit):
        remarks.append(
            f"The text of the {base_license.title} was not beside the base: add it to each folder "
            f"from {terms.link or 'its publisher'} before you publish."
        )
    if not base.id and not base.is_bundled:
        remarks.append("The base's id on the Hub is not known: --base-id OWNER/NAME names it.")
    stages = tuple(read_stage(JobDirectory(stage), names, read_metadata) for stage in source.stages)
    trained = source.adapter or source.base
    on_the_way = source.run is not None and trained.parent.name == "checkpoints"
    return CardFacts(
        title,
        base,
        base_license,
        parse_license(recipe.license) if recipe.license else None,
        recipe.data_license.strip(),
        recipe.intended_use.strip(),
        recipe.limitations.strip(),
        stages,
        source.run.name if source.run is not None else "",
        trained.name if on_the_way else "",
        source.quantized,
        read_impact(source, recipe.report, runs),
        tuple(remarks),
    )


def read_license(root: Path, base_id: str, read_metadata: ReadMetadata) -> BaseLicense:
    """The license of the model that an export began with; `base_id` as the Hub calls it, empty: not
    known. Raises EngineError where a file cannot be read."""
    model_type = str(_read_config(root).get("model_type", ""))
    return find_license(root, base_id, read_metadata(root), model_type)


def choose_name(source: ExportSource, recipe: ExportRecipe) -> str:
    """What the user calls the model, else what its run is called, as a repository on the Hub may
    be; the folder of an export is this machine's."""
    return recipe.model_name or slugify(source.name)


def name_model(source: ExportSource, recipe: ExportRecipe, base_license: BaseLicense) -> str:
    """What the exported model is called, in its card and in the names of its files: as it is
    called, by the naming rule of the license of its base."""
    return obey_naming(choose_name(source, recipe), base_license)


def read_base(root: Path, base_id: str = "") -> BaseFacts:
    """The facts of a whole model. `base_id` is what the user says that the Hub calls it."""
    entry = inspect_base(root)
    hub_id = choose_base_id(root, base_id)
    bundled = is_bundled(root)
    return BaseFacts(
        hub_id,
        find_base_revision(root),
        hub_id or ("demo-base" if bundled else entry.name),
        bundled,
        entry.architecture or "unknown",
        entry.parameters,
        entry.dtype or "unknown",
        entry.context_length,
        entry.vocab_size,
    )


def read_stage(job: JobDirectory, names: ShortNames, read_metadata: ReadMetadata) -> StageFacts:
    """The facts of one run. Raises nothing for what cannot be read: it is not known then."""
    rows, tokens, held_out, evaluated = _read_counts(job)
    try:
        recipe = job.recipe()
    except EngineError:
        recipe = None
    data = recipe.data.train if isinstance(recipe, TrainRecipe) else ""
    files = tuple(DataFile(_name_file(path), one) for path, one in _read_inputs(job).items())
    found = _DATA_SET.search(data)
    data_set = f"{found[1]}/{found[2]}" if found else ""
    terms = _read_terms(read_metadata(Path(data[: found.end()]))) if found else ""
    return StageFacts(
        read_run(job, names), rows, tokens, held_out, evaluated,
        names.name_ref(data), data_set if is_hub_id(data_set) else "", terms, files,
        _is_bundled_data(data),
    )  # fmt: skip


def trains_on_bundled(stages: Sequence[Path]) -> bool:
    """Whether all that these runs trained on ships with finetop; not where nothing is known."""
    sets = []
    for stage in stages:
        try:
            recipe = JobDirectory(stage).recipe()
        except EngineError:
            return False
        sets.append(recipe.data.train if isinstance(recipe, TrainRecipe) else "")
    return bool(sets) and all(_is_bundled_data(one) for one in sets)


def _is_bundled_data(data: str) -> bool:
    return data.startswith("bundled:")


def _read_inputs(job: JobDirectory) -> Mapping[str, str]:
    """SHA-256 of the data files by their paths, when the run began."""
    try:
        record = job.record()
    except EngineError:
        return {}
    return record.inputs if record is not None else {}


def _read_terms(metadata: Mapping[str, Any]) -> str:
    """The license or licenses that a data set's card states."""
    value = metadata.get("license")
    values = value if isinstance(value, list) else [value]
    return ", ".join(one for one in values if isinstance(one, str))[:_LONGEST_TERMS]


def _name_file(path: str) -> str:
    """A data file without its folders; of a bundled one, which data set it is of."""
    parts = Path(path).parts
    is_bundled_file = parts[-4:-2] == DATA.parts[-2:]
    return "/".join(parts[-2:]) if is_bundled_file else parts[-1] if parts else path


def _read_counts(job: JobDirectory) -> tuple[int | None, int | None, int | None, str]:
    """Rows, trained tokens, held-out rows and what an evaluation read, from the run's own log: the
    last start that says so."""
    rows = tokens = held_out = None
    evaluated = ""
    for line in _read_log(job):
        if found := _ROWS.search(line):
            rows, tokens, held_out = (int(one.replace(",", "")) for one in found.groups())
        elif found := _EVALUATED.search(line):
            evaluated = f"{found[1]} {found[2]}"
    return rows, tokens, held_out, evaluated


def _read_log(job: JobDirectory) -> Iterator[str]:
    for number in range(1, job.latest_attempt() + 1):
        try:
            for at, line in enumerate(read_lines(job.attempt(number).log, "the log")):
                if at >= _LONGEST_LOG:
                    break
                yield line.decode("utf-8", "replace")
        except EngineError:
            continue


def _read_config(root: Path) -> Mapping[str, Any]:
    try:
        return read_json(root / "config.json")
    except EngineError:
        return {}
