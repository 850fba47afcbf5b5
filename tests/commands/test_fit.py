"""`finetop fit`, and what `finetop train` says of it before it starts."""

import json
import re
import shutil
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.estimates.memory import formats_of
from engine.jobs.store import open_store
from engine.recipes.recipe import TrainRecipe, changed, to_toml
from tests.checkpoints.test_gguf_file import usable
from tui import cli
from tui.commands.fit import announce, judge


def finetop(*arguments: str) -> int:
    return cli.main(list(arguments))


def test_it_says_what_is_needed_and_what_is_free(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop("fit", "--runs", str(root), "--set", "device=cpu") == 0
    said = capsys.readouterr().out
    assert said.startswith("needs about ")
    assert "free on cpu" in said
    assert "largest batch" in said
    shown = dict(re.findall(r"^(\w+) +([\d,]+) MB", said, re.MULTILINE))
    parts = ("weights", "optimizer", "activations", "logits", "overhead", "libraries")
    sizes = {name: int(size.replace(",", "")) for name, size in shown.items()}
    assert sum(sizes[name] for name in parts) == sizes["peak"]
    assert "as the backward pass begins" in said
    assert "memory: computed from config.json, the recipe and rows of max_length, not" in said
    assert re.search(r"needs about \S+ \S+ \(\S+ MB to \S+ GB\) of ", said)
    assert "(from the model's operations and a usual speed of the device, not measured)" in said
    assert "2,422,848 parameters, 138,240 trainable (5.7%)" in said
    assert "compute and weights: fp32\n" in said
    assert "may not fit" not in said


def test_the_disk_names_every_checkpoint_that_may_be_kept_beside_the_newest(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(*changes: str) -> str:
        options = [word for change in ("device=cpu", *changes) for word in ("--set", change)]
        assert finetop("fit", "--runs", str(root), *options) == 0
        (line,) = re.findall(r"^on disk .*$", capsys.readouterr().out, re.MULTILINE)
        return str(line)

    older = " MB where the best checkpoint{} is an older one"
    few = "training.save_total_limit=1"
    assert tell(few).endswith(older.format(" or the last one within the forgetting budget"))
    assert tell(few, "forgetting.tokens=0").endswith(older.format(""))
    assert tell("training.save_total_limit=99").endswith("at the end")


def test_a_recipe_file_and_changes_are_read(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(TrainRecipe(device="cpu")))
    command = ["fit", str(path), "--runs", str(root), "--json", "--set", "method.kind=full"]
    assert finetop(*command) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["memory"]["trained"] == table["memory"]["parameters"] == 2_422_848
    assert table["fits"] is True
    assert sum(table["parts"].values()) == table["needed"]
    low, high = table["needed_range"]
    assert low < table["needed"] < high
    low, high = table["seconds_range"]
    assert 0 < low < table["seconds"] < high
    assert table["memory_basis"]
    assert table["basis"]


def test_what_does_not_fit_is_told_with_advice(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    much = ["--set", "training.batch_size=60000", "--set", "data.max_length=2048"]
    assert finetop("fit", "--runs", str(root), "--set", "device=cpu", *much) == 0
    said = capsys.readouterr().out
    assert "It may not fit. Any one of these changes would fit:" in said
    assert "batch_size 60000 -> " in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("model.checkpoint=/no/such/model", "checkpoint not found: /no/such/model"),
        ("data.train=/no/such/rows.jsonl", "/no/such/rows.jsonl"),
        ("device=cuda:77", "Device 'cuda:77' not found"),
        ("training.batch_size=0", "training.batch_size"),
    ],
)
def test_wrong_use_is_told(
    change: str, words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop("fit", "--runs", str(root), "--set", change) == 2
    assert words in capsys.readouterr().err


def test_a_start_says_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    announce(TrainRecipe(device="cpu"), open_store(root))
    said = capsys.readouterr().err
    assert said.startswith("needs about ")
    assert said.count("\n") == 1


def test_a_start_that_the_disk_cannot_hold_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    assert finetop("train", "--runs", str(root), "--set", "device=cpu") == 2
    said = capsys.readouterr().err
    assert "The disk is too full for this run." in said
    assert "1 MB are free" in said
    assert "--runs DIR" in said
    assert not any(root.iterdir()), "nothing was made"


def test_a_start_that_may_fill_the_disk_is_warned_of(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10_000_000))
    announce(TrainRecipe(device="cpu"), open_store(root))
    assert "The disk may fill up" in capsys.readouterr().err


def test_what_is_wrong_with_a_recipe_is_left_to_the_launch(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(TrainRecipe(device="cuda:77"), open_store(root))
    assert capsys.readouterr().err == ""
    with pytest.raises(EngineError):
        judge(TrainRecipe(device="cuda:77"), open_store(root))


@pytest.mark.worker
def test_rows_are_measured_where_asked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["fit", "--runs", str(root), "--set", "device=cpu"]
    assert finetop(*command, "--json") == 0
    assumed = json.loads(capsys.readouterr().out)
    assert finetop(*command, "--json", "--measure") == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["memory"]["activations"] < assumed["memory"]["activations"] / 2
    assert measured["largest_batch"] > assumed["largest_batch"]
    assert (assumed["memory"]["counted"], measured["memory"]["counted"]) == (False, True)
    assert measured["memory"]["trained"] == assumed["memory"]["trained"]
    assert finetop(*command, "--measure") == 0
    assert "longest row: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("device", "changes", "words"),
    [
        ("cpu", (), "compute and weights: fp32"),
        ("cuda", (), "compute and weights: bf16 (fp16 if unsupported)"),
        ("cuda", ("method.kind=full", "training.dtype=float16"),
         "compute: fp16, weights: fp32"),
        ("cuda", ("method.quantize=4bit", "training.dtype=bfloat16"),
         "compute: bf16, weights: 4 bits"),
    ],
)  # fmt: skip
def test_the_number_formats_follow_a_rule_that_is_said(
    device: str, changes: tuple[str, ...], words: str
) -> None:
    wanted = changed(TrainRecipe(), changes)
    assert isinstance(wanted, TrainRecipe)
    assert formats_of(wanted, device) == words


def test_a_gguf_file_is_refused_for_training(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = usable(tmp_path / "m.gguf")
    given = ["--runs", str(root), "--set", f"model.checkpoint={file}"]
    for command in ("fit", "train"):
        assert finetop(command, *given) == 2
        said = capsys.readouterr().err
        assert "A GGUF file cannot be trained." in said
        assert "Use the model that it was made of" in said
    assert not list(root.iterdir())
