"""What can be done about a skill that an arm lost: each remedy with what measures it, and how long.

Owns the list of remedies and their recipes, which measure the same suites in the same way as the
evaluation that shows the loss. Reads the run of the arm from the disk, so on a thread. Starts
nothing: that is `tui.impact.remedy_window`.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.checkpoints.run_outputs import find_producer
from engine.compare.arms import Arm, format_arm, parse_arm, parse_arms
from engine.errors import EngineError
from engine.impact.results.evaluation_results import NLL, EvaluationResults
from engine.impact.results.fewshot_arms import name_with_examples
from engine.impact.suites.evaluation_plan import list_specs
from engine.impact.suites.suite_specs import SuiteSpec, format_suite
from engine.jobs.directory import JobDirectory
from engine.jobs.status import read as read_status
from engine.launching.remedy_arms import (
    checkpoint_arms,
    find_steps,
    merges_its_parent,
    strength_arms,
    why_no_checkpoints,
    why_no_strengths,
)
from engine.recipes.recipe import EvaluateRecipe, SweepRecipe, TrainRecipe
from engine.recipes.settings import Decode
from engine.text import number_name, one_line
from tui.formatting import estimated_span
from tui.snapshots import RunRow
from tui.styled_text import width_of

_MOST_BRIEF = 44
"""Cells of the column that says what is measured, at 80 columns."""
EXAMPLES = 5
"""Solved items before each question, where there is no training at all."""
SHARES = (0.0, 0.1, 0.3)
"""Of replay, that are swept over."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A row of the window; all texts are clean."""

    key: str
    label: str
    brief: str
    """What is measured and how long it takes, in a few words."""
    about: str
    """The same as sentences."""
    command: str = ""
    """The same without a screen; empty where there is none."""
    recipe: EvaluateRecipe | SweepRecipe | None = None
    """What `enter` starts; None of what is impossible."""
    parents: tuple[str, ...] = ()
    """What the job's record names: the run, and the evaluation that it was started from."""

    @property
    def is_possible(self) -> bool:
        return self.recipe is not None


def list_remedies(
    evaluation: RunRow, results: EvaluationResults, arm: str, runs: Sequence[Path]
) -> list[Remedy]:
    """What can be done about a loss of an arm, and what cannot, with the reason.

    `runs` may have made the arm. Raises EngineError where the evaluation's recipe cannot be read.
    """
    recipe = evaluation.view.recipe
    if not isinstance(recipe, EvaluateRecipe):
        raise EngineError("The recipe of this evaluation cannot be read.", str(evaluation.path))
    return list(_Remedies(evaluation, recipe, results, arm, runs).find_all())


