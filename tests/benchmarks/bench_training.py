"""Training speed: beside TRL's SFTTrainer and a bare transformers Trainer, with a large vocabulary,
by length, and packed; and what the forgetting alarm takes of it.

    python -m tests.benchmarks training [--brief]

Every trainer gets the same model, rows, batches, settings and threads, in turn; speeds are tokens
that are no padding by second, without the first steps. The same losses show that it is one work.
"""

import multiprocessing
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Trainer, TrainerCallback, set_seed

from engine.bundled import BASE
from engine.checkpoints import config_json
from engine.events.log_dir import LogDir
from engine.events.series import Series
from engine.jobs import devices, directory
from engine.jobs.directory import JobDirectory
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import Attempt
from engine.worker.data.batching import EncodedRows
from engine.worker.data.encode import IGNORE_INDEX, Encoded, choose_template, collate
from engine.worker.data.prepare import PreparedDataset, prepare
from engine.worker.model import loading, malloc
from engine.worker.model.build import ModelSpec, build_model, find_stage
from engine.worker.model.dtypes import Formats, pick_formats
from engine.worker.training.callback import TrainingCallback
from engine.worker.training.eval_history import History
from engine.worker.training.event_writer import EventWriter
from engine.worker.training.hf_arguments import training_arguments
from engine.worker.training.setup import TrainingSetup, try_head
from engine.worker.training.trainer import token_trainer
from tests.benchmarks.peak import resident
from tests.benchmarks.results import Outcome, Row
from tests.worker.here import train_here

_SPENT = re.compile(r"(?:probe of|forgetting) .*, ([\d.]+) s$", re.MULTILINE)
WARM = 4
"""Steps that are not timed."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Many short rounds: a machine's pace changes within seconds, and a pair should share it."""

    rounds: int = 9
    steps: int = 16
    rows: int = 2000
    alarmed: int = 1000
    """Rows of the runs whose alarm is timed."""


BRIEF = Effort(rounds=1, steps=8, rows=200, alarmed=100)


@dataclass(frozen=True, slots=True)
class Speed:
    tokens_per_second: float
    cpu: float
    """Seconds of all threads a token."""
    losses: list[float] = field(default_factory=list)


class Clock(TrainerCallback):
    """When each step ended, and how many tokens were seen by then."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float, int]] = []
        self.losses: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        now = time.perf_counter(), time.process_time(), state.num_input_tokens_seen
        self.ends.append(now)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def speed(self) -> Speed:
        """After the warm-up."""
        (began, working, before), (ended, worked, seen) = self.ends[WARM - 1], self.ends[-1]
        tokens = seen - before
        return Speed(tokens / (ended - began), (worked - working) / tokens, self.losses)


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to train, whoever trains it."""

    recipe: TrainRecipe
    rows: Sequence[Encoded]
    device: torch.device
    formats: Formats
    folder: Path

    def model(self) -> Any:
        """As our runs build it, always from the same seed."""
        set_seed(self.recipe.training.seed)
        stage = find_stage(self.recipe, [])
        spec = ModelSpec(self.recipe, stage, self.formats, self.device, None, self.folder)
        return build_model(spec, lambda line: None)

    def arguments(self, *kind: Any, **extra: Any) -> Any:
        return training_arguments(
            self.recipe.training, self.folder, self.device, self.formats, *kind, **extra
        )


def train_ours(work: Work) -> Speed:
    """By the trainer of a real run, its curves, status and questions after a stop included."""
    job = directory.create(Path(tempfile.mkdtemp(dir=work.folder)), work.recipe)
    attempt = Attempt(job, Lock(job.lock_file))
    attempt.devices = devices.options("cpu")[0]
    attempt._writer.start()
    attempt.log = lambda line: None  # type: ignore[method-assign]
    curves, tokenizer = EventWriter(job.events, 1, 1), loading.load_tokenizer(BASE)
    callback = TrainingCallback(attempt, work.recipe, History())
    setup = TrainingSetup(
        attempt, work.recipe, work.device, work.formats, find_stage(work.recipe, []),
        config_json.read_json(BASE / "config.json"), tokenizer,
        choose_template(tokenizer), PreparedDataset(list(work.rows), [], []), None, work.model(),
    )  # fmt: skip
    setup = replace(setup, head=try_head(setup, setup.model))
    trainer, _ = token_trainer(setup, curves, callback)
    speed = _timed(trainer)
    curves.close()
    attempt.finish(State.DONE)
    values = callback.history.logged
    return replace(speed, losses=[values["train/loss"]])


def train_bare(work: Work) -> Speed:
    """By transformers' own Trainer and the model's own loss."""
    trainer = Trainer(
        model=work.model(),
        args=work.arguments(),
        train_dataset=EncodedRows(work.rows),
        data_collator=lambda rows: collate(rows, 0),
        processing_class=loading.load_tokenizer(BASE),
    )
    return _timed(trainer)


