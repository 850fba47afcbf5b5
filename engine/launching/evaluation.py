"""Starting a job that measures arms on suites, which are looked up first."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.compare import endpoint_keys
from engine.compare.arms import Arm, format_arm, parse_arms
from engine.errors import EngineError
from engine.impact.suites.control_arms import list_controls
from engine.impact.suites.endpoint_arms import check_endpoints, describe_unmeasured
from engine.impact.suites.evaluation_plan import list_specs, make_plan, split_encoder
from engine.impact.suites.suite_reader import anchor, needs_worker
from engine.impact.suites.suite_specs import format_suite
from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.launching.generation import check_keys_are_set, find_weights
from engine.recipes.recipe import EvaluateRecipe


def launch_evaluation(
    recipe: EvaluateRecipe, root: Path, *, parents: Sequence[str] = (), sweep: str = ""
) -> JobDirectory:
    """Start measuring, `sweep` being the id of the sweep that does so. Relative paths are written
    into the recipe as absolute ones.

    Raises EngineError as `check_evaluation`, before anything is made.
    """
    return launch.launch(locate_evaluation(recipe, root), root, parents=parents, sweep=sweep)


def check_evaluation(recipe: EvaluateRecipe, root: Path, run: str = "") -> None:
    """Raise EngineError where an arm, its base, or a suite is missing or cannot be measured,
    KeyNotAllowed among them; `run` is the id of the job that is resumed."""
    locate_evaluation(recipe, root, run)


def describe_endpoints(recipe: EvaluateRecipe, root: Path) -> list[str]:
    """What of these suites is not measured of the endpoints among the arms, a sentence each.

    Suites that a worker alone reads are left to its log. Raises EngineError as `make_plan`.
    """
    if not any(arm.is_endpoint for arm in parse_arms(recipe.arms)):
        return []
    runs = [job.path for job in open_store(root).jobs()]
    named = list_specs(recipe)[:-1] if recipe.prompts else list_specs(recipe)
    specs = [one for one in named if one.is_import or not needs_worker(one, runs)]
    if not specs:
        return []
    readable = replace(recipe, suites=list(map(format_suite, specs)), choices="", prompts="")
    return describe_unmeasured(make_plan(readable, runs))


def locate_evaluation(recipe: EvaluateRecipe, root: Path, run: str = "") -> EvaluateRecipe:
    """The recipe with what it names found and checked, by paths that are valid from any folder.

    `choices` of version 1 becomes a suite of that name.
    """
    if not recipe.arms:
        raise EngineError("No arms to evaluate.", hint="Use at least one arm.")
    runs = [job.path for job in open_store(root).jobs()]
    parsed = parse_arms(recipe.arms)
    endpoint_keys.check(parsed, run)
    check_keys_are_set(parsed)
    arms = [find_weights(_check_arm(arm), runs) for arm in parsed]
    for control in list_controls(arms, recipe):
        find_weights(control.arm, runs)
    suites = [anchor(spec, runs) for spec in list_specs(recipe)]
    named = suites[:-1] if recipe.prompts else suites
    encoder = str(Path(recipe.encoder).expanduser().absolute()) if recipe.encoder else ""
    if encoder and not (split_encoder(encoder)[0] / "config.json").is_file():
        raise EngineError(
            "The encoder of BERTScore cannot be read.",
            f"{split_encoder(encoder)[0]}: no config.json",
            "Name the folder of a checkpoint such as bert-base-uncased.",
        )
    located = replace(
        recipe,
        arms=list(map(format_arm, arms)),
        suites=list(map(format_suite, named)),
        choices="",
        prompts=suites[-1].ref if recipe.prompts else "",
        encoder=encoder,
    )
    # Rows of Parquet and Arrow are read by the worker, and refused there where they are bad.
    readable = [one for one in named if one.is_import or not needs_worker(one, runs)]
    if readable or recipe.prompts:
        plan = make_plan(replace(located, suites=list(map(format_suite, readable))), runs)
        if len(readable) == len(named):
            check_endpoints(plan)
    return located


def _check_arm(arm: Arm) -> Arm:
    if arm.null is not None:
        raise EngineError(
            "A null adapter is no arm of an evaluation.",
            f"{arm.name}: null={arm.null}",
            "Use --null-adapters N: they are measured beside the last arm.",
        )
    return arm