class _Remedies:
    """Of one arm of one evaluation."""

    def __init__(
        self,
        evaluation: RunRow,
        recipe: EvaluateRecipe,
        results: EvaluationResults,
        arm: str,
        runs: Sequence[Path],
    ) -> None:
        self._evaluation = evaluation
        self._recipe = recipe
        self._results = results
        self._specs = [spec for spec in list_specs(recipe) if not spec.is_import]
        base, *_ = results.arms
        written = {parsed.name: text for parsed, text in _parse(recipe.arms)}
        self._base = written.get(base, results.arms[base].spec)
        self._arm = parse_arm(written.get(arm, results.arms[arm].spec))
        run = find_producer(self._arm.adapter or self._arm.checkpoint, runs)
        self._job = JobDirectory(run) if run is not None else None
        status = evaluation.view.status
        self._seconds = status.running_seconds if status is not None else 0.0

    def find_all(self) -> Iterator[Remedy]:
        yield self._find_strengths()
        yield self._find_checkpoints()
        yield from self._find_sweeps()
        yield self._find_fewshot()

    def _find_strengths(self) -> Remedy:
        key, label = "strengths", "adapter strength"
        if self._job is None and self._arm.adapter is None:
            return _refuse(key, label, "the arm is no run of these folders, and has no adapter")
        own = self._job if self._arm.adapter is None else None
        if own is not None and (reason := why_no_strengths(own)):
            return _refuse(key, label, reason)
        is_merged = self._job is not None and merges_its_parent(self._job)
        control = (
            "strength 0 is the parent, which was merged"
            if is_merged
            else "strength 0 is the base once more, which is a control"
        )
        arms = strength_arms(self._arm)
        return self._measure(key, label, arms, "strengths", f"strengths 0 to 1; {control}")

    def _find_checkpoints(self) -> Remedy:
        key, label = "checkpoints", "earlier checkpoints"
        if self._job is None:
            return _refuse(key, label, "the arm is no run of these folders")
        if reason := why_no_checkpoints(self._job):
            return _refuse(key, label, reason)
        steps = find_steps(self._job)
        words = ", ".join(f"{step:,}" for step, _ in steps)
        arms = checkpoint_arms(self._arm, steps)
        return self._measure(key, label, arms, "checkpoints", f"steps {words}, as they are kept")

    def _find_sweeps(self) -> Iterator[Remedy]:
        recipe = _read_training(self._job)
        replay, rate = (
            ("sweep-replay", "sweep: replay share"),
            ("sweep-rate", "sweep: learning rate"),
        )
        if self._job is None or recipe is None:
            yield _refuse(*replay, "the arm is no run of these folders")
            return
        if recipe.replay.data:
            yield self._sweep(*replay, recipe, "replay.share", SHARES)
        else:
            yield self._name_replay(*replay)
        rates = [float(f"{recipe.training.learning_rate / by:.3g}") for by in (1, 2, 4)]
        yield self._sweep(*rate, recipe, "training.learning_rate", rates)

    def _name_replay(self, key: str, label: str) -> Remedy:
        """What is missing where the recipe names no older data, and the command that names it."""
        assert self._job is not None
        over = f"replay.share={','.join(f'{share:g}' for share in SHARES)}"
        recipe = str(self._job.recipe_file)
        command = ["finetop", "sweep", recipe, "--set", "replay.data=FILE", "--over", over]
        refused = _refuse(
            key, label, "the run's recipe names no older data to replay (y copies how to)"
        )
        about = "The run's recipe names no older data to replay: y copies a command; put its file "
        return replace(refused, about=f"{about}in place of FILE.", command=shlex.join(command))

    def _sweep(
        self, key: str, label: str, base: TrainRecipe, setting: str, values: Sequence[float]
    ) -> Remedy:
        assert self._job is not None
        suites = list(map(format_suite, self._specs))
        recipe = SweepRecipe(
            name=f"{base.name}-{setting.rpartition('.')[2]}",
            device=self._recipe.device,
            base=base,
            over={setting: list(values)},
            suites=suites,
            limit=self._recipe.limit,
            decode=self._recipe.decode,
        )
        written = ",".join(f"{value:g}" for value in values)
        command = ["finetop", "sweep", str(self._job.recipe_file), "--over", f"{setting}={written}"]
        for suite in suites:
            command += ["--on", suite]
        if recipe.limit:
            command += ["--limit", str(recipe.limit)]
        seconds = self._read_seconds() * len(values)
        span = f", {estimated_span(seconds)}" if seconds else ""
        about = (
            f"{len(values)} runs of the run's recipe over {setting} {written}{span}; then the base "
            "and all of them on the same suites. They wait in the queue, one after the other."
        )
        return Remedy(
            key, label, f"{len(values)} runs{span}", about, shlex.join(command), recipe,
            self._list_parents(),
        )  # fmt: skip

    def _read_seconds(self) -> float:
        """What the run took to train; 0: not known."""
        status = read_status(self._job) if self._job is not None else None
        return status.running_seconds if status is not None else 0.0

    def _find_fewshot(self) -> Remedy:
        key, label = "fewshot", "few-shot prompt"
        specs = [spec for spec in self._specs if self._takes_examples(spec)]
        if not specs:
            return _refuse(
                key, label, "no suite can be asked with examples that it was not asked with yet"
            )
        asked = [
            replace(
                spec,
                name=name_with_examples(spec.name, EXAMPLES),
                options=replace(spec.options, fewshot=EXAMPLES),
            )
            for spec in specs
        ]
        suites = list(map(format_suite, asked))
        recipe = self._make_recipe([self._base], "examples", suites)
        base = parse_arm(self._base).name
        words = (
            f"the base as it is, and with {EXAMPLES} solved items in the prompt instead of "
            "training; longer prompts take longer"
        )
        return self._describe(
            key, label, recipe, words, f"{one_line(base)} asked {EXAMPLES}-shot", specs,
            ["--arm", self._base],
        )  # fmt: skip

    def _takes_examples(self, spec: SuiteSpec) -> bool:
        facts = self._results.suites.get(spec.name)
        if spec.options.fewshot or facts is None:
            return False
        return facts.measure != NLL and len(facts.items) > EXAMPLES

    def _measure(
        self, key: str, label: str, arms: Sequence[Arm], option: str, words: str
    ) -> Remedy:
        """Arms beside the base on all suites of the evaluation."""
        if not self._specs:
            return _refuse(key, label, "all scores of this evaluation were imported")
        # The base comes first, and no two arms have one name.
        base = parse_arm(self._base)
        others = [replace(arm, name=number_name(arm.name, [base.name])) for arm in arms]
        suites = list(map(format_suite, self._specs))
        recipe = self._make_recipe([self._base, *map(format_arm, others)], option, suites)
        run = self._job.path.name if self._job is not None else ""
        named = ["--" + option, run] if run else _name_arms(recipe.arms)
        brief = f"base and {len(arms)} {option.removesuffix('s') if len(arms) == 1 else option}"
        return self._describe(key, label, recipe, words, brief, self._specs, named)

    def _make_recipe(self, arms: list[str], what: str, suites: list[str]) -> EvaluateRecipe:
        name = f"{what}-{one_line(self._arm.name)}"
        return replace(self._recipe, name=name, arms=arms, suites=suites, tree="", choices="",
                       prompts="")  # fmt: skip

    def _describe(
        self,
        key: str,
        label: str,
        recipe: EvaluateRecipe,
        words: str,
        brief: str,
        specs: Sequence[SuiteSpec],
        named: Sequence[str],
    ) -> Remedy:
        items = sum(
            len(self._results.suites[spec.name].items)
            for spec in specs
            if spec.name in self._results.suites
        )
        answers = len(recipe.arms) * items
        time = self._estimate(answers)
        span = f", {estimated_span(time)}" if time else ""
        count = len(specs)
        about = (
            f"{words[:1].upper()}{words[1:]}. {len(recipe.arms)} arm{'s' * (len(recipe.arms) != 1)}"
            f" on the same {count} suite{'s' * (count != 1)}, {answers:,} items in all{span}."
        )
        return Remedy(
            key, label, f"{brief}{span}", about, _write_command(recipe, named), recipe,
            parents=self._list_parents(),
        )  # fmt: skip

    def _estimate(self, answers: int) -> float:
        """Seconds, by what the shown evaluation took for each of its items; 0: not known."""
        measured = sum(
            len(self._results.suites[name].items)
            for arm in self._results.arms.values()
            for name in arm.suites
            if name in self._results.suites
        )
        return self._seconds * answers / measured if measured else 0.0

    def _list_parents(self) -> tuple[str, ...]:
        run = (f"run:{self._job.path.name}",) if self._job is not None else ()
        return (*run, f"run:{self._evaluation.view.record.id}")


