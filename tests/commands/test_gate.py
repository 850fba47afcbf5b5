"""`finetop gate`: its limits, its exit codes, and a real evaluation to its verdict."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State
from engine.launching import evaluation
from engine.launching.discordance import Discordance
from engine.recipes.recipe import EvaluateRecipe
from engine.text import is_safe
from tests.impact.made_results import measured, scores_of, suite_of, table_of, write_evaluation
from tests.tui.building import write_run
from tests.tui.impact.evaluated import write_evaluation as write_job
from tests.worker.tiny import save_adapter, save_checkpoint
from tui.cli import build_parser, main
from tui.commands.gate_options import read_share

FACTS = ("--lost-at-most", "3%", "--on", "facts")


def _story() -> dict[str, Any]:
    """Facts are kept, french loses a little, arithmetic much; emotion is gained at A, and kept."""
    right = {
        "facts": (300, 299, 299), "french": (300, 296, 291), "arithmetic": (300, 260, 240),
        "emotion": (30, 200, 201), "song": (3, 3, 0),
    }  # fmt: skip
    arms = {
        arm: {
            "parent": parent,
            "suites": {
                name: measured(scores_of(counts[at], 3 if name == "song" else 300), seen={})
                for name, counts in right.items()
            },
        }
        for at, (arm, parent) in enumerate({"base": "", "A": "base", "B": "A"}.items())
    }
    return table_of({name: suite_of(3 if name == "song" else 300) for name in right}, arms)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    write_evaluation(root, "story", _story())
    return root


def _gate(root: Path, *arguments: str) -> int:
    try:
        return main(["gate", *arguments, "--runs", str(root)])
    except SystemExit as ending:  # of what the parser refuses
        return int(str(ending.code))


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (FACTS, 0),
        (("--lost-at-most", "0.03", "--on", "bundled:facts"), 0),
        (("--lost-at-most", "3%", "--on", "facts", "--on", "french"), 3),
        (("--lost-at-most", "3%", "--on", "arithmetic", "--on", "french"), 1),
        ((*FACTS, "--gained-at-least", "5%", "--on", "emotion"), 0),
        ((*FACTS, "--gained-at-least", "70%", "--on", "emotion"), 1),
        (("--lost-at-most", "50%", "--on", "song"), 3),
        (("--against", "parent", "--gained-at-least", "5%", "--on", "emotion"), 1),
        (("--arm", "A", "--lost-at-most", "5%", "--on", "french"), 0),
        (("--arm", "B", "--against", "A", "--lost-at-most", "5%", "--on", "french"), 0),
    ],
)
def test_the_exit_code_is_the_outcome_of_a_job_that_is_done(
    root: Path, limits: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _gate(root, "story", *limits) == code
    out, err = capsys.readouterr()
    assert out.startswith("skill")
    assert max(map(len, out.splitlines())) <= 80
    path, more = err.splitlines()
    assert path == str(root / "story")
    assert "finetop impact story --all" in more
    assert sorted(path.name for path in root.iterdir()) == ["story"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("story",), "--lost-at-most 3% --on facts"),
        (("story", "--lost-at-most", "3%"), "--lost-at-most needs a suite after it"),
        (("story", "--lost-at-most", "3%", *FACTS), "--lost-at-most needs a suite after it"),
        (("story", "--on", "facts"), "--on facts has no limit before it"),
        (("story", "--lost-at-most", "3", "--on", "facts"), "write 3%"),
        (("story", "--lost-at-most", "0%", "--on", "facts"), "not above 0%"),
        (("story", "--lost-at-most", "-3%", "--on", "facts"), "--lost-at-most"),
        (("story", "--gained-at-least", "nan", "--on", "facts"), "write 3% or 0.03"),
        (("story", *FACTS, *FACTS), "--lost-at-most is set twice"),
        (("story", *FACTS, "--on", "bundled:facts"), "--lost-at-most is set twice"),
        (("story", "--perplexity-up-at-most", "5%", "--on", "facts"), "has no perplexity"),
        (("story", "--lost-at-most", "3%", "--on", "poems"), "'poems' was not measured"),
        (("story", *FACTS, "--against", "C"), "Unknown arm 'C'"),
        (("story", *FACTS, "--arm", "base"), "no two arms to compare"),
        (("story", *FACTS, "--limit", "5"), "is not measured again"),
        (("nothing", *FACTS), "No run 'nothing'"),
        (("bundled:demo-base", *FACTS), "--against NAME=CHECKPOINT"),
        (("run:story", *FACTS), "has no model to judge"),
        (("t=bundled:demo-base", *FACTS, "--against", "/no/model"), "/no/model"),
        (("t=bundled:demo-base", *FACTS, "--against", "bundled:demo-base", "--arm", "t"), "--arm"),
        (
            ("t=bundled:demo-base", "--against", "bundled:demo-base", "--lost-at-most", "3%",
             "--on", "lm-eval:x.json?arm=t"),
            "another program measured",
        ),
        (
            ("t=bundled:demo-base", "--against", "bundled:demo-base", "--lost-at-most", "3%",
             "--on", "prose"),
            "--perplexity-up-at-most",
        ),
        (("story", *FACTS, "--junit", "/no/folder/j.xml"), "/no/folder"),
    ],
)  # fmt: skip
def test_wrong_use_is_2_before_anything_starts(
    root: Path, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _gate(root, *arguments) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert "Traceback" not in err
    assert out == ""
    assert sorted(path.name for path in root.iterdir()) == ["story"]


def test_junit_is_written_also_where_the_gate_fails(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gate.xml"
    given = ["story", "--lost-at-most", "3%", "--on", "arithmetic", "--junit", str(file)]
    assert _gate(root, *given, "--json") == 1
    table = json.loads(capsys.readouterr().out)
    assert (table["outcome"], table["job"], table["arm"]) == ("failed", "story", "B")
    first = file.read_bytes()
    assert ElementTree.fromstring(first).get("failures") == "1"
    assert _gate(root, *given) == 2, "the file is there"
    assert _gate(root, *given, "--force") == 1
    assert file.read_bytes() == first


@pytest.mark.parametrize("limit", ["3%", "90%"])
def test_the_exit_code_survives_a_reader_that_has_gone(root: Path, limit: str) -> None:
    """As `finetop gate ... | head -1` leaves it."""
    reading, writing = os.pipe()
    os.close(reading)
    words = ["gate", "story", "--lost-at-most", limit, "--on", "arithmetic", "--runs", str(root)]
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", *words],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == (1 if limit == "3%" else 0), done.stderr.decode()
    assert b"Broken" not in done.stderr


def test_an_evaluation_that_failed_has_a_code_of_its_own(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = Failure("The GPU is out of memory.", "at item 3", "Use --limit.")
    write_job(root, "broken", state=State.FAILED, error=error)
    assert _gate(root, "broken", *FACTS) == 4
    out, err = capsys.readouterr()
    assert "The GPU is out of memory." in err
    assert out == ""


def test_one_that_is_not_done_is_wrong_use(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_job(root, "busy", state=State.RUNNING)
    assert _gate(root, "busy", *FACTS) == 2
    assert "no results yet" in capsys.readouterr().err


def test_what_is_needed_stands_before_the_start(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the discordance that an earlier evaluation found; nothing is measured here."""

    def refuse(*_: object) -> None:
        raise EngineError("Stopped here.")

    monkeypatch.setattr(evaluation, "launch_evaluation", refuse)
    limits = ["--lost-at-most", "3%", "--on", "facts", "--on", "french?limit=30",
              "--gained-at-least", "60%", "--on", "f=facts",
              "--perplexity-up-at-most", "5%", "--on", "prose"]  # fmt: skip
    arms = ["t=bundled:demo-base@0.5", "--against", "bundled:demo-base"]
    assert _gate(root, *arms, *limits) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert max(map(len, err.splitlines())) <= 80
    words = " ".join(err.split())
    assert words.startswith(
        "t against demo-base (bundled:demo-base) facts, lost at most 3 points: "
    )
    assert "needs about 952 items to pass in 90% of cases if nothing is lost and 10%" in words
    assert "it has 30 and cannot pass: the least is 99." in words
    assert "if 80 points are gained and 80% are discordant; it has 320 in " in words
    assert "prose, perplexity up at most 5%: 320 items; how many" in words
    known = {"facts": Discordance(0.05, "gate-1a2b")}
    monkeypatch.setattr("engine.launching.discordance.find_discordance", lambda *_: known)
    assert _gate(root, *arms, *limits) == 2
    words = " ".join(capsys.readouterr().err.split())
    assert "needs about 476 items" in words
    assert "5% are discordant as in gate-1a2b; it has 320" in words


