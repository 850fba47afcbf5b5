"""Every file of an export that is not weights, tokenizer or proof, into each of its folders.

Owns their names and their order: the sums come last, after the search for what must not leave.
"""

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from engine import atomic
from engine.charts.svg import draw
from engine.checkpoints.adapter_config import read_adapter_config
from engine.checkpoints.adapter_rows import WEIGHTS, read_rows
from engine.checkpoints.config_json import read_json
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import ExportRecipe, TrainRecipe
from engine.release.card.card_facts import CardFacts, collect_facts
from engine.release.card.curves_csv import list_csv_lines
from engine.release.card.how_to_run import Runnable
from engine.release.card.licenses import write_notice
from engine.release.card.model_card import CardFolder, make_metadata, write_page
from engine.release.card.released_recipe import write_recipe
from engine.release.card.vllm_limits import AddedRows, list_limits
from engine.release.checksums import list_files, write_sums
from engine.release.export_folder import CARD
from engine.release.leak_search import check_leaks, find_needles
from engine.release.proof import TargetProof, encode_proofs
from engine.release.source import ExportSource
from engine.release.targets import Form, parse_targets
from engine.report.blocks import Plot
from engine.report.plots import plot_curves
from engine.report.render import SUMS
from engine.report.short_names import ShortNames
from engine.worker.release.writing.card_file import read_metadata, write_card

_PACKAGES = ("finetop", "torch", "transformers", "peft", "safetensors", "tokenizers", "gguf",
             "huggingface_hub")  # fmt: skip
_IMPACT_FIGURE = "impact.svg"


def write_card_files(
    folder: Path,
    source: ExportSource,
    recipe: ExportRecipe,
    proofs: Sequence[TargetProof],
    runs: Sequence[Path],
    say: Callable[[str], object],
    private: Sequence[tuple[Path, str]] = (),
) -> tuple[str, ...]:
    """Complete the folder of each target below `folder`, which is still being built: README.md,
    recipes, versions, curves, licenses, proof.json and, last, SHA256SUMS.

    `proofs` are those of all targets, all of them passed. `runs` are the directories of jobs that
    `run:ID` may mean, evaluations among them. `private` are further paths of this machine, each
    with what it is, as those of the job. Returns what the user should know before publishing, a
    sentence each. Raises EngineError, naming file and line, where a file holds something of this
    machine, where the card breaks a rule of the Hub, and where the evaluation that the recipe names
    cannot be reported; and OSError.
    """
    say("model card: licenses, curves, evaluation")
    facts = collect_facts(source, recipe, runs, read_metadata)
    needles = find_needles((*_list_private(folder, source, recipe), *private))
    allowed = _list_allowed(facts, recipe)
    shared = dict(_list_shared(facts, source))
    for form in dict.fromkeys(target.form for target in parse_targets(recipe.targets)):
        place = folder / form
        own = tuple(proof for proof in proofs if proof.target.partition(":")[0] == form)
        _write_shared(place, shared)
        atomic.write_json(place / "proof.json", encode_proofs(own))
        described = _describe_folder(place, form, facts, source, own)
        metadata = make_metadata(facts, form)
        write_card(place, metadata, write_page(facts, described, own), described.files)
        check_leaks(place, needles, allowed)
        write_sums(place)
        say(f"{form}: model card, {len(described.files) + 2} files")
    return facts.remarks


def _list_private(
    folder: Path, source: ExportSource, recipe: ExportRecipe
) -> Iterator[tuple[Path, str]]:
    yield folder, "the folder in which it was built"
    if recipe.out:
        yield Path(recipe.out), "the folder of the export"
    for path in (source.base, source.adapter, source.root, source.before, source.tokenizer):
        if path is not None:
            yield path, "the folder of a model"
    for run in (source.run, *source.stages):
        if run is not None:
            yield run.parent, "the folder of runs"