def train_by_trl(work: Work) -> Speed:
    """By TRL's trainer for answers, on rows that are encoded already."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    rows = [{"input_ids": one.input_ids, "labels": one.labels} for one in work.rows]
    trainer = SFTTrainer(
        model=work.model(),
        args=work.arguments(SFTConfig, dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=Dataset.from_list(rows),
        processing_class=loading.load_tokenizer(BASE),
    )
    return _timed(trainer)


def _timed(trainer: Any) -> Speed:
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    clock = Clock()
    trainer.add_callback(clock)
    trainer.train()
    return clock.speed()


def bench(effort: Effort) -> Outcome:
    """All comparisons. Raises AssertionError where two trainers did not do the same."""
    torch.set_num_threads(_cores())
    with tempfile.TemporaryDirectory() as folder:
        for name in ("STATE", "LOCKS"):
            os.environ[f"FINETOP_{name}"] = folder
        rows = [
            *_beside_others(effort, Path(folder)),
            *_large_vocabulary(effort, Path(folder)),
            *_beside_padding(effort, Path(folder)),
            *_alarms(effort, Path(folder)),
        ]
    settings = {"rounds": effort.rounds, "steps": effort.steps, "threads": _cores()}
    return Outcome(rows, settings)


def _beside_others(effort: Effort, folder: Path) -> list[Row]:
    """The emotion rows on the bundled model, an adapter and all weights."""
    found = []
    for kind in ("lora", "full"):
        work = _work(effort, folder, f"method.kind={kind}")
        arms: dict[str, Callable[[Work], Speed]] = {
            "ours": train_ours, "bare": train_bare, "TRL": train_by_trl,
        }  # fmt: skip
        rounds = _in_turn(effort, {name: partial(arm, work) for name, arm in arms.items()})
        for one in rounds:
            last = [one[name].losses[-1] for name in arms]
            assert max(last) - min(last) < 2e-3 * min(last), f"not the same work: {last}"
        faster = max(("bare", "TRL"), key=lambda name: _median(rounds, name))
        share = statistics.median(
            one["ours"].tokens_per_second / one[faster].tokens_per_second for one in rounds
        )
        cpu = statistics.median(one[faster].cpu / one["ours"].cpu for one in rounds)
        for name in arms:
            found.append(Row(f"{kind}: {name}", f"{_median(rounds, name):,.0f} tokens/s"))
        found.append(Row(f"{kind}: ours to the faster, {faster}", f"{share:.3f}", "at least 0.97"))
        found.append(Row(f"{kind}: the same by CPU time, whatever else runs", f"{cpu:.3f}"))
    return found


LARGE = LlamaConfig(
    vocab_size=128_000, hidden_size=384, intermediate_size=1024, num_hidden_layers=4,
    num_attention_heads=6, num_key_value_heads=6, max_position_embeddings=512,
    tie_word_embeddings=True,
)  # fmt: skip
"""59 M parameters, most of them in the vocabulary."""
LENGTH = 64


def _large_vocabulary(effort: Effort, folder: Path) -> list[Row]:
    """Batches of 8 x 64 tokens of a model whose head is most of it, beside the bare Trainer."""
    checkpoint = folder / "large"
    torch.manual_seed(0)
    make: Any = AutoModelForCausalLM.from_config
    make(LARGE).save_pretrained(checkpoint)
    loading.load_tokenizer(BASE).save_pretrained(checkpoint)
    found = []
    for share, bars in ((0.15, {"lora": 2.0, "full": 1.8}), (1.0, {"lora": 0.95, "full": 0.95})):
        rows = _random_rows(8 * (effort.steps + WARM), share)
        for kind, bar in bars.items():
            work = _work(
                effort, folder, f"method.kind={kind}", f"model.checkpoint={checkpoint}",
                "training.batch_size=8", "training.learning_rate=0", rows=rows,
            )  # fmt: skip
            arms: dict[str, Callable[[], Speed]] = {
                "ours": partial(train_ours, work), "bare": partial(train_bare, work),
            }  # fmt: skip
            rounds = _in_turn(effort, arms)
            ratio = statistics.median(
                one["ours"].tokens_per_second / one["bare"].tokens_per_second for one in rounds
            )
            what = f"128,000 tokens of vocabulary, {share:.0%} trained, {kind}: ours to bare"
            found.append(Row(what, f"{ratio:.2f}", f"at least {bar}"))
            if share == 1:
                peaks = {name: _peak_of(arm) for name, arm in arms.items()}
                memory = peaks["ours"] / peaks["bare"]
                found.append(Row(f"{what}, peak memory", f"{memory:.2f}", "at most 0.7"))
    return found


def _random_rows(count: int, share: float) -> list[Encoded]:
    """Rows of random tokens, of which a share is trained on."""
    draw = random.Random(3)
    rows = []
    for _ in range(count):
        ids = [draw.randrange(5, 127_000) for _ in range(LENGTH)]
        labels = [one if draw.random() < share else IGNORE_INDEX for one in ids]
        rows.append(Encoded(ids, labels, 0, kept=True, reason=""))
    return rows


def _peak_of(arm: Callable[[], Speed]) -> int:
    """Bytes by which a process grows at the most that trains so."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(_grown_by, arm).result()


