"""The screen, the command and a worker say the same of a recipe: through their own entries."""

import ast
import dataclasses
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints import checkpoint_list
from engine.estimates import fit
from engine.estimates.advice import gigabytes
from engine.estimates.epoch import MeasuredRows
from engine.estimates.fit import Fit
from engine.estimates.parameters import Counted
from engine.jobs import directory, status
from engine.jobs.lock import Lock
from engine.jobs.status import State, Status
from engine.jobs.store import open_store
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from engine.worker import out_of_memory
from engine.worker.attempt import Attempt
from tests.checkpoints.made import make_adapter, make_model
from tui import cli
from tui.actions import Actions
from tui.commands import fit as command

RECIPES = {
    "bundled base": (),
    "full": ("method.kind=full",),
    "lora": ("method.rank=64", "method.target_modules=['q_proj', 'v_proj']"),
    "qlora": ("method.quantize=4bit", "training.gradient_checkpointing=true"),
    "dpo": ("training.objective=dpo", "data.train=bundled:counsel"),
    "steps": ("training.max_steps=20",),
    "replay": ("replay.data=bundled:rehearsal", "replay.share=0.5"),
    "long": ("data.max_length=4096", "training.batch_size=64"),
}
SIZES: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "vocab_size": 1000,
}  # fmt: skip
SMALL, LARGE = 500_000_000, 96 * 10**9
"""Bytes that are free: less than a worker's libraries take, and plenty."""


@pytest.fixture(params=[SMALL, LARGE])
def free(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(fit, "free_main_memory", lambda: request.param)
    monkeypatch.setattr(fit, "free_disk_bytes", lambda folder: 50 * 10**9)
    return int(request.param)


def make(*changes: str) -> TrainRecipe:
    built = recipes.parse(recipes.with_changes({"device": "cpu"}, changes))
    assert isinstance(built, TrainRecipe)
    return built


def on_screen(
    recipe: TrainRecipe,
    root: Path,
    measured: MeasuredRows | None = None,
    counted: Counted | None = None,
) -> Fit:
    store = open_store(root)
    runs = [job.path for job in store.jobs()]
    checkpoint = checkpoint_list.resolve(recipe.model.checkpoint, runs)
    return Actions(store).fit(recipe, checkpoint, measured, counted)


def by_command(
    recipe: TrainRecipe, root: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> dict[str, Any]:
    path = root.parent / "recipe.toml"
    path.write_text(recipes.to_toml(recipe))
    capsys.readouterr()
    assert cli.main(["fit", str(path), "--runs", str(root), "--json", *options]) == 0
    table: dict[str, Any] = json.loads(capsys.readouterr().out)
    return table


def by_worker(recipe: TrainRecipe, root: Path) -> tuple[str, str]:
    """What a worker that has its device adds to its status; the memory it needs, once it failed."""
    job = directory.create(root, recipe)
    attempt = Attempt(job, Lock(job.lock_file))
    attempt._writer.start()
    try:
        attempt.wait_for_devices("cpu")
        message = attempt._status.message
        failure = out_of_memory.explain(MemoryError(), attempt)
    finally:
        attempt.finish(State.STOPPED)
    return message, failure.detail


def as_json(found: Fit) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(found)))
    return table


