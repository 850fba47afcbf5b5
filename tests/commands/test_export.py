"""`finetop export`: what it tells, asks and prints, and what it ends with."""

import dataclasses
import json
import re
import shlex
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from engine import atomic
from engine.compare.arms import parse_arm
from engine.estimates import fit
from engine.jobs import directory, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State, Status
from engine.recipes.recipe import ExportRecipe, TrainRecipe
from engine.recipes.settings import Model
from engine.release.card import base_identity
from engine.release.checksums import write_sums
from engine.release.proof import TargetProof, encode_proofs
from tests.checkpoints.made import make_adapter, make_model
from tests.release.made_proof import make_proofs
from tui.cli import build_parser, main


@pytest.fixture(autouse=True)
def run(root: Path, tmp_path: Path) -> JobDirectory:
    base = make_model(tmp_path / "base")
    job = directory.create(root, TrainRecipe(name="mine", model=Model(str(base))))
    make_adapter(job.adapter, str(base))
    return job


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is started ends at once: `proofs` and `error` of it may be changed."""
    facts: dict[str, Any] = {"proofs": make_proofs(), "error": None, "remarks": ["Add its text."]}

    def start(recipe: ExportRecipe, root: Path, **options: object) -> JobDirectory:
        facts["recipe"] = recipe
        job = directory.create(root, recipe)
        write_folder(Path(recipe.out), facts["proofs"])
        atomic.write_json(job.proof, encode_proofs(facts["proofs"], facts["remarks"]))
        state = State.DONE if facts["error"] is None else State.FAILED
        status.write(job, Status(state, attempt=1, message="2 targets", error=facts["error"]))
        return job

    monkeypatch.setattr("engine.launching.export.launch.launch", start)
    return facts


def write_folder(out: Path, proofs: tuple[TargetProof, ...]) -> None:
    for proof in proofs:
        folder = out / proof.file.partition("/")[0]
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(b"1234")
        for name in proof.file.split("/")[1:]:
            (folder / name).write_bytes(b"GGUF")
        atomic.write_json(folder / "proof.json", encode_proofs((proof,)))
        write_sums(folder)


def finetop(root: Path, *arguments: str) -> int:
    return main(["export", *arguments, "--runs", str(root)])


def test_the_proof_is_a_table_and_nothing_is_uploaded(
    root: Path, tmp_path: Path, started: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my out"
    text = tmp_path / "limits.txt"
    text.write_text("Not for\nmedicine.")
    more = ["--limits", f"@{text}", "--intended-use", "Labels.", "--license", "mit"]
    assert finetop(root, "mine", "--as", "adapter", "--as", "gguf:q8_0", "--out", str(out),
                   "--set", "proof_rows=40", *more) == 0  # fmt: skip
    recipe = started["recipe"]
    assert isinstance(recipe, ExportRecipe)
    assert recipe.targets == ["adapter", "gguf:q8_0"]
    assert (recipe.limitations, recipe.intended_use) == ("Not for\nmedicine.", "Labels.")
    assert (recipe.license, recipe.proof_rows) == ("mit", 40)
    assert (recipe.name, recipe.model_name) == ("export-mine", "mine")
    printed = capsys.readouterr()
    assert " adapter, float16: 1 passed\n" in printed.out
    assert "   passed      weights differ from the base\n" in printed.out
    assert "   not proven  template in Ollama\n" in printed.out
    assert f"\n{out}\n" in printed.out
    assert max(map(len, printed.out.splitlines()[:-1])) <= 80
    assert f"{out}: adapter " in printed.err, "what will be written"
    assert "\ndisk: " in printed.err
    assert re.search(r"\nmemory: about [\d.]+ [MG]B needed \(proving .*\), .* free", printed.err)
    assert "No check failed: 2 targets.\n\nBefore you publish:\n- Add its text.\n" in printed.err
    assert f"  hf upload ORG/NAME-gguf '{out}/gguf' . --private\n" in printed.err


def test_json_has_all_of_it(
    root: Path, tmp_path: Path, started: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert finetop(root, "mine", "--as", "adapter", "--out", str(out), "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert table["out"] == str(out)
    assert [(one["target"], one["passed"]) for one in table["targets"]] == [
        ("adapter", True), ("gguf:q8_0", True),
    ]  # fmt: skip
    assert len(table["upload"]) == 2
    assert table["remarks"] == ["Add its text."]
    assert table["memory_needed"] > table["disk_needed"] > 0


def test_who_has_to_wait_for_memory_reads_so_before(
    root: Path,
    tmp_path: Path,
    started: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fit, "free_main_memory", lambda: 1000)
    assert finetop(root, "mine", "--as", "adapter", "--out", str(tmp_path / "out")) == 0
    assert ", 1 kB free: it waits until there is room\n" in capsys.readouterr().err
    monkeypatch.setattr(fit, "machine_memory", lambda: 1000)
    assert finetop(root, "mine", "--as", "adapter", "--out", str(tmp_path / "more")) == 2
    assert "does not fit in the memory of this machine" in capsys.readouterr().err


def test_a_failed_check_ends_with_1_and_what_differs(
    root: Path, tmp_path: Path, started: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    started |= {"proofs": make_proofs(failed=True), "error": Failure("It is not the run.", "x")}
    assert finetop(root, "mine", "--as", "adapter", "--out", str(tmp_path / "out")) == 1
    printed = capsys.readouterr()
    assert " gguf:q8_0, q8_0: 1 failed, 1 not proven, 1 stated, 1 passed\n" in printed.out
    assert printed.out.index("greedy answers") < printed.out.index(" adapter, float16"), (
        "first what failed"
    )
    assert "prompt 3: 'sadness', the run: 'joy'" in printed.out
    assert "It is not the run." in printed.err
    assert "hf upload" not in printed.err


def test_detached_it_prints_the_job(
    root: Path, tmp_path: Path, started: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--as", "merged", "--out", str(tmp_path / "out"), "--detach", "--name", "mine-2"]
    assert finetop(root, "mine", *arguments, "--shard-gb", "0.5", "--model-name", "Mood") == 0
    assert capsys.readouterr().out.startswith("mine-2-")
    assert (started["recipe"].shard_gb, started["recipe"].model_name) == (0.5, "Mood")


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_the_base_is_asked_for_once(
    root: Path,
    tmp_path: Path,
    started: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def export(number: int, typed: str, *more: str) -> str:
        screen = _Terminal()
        monkeypatch.setattr(sys, "stdin", _Terminal(typed))
        monkeypatch.setattr(sys, "stderr", screen)
        out = str(tmp_path / str(number))
        assert finetop(root, "mine", "--as", "merged", "--out", out, *more) == 0
        return screen.getvalue()

    assert "What does the Hub call" not in export(0, "", "--yes")
    assert "What does the Hub call base?" in export(1, "\n")
    assert started["recipe"].base_id == ""
    assert "What does the Hub call base?" in export(2, "org/small\n")
    assert started["recipe"].base_id == "org/small"
    assert "What does the Hub call" not in export(3, "")
    assert started["recipe"].base_id == "org/small"
    export(4, "", "--base-id", "org/other")
    assert base_identity.find_base_id(tmp_path / "base") == "org/other"


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["mine"], ["mine", "--as", "merged"], ["mine", "--out", "{tmp}/out"],
        ["none", "--as", "merged", "--out", "{tmp}/out"],
        ["mine", "--as", "merged", "--out", "{tmp}/out", "--detach", "--json"],
        ["mine", "--as", "merged", "--out", "{tmp}/out", "--limits", "@{tmp}/none.txt"],
        ["mine", "--as", "merged", "--out", "{tmp}/out", "--base-id", "small"],
        ["mine", "--as", "merged", "--out", "{tmp}/out", "--model-name", "my/mood"],
        ["mine", "--as", "merged", "--out", "{tmp}/out", "--shard-gb", "0"],
        ["mine", "--verify", "{tmp}"], ["--verify", "{tmp}/none"], ["--verify", "{tmp}"],
    ],
)  # fmt: skip
def test_wrong_use_ends_with_2(
    root: Path, tmp_path: Path, started: dict[str, Any], arguments: list[str]
) -> None:
    assert finetop(root, *(text.format(tmp=tmp_path) for text in arguments)) == 2
    assert "recipe" not in started


def test_the_help_has_what_is_asked_for_and_examples(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        finetop(root, "--help")
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "--device" not in text, "an export needs none"
    options = ["--as", "--out", "--shard-gb", "--model-name", "--limits", "--detach", "examples:"]
    places = [text.index(f"  {option}" if "-" in option else option) for option in options]
    assert places == sorted(places), "first what is written, then its card, then how it runs"
    commands = [line for line in text.splitlines() if line.startswith("  finetop export ")]
    assert len(commands) == 4
    parser = build_parser(["export"])
    for command in commands:
        parser.parse_args(shlex.split(command.rstrip("\\"))[1:])


@pytest.mark.parametrize("name", ["a+b", "a@2", "a?system=x", "x=y", "a%2Fb", "--flag", "a\nb"])
def test_a_folder_of_any_name_is_that_folder(
    root: Path, tmp_path: Path, started: dict[str, Any], name: str
) -> None:
    adapter = make_adapter(tmp_path / name, str(tmp_path / "base"))
    out = tmp_path / "out"
    assert finetop(root, str(adapter), "--as", "merged", "--out", str(out), "--yes") == 0
    arm = parse_arm(started["recipe"].source)
    assert (arm.checkpoint, arm.strength, arm.system) == (str(adapter), 1.0, None)


def test_a_name_of_several_runs_is_told_to_be_one(
    root: Path, run: JobDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = directory.create(root, TrainRecipe(name="mine"))
    out = tmp_path / "out"
    assert finetop(root, "mine", "--as", "merged", "--out", str(out)) == 2
    printed = capsys.readouterr().err
    assert "Several runs match 'mine'." in printed
    assert run.path.name in printed
    assert other.path.name in printed
    assert finetop(root, "yours", "--as", "merged", "--out", str(out)) == 2
    assert "No run 'yours'." in capsys.readouterr().err


def test_verify_compares_every_folder(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    write_folder(out, make_proofs())
    assert finetop(root, "--verify", str(out)) == 0
    printed = capsys.readouterr().out
    assert "adapter: the same as its SHA256SUMS\n" in printed
    assert printed.endswith("\n\n2 folders: all proven\n")
    assert " gguf:q8_0, q8_0: 1 not proven, 1 stated, 1 passed\n" in printed
    (out / "gguf" / "weights").write_bytes(b"1235")
    assert finetop(root, "--verify", str(out)) == 1
    printed = capsys.readouterr().out
    assert printed.index("adapter: the same") < printed.index("gguf: not what was exported")
    assert printed.endswith("\n\n2 folders: not as exported and proven: gguf\n")
    assert finetop(root, "--verify", str(out), "--json") == 1
    adapter, gguf = json.loads(capsys.readouterr().out)
    assert (adapter["folder"], adapter["differences"]) == ("adapter", [])
    assert len(gguf["differences"]) == 1
    assert finetop(root, "--verify", str(out / "adapter")) == 0
    assert finetop(root, "--verify", str(out / "gguf")) == 1


def test_a_name_of_several_runs_is_said_to_be_one(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory.create(root, TrainRecipe(name="mine"))
    for name, words in (("mine", "Several runs match 'mine'."), ("nine", "No run 'nine'.")):
        assert finetop(root, name, "--as", "merged", "--out", str(tmp_path / "out")) == 2
        assert words in capsys.readouterr().err


def test_verify_does_not_take_a_failed_proof_for_one(root: Path, tmp_path: Path) -> None:
    failed = dataclasses.replace(make_proofs(failed=True)[1], file="gguf/mine.gguf")
    write_folder(tmp_path / "out", (failed,))
    assert finetop(root, "--verify", str(tmp_path / "out")) == 1
