"""What `finetop demo` trains and measures: its runs, and how much of everything.

Every size of the demo is here, but for those of its first run: `engine/demo/recipe.toml`, which
all its runs change. How they were chosen is told in `engine/demo/README.md`. Starts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.bundled import MAKE_DATA, RECIPE, SUITES
from engine.errors import EngineError
from engine.impact.suites.evaluation_plan import LABELS, PROMPTS
from engine.jobs.directory import JobDirectory
from engine.recipes import recipe
from engine.recipes.recipe import (
    EvaluateRecipe,
    ExportRecipe,
    SynthesizeRecipe,
    TrainRecipe,
)

ITEMS = 100
"""Of each bundled suite, and of what a second stage holds out: enough to see a change, few enough
for two cores. What the first run holds out is measured whole."""
NEW_TOKENS = 64
"""Of an answer."""
RELEASED = ("adapter", "merged", "gguf")
"""What `--release` exports."""
INTENDED = "To see what finetop does: fine-tuning, measuring and exporting a model on one machine."
LIMITS = (
    "The model has 2.4 million parameters and was pre-trained on generated text: it knows little, "
    "and nothing that it says should be relied on."
)
"""For the model card of `--release`."""
MAKING = "made"
"""What the job that makes data is called beside the runs."""
ROWS = "rows.jsonl"
"""The file of the rows made, in that job's directory."""
OPEN = "bundled:general"
"""Prompts outside of the task and of the base's training, to read."""


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One run of the demo, which is also an arm of its evaluation."""

    arm: str
    changes: tuple[str, ...] = ()
    """Of the bundled recipe. The user's own come after these, in every run."""
    parent: str = ""
    """The arm of the run whose result a second stage starts from."""
    data: str = ""
    """What a later stage trains on, whatever the user's own data is: a bundled data set, or MADE.
    Its suite has its name."""
    is_arm: bool = True
    """Whether it is measured."""


MADE = "reviews"
"""The rows that `--make-data` makes."""
HELD_OUT = "bundled:reviews-held-out"
"""What the run on them is evaluated with: rows that are right, as labels made may not be."""
_REPLAY = ("replay.data=bundled:rehearsal", "replay.share=0.3", "training.learning_rate=2.5e-4")
TUNED = DemoRun("tuned")
REPLAY = DemoRun("replay", _REPLAY)
"""The second run of `--replay`."""
LONG = (
    DemoRun("lora"),
    DemoRun("full", ("name=emotion-full", "method.kind=full", "training.learning_rate=3e-4")),
    DemoRun("replay", ("name=emotion-replay", *_REPLAY)),
    DemoRun("second", ("name=counsel-second",), parent="lora", data="counsel"),
)
"""The runs of `--long`. The last one is a second stage on the first: what does it forget of it?"""


_SMALL = ("data.max_length=256", "training.epochs=6", "training.batch_size=8")
"""Of data of some hundred rows."""
LABELLER = DemoRun(
    "labeller",
    ("name=labeller", *_SMALL, "training.learning_rate=3e-4"),
    parent="emotion",
    data="reviews-labelled",
    is_arm=False,
)
"""What writes the rows of `--make-data`. The bundled model alone has never met "agree"."""
STAGES = (
    DemoRun("emotion"),
    DemoRun("reviews", ("name=reviews", *_SMALL), parent="emotion", data=MADE),
    DemoRun("counsel", ("name=counsel",), parent="reviews", data="counsel"),
)
"""The stages of `--make-data`: what the base learns first, from the rows made, and after them."""


def make_run(run: DemoRun, changes: Sequence[str], jobs: Mapping[str, JobDirectory]) -> TrainRecipe:
    """The recipe of a run; `changes` are the user's, `jobs` those that are done by name."""
    stage: tuple[str, ...] = ()
    if run.parent:
        parent = jobs[run.parent].path.name
        stage = (f"model.checkpoint=run:{parent}", f"data.train={_data_of(run, jobs)}")
        if run.data == MADE:
            stage += (f"data.eval={HELD_OUT}",)
    made = recipe.read(RECIPE, [*run.changes, *changes, *stage])
    assert isinstance(made, TrainRecipe), "the bundled recipe trains"
    return made


