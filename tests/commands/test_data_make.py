"""`finetop data make`: what it starts, prints and refuses."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.compare import endpoint_hosts
from engine.recipes import recipe as recipes
from engine.recipes.recipe import to_toml
from tests.worker.inference.endpoints import Server, serving, stream
from tests.worker.synthesis.making import answer_rightly, make_recipe, write_reviews
from tui import cli


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.answer = answer_rightly
        yield made


def write_recipe(folder: Path, address: str) -> Path:
    path = folder / "r.toml"
    path.write_text(to_toml(make_recipe(write_reviews(folder, 6), address)))
    return path


def finetop(root: Path, *arguments: str) -> int:
    return cli.main(["--runs", str(root), "data", "make", *arguments])


@pytest.mark.worker
def test_rows_are_made_written_and_counted_and_a_larger_budget_continues(
    server: Server, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = write_recipe(tmp_path, server.address), tmp_path / "rows.jsonl"
    code = finetop(
        root, str(recipe), "--out", str(out), "--accept-all", "--json", "--set", "budget.rows=4",
    )  # fmt: skip
    printed = capsys.readouterr()
    made = json.loads(printed.out)
    assert code == 0
    assert (made["state"], made["reached"], made["left"]) == ("done", "rows", 2)
    assert made["states"]["passed"]["count"] == 4
    assert "budget of rows reached: 2 left" in made["message"]
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 4
    assert all(row["group"] and row["verdict"] for row in rows)
    assert out.with_suffix(".md").exists()
    assert finetop(root, "--resume", made["id"], "--set", "budget.rows=0") == 0
    printed = capsys.readouterr()
    assert "passed           6  100%" in printed.out
    assert "\nverdict: good 3, bad 3\n" in printed.out
    assert "summary: it says" in printed.out
    assert "To review the rows" not in printed.err, "it has written them"
    assert len(out.read_text().splitlines()) == 6, "its own file is written anew"


@pytest.mark.worker
def test_it_says_what_comes_next_and_what_training_would_not_read(
    server: Server, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop(root, str(write_recipe(tmp_path, server.address))) == 0
    said = capsys.readouterr().err
    (job,) = (path.parent.name for path in root.glob("*/job.json"))
    assert "finetop train reads text, not verdict, summary: " in said
    assert f"To review the rows: finetop, and enter on {job}\n" in said
    assert f"finetop data write {job} --out FILE" in said


@pytest.mark.worker
def test_cut_answers_come_with_the_setting_that_cuts_them(
    server: Server, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda body: stream("it goes on", finish="length")
    recipe = write_recipe(tmp_path, server.address)
    assert finetop(root, str(recipe), "--set", "asking.tries=1") == 1
    assert "decode.max_new_tokens = 128" in capsys.readouterr().err


def test_an_example_is_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finetop(tmp_path, "--example") == 0
    path = tmp_path / "example.toml"
    path.write_text(capsys.readouterr().out)
    assert recipes.read(path).kind == "synthesize"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "finetop data make --example DATA > RECIPE.toml"),
        (("r.toml", "--example"), "Name a recipe"),
        (("--example", "none.csv"), "data not found: none.csv"),
        (("r.toml", "--resume", "x"), "Name a recipe"),
        (("r.toml", "--detach", "--json"), "cannot be combined"),
        (("r.toml", "--review", "--json"), "cannot be combined"),
        (("none.toml",), "cannot be read"),
        (("r.toml", "--set", "source.text=wrong"), "r.toml: source.text"),
        (("r.toml", "--out", "rows.csv"), "r.toml: out"),
    ],
)
def test_what_is_refused(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    write_recipe(tmp_path, "http://127.0.0.1:1/v1")
    monkeypatch.chdir(tmp_path)
    assert finetop(root, *arguments) == 2
    assert words in capsys.readouterr().err
    assert not list(root.glob("*/job.json"))


def test_a_host_is_asked_about_where_there_is_no_terminal_by_its_flag(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "state"))
    recipe = write_recipe(tmp_path, "https://api.example.com/v1")
    assert finetop(root, str(recipe)) == 2
    printed = capsys.readouterr().err
    assert "leave this machine" in printed
    assert "https://api.example.com" in printed
    assert "--yes" in printed
    assert finetop(root, str(recipe), "--yes", "--set", "source.text=wrong") == 2
    assert "texts of the source are sent to https://api.example.com" in capsys.readouterr().err
    assert endpoint_hosts.find_unknown([]) == []
    assert (tmp_path / "state" / "endpoint-hosts.json").exists()
    # From then on it is remembered.
    assert finetop(root, str(recipe), "--set", "source.text=wrong") == 2
    assert "leave this machine" not in capsys.readouterr().err


def test_a_terminal_is_asked_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n", raising=False)
    recipe = write_recipe(tmp_path, "https://api.example.com/v1")
    assert finetop(root, str(recipe)) == 2
    printed = capsys.readouterr().err
    assert "leave this machine for https://api.example.com. Send them? [y/N]" in printed
    assert "Nothing was started" in printed
    assert not os.path.exists(tmp_path / "state" / "endpoint-hosts.json")
