"""What a key press does to runs: the one place where screens reach the engine's verbs.

Every method may block and raise EngineError, so screens call them on a thread.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import Store
from engine.recipes.recipe import (
    EvaluateRecipe,
    ExportRecipe,
    GenerateRecipe,
    SweepRecipe,
    SynthesizeRecipe,
    TrainRecipe,
)
from tui.snapshots import Catalogue

if TYPE_CHECKING:
    from engine.checkpoints.checkpoint_list import Checkpoint
    from engine.compare.arm_sets import Sets
    from engine.compare.arms import Arm
    from engine.compare.endpoint_keys import KeyUse
    from engine.compare.items import Item
    from engine.compare.samples import Sample
    from engine.data.dataset_list import DataSet
    from engine.data.rows import Rows
    from engine.estimates.epoch import MeasuredRows
    from engine.estimates.fit import Fit
    from engine.estimates.parameters import Counted
    from engine.jobs.prune import PrunePlan
    from engine.jobs.summary import UserNotes
    from engine.launching.export import PlannedExport
    from engine.recipes.settings import Decode
    from engine.recipes.synthesis_settings import Source
    from engine.synthesis.made_statistics import MadeStatistics
    from engine.synthesis.review_sample import SampledReview
    from engine.synthesis.reviews import Review
    from engine.synthesis.source_rows import SourceRow
    from tui.screens.evaluate_window import Evaluable
    from tui.screens.export_window import Exportable
    from tui.screens.sort_order import SortOrder
    from tui.synthesis.made_feed import MadeData
    from tui.synthesis.source_excerpt import SourceExcerpt

STOP_STAGES = ("ask", "SIGTERM", "SIGKILL")
"""Each firmer than the one before; only the first lets the run save."""


class Actions:
    """Launching, stopping, resuming, moving in the queue, notes and deleting, on a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def launch(self, recipe: TrainRecipe) -> Path:
        """Start a run; its directory, once its worker has answered."""
        from engine.launching import training

        return training.launch_training(recipe, self.store.root).path

    def resume(self, path: Path, *, adopt: bool = False, changes: Sequence[str] = ()) -> None:
        """Resume a run; with `key=value` changes to its recipe where any are given."""
        from engine.launching import resume
        from engine.recipes import recipe

        job = self.store.at(path)
        changed = recipe.changed(job.recipe(), changes) if changes else None
        resume.resume_job(job, changed, adopt=adopt)

    def stop(self, path: Path, stage: str) -> None:
        """One stage of STOP_STAGES."""
        from engine.jobs import launch, process

        job = self.store.at(path)
        if stage == "ask":
            launch.request_stop(job)
        else:
            process.send_signal(job, {"SIGTERM": SIGTERM, "SIGKILL": SIGKILL}[stage])

    def move(self, job: str, by: int) -> int:
        """Move a waiting run in its queue, -1 is one sooner; its new place, 1 is next."""
        from engine.jobs import queue

        return queue.move(job, by)

    def cancel(self, job: str) -> None:
        """Take a waiting run out of its queue: it ends as stopped."""
        from engine.jobs import queue

        queue.cancel(job)

    def note(self, path: Path, change: "Callable[[UserNotes], UserNotes]") -> None:
        """Change what the user says of a run."""
        from engine.jobs import summary

        job = self.store.at(path)
        summary.write_notes(job, change(summary.notes(job)))

    def remove(self, path: Path) -> None:
        """Permanently delete a run that has ended and is the user's own."""
        from engine.jobs import delete

        delete.remove(self.store.at(path), self.store)

    def find_users(self, path: Path) -> tuple[str, ...]:
        """Who builds on a run, in words."""
        from engine.launching.in_use import find_users_of_run

        return find_users_of_run(self.store.at(path), self.store)

    def plan_prune(self, path: Path, keep: Sequence[str] = ()) -> "PrunePlan":
        """What pruning an ended run would drop; `keep` names checkpoints that stay."""
        from engine.jobs import prune
        from engine.launching.in_use import find_users

        return prune.plan(self.store.at(path), self.store, keep, find_users(self.store))

    def prune(self, planned: "PrunePlan") -> None:
        """Drop what was planned; the run cannot be resumed any more."""
        from engine.jobs import prune

        prune.prune(planned, self.store)

    def keep_order(self, order: "SortOrder") -> None:
        """Remember in which order this folder of runs is listed."""
        from tui.screens import sort_order

        sort_order.save(self.store.root, order)

    def catalogue(self) -> Catalogue:
        """All models and data sets that can be picked, and the devices. May take seconds."""
        from engine.checkpoints import checkpoint_list, search_paths
        from engine.data import dataset_list
        from engine.jobs import devices

        runs = [job.path for job in self.store.jobs()]
        return Catalogue(
            tuple(checkpoint_list.scan(search_paths.model_folders(), runs)),
            tuple(dataset_list.list_datasets(search_paths.data_folders())),
            ("auto", *(devices.label(device) for device in devices.find())),
        )

    def preview(self, dataset: "DataSet", count: int) -> "Rows":
        """The first rows of a data set, good and bad."""
        from engine.data import dataset_list

        return dataset_list.preview(dataset, count)

    def fit(
        self,
        recipe: TrainRecipe,
        model: "Checkpoint",
        measured: "MeasuredRows | None" = None,
        counted: "Counted | None" = None,
    ) -> "Fit":
        """Whether a recipe fits its device and the disk, and how long it may take."""
        from engine.estimates.fit import estimate_fit

        return estimate_fit(recipe, model, self.store, measured=measured, counted=counted)

    def prompts(self) -> "list[Item]":
        """The bundled prompts, file by file."""
        from engine.bundled import PROMPTS
        from engine.compare import prompts

        return [one for path in sorted(PROMPTS.glob("*.jsonl")) for one in prompts.read(path)]

    def arm_sets(self) -> "Sets":
        """The saved sets of arms, by name."""
        from engine.compare import arm_sets

        return arm_sets.read()

    def keep_arms(self, name: str, arms: "Sequence[Arm]", *, replace: bool = False) -> None:
        """Save a set of arms under a name; SetExists where one has it, unless `replace`."""
        from engine.compare import arm_sets

        arm_sets.save(name, arms, replace=replace)

    def drop_arms(self, name: str) -> None:
        """Forget a saved set."""
        from engine.compare import arm_sets

        arm_sets.remove(name)

    def find_new_keys(
        self, arms: "Sequence[Arm]", typed: "Collection[KeyUse]", run: str = ""
    ) -> "list[KeyUse]":
        """The keys that these arms, be they those of a run, send and the user has not agreed to.

        Raises KeyNotAllowed for that of an account whose variable the user has not `typed`.
        """
        from engine.compare import endpoint_keys

        unknown = endpoint_keys.find_unknown(arms)
        reserved = [use for use in unknown if use.is_reserved and use not in typed]
        if reserved:
            raise endpoint_keys.refuse(reserved, run)
        return unknown

    def allow_keys(self, uses: "Sequence[KeyUse]") -> None:
        """Remember that the user agreed to these."""
        from engine.compare import endpoint_keys

        endpoint_keys.allow(uses)

    def find_new_hosts(self, arms: "Sequence[Arm]") -> list[str]:
        """The addresses beyond this machine that texts go to and the user has not agreed to."""
        from engine.compare import endpoint_hosts

        return endpoint_hosts.find_unknown(arms)

    def allow_hosts(self, addresses: Sequence[str]) -> None:
        """Remember that the user agreed to these."""
        from engine.compare import endpoint_hosts

        endpoint_hosts.allow(addresses)

    def prompt_sets(self, arms: "Sequence[Arm]" = ()) -> list[tuple[str, int]]:
        """The sets of prompts by their refs, and their sizes: the bundled ones, all of them
        together first, then what the runs of these arms held out."""
        from engine.compare import prompts

        runs = [job.path for job in self.store.jobs()]
        found = [(f"bundled:{name}", len(prompts.load(f"bundled:{name}")))
                 for name in prompts.bundled()]  # fmt: skip
        everything = f"bundled:{prompts.ALL}", sum(count for _, count in found)
        return [everything, *found, *prompts.list_held_out(arms, runs)]

    def generate(self, recipe: GenerateRecipe) -> Path:
        """Start answering a set of prompts; the job's directory, once its worker has answered."""
        from engine.launching import generation

        return generation.launch_generation(recipe, self.store.root).path

    def evaluate(self, recipe: EvaluateRecipe, parents: Sequence[str] = ()) -> Path:
        """Start measuring arms on suites; the job's directory, once its worker has answered.

        `parents` are what it was started from, a run or an evaluation.
        """
        from engine.launching import evaluation

        return evaluation.launch_evaluation(recipe, self.store.root, parents=parents).path

    def sweep(self, recipe: SweepRecipe) -> Path:
        """Start runs that differ in some settings; the sweep's directory, once its worker has
        answered."""
        from engine.launching import sweep

        located = sweep.locate_sweep(recipe, self.store.root)
        return sweep.launch_sweep(located, self.store.root).path

    def make_data(self, recipe: SynthesizeRecipe) -> Path:
        """Start making data; the job's directory, once its worker has answered."""
        from engine.launching import synthesis

        return synthesis.launch_synthesis(recipe, self.store.root).path

    def read_excerpt(self, source: "Source") -> "SourceExcerpt":
        """The columns of a source, and its first row."""
        from tui.synthesis.source_excerpt import read_excerpt

        return read_excerpt(source, [job.path for job in self.store.jobs()])

    def read_voted_sources(self, recipe: SynthesizeRecipe) -> "list[SourceRow]":
        """The pairs of answers that the recipe's job was voted on."""
        from engine.synthesis.vote_pairs import (
            find_voted_job,
            make_vote_sources,
            read_voted_pairs,
        )

        job = find_voted_job(recipe, self.store.root)
        return make_vote_sources(job, read_voted_pairs(job, recipe.pairs.rubric))

    def read_source_answers(
        self, path: Path, source: str, recipe: SynthesizeRecipe
    ) -> "list[Sample]":
        """The raw answers about a source of a job that makes data."""
        from engine.synthesis.questions import CHOSEN, REJECTED
        from tui.synthesis.source_answers import read_source_answers

        fields = {"", CHOSEN, REJECTED, *recipe.fields}
        return read_source_answers(self.store.at(path).samples, source, fields)

    def measure_rows(self, data: "MadeData") -> "tuple[MadeStatistics, SampledReview]":
        """Statistics of the accepted rows, and what the review says of the rest."""
        from engine.synthesis.accepted_rows import accepted
        from engine.synthesis.made_statistics import measure_rows
        from engine.synthesis.row_files import judge_review

        rows = list(accepted([*data.sources.values()], data.outcomes, data.reviews))
        seed = data.recipe.source.seed
        return measure_rows(data.recipe, rows), judge_review(data.outcomes, data.reviews, seed)

    def write_rows(self, path: Path, out: Path, *, force: bool) -> int:
        """Write the accepted rows of a job as JSONL; how many there are."""
        from engine.synthesis import row_files

        runs = [job.path for job in self.store.jobs()]
        return row_files.write_rows(self.store.at(path), out, force=force, runs=runs).rows

    def append_review(self, path: Path, review: "Review") -> None:
        """Keep what a person decided of a row."""
        from engine.synthesis import reviews

        reviews.append_review(self.store.at(path).reviews, review)

    def find_evaluable(self, path: Path) -> "Evaluable":
        """What a run can be measured on, and its checkpoints, the first step first; of an export,
        what left beside the run. Raises EngineError where nothing of that is there."""
        from engine.bundled import SUITES
        from engine.jobs.directory import list_checkpoints, step_of
        from tui.screens.evaluate_window import Evaluable

        job = self.store.at(path)
        bundled = tuple(sorted(one.stem for one in SUITES.glob("*.jsonl")))
        recipe = job.recipe()
        if isinstance(recipe, ExportRecipe):
            exported, suite = self._find_exported(recipe)
            rows = _count_rows(self.store.find(suite.removeprefix(RUN))) if suite else 0
            return Evaluable(bundled, (), rows, suite, exported)
        steps = tuple((step_of(one), str(one)) for one in list_checkpoints(job.checkpoints))
        return Evaluable(bundled, steps, _count_rows(job), f"{RUN}{path.name}")

    def _find_exported(self, recipe: ExportRecipe) -> tuple[tuple[str, ...], str]:
        """The arms of an export, the run first, and what its run held out."""
        from engine.compare.arms import format_arm, parse_arm
        from engine.release.export_folder import comparison_arms, held_out_suite

        source = parse_arm(recipe.source)
        arms = comparison_arms(source, Path(recipe.out))
        if not arms:
            raise EngineError(
                "This export has no whole model to measure.",
                recipe.out,
                "An adapter alone is the run itself; merged and GGUF are measured beside it.",
            )
        runs = [job.path for job in self.store.jobs()]
        return tuple(map(format_arm, arms)), held_out_suite(source, runs)

    def find_exportable(self, path: Path) -> "Exportable":
        """In which forms a run can be exported, what each takes of disk and memory, and what its
        card can tell."""
        from engine.estimates import fit
        from engine.launching.export_source import find_source
        from engine.recipes.recipe import ExportRecipe
        from engine.release.card.base_identity import find_base_id, is_bundled
        from engine.release.card.card_facts import choose_name, trains_on_bundled
        from engine.release.card.card_impact import list_reports
        from engine.release.disk_need import ExportSizes
        from engine.release.gguf_targets import find_quantizer
        from engine.release.memory_need import ExportMemory
        from tui.screens.export_window import Exportable

        text, runs = f"run:{path.name}", [job.path for job in self.store.jobs()]
        source = find_source(text, runs)
        return Exportable(
            source=text,
            model_name=choose_name(source, ExportRecipe()),
            has_adapter=source.adapter is not None,
            measure=ExportSizes(source).measure,
            estimate=ExportMemory(source).estimate,
            free_memory=fit.free_main_memory(),
            reports=tuple(job.path.name for job, _ in list_reports(source, runs)),
            has_quantizer=find_quantizer() is not None,
            base_id=find_base_id(source.root),
            bundled=is_bundled(source.root),
            bundled_data=trains_on_bundled(source.stages),
        )

    def plan_export(self, recipe: ExportRecipe) -> "PlannedExport":
        """Find all that an export names."""
        from engine.launching import export

        return export.plan_export(recipe, self.store.root)

    def export(self, planned: "PlannedExport") -> Path:
        """Start an export; the job's directory, once its worker has answered."""
        from engine.launching import export

        return export.start_export(planned, self.store.root).path

    def keep(self, samples: "Sequence[Sample]", name: str, prompts: str, decode: "Decode") -> Path:
        """Keep answers that were given already as a job; its directory."""
        from engine.launching import keep_answers

        root = self.store.root
        return keep_answers.keep(samples, root, name=name, prompts=prompts, decode=decode).path

    def tokenizers(self) -> "list[tuple[str, str]]":
        """Refs and names of all tokenizers that were found: of models, and files by themselves."""
        from engine.checkpoints import search_paths
        from engine.tokenizers import files as tokenizer_files

        searched = search_paths.model_folders()
        models = [
            (one.ref, one.name) for one in self.catalogue().checkpoints if one.kind == "model"
        ]
        files = [
            (str(one), "/".join(one.parts[-2:]) if one.name == "tokenizer.json" else one.name)
            for one in tokenizer_files.find(searched)
        ]
        listed = {ref for ref, _ in models}  # a GGUF file is a model as well
        return [*models, *(one for one in files if one[0] not in listed)]

    def kept_tokenizers(self) -> tuple[str, ...]:
        """Refs of the tokenizers that were compared last; none where nothing is known."""
        from tui.tokens import last_choice

        return last_choice.load()

    def keep_tokenizers(self, refs: Sequence[str]) -> None:
        """Remember which tokenizers are compared."""
        from tui.tokens import last_choice

        last_choice.save(refs)

    def warning(self) -> str:
        """Why a run may not outlive this session; empty where nothing speaks for it."""
        from engine.jobs import logout

        return logout.warning()

    def start_error(self) -> str:
        """Why no run can be started here; empty where one can."""
        from engine.jobs import process

        try:
            process.worker_command()
        except EngineError as error:
            return error.title
        return ""


def _count_rows(job: JobDirectory) -> int:
    """Rows that a run held out."""
    if not job.held_out.is_file():
        return 0
    with job.held_out.open("rb") as file:
        return sum(1 for _ in file)
