"""`finetop evaluate`: refusals before anything starts, and a real job to its table."""

import json
from pathlib import Path

import pytest

from engine.compare import endpoint_keys
from engine.compare.arms import parse_arms
from engine.errors import EngineError
from engine.jobs import directory, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.launching import evaluation
from engine.recipes.recipe import EvaluateRecipe
from tests.tui.building import write_run
from tests.worker.tiny import save_adapter, save_checkpoint
from tui.cli import main


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    return root


def test_without_any_arm_it_says_how_to_name_one(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--suite", "bundled:facts", "--runs", str(root)]) == 2
    assert "--arm NAME=CHECKPOINT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--suite", "/no/suite.jsonl"], "/no/suite.jsonl"),
        (["--suite", "bundled:poems"], "poems"),
        (["--suite", "run:nothing"], "nothing"),
        (["--suite", "bundled:facts?shots=5"], "'shots=5' is not one of"),
        (["--suite", "a=x.jsonl", "--suite", "a=y.jsonl"], "Two suites have the name 'a'"),
        (["--suite", "bundled:facts?measure=rougeL"], "one of strict, flexible, likelihood,"),
        (["--encoder", "/no/encoder"], "/no/encoder: no config.json"),
        (["--samples", "0"], "samples"),
        (["--temperature", "-1"], "temperature"),
        (["--delta", "0"], "not above 0"),
        (["--tree", "nothing"], "No run 'nothing'"),
        (["--strengths", "nothing"], "No run 'nothing'"),
        (["--checkpoints", "nothing"], "No run 'nothing'"),
        (["--strengths", "A", "--tree", "A"], "--tree and --strengths cannot be combined"),
        (["--detach", "--json", "t.json"], "cannot be combined"),
        (["--json", "/no/folder/t.json"], "/no/folder"),
        (
            ["--arm", "e=http://localhost:1/v1?model=m", "--suite", "bundled:prose"],
            "Nothing can be measured of an endpoint",
        ),
        (["--arm", "x=/no/model"], "/no/model"),
        (["--null-adapters", "2"], "no adapter to make a null adapter of"),
        (["--null-adapters", "-1"], "null_adapters"),
        (["--arm", "x=bundled:demo-base?null=3"], "Use --null-adapters N"),
        (["--controls-of", "nothing"], "--checkpoints and --suite"),
    ],
)
def test_it_refuses_before_anything_starts(
    arguments: list[str], words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["evaluate", "--arm", "base=bundled:demo-base", *arguments, "--runs", str(root)]
    try:
        code: object = main(given)
    except SystemExit as ending:  # of what the parser refuses
        code = ending.code
    assert code == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert list(root.iterdir()) == []


@pytest.mark.worker
def test_two_arms_on_a_suite_of_ones_own(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_checkpoint(tmp_path / "base")
    save_adapter(tmp_path / "adapter", base)
    rows = [
        {"id": f"q{at}", "prompt": "Say yes or no.", "score": "choices", "gold": "yes",
         "choices": ["yes", "no"]}
        for at in range(3)
    ]  # fmt: skip
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    given = [
        "evaluate", "--arm", "base=./base", "--arm", "tuned=./base+./adapter",
        "--suite", "mine.jsonl", "--json", "table.json", "--device", "cpu", "--runs", str(root),
    ]  # fmt: skip
    assert main(given) == 0
    out = capsys.readouterr().out
    assert out.startswith("skill")
    assert "items only; " in out
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["arms"] == ["base", "tuned"]
    assert table["skills"]["mine"]["items"] == 3
    assert table["skills"]["mine"]["arms"]["tuned"]["vs_base"]["verdict"] == "items only"
    assert main(given) == 2  # the file is there
    assert "--force" in capsys.readouterr().err


@pytest.mark.worker
def test_the_stages_of_a_run(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_checkpoint(tmp_path / "base")
    for name, checkpoint in (("A", str(base)), ("B", "run:A")):
        job = write_run(root, name, checkpoint=checkpoint)
        save_adapter(job.path / "adapter", base)
    rows = [
        {"id": f"q{at}", "prompt": "Say yes.", "score": "choices", "gold": "yes",
         "choices": ["yes", "no"]}
        for at in range(3)
    ]  # fmt: skip
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    given = ["evaluate", "--tree", "B", "--suite", "mine.jsonl", "--device", "cpu"]
    assert main([*given, "--all", "--runs", str(root)]) == 0
    out, err = capsys.readouterr()
    assert out.split("\n")[0].split() == ["skill", "n", "base", "A", "B"]
    assert "A against base: items only" in out
    job_path = Path(err.strip().splitlines()[-1])
    written = JobDirectory(job_path).recipe()
    assert isinstance(written, EvaluateRecipe)
    assert written.tree == "B"
    assert written.arms[1:] == ["A=run:A", "B=run:B"]
    assert main(["impact", job_path.name, "--json", "--runs", str(root)]) == 0
    assert json.loads(capsys.readouterr().out)["arms"] == ["base", "A", "B"]


@pytest.mark.worker
def test_strength_0_scores_as_the_base_on_every_item(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_checkpoint(tmp_path / "base")
    job = write_run(root, "A", checkpoint=str(base))
    save_adapter(job.path / "adapter", base)
    rows = [
        {"id": f"q{at}", "prompt": f"Say {at} or no.", "score": "choices", "gold": str(at),
         "choices": [str(at), "no"]}
        for at in range(6)
    ]  # fmt: skip
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    given = ["evaluate", "--strengths", "A", "--suite", "mine.jsonl", "--device", "cpu"]
    assert main([*given, "--runs", str(root)]) == 0
    done = JobDirectory(Path(capsys.readouterr().err.strip().splitlines()[-1]))
    record = done.record()
    assert record is not None
    assert record.parents == ["run:A"]
    arms = json.loads(done.results.read_text())["arms"]
    assert [*arms] == ["base", *(f"strength {one}" for one in ("0", "0.25", "0.5", "0.75", "1"))]
    measured = {name: arm["suites"]["mine"]["measures"] for name, arm in arms.items()}
    assert measured["strength 0"] == measured["base"]
    assert measured["strength 1"]["gold_nll"] != measured["base"]["gold_nll"]


def test_an_address_is_told_of_and_its_key_allowed_before_the_start(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[EvaluateRecipe] = []

    def refuse(recipe: EvaluateRecipe, *_: object, **__: object) -> JobDirectory:
        started.append(recipe)
        raise EngineError("Not in this test.")

    monkeypatch.setattr(evaluation, "launch_evaluation", refuse)
    one, other = (f"served=http://127.0.0.1:9/v1?model=m&key={key}" for key in ("HF_TOKEN", "K"))
    suites = ["--suite", "bundled:prose", "--suite", "bundled:facts"]
    for command in (
        ["evaluate", "--arm", "base=bundled:demo-base", "--arm", one, *suites],
        ["gate", other, "--against", "base=bundled:demo-base", "--lost-at-most", "3%", "--on",
         "facts", "--perplexity-up-at-most", "5%", "--on", "prose"],
    ):  # fmt: skip
        assert main([*command, "--runs", str(root)]) == 2
        err = capsys.readouterr().err
        assert "no likelihoods. Not measured of it: anything of prose." in " ".join(err.split())
        assert not endpoint_keys.find_unknown(parse_arms(started[-1].arms))
    assert len(started) == 2


def test_a_key_that_only_an_evaluation_names_is_asked_for(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arm = "served=http://127.0.0.1:9/v1?model=m&key=BOX_KEY"
    job = directory.create(root, EvaluateRecipe(arms=[arm], suites=["bundled:facts"]))
    status.write(job, Status(State.STOPPED))
    assert main(["resume", job.path.name, "--runs", str(root)]) == 2
    assert "--allow-key http://127.0.0.1:9=BOX_KEY" in capsys.readouterr().err
    assert job.latest_attempt() == 0
