"""Starting a job that makes data; what its recipe names is found and checked first.

What can be wrong is found here and not after the queue: the generator, its weights and keys, hosts
that texts would be sent to, the source with its columns, the templates, the evaluation side, and
the file that is to be written. An error names the key of the recipe.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compare import endpoint_hosts, endpoint_keys
from engine.compare.arms import Arm, format_arm, needs_device, parse_arm
from engine.data.dataset_list import find_path
from engine.data.formats import holds_columns, read_raw
from engine.errors import EngineError
from engine.impact.suites.suite_reader import load_suite
from engine.impact.suites.suite_specs import SuiteSpec
from engine.jobs import launch, process
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import open_store
from engine.launching.generation import check_keys_are_set, find_weights
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import Gates
from engine.synthesis.outcomes import read_outcomes
from engine.synthesis.remaining import read_remaining
from engine.synthesis.row_files import check_files
from engine.synthesis.row_modes import find_mode
from engine.synthesis.source_reader import look_at_source
from engine.synthesis.source_rows import read_sources
from engine.synthesis.templates import check_names, split_template
from engine.synthesis.vote_pairs import find_voted_job, read_voted_pairs

_BUNDLED = "bundled:"


@dataclass(frozen=True, slots=True)
class LocatedSynthesis:
    """A recipe whose names were found, with absolute paths."""

    recipe: SynthesizeRecipe
    parents: list[str]
    """What its arms build on."""
    files: list[Path]
    """What it reads."""


def launch_synthesis(
    original: SynthesizeRecipe, root: Path, where: str = "the recipe"
) -> JobDirectory:
    """Start making rows. `where` is what an error calls the recipe.

    Raises EngineError before anything is made where something is wrong, KeyNotAllowed and
    HostNotAllowed among them.
    """
    located = locate_synthesis(original, root, where=where)
    return launch.launch(
        located.recipe,
        root,
        parents=located.parents,
        inputs=located.files,
        needs_device=needs_device(located.recipe),
    )


def check_synthesis(recipe: SynthesizeRecipe, job: JobDirectory) -> None:
    """Raise EngineError where a job cannot be resumed as its recipe has it."""
    _check_packages()
    arms = _list_arms(recipe)
    _check_arms(arms, job.path.name)
    if not job.sources.exists():
        locate_synthesis(recipe, job.path.parent, job.path.name)
        return
    runs = [one.path for one in open_store(job.path.parent).jobs()]
    for arm in arms:
        find_weights(arm, runs)


def check_more(job: JobDirectory) -> None:
    """Raise EngineError where a finished job has no source left to ask about."""
    if not read_remaining(job):
        raise EngineError(
            f"{job.path.name} is done: every source has its outcome.",
            f"{len(read_outcomes(job.outcomes))} of {len(read_sources(job.sources))} sources",
            "Rows are asked again once a review says so.",
        )


def locate_synthesis(
    original: SynthesizeRecipe, root: Path, run: str = "", where: str = "the recipe"
) -> LocatedSynthesis:
    """The recipe with what it names found and checked; `run` is the id of its job, if it has one.

    Raises EngineError.
    """
    _check_packages()
    if original.mode == "votes":
        return _locate_votes(original, root, run, where)
    with _naming(f"{where}: mode"):
        mode = find_mode(original.mode)
    with _naming(f"{where}: asking.generator"):
        if not original.asking.generator:
            raise EngineError("No generator.", "", "Name the arm that writes: asking.generator.")
        arms = _list_arms(original)
        _check_arms(arms, run)
    runs = [job.path for job in open_store(root).jobs()]
    with _naming(f"{where}: asking.generator"):
        arm = find_weights(parse_arm(original.asking.generator), runs)
        _check_grammar(original, arm)
    built_on = [arm]
    pairs = original.pairs
    if original.mode == "pairs" and pairs.rejected_generator:
        with _naming(f"{where}: pairs.rejected_generator"):
            built_on.append(find_weights(parse_arm(pairs.rejected_generator), runs))
            pairs = replace(pairs, rejected_generator=format_arm(built_on[-1]))
    gates = _locate_judge(original, runs, where)
    with _naming(f"{where}: source.data"):
        if not original.source.data:
            raise EngineError("No source.", "", "Name the raw texts: source.data.")
        path = find_path(original.source.data, runs)
        is_columnar = holds_columns(path)
    with _naming(where):
        # Columns of Parquet and Arrow are for a worker to see.
        columns = None if is_columnar else look_at_source(path, original.source, read_raw)
        mode.make_schema(original, columns)
        _check_templates(original, columns)
    with _naming(f"{where}: source.held_out"):
        held_out = _check_held_out(original.source.held_out, runs)
    source = replace(original.source, data=_anchor(original.source.data, path), held_out=held_out)
    out = _check_out(original.out, where)
    recipe = replace(
        original,
        asking=replace(original.asking, generator=format_arm(arm)),
        source=source,
        pairs=pairs,
        gates=gates,
        out=out,
    )
    parents = [one.adapter or one.checkpoint for one in built_on if not one.is_endpoint]
    files = [one for one in (path,) if not source.data.startswith((_BUNDLED, RUN))]
    return LocatedSynthesis(recipe, list(dict.fromkeys(parents)), files)


def _locate_votes(original: SynthesizeRecipe, root: Path, run: str, where: str) -> LocatedSynthesis:
    """The same of pairs made of votes, where nobody is asked but a judge."""
    with _naming(f"{where}: gates.judge"):
        _check_arms(_list_arms(original), run)
    with _naming(where):
        voted = find_voted_job(original, root)
        read_voted_pairs(voted, original.pairs.rubric)
    runs = [job.path for job in open_store(root).jobs()]
    gates = _locate_judge(original, runs, where)
    with _naming(f"{where}: source.held_out"):
        held_out = _check_held_out(original.source.held_out, runs)
    ref = f"{RUN}{voted.path.name}"
    recipe = replace(
        original,
        asking=replace(original.asking, generator=""),
        source=replace(original.source, held_out=held_out),
        pairs=replace(original.pairs, job=ref),
        gates=gates,
        out=_check_out(original.out, where),
    )
    return LocatedSynthesis(recipe, [ref], [])


def _locate_judge(recipe: SynthesizeRecipe, runs: Sequence[Path], where: str) -> Gates:
    """The gates with the weights of their judge found. Raises EngineError."""
    gates = recipe.gates
    if not gates.judge:
        return gates
    with _naming(f"{where}: gates.judge"):
        return replace(gates, judge=format_arm(find_weights(parse_arm(gates.judge), runs)))


def _check_held_out(ref: str, runs: Sequence[Path]) -> str:
    """The evaluation side with an absolute path, which can be read. Raises EngineError."""
    if not ref:
        return ""
    if not ref.startswith((_BUNDLED, RUN)) and Path(ref).expanduser().exists():
        ref = str(Path(ref).expanduser().absolute())
        if holds_columns(Path(ref)):
            return ref  # Parquet and Arrow are for a worker to read
    load_suite(SuiteSpec("held out", ref), runs)
    return ref


def _list_arms(recipe: SynthesizeRecipe) -> list[Arm]:
    """The arms that are asked, each once. Raises EngineError."""
    texts = (recipe.asking.generator, recipe.pairs.rejected_generator, recipe.gates.judge)
    return [parse_arm(text) for text in dict.fromkeys(filter(None, texts))]


def _check_arms(arms: list[Arm], run: str) -> None:
    """Keys and hosts, which the user must have agreed to."""
    endpoint_keys.check(arms, run)
    endpoint_hosts.check(arms, run)
    check_keys_are_set(arms)


def _check_packages() -> None:
    """Raise EngineError where the gates need a library that is not installed."""
    missing = [name for name in ("datasketch", "py3langid") if process.lacks_package(name)]
    if missing:
        raise EngineError(
            "The gates of rows need libraries that are not installed.",
            ", ".join(missing),
            "Install finetop[train].",
        )


def _check_grammar(recipe: SynthesizeRecipe, arm: Arm) -> None:
    """Raise EngineError where answers must be held to a schema and cannot be."""
    if recipe.asking.grammar != "on" or arm.is_endpoint:
        return
    if process.lacks_package("llguidance"):
        raise EngineError(
            "The answers of a local model cannot be held to a schema.",
            "asking.grammar: llguidance is not installed",
            "Install finetop[grammar], or set asking.grammar to auto.",
        )


def _check_templates(recipe: SynthesizeRecipe, columns: tuple[str, ...] | None) -> None:
    for name, template in (
        ("asking.system", recipe.asking.system),
        ("asking.instructions", recipe.asking.instructions),
    ):
        with _naming(name):
            split_template(template)
        if columns is not None:
            check_names(template, columns, name)


def _check_out(out: str, where: str) -> str:
    """The file of rows as an absolute path; empty where none is wanted yet. Raises EngineError."""
    if not out:
        return ""
    path = Path(out).expanduser().absolute()
    with _naming(f"{where}: out"):
        check_files(path)
    return str(path)


def _anchor(ref: str, path: Path) -> str:
    return ref if ref.startswith((_BUNDLED, RUN)) else str(path)


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Within it an error says where in the recipe it lies."""
    try:
        yield
    except (endpoint_keys.KeyNotAllowed, endpoint_hosts.HostNotAllowed):
        raise
    except EngineError as error:
        detail = f"{where}: {error.detail}" if error.detail else where
        raise EngineError(error.title, detail, error.hint) from error
