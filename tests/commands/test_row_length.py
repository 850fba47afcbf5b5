"""`data.max_length` above a model's positions: said alike by fit, inspect, train and the worker.

GPT-2 looks positions up in a table and cannot read a longer row; Llama computes them.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, MptConfig

from engine.chat import Message
from engine.errors import EngineError
from engine.estimates.fit import Fit
from engine.jobs import directory
from engine.jobs.status import State
from engine.launching.training import launch_training
from engine.worker.inference.models import wrap_model
from tests.worker.families import configs, save_family
from tests.worker.here import resume_here, train_here
from tests.worker.tiny import make_tokenizer
from tests.worker.training.test_train import make_recipe
from tui import cli
from tui.glyphs import ASCII
from tui.launch.fit_lines import fit_lines

POSITIONS = 256
NOTE = "max length 300 is above the context of 256 tokens that the model was trained on"
REFUSED = "data.max_length = 300: must be at most 256: the model has no more positions"


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family("gpt2", tmp_path_factory.mktemp("gpt2") / "base")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family("llama", tmp_path_factory.mktemp("llama") / "base")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Rows that fill all positions, and more."""
    path = tmp_path / "rows.jsonl"
    line = json.dumps({"prompt": "count", "completion": "one two " * 400})
    path.write_text(f"{line}\n" * 6)
    return path


def settings(base: Path, rows: Path, length: int) -> list[str]:
    return [
        "--set", f"model.checkpoint={base}", "--set", f"data.train={rows}",
        "--set", f"data.max_length={length}", "--set", "device=cpu",
    ]  # fmt: skip


def test_the_worker_trains_to_the_last_position_and_refuses_one_more(
    gpt2: Path, rows: Path, tmp_path: Path
) -> None:
    changes = ("training.max_steps=1", "training.evaluations=0")
    job = train_here(make_recipe(gpt2, rows, f"data.max_length={POSITIONS}", *changes), tmp_path)
    assert job.adapter.is_dir()
    with pytest.raises(EngineError, match="above the model's context") as error:
        train_here(make_recipe(gpt2, rows, f"data.max_length={POSITIONS + 1}", *changes), tmp_path)
    assert error.value.hint == "Set data.max_length = 256 or lower."


def test_a_run_that_began_with_short_rows_is_still_resumed(
    gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "short.jsonl"
    rows.write_text('{"prompt": "say", "completion": "yes"}\n' * 8)
    job = directory.create(tmp_path, make_recipe(gpt2, rows, "data.max_length=300"))
    with monkeypatch.context() as earlier:
        earlier.setattr("engine.worker.training.setup._check_length", lambda *_: None)
        assert resume_here(job, stop_at=1) is State.STOPPED
    assert resume_here(job) is State.DONE


def test_the_launch_refuses_before_a_worker_starts(gpt2: Path, rows: Path, root: Path) -> None:
    with pytest.raises(EngineError, match="above the model's context"):
        launch_training(make_recipe(gpt2, rows, "data.max_length=300"), root)
    assert not any((path / "job.json").exists() for path in root.iterdir())


def test_fit_and_inspect_refuse(
    gpt2: Path, rows: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["fit", "--runs", str(root), *settings(gpt2, rows, POSITIONS)]) == 0
    capsys.readouterr()
    assert cli.main(["fit", "--runs", str(root), *settings(gpt2, rows, 300)]) == 2
    assert REFUSED in capsys.readouterr().err
    inspect = ["--runs", str(root), "data", "inspect", str(rows), "--checkpoint", str(gpt2)]
    assert cli.main([*inspect, "--max-length", "300"]) == 2
    assert REFUSED in capsys.readouterr().err


def test_a_model_that_computes_positions_gets_a_note(
    llama: Path, rows: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["fit", "--runs", str(root), *settings(llama, rows, 300)]) == 0
    assert f"note: {NOTE}" in capsys.readouterr().out
    assert cli.main(["fit", "--runs", str(root), "--json", *settings(llama, rows, 300)]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [NOTE]
    assert cli.main(["fit", "--runs", str(root), *settings(llama, rows, POSITIONS)]) == 0
    assert "above the context" not in capsys.readouterr().out
    inspect = ["--runs", str(root), "data", "inspect", str(rows), "--checkpoint", str(llama)]
    assert cli.main([*inspect, "--max-length", "300", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [NOTE]
    job = train_here(make_recipe(llama, rows, "data.max_length=300", "training.max_steps=1"), root)
    assert NOTE in job.attempt(1).log.read_text()


def test_rejected_rows_are_said_by_fit_that_measures(
    llama: Path, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tokens without an embedding among them, before anything is started."""
    tokenizer = make_tokenizer()
    model = configs()["llama"].vocab_size
    tokenizer.add_tokens([f"<{at}>" for at in range(model - len(tokenizer))] + ["<beyond>"])
    base = tmp_path / "base"
    save_family("llama", base)
    tokenizer.save_pretrained(base)
    rows = tmp_path / "few.jsonl"
    lines = [{"prompt": "say", "completion": text} for text in ("yes", "<beyond>", "no")]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cli.main(["fit", "--runs", str(root), "--measure", *settings(base, rows, 64)]) == 0
    said = capsys.readouterr().out
    assert (
        f"note: 1 of 3 rows rejected, few.jsonl:2: token <beyond> has id {model}, and the model "
        f"has {model} embeddings\n"
    ) in said


def test_the_fit_pane_shows_notes() -> None:
    lines = fit_lines(Fit("cpu", problem="unknown", notes=(NOTE,)), ASCII)
    assert [(f"note: {NOTE}", "warn")] in lines


def test_prompts_end_where_the_table_does() -> None:
    small = MptConfig(d_model=32, n_heads=4, n_layers=1, max_seq_len=24, vocab_size=300)
    make: Any = AutoModelForCausalLM.from_config
    arm = wrap_model(make(small).eval(), make_tokenizer())
    assert arm.model.context == 24
    with pytest.raises(EngineError, match="longer than the model's context"):
        arm.prompt([Message("user", "one two three " * 20)])
