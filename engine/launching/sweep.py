"""Starting a sweep: every point passes what `finetop train` asks of a run before anything begins.

The recipe of a sweep names all by paths that are valid from any folder, so that its worker starts
each run as it was checked here. What a sweep may take is added up of what its runs may take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compare.arms import Arm, format_arm
from engine.errors import EngineError
from engine.jobs import devices, launch, process
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.launching.evaluation import locate_evaluation
from engine.launching.locate import Located, locate
from engine.launching.training import check_beginning
from engine.recipes.diff import value_at
from engine.recipes.recipe import EvaluateRecipe, SweepRecipe, TrainRecipe
from engine.sweeps.grid import MOST_POINTS, SEED, SweepPoint, count_points, list_points, name_bases


@dataclass(frozen=True, slots=True)
class SweepEstimate:
    """Sizes in bytes; None where it is not known of every run."""

    seconds: float | None
    """Of all runs, one after the other, without the evaluation at the end."""
    disk_needed: int | None
    """When the last run saves, with what the others left."""
    disk_free: int | None
    unfit: tuple[tuple[str, str], ...]
    """Points that may not fit their device, and what they need, in words."""


def launch_sweep(located: SweepRecipe, root: Path) -> JobDirectory:
    """Start a sweep that `locate_sweep` found right."""
    parents = list(name_bases(list_points(located)))
    return launch.launch(located, root, parents=parents, needs_device=False)


def locate_sweep(recipe: SweepRecipe, root: Path, *, force: bool = False) -> SweepRecipe:
    """The recipe with what it names found and checked, by paths that are valid from any folder.

    Raises EngineError for a grid that is none (`grid.list_points`), for more than MOST_POINTS
    points without `force`, and for a point that `finetop train` would refuse, which it names.
    """
    count = count_points(recipe)
    if count > MOST_POINTS and not force:
        raise EngineError(
            f"This sweep has {count:,} points.", f"More than {MOST_POINTS} need --force.",
            "Name fewer values.",
        )  # fmt: skip
    check_worker()
    points = list_points(recipe)
    located = {point.name: _locate_point(point, root) for point in _of_one_seed(points)}
    over: dict[str, list[object]] = {}
    for key, values in recipe.over.items():
        found = {
            repr(point.settings[key]): value_at(located[point.name].recipe, key)
            for point in points
            if point.name in located
        }
        known = {repr(point.settings[key]): point.settings[key] for point in points}
        over[key] = [found[one] for one in dict.fromkeys(known)] if key != SEED else values
    first = next(iter(located.values())).recipe
    base = replace(
        first,
        name=recipe.base.name,
        training=replace(first.training, seed=recipe.base.training.seed),
    )
    suites = locate_evaluation(make_evaluation(recipe, points, {}), root).suites
    return replace(recipe, base=base, over=over, suites=suites)


def check_worker() -> None:
    """Raise EngineError where no run can be trained with what is installed."""
    process.worker_command()


def make_evaluation(
    recipe: SweepRecipe, points: Sequence[SweepPoint], runs: Mapping[str, str]
) -> EvaluateRecipe:
    """One evaluation of the bases of all points, and of runs, which are given by their points."""
    arms = [Arm(name, ref) for ref, name in name_bases(points).items()]
    arms += [Arm(name, f"run:{run}") for name, run in runs.items()]
    return EvaluateRecipe(
        name=f"{recipe.name}-evaluation",
        device=recipe.device,
        arms=list(map(format_arm, arms)),
        suites=recipe.suites,
        limit=recipe.limit,
        decode=recipe.decode,
    )


def estimate_sweep(recipe: SweepRecipe, store: Store) -> SweepEstimate:
    """What its runs may take together; takes milliseconds a combination of settings."""
    from engine.checkpoints import checkpoint_list
    from engine.estimates import fit

    points = list_points(recipe)
    runs = [job.path for job in store.jobs()]
    fits = {}
    for point in _of_one_seed(points):
        checkpoint = checkpoint_list.resolve(point.recipe.model.checkpoint, runs)
        fits[point.name] = fit.estimate_fit(point.recipe, checkpoint, store)
    seeds = len(points) // len(fits)
    seconds = [one.seconds for one in fits.values() if one.seconds is not None]
    kept = [one.disk_kept for one in fits.values() if one.disk_kept is not None]
    above = [
        one.disk_needed - one.disk_kept
        for one in fits.values()
        if one.disk_needed is not None and one.disk_kept is not None
    ]
    whole = len(kept) == len(above) == len(fits)
    return SweepEstimate(
        sum(seconds) * seeds if len(seconds) == len(fits) else None,
        sum(kept) * seeds + max(above) if whole else None,
        next((one.disk_free for one in fits.values()), None),
        tuple((name, one.line) for name, one in fits.items() if one.fits is False),
    )


def _locate_point(point: SweepPoint, root: Path) -> Located:
    """Raises EngineError as `finetop train` would, with the name of the point."""
    try:
        devices.options(point.recipe.device)
        located = locate(point.recipe, root)
        check_beginning(located, root)
    except EngineError as error:
        detail = "\n".join(filter(None, (f"point {point.name}", error.detail)))
        raise EngineError(error.title, detail, error.hint) from error
    return located


def _of_one_seed(points: Sequence[SweepPoint]) -> list[SweepPoint]:
    """The first point of each combination of settings: another seed changes nothing that is
    looked at before a start."""

    def key(recipe: TrainRecipe) -> str:
        return repr(replace(recipe, name="", training=replace(recipe.training, seed=0)))

    return list({key(point.recipe): point for point in reversed(points)}.values())[::-1]