def test_the_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["gate", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    for code in ("0 passed", "1 failed", "2 wrong use", "3 not enough", "4 the"):
        assert code in out
    assert "%%" not in out


def test_hostile_names_drive_no_terminal(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a\x1b]0;pwn\x07\x9b31m\u202eb\n"
    suites = {"base": {name: measured(scores_of(9, 30))}, name: {name: measured(scores_of(9, 30))}}
    write_evaluation(root, "hostile", table_of({name: suite_of(30)}, suites))
    file = str(tmp_path / "gate.xml")
    for more in ((), ("--json",), ("--junit", file)):
        assert _gate(root, "hostile", "--lost-at-most", "3%", "--on", name, *more) == 3
        out, err = capsys.readouterr()
        assert all(map(is_safe, (out + err).splitlines()))
    assert _gate(root, "hostile", "--lost-at-most", "3%", "--on", "x") == 2
    assert all(map(is_safe, capsys.readouterr().err.splitlines()))
    assert is_safe(Path(file).read_text().replace("\n", ""))


NUMBERS = st.decimals(min_value="0.01", max_value="99.99", places=2)


@given(NUMBERS)
def test_percents_and_shares_are_the_same_limit(number: Any) -> None:
    assert read_share(f"{number}%") == pytest.approx(float(number) / 100)
    assert read_share(f"{number / 100}") == pytest.approx(float(number) / 100)


@given(st.text(max_size=8))
def test_a_limit_is_read_or_refused(text: str) -> None:
    try:
        share = read_share(text)
    except ValueError as error:
        assert str(error).startswith(repr(text))  # noqa: PT017
    else:
        assert 0 < share < 1


OPTIONS = ("--lost-at-most", "--gained-at-least", "--perplexity-up-at-most")
GIVEN = st.lists(
    st.tuples(
        st.sampled_from(OPTIONS),
        st.integers(1, 99),
        st.lists(st.sampled_from(["a", "b?limit=5", "c=x.jsonl", "bundled:d"]), min_size=1),
    ),
    min_size=1,
    max_size=5,
)


@given(GIVEN, st.booleans())
def test_each_suite_belongs_to_the_limit_before_it(
    given_limits: list[tuple[str, int, list[str]]], is_joined: bool
) -> None:
    words = ["gate", "run"]
    for option, percent, suites in given_limits:
        words += [f"{option}={percent}%"] if is_joined else [option, f"{percent}%"]
        for suite in suites:
            words += [f"--on={suite}"] if is_joined else ["--on", suite]
    read = build_parser(words).parse_args(words).limits
    assert [(one.option, round(one.share * 100), list(one.suites)) for one in read] == given_limits


@pytest.mark.worker
def test_a_run_is_measured_and_judged(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against its root and its parent. An adapter that was not trained changes nothing."""
    base = save_checkpoint(tmp_path / "base")
    for name, checkpoint in (("A", str(base)), ("B", "run:A")):
        job = write_run(root, name, checkpoint=checkpoint)
        save_adapter(job.path / "adapter", base)
    rows = [
        {"id": f"q{at}", "prompt": f"Say yes {at}.", "score": "choices", "gold": "yes",
         "choices": ["yes", "no"]}
        for at in range(24)
    ]  # fmt: skip
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    limit = ["--lost-at-most", "20%", "--on", "mine.jsonl", "--device", "cpu"]
    assert _gate(root, "B", *limit, "--json", "--junit", "gate.xml") in (0, 1, 3)
    out, err = capsys.readouterr()
    table = json.loads(out)
    assert (table["arm"], table["against"]) == ("B", "base")
    assert table["limits"][0]["items"] == 24
    assert "B against base" in err
    assert "--against parent holds it against A (run:A)" in err
    assert "mine, lost at most 20 points: needs about" in err
    recipe = JobDirectory(root / table["job"]).recipe()
    assert isinstance(recipe, EvaluateRecipe)
    assert recipe.arms == [f"base={base}", "B=run:B"]
    assert ElementTree.parse("gate.xml").getroot().get("tests") == "1"
    assert _gate(root, table["job"], "--lost-at-most", "20%", "--on", "mine", "--json") in (0, 1, 3)
    assert json.loads(capsys.readouterr().out) == table
    # An arm in the grammar, whose base is asked in its way.
    assert _gate(root, "half=run:B@0.5?prompt=raw", "--against", "parent", *limit) in (0, 1, 3)
    (half,) = [job for job in root.glob("gate-*") if job.name != table["job"]]
    recipe = JobDirectory(half).recipe()
    assert isinstance(recipe, EvaluateRecipe)
    assert recipe.arms == ["A=run:A?prompt=raw", "half=run:B@0.5?prompt=raw"]


@pytest.mark.worker
def test_a_job_that_fails_is_an_error_of_each_limit(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = save_checkpoint(tmp_path / "base")
    (base / "model.safetensors").write_bytes(b"\x08" + b"\0" * 7 + b"{}      ")
    file = tmp_path / "gate.xml"
    given = [f"t={base}", "--against", f"base={base}", *FACTS, "--device", "cpu"]
    assert _gate(root, *given, "--junit", str(file)) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert ElementTree.parse(file).getroot().get("errors") == "1"