def _grown_by(arm: Callable[[], Speed]) -> int:
    torch.set_num_threads(_cores())
    malloc.fix_large_blocks()
    loading.warm()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    arm()
    return resident("VmHWM") - before


def _beside_padding(effort: Effort, folder: Path) -> list[Row]:
    """Rows of 15 to 60 tokens: shuffled, by length, and packed, each by our own trainer."""
    draw = random.Random(5)
    rows = []
    for _ in range(effort.rows):
        ids = [draw.randrange(5, 2000) for _ in range(draw.randint(15, 60))]
        rows.append(Encoded(ids, ids, 0, kept=True, reason=""))
    ways = {
        "shuffled": ("training.batch_size=32",),
        "by length": ("training.batch_size=32", "training.group_by_length=true"),
        # As many tokens in a pass as the rows of a shuffled one have.
        "packed": ("training.packing=true", "training.batch_size=20", "data.max_length=64"),
    }
    works = {name: _work(effort, folder, *changes, rows=rows) for name, changes in ways.items()}
    rounds = _in_turn(effort, {name: partial(train_ours, work) for name, work in works.items()})

    def times(name: str) -> str:
        pairs = (one[name].tokens_per_second / one["shuffled"].tokens_per_second for one in rounds)
        return f"{statistics.median(pairs):.2f}x"

    least = "1.5x" if works["packed"].device.type == "cuda" else "1.1x"
    return [
        Row("rows of 15 to 60 tokens, shuffled", f"{_median(rounds, 'shuffled'):,.0f} tokens/s"),
        Row("the same by length", times("by length"), "at least 1.3x"),
        Row("the same packed", times("packed"), f"at least {least}"),
    ]


def _alarms(effort: Effort, folder: Path) -> list[Row]:
    """Its share of a run at default settings: by the seconds that the run's own log tells."""
    found, before = [], ""
    for name, *changes in (
        ("LoRA", "method.kind=lora"),
        ("full", "method.kind=full"),
        ("LoRA on the merged first one, two bases", "method.kind=lora", "model.adapter=merge"),
    ):
        table = {"name": "alarm", "data": {"limit": effort.alarmed}, "training": {"epochs": 1.0}}
        if "merge" in changes[-1]:
            table["model"] = {"checkpoint": f"run:{before}"}
        wanted = recipe.parse(recipe.with_changes(table, changes))
        assert isinstance(wanted, TrainRecipe)
        job = train_here(wanted, folder / "runs")
        before = before or job.path.name
        log, series = job.attempt(1).log.read_text(), _losses(job)
        spent = [float(one) for one in _SPENT.findall(log)]
        assert len(spent) > 1, f"the log does not tell what the alarm took:\n{log}"
        training = series.wall_times[-1] - series.wall_times[0]
        row = f"the alarm's share of training {effort.alarmed:,} rows, {name}"
        found.append(Row(row, f"{sum(spent) / training:.1%}", "at most 5.0%"))
    return found


def _losses(job: JobDirectory) -> Series:
    log = LogDir(job.events)
    while log.poll():
        pass
    return log.series["train/loss"]


def _in_turn(effort: Effort, arms: dict[str, Callable[[], Speed]]) -> list[dict[str, Speed]]:
    """Each round asks every arm once, beginning with another one."""
    names, rounds = list(arms), []
    for number in range(effort.rounds):
        order = names[number % len(names) :] + names[: number % len(names)]
        rounds.append({name: arms[name]() for name in order})
        said = ", ".join(f"{name} {rounds[-1][name].tokens_per_second:,.0f}" for name in names)
        print(f"round {number + 1}: {said} tokens/s", flush=True)
    return rounds


def _work(
    effort: Effort, folder: Path, *changes: str, rows: Sequence[Encoded] | None = None
) -> Work:
    table = {
        "name": "speed",
        "data": {"limit": effort.rows, "max_length": 128},
        "training": {"batch_size": 16, "evaluations": 0, "saves": 0, "learning_rate": 1e-4,
                     "max_steps": effort.steps + WARM},
        "samples": {"count": 0},
        "forgetting": {"tokens": 0},
    }  # fmt: skip
    built = recipe.parse(recipe.with_changes(table, changes))
    assert isinstance(built, TrainRecipe)
    device = loading.pick_device("auto")
    if rows is None:
        tokenizer = loading.load_tokenizer(BASE)
        rows = prepare(built.data, tokenizer, choose_template(tokenizer), 7).train
    formats = pick_formats(device, "auto", built.method.kind)
    return Work(built, rows, device, formats, folder)


def _median(rounds: Sequence[dict[str, Speed]], name: str) -> float:
    return statistics.median(one[name].tokens_per_second for one in rounds)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