def _refuse(key: str, label: str, reason: str) -> Remedy:
    text = one_line(reason)
    brief = f"not possible: {text}"
    if width_of(brief) > _MOST_BRIEF:
        brief = "not possible"
    return Remedy(key, label, brief, f"Not possible: {text}.")


def _read_training(job: JobDirectory | None) -> TrainRecipe | None:
    try:
        recipe = job.recipe() if job is not None else None
    except EngineError:
        return None
    return recipe if isinstance(recipe, TrainRecipe) else None


def _parse(texts: Sequence[str]) -> Iterator[tuple[Arm, str]]:
    try:
        yield from zip(parse_arms(texts), texts, strict=True)
    except EngineError:  # then what the results say of their arms is taken
        return


def _name_arms(arms: Sequence[str]) -> list[str]:
    return [part for arm in arms for part in ("--arm", arm)]


def _write_command(recipe: EvaluateRecipe, named: Sequence[str]) -> str:
    """The command line that starts the same."""
    parts = ["finetop", "evaluate", *named]
    for suite in recipe.suites:
        parts += ["--suite", suite]
    if recipe.limit:
        parts += ["--limit", str(recipe.limit)]
    if recipe.samples != 1:
        parts += ["--samples", str(recipe.samples), "--temperature", f"{recipe.temperature:g}"]
    if recipe.encoder:
        parts += ["--encoder", recipe.encoder]
    usual = Decode()
    for name in Decode.__dataclass_fields__:
        if (value := getattr(recipe.decode, name)) != getattr(usual, name):
            parts += ["--set", f"decode.{name}={value}"]
    return shlex.join(parts)