def _list_allowed(facts: CardFacts, recipe: ExportRecipe) -> tuple[str, ...]:
    """Texts that the user gave to be published, and names on the Hub."""
    data_sets = (stage.data_set for stage in facts.stages)
    return (facts.base.id, facts.name, *data_sets, *(facts.stated or ()), *(
        line
        for text in (recipe.data_license, recipe.intended_use, recipe.limitations)
        for line in text.splitlines()
    ))  # fmt: skip


def _list_shared(facts: CardFacts, source: ExportSource) -> Iterator[tuple[str, bytes]]:
    """The files that each folder has, by name."""
    yield from write_notice(facts.license).items()
    names = ShortNames()
    for at, (run, stage) in enumerate(zip(source.stages, facts.stages, strict=True), 1):
        job = JobDirectory(run)
        yield f"curves/{run.name}.csv", "".join(list_csv_lines(job)).encode()
        try:
            recipe = job.recipe()
        except EngineError:
            continue
        if not isinstance(recipe, TrainRecipe):
            continue
        notes = [f"{one.name}: SHA-256 {one.sha256}" for one in stage.files]
        notes += [f"{stage.rows:,} training rows"] if stage.rows is not None else []
        is_root = os.path.realpath(recipe.model.checkpoint) == os.path.realpath(source.root)
        text = write_recipe(recipe, names, facts.base.id if is_root else "", notes).encode()
        if len(source.stages) > 1:
            yield f"recipes/{at}-{run.name}.toml", text
        if at == len(source.stages):
            yield "recipe.toml", text
    for plot in _list_plots(facts):
        yield f"curves/{plot.name}.svg", draw(plot.sketch).encode()
    if facts.impact is not None and facts.impact.plot is not None:
        yield _IMPACT_FIGURE, draw(facts.impact.plot.sketch).encode()
    yield (
        "versions.json",
        atomic.encode_json(
            {
                "trained": {stage.run.id: dict(stage.run.packages) for stage in facts.stages},
                "exported": _read_versions(),
            }
        ),
    )


def _list_plots(facts: CardFacts) -> list[Plot]:
    return list(plot_curves([stage.run for stage in facts.stages]))


def _read_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _write_shared(place: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        atomic.write_bytes(place / name, content, durable=False)


def _describe_folder(
    place: Path, form: Form, facts: CardFacts, source: ExportSource, proofs: Sequence[TargetProof]
) -> CardFolder:
    files = {
        name: (place / name).stat().st_size
        for name in list_files(place)
        if name not in (CARD, SUMS)
    }
    shipped = sorted(
        (name for name in files if name.endswith(".gguf")), key=lambda one: -files[one]
    )
    config = read_adapter_config(place) if form == "adapter" else None
    added = _find_added(place, facts) if form == "adapter" else None
    runnable = Runnable(
        form,
        facts.name,
        facts.base.id,
        facts.base.is_bundled,
        _has_template(source.tokenizer),
        None if added is None else added.rows,
        tuple(shipped),
        "Modelfile" in files,
        None if config is None else list_limits(config, added),
    )
    figures = tuple((f"curves/{plot.name}.svg", plot.caption) for plot in _list_plots(facts))
    dtypes = ", ".join(dict.fromkeys(proof.dtype for proof in proofs))
    impact = _IMPACT_FIGURE if _IMPACT_FIGURE in files else ""
    return CardFolder(form, files, dtypes, runnable, figures, impact)


def _has_template(tokenizer: Path) -> bool:
    if (tokenizer / "chat_template.jinja").exists():
        return True
    try:
        return bool(read_json(tokenizer / "tokenizer_config.json").get("chat_template"))
    except EngineError:
        return False


def _find_added(place: Path, facts: CardFacts) -> AddedRows | None:
    """The rows that an adapter has for tokens which the base does not have; None: none."""
    if facts.base.vocabulary is None or not (place / WEIGHTS).exists():
        return None
    rows = read_rows(place).count(facts.base.vocabulary)
    return None if rows == facts.base.vocabulary else AddedRows(rows, facts.base.vocabulary)
