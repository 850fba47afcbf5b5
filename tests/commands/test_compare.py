"""`finetop compare`: export, numbers and votes of a job of answers, without a screen."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.compare import votes
from engine.compare.token_shift import Shift
from engine.jobs import directory, launch
from engine.jobs.directory import JobDirectory
from engine.launching import locate
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Samples
from tests.tui.browse.answered import BASE, TUNED, write_answers
from tests.tui.building import write_run
from tests.tui.conftest import FakeCompanion
from tui.cli import main
from tui.commands import compare_shift


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "state"))
    return tmp_path / "runs"


@pytest.fixture
def job(root: Path) -> JobDirectory:
    return write_answers(root)


def finetop(root: Path, *arguments: str) -> int:
    return main(["compare", *arguments, "--runs", str(root)])


def test_numbers_are_those_of_the_answers(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop(root, "numbers", "answers", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    rows = {one["name"]: one for one in table["rows"]}
    assert (table["prompts"], table["same"]) == (4, 1)
    assert (rows["checks met"]["left"], rows["checks met"]["right"]) == (0.5, 1.0)
    assert rows["contains reference"]["low"] is None, "one pair has no interval"
    assert (rows["checks met"]["difference"], rows["checks met"]["detectable"]) == (0.5, None)
    assert rows["words"]["drivers"] == ["p3", "p2", "p4"]
    assert finetop(root, "numbers", "answers", "--arms", "tuned,base") == 0
    text = capsys.readouterr().out
    assert "4 prompts answered by both arms, 1 identical" in text
    line = next(one for one in text.splitlines() if "checks met" in one)
    assert line.split()[2:] == ["1.00", "0.50", "-0.50", "too", "few", "pairs", "?", "2"]
    assert finetop(root, "numbers", "answers", "--prompt", "p2", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    rows = {one["name"]: one for one in table["rows"]}
    assert (table["prompts"], rows["words"]["difference"]) == (1, -4)
    assert finetop(root, "numbers", "answers", "--prompt", "p9") == 2
    assert "No prompt with this id" in capsys.readouterr().err


def test_the_token_shift_of_a_set(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    companion = FakeCompanion()
    monkeypatch.setattr("tui.companion.Companion", lambda *given, **known: companion)
    assert finetop(root, "shift", "answers", "--bins", "2", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    # Ranks are 1, 3, 9 in turn, over answers of 1, 1, 15 and 6 words.
    assert (table["answers"], table["tokens"]) == (4, 23)
    assert table["shares"] == {"unshifted": 9 / 23, "marginal": 7 / 23, "shifted": 7 / 23}
    assert [one["tokens"] for one in table["positions"]] == [11, 12]
    assert table["shifted_by_answer"]["low"] is None, "four answers are too few"
    assert companion.shifted == [(BASE, TUNED)] * 4
    assert companion.closed
    assert finetop(root, "shift", "answers", "--arms", "tuned,base") == 0
    text = capsys.readouterr().out
    assert "base under tuned: 11 tokens of 4 answers" in text
    assert "0% to 10%" in text
    assert "sampled" not in text
    drawn = compare_shift.report([Shift("a", "b", "p", False)], {}, 2)
    assert "sampled" in compare_shift.lines(drawn, "a", "b")[0]
    assert compare_shift.lines(drawn, "a", "b")[-1].split()[-2:] == ["0", "—"], "a share of nothing"
    companion.ranks = ()
    assert finetop(root, "shift", "answers") == 2
    assert "different tokenizers" in capsys.readouterr().err


def test_votes_of_all_judges(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for judge, choice in (("ana", "left"), ("ben", "tie")):
        book = votes.Book(votes.book_of(job.path, judge))
        book.cast(votes.Vote("p2", "p2", TUNED, BASE, choice, judge=judge))  # type: ignore[arg-type]
    assert finetop(root, "votes", "answers") == 0
    text = capsys.readouterr().out
    assert "tuned vs base" in text
    assert "preferred in 1 of 1 decided votes, 100%" in text
    assert "undecided: needs about" in text
    assert "ana: preferred in 1 of 1" in text
    assert "voters agree on 0 of 1" in text
    assert finetop(root, "votes", "answers", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["all"]["wins"], table["all"]["ties"], table["agreement"]) == (1, 1, [0, 1])
    assert set(table["judges"]) == {"ana", "ben"}


@pytest.mark.parametrize("suffix", ["md", "csv", "jsonl", "html", "json"])
def test_every_format_is_written_and_none_overwritten(
    job: JobDirectory, root: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    votes.Book(votes.book_of(job.path, "ana")).cast(votes.Vote("p2", "p2", TUNED, BASE, "right"))
    with job.samples.open("a") as file:
        file.write('{"not": "a sample"}\n')
    path = tmp_path / f"out.{suffix}"
    assert finetop(root, "export", "answers", "--to", str(path)) == 0
    text = path.read_text()
    assert "rain rain go away today" in text
    assert "1 lines without an answer" in capsys.readouterr().err
    if suffix == "json":
        scores = {one["custom_fields"]["prompt_id"]: one["score"] for one in
                  json.loads(text)["examples"]}  # fmt: skip
        assert scores == {"p1": 0, "p2": 1, "p3": 0, "p4": 0}
        tags = [one["tags"] for one in json.loads(text)["examples"]]
        assert tags == [["knowledge"], ["creative"], ["creative"], ["reasoning"]]
    assert finetop(root, "export", "answers", "--to", str(path)) == 2
    assert "already exists" in capsys.readouterr().err
    assert path.read_text() == text


def test_arms_can_be_left_out(job: JobDirectory, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    assert finetop(root, "export", "answers", "--arms", "tuned", "--to", str(path)) == 0
    assert "joy" in path.read_text()
    assert "go away" not in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["numbers", "nobody"], "No run 'nobody'"),
        (["numbers", "trained"], "no answers to compare"),
        (["numbers", "answers", "--arms", "base"], "Two arms"),
        (["votes", "answers", "--arms", "base,third"], "Unknown arm 'third'"),
        (["export", "answers", "--to", "/tmp/x.pdf"], "Unknown export format"),
        (["export", "answers", "--to", "/no/such/x.md"], "folder does not exist"),
        (["export", "answers", "--to", "x.md", "--arms", "third"], "base, tuned"),
    ],
)
def test_wrong_use_is_told(
    job: JobDirectory, root: Path, arguments: Sequence[str], words: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_run(root, "trained")
    assert finetop(root, *arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert not (tmp_path / "x.md").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prompts", "bundled:poems"], "general, instructions"),
        (["--prompts", "bundled:code", "--detach", "--out", "o.jsonl"], "Remove --out"),
        (["--prompts", "bad.jsonl"], "bad.jsonl:2"),
    ],
)
def test_generate_refuses_before_anything_starts(
    root: Path, arguments: Sequence[str], words: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text('{"prompt": "a"}\n{"prompt": "a", "checks": {"x": 1}}\n')
    given = ["generate", "--arm", "b=bundled:demo-base", *arguments, "--runs", str(root)]
    assert main(given) == 2
    assert words in capsys.readouterr().err
    assert not root.exists()


def test_a_job_knows_what_it_builds_on_and_what_it_was_asked(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = tmp_path / "p.txt"
    asked.write_text("a prompt\n")
    given: list[Any] = []

    def start(recipe: Any, root: Path, **known: Any) -> JobDirectory:
        given.append((recipe, known))
        return JobDirectory(root / "started-1")

    monkeypatch.setattr(launch, "launch", start)
    monkeypatch.chdir(tmp_path)
    arms = ["--arm", "b=bundled:demo-base", "--arm", "c=http://localhost:1/v1?model=m"]
    assert main(["generate", *arms, "--prompts", "p.txt", "--detach", "--runs", str(root)]) == 0
    assert capsys.readouterr().out == "started-1\n"
    ((recipe, known),) = given
    assert recipe.prompts == str(asked)
    assert known == {
        "parents": ["bundled:demo-base"], "inputs": [asked], "needs_device": True,
    }  # fmt: skip


def test_what_a_run_held_out_is_named_by_the_run(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = directory.create(root, TrainRecipe(name="mine"))
    given: list[Any] = []

    def start(recipe: Any, root: Path, **known: Any) -> JobDirectory:
        given.append((recipe.prompts, known["inputs"]))
        return JobDirectory(root / "started-1")

    monkeypatch.setattr(launch, "launch", start)
    asked = ["generate", "--arm", "b=bundled:demo-base", "--detach", "--runs", str(root)]
    command = [*asked, "--prompts", f"run:{run.path.name}"]
    assert main(command) == 2
    assert f"run:{run.path.name} has no held-out rows" in capsys.readouterr().err
    run.held_out.write_text('{"id": "rows.jsonl:3", "prompt": "a", "reference": "b"}\n')
    assert main(command) == 0
    assert given == [(str(run.held_out), [run.held_out])]
    assert main([*asked, "--prompts", "run:gone"]) == 2
    assert "run not found: gone" in capsys.readouterr().err
    samples = Samples(prompts=f"run:{run.path.name}")
    located = locate.locate(TrainRecipe(name="next", samples=samples), root)
    assert located.recipe.samples.prompts == str(run.held_out)