@pytest.mark.parametrize("name", RECIPES)
def test_all_three_say_the_same(
    name: str, free: int, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make(*RECIPES[name])
    screen = on_screen(recipe, root)
    assert screen.needed
    assert screen.seconds
    assert by_command(recipe, root, capsys) == as_json(screen)
    message, detail = by_worker(recipe, root)
    assert screen.fits is (free == LARGE)
    warning = f"; it may not fit: {screen.line}" if free == SMALL else ""
    assert message == f"loading libraries{warning}"
    assert f"It needs about {gigabytes(screen.needed)} (estimate)" in detail


@pytest.mark.parametrize("name", RECIPES)
def test_what_was_measured_counts_alike(
    name: str,
    free: int,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = make(*RECIPES[name])
    measured = MeasuredRows(tokens=123_456, longest=77, target_share=0.25, row_tokens=33.0)
    counted = Counted(3_000_000, 200_000, 2_000_000, recipe.method)
    monkeypatch.setattr(command, "_measure", lambda *_: (measured, counted))
    screen = on_screen(recipe, root, measured, counted)
    assert by_command(recipe, root, capsys, "--measure") == as_json(screen)
    assert as_json(screen) != as_json(on_screen(recipe, root))


def test_the_same_work_by_steps_takes_as_long_as_by_epochs(root: Path, tmp_path: Path) -> None:
    """Rows are as long in both, be they measured or estimated; packed ones are full."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps({'prompt': 'p' * 80, 'completion': 'c' * 80})}\n" * 400)
    common = (
        f"data.train={path}", "data.eval_fraction=0", "training.batch_size=4",
        "training.gradient_accumulation_steps=2",
    )  # fmt: skip
    measured = MeasuredRows(400 * 33, 40, 0.5, 33.0)
    for known in (measured, None):
        epochs, steps = (
            on_screen(make(*common, change), root, known).seconds
            for change in ("training.epochs=3", "training.max_steps=150")
        )
        assert epochs
        assert steps == pytest.approx(epochs, rel=0.01)
    packed, full = (
        on_screen(make(*common, "training.max_steps=150", *more), root, known).seconds
        for more, known in (
            (("training.packing=true",), measured),
            ((), MeasuredRows(400 * 33, 40, 0.5, TrainRecipe().data.max_length)),
        )
    )
    assert packed == full


def test_an_earlier_run_is_the_base_of_all_three(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the recipe names its checkpoint: the run has it by its ref."""
    folder = make_model(tmp_path / "base", **SIZES)
    monkeypatch.setattr(fit, "free_disk_bytes", lambda folder: 50 * 10**9)
    monkeypatch.setattr(fit, "free_main_memory", lambda: SMALL)
    job = directory.create(root, make(f"model.checkpoint={folder}"))
    host = socket.gethostname()
    status.write(job, Status(State.DONE, tokens_per_second=100.0, host=host, device="cpu", step=50))
    monkeypatch.chdir(tmp_path)
    recipe = make("model.checkpoint=./base")
    screen = on_screen(recipe, root)
    assert screen.basis == "from 50 measured steps of this model on this device"
    assert by_command(recipe, root, capsys) == as_json(screen)
    assert screen.line in by_worker(recipe, root)[0]


def test_a_stage_that_merges_is_estimated_alike(
    free: int, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_model(tmp_path / "base", **SIZES)
    adapter = make_adapter(tmp_path / "adapter", str(base))
    recipe = make(f"model.checkpoint={adapter}", "model.adapter=merge")
    screen = on_screen(recipe, root)
    assert by_command(recipe, root, capsys) == as_json(screen)
    message, _ = by_worker(recipe, root)
    assert (screen.line in message) is (free == SMALL)


def test_the_rows_of_all_parts_of_a_file_are_divided_by_the_bytes_of_all(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "free_disk_bytes", lambda folder: 50 * 10**9)
    line = json.dumps({"prompt": "say " * 20, "completion": "number " * 20}) + "\n"
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "train.jsonl").write_text(line * 400)
    parts = tmp_path / "parts"
    parts.mkdir()
    for part in range(4):
        (parts / f"train-{part:05}-of-00004.jsonl").write_text(line * 100)
    whole, parted = (
        on_screen(make(f"data.train={path}"), root)
        for path in (tmp_path / "one" / "train.jsonl", parts / "train-00000-of-00004.jsonl")
    )
    assert whole.seconds
    assert parted.seconds == whole.seconds


def test_nobody_else_puts_a_fit_together() -> None:
    """What `estimate_fit` gathers is gathered there alone."""
    root = Path(fit.__file__).parents[2]
    gatherers = {"assess", "estimate_tokens", "estimate_row_tokens", "measured_speed"}
    for path in [*root.glob("engine/**/*.py"), *root.glob("tui/**/*.py")]:
        if path.parent.name == "estimates":
            continue
        called = {
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        assert not called & gatherers, path