def make_rows(changes: Sequence[str], jobs: Mapping[str, JobDirectory]) -> SynthesizeRecipe:
    """The recipe of the rows of `--make-data`; `changes` as in `make_run`."""
    labeller = jobs[LABELLER.arm]
    device = make_run(LABELLER, changes, jobs).device
    made = recipe.read(
        MAKE_DATA,
        [f"asking.generator=labeller=run:{labeller.path.name}", f"device={device}"],
    )
    assert isinstance(made, SynthesizeRecipe), "the bundled recipe makes data"
    return made


def rows_made(job: JobDirectory) -> Path:
    """The file of the rows of `--make-data`, in the directory of the job that made them: it goes
    with the job, which is not deleted while a run was trained on them."""
    return job.path / ROWS


def _data_of(run: DemoRun, jobs: Mapping[str, JobDirectory]) -> str:
    """What a later stage trains on, as `data.train` names it."""
    return str(rows_made(jobs[MAKING])) if run.data == MADE else f"bundled:{run.data}"


def make_evaluation(
    runs: Sequence[DemoRun], jobs: Mapping[str, JobDirectory], items: int
) -> EvaluateRecipe:
    """The evaluation of base and runs alike. Raises EngineError where a run held nothing out."""
    first = jobs[runs[0].arm].recipe()
    assert isinstance(first, TrainRecipe), "it is the one that was launched"
    arms = [run for run in runs if run.is_arm]
    stages = [run for run in arms if run.parent]
    table = {
        "kind": "evaluate",
        "name": f"{first.name}-measured",
        "device": first.device,
        "arms": [
            f"base={first.model.checkpoint}",
            *(f"{run.arm}=run:{jobs[run.arm].path.name}" for run in arms),
        ],
        "suites": [
            *(f"bundled:{path.stem}?limit={items}" for path in sorted(SUITES.glob("*.jsonl"))),
            f"{name_task(first)}={_held_out(jobs[runs[0].arm], first)}",
            *(f"{run.data}={_suite_of(run, jobs)}?limit={items}" for run in stages),
            *([] if stages else [f"{PROMPTS}={OPEN}"]),
        ],
        "decode": {"max_new_tokens": NEW_TOKENS},
    }
    measured = recipe.parse(table)
    assert isinstance(measured, EvaluateRecipe), "the table says so"
    return measured


def _suite_of(run: DemoRun, jobs: Mapping[str, JobDirectory]) -> str:
    """What a later stage is measured on: what its run holds out."""
    return HELD_OUT if run.data == MADE else f"run:{jobs[run.arm].path.name}"


def make_export(job: JobDirectory, measured: JobDirectory, out: Path) -> ExportRecipe:
    """The export of a run in every form; its card tells what the evaluation found."""
    first = job.recipe()
    return ExportRecipe(
        name=f"{first.name}-released",
        source=f"run:{job.path.name}",
        targets=[form for form in RELEASED if form != "adapter" or not _is_whole(job)],
        out=str(out),
        intended_use=INTENDED,
        limitations=LIMITS,
        report=f"run:{measured.path.name}",
    )


def _is_whole(job: JobDirectory) -> bool:
    """Whether a run trained all weights, and has no adapter."""
    made = job.recipe()
    return isinstance(made, TrainRecipe) and made.method.kind == "full"


def name_task(first: TrainRecipe) -> str:
    """The suite of what the first run held out: of the user's own data it is called labels."""
    return "emotion" if first.data.train == "bundled:emotion" else LABELS


def _held_out(job: JobDirectory, wanted: TrainRecipe) -> str:
    """The rows that a run did not train on. Raises EngineError where there are none."""
    if not job.held_out.is_file():
        raise EngineError(
            "The run held no rows out: there is nothing to measure it on.",
            f"{job.path}\ndata.eval_fraction = {wanted.data.eval_fraction:g}",
            "Increase data.eval_fraction, or set data.eval.",
        )
    return f"run:{job.path.name}"
