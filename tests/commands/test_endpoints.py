"""Endpoints from the command line, with real workers: keys, dead servers, no device, a kill."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.compare import endpoint_keys, samples
from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.jobs import directory, lock, process, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.recipes.recipe import GenerateRecipe
from tests.conftest import Eventually
from tests.jobs.waiters import Line
from tests.worker.inference.endpoints import Server, serving, stream
from tui.cli import main
from tui.commands import endpoint_keys as questions
from tui.commands import follow

pytestmark = [pytest.mark.worker, pytest.mark.cold]

KEY = "sk-very-secret-0123456789"
DEAD = "http://127.0.0.1:9/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.reply = stream("yes")
        yield made


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "asked.txt"
    path.write_text("one?\ntwo?\nthree?\n")
    return path


def job_of_another(root: Path, arm: str, prompts: Path) -> JobDirectory:
    """A stopped job as it came with a folder of runs."""
    job = directory.create(root, GenerateRecipe(arms=[arm], prompts=str(prompts)))
    status.write(job, Status(State.STOPPED, total=3))
    return job


def finetop(root: Path, *arguments: str) -> int:
    return main([*arguments, "--runs", str(root)])


def wait_for_end(job: JobDirectory, eventually: Eventually) -> State:
    eventually(lambda: (now := status.read(job)) is not None and now.state.final
               and lock.holder(job.lock_file) is None)  # fmt: skip
    return status.derive(job, status.read(job))


def sent_keys(server: Server) -> set[str | None]:
    return {headers.get("Authorization") for _, headers, _ in server.asked}


def test_a_key_that_is_typed_is_sent_and_remembered(
    server: Server, root: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", KEY)
    arm = f"e={server.address}?model=m&key=HF_TOKEN"
    for notes in (1, 0):
        assert finetop(root, "generate", "--arm", arm, "--prompts", str(prompts)) == 0
        err = capsys.readouterr().err
        assert err.count("first use: the key in HF_TOKEN is sent to http://127.0.0.1") == notes
        assert "unencrypted" not in err, "it does not leave this machine"
    assert sent_keys(server) == {f"Bearer {KEY}"}
    for path in root.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("variable", ["BOX_KEY", "HF_TOKEN"])
def test_a_key_that_only_a_job_names_is_not_sent_without_the_flag(
    variable: str, server: Server, root: Path, prompts: Path, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, KEY)
    job = job_of_another(root, f"e={server.address}?model=m&key={variable}", prompts)
    assert finetop(root, "resume", job.path.name) == 2
    err = capsys.readouterr().err
    address = server.address.removesuffix("/v1")
    flag = f"--allow-key {address}={variable}"
    assert f"finetop resume {job.path.name} {flag}" in err
    assert job.latest_attempt() == 0, "nothing was started"
    assert not server.asked
    assert finetop(root, "resume", job.path.name, "--follow", *flag.split()) == 0
    assert sent_keys(server) == {f"Bearer {KEY}"}
    assert len(samples.read(job.samples)) == 3


def test_no_key_is_allowed_for_a_job_that_has_nothing_left_to_do(
    root: Path, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arm = f"e={DEAD}?model=m&key=BOX_KEY"
    job = job_of_another(root, arm, prompts)
    status.write(job, Status(State.DONE, step=3, total=3))
    flag = "--allow-key http://127.0.0.1:9=BOX_KEY"
    assert finetop(root, "resume", job.path.name, *flag.split()) == 2
    assert "nothing left to do" in capsys.readouterr().err
    assert endpoint_keys.find_unknown([parse_arm(arm)]), "it is asked about again"


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 2), ("no\n", 2)])
def test_a_terminal_is_asked_once(
    answer: str, code: int, server: Server, root: Path, prompts: Path, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("BOX_KEY", KEY)
    monkeypatch.setattr(questions, "_is_asked_here", lambda: True)
    monkeypatch.setattr("sys.stdin.readline", lambda: answer, raising=False)
    job = job_of_another(root, f"e={server.address}?model=m&key=BOX_KEY", prompts)
    assert finetop(root, "resume", job.path.name, "--follow") == code
    err = capsys.readouterr().err
    assert "Send the API key in BOX_KEY to http://127.0.0.1" in err
    assert bool(server.asked) is (code == 0)
    if code == 0:
        again = job_of_another(root, f"e={server.address}?model=m&key=BOX_KEY", prompts)
        monkeypatch.setattr("sys.stdin.readline", lambda: pytest.fail("asked twice"))
        assert finetop(root, "resume", again.path.name, "--follow") == 0


def test_a_terminal_is_not_asked_about_the_key_of_an_account(
    server: Server, root: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setattr(questions, "_is_asked_here", lambda: True)
    arm = f"e={server.address}?model=m&key=AWS_SECRET_ACCESS_KEY"
    job = job_of_another(root, arm, prompts)
    assert finetop(root, "resume", job.path.name) == 2
    assert "usually holds the key of an account" in capsys.readouterr().err


def test_a_worker_that_is_started_another_way_sends_no_key(
    server: Server, root: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOX_KEY", KEY)
    job = job_of_another(root, f"e={server.address}?model=m&key=BOX_KEY", prompts)
    command = [sys.executable, "-P", "-m", "engine.worker", "generate", str(job.path)]
    assert subprocess.run(command, check=False).returncode == 1
    now = status.read(job)
    assert now is not None
    assert now.error is not None
    assert "BOX_KEY was not sent to this address before" in now.error.title
    flag = f"--allow-key {server.address.removesuffix('/v1')}=BOX_KEY"
    assert now.error.hint == f"To allow it: finetop resume {job.path.name} {flag}"
    assert not server.asked


def test_a_key_that_leaves_the_machine_unencrypted_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arm = parse_arm("e=http://box.example/v1?model=m&key=BOX_KEY")
    monkeypatch.setattr(questions, "_is_asked_here", lambda: True)
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n", raising=False)
    with pytest.raises(EngineError, match=r"Not allowed: BOX_KEY to http://box\.example"):
        questions.ask_before_sending([arm], [], "run")
    for _ in range(2):
        assert "BOX_KEY is sent unencrypted to http://box.example" in capsys.readouterr().err
        questions.allow_typed([arm])


def test_of_twelve_dead_endpoints_all_are_named(
    root: Path, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = [part for at in range(12) for part in ("--arm", f"dead{at}={DEAD}?model=m{at}")]
    assert finetop(root, "generate", *arms, "--prompts", str(prompts)) == 1
    err = capsys.readouterr().err
    for at in range(12):
        assert f"dead{at} at {DEAD}" in err
    assert "12 endpoints did not answer" in err
    assert "36 answers missing" in err
    (job,) = [path.name for path in root.iterdir() if (path / "job.json").exists()]
    assert f"finetop resume {job} asks for them again." in err


def test_what_was_left_out_is_said_with_exit_1(
    server: Server, root: Path, prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses = "two?"
    out = tmp_path / "out.jsonl"
    arms = ["--arm", f"e={server.address}?model=m"]
    command = ["generate", *arms, "--prompts", str(prompts), "--out", str(out)]
    assert finetop(root, *command) == 1
    captured = capsys.readouterr()
    assert captured.out.strip() == str(out)
    assert len(samples.read(out)) == 2
    assert "1 answer left out" in captured.err
    assert "e: asked-2: The endpoint rejected the request." in captured.err
    (job,) = [JobDirectory(path) for path in root.iterdir() if (path / "job.json").exists()]
    assert finetop(root, "resume", job.path.name, "--follow") == 1
    assert "asked-2" in capsys.readouterr().err
    assert finetop(root, "runs") == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [one for one in lines if job.path.name in one]
    assert line.startswith("done ")
    assert line.endswith("  1 left out")
    assert finetop(root, "runs", "--json") == 0
    tables = json.loads(capsys.readouterr().out)
    assert [one["left_out"] for one in tables if one["id"] == job.path.name] == [1]
    server.refuses = ""
    assert finetop(root, "resume", job.path.name, "--follow") == 0
    assert len(samples.read(job.samples)) == 3
    assert finetop(root, "runs") == 0
    assert "left out" not in capsys.readouterr().out
    asked = [body["messages"][-1]["content"] for _, _, body in server.asked]
    assert sorted(asked) == ["one?", "three?", "two?", "two?", "two?"]


def test_what_is_left_out_beside_a_dead_endpoint_is_said_too(
    server: Server, root: Path, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses = "two?"
    arms = ["--arm", f"e={server.address}?model=m", "--arm", f"dead={DEAD}?model=m"]
    assert finetop(root, "generate", *arms, "--prompts", str(prompts)) == 1
    err = capsys.readouterr().err
    assert "1 answer left out:\ne: asked-2:" in err
    assert f"dead at {DEAD}" in err
    assert "4 answers missing" in err


def test_a_job_that_was_stopped_names_the_command_that_continues_it(
    server: Server, root: Path, prompts: Path, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(follow, "follow", lambda *_: Status(State.STOPPED))
    arm = f"e={server.address}?model=m"
    assert finetop(root, "generate", "--arm", arm, "--prompts", str(prompts)) == 1
    (job,) = [JobDirectory(path) for path in root.iterdir() if (path / "job.json").exists()]
    assert f"finetop resume {job.path.name}\n" in capsys.readouterr().err
    wait_for_end(job, eventually)


def test_a_job_of_endpoints_alone_waits_for_no_device(
    server: Server, root: Path, prompts: Path, tmp_path: Path, eventually: Eventually
) -> None:
    arms = ["--arm", f"e={server.address}?model=m", "--device", "cpu"]
    with Line(tmp_path, eventually) as line:
        line.add("busy", "cpu")
        assert finetop(root, "generate", *arms, "--prompts", str(prompts)) == 0
    assert len(server.asked) == 3


def test_a_job_of_endpoints_alone_imports_no_library_of_models(
    server: Server, root: Path, prompts: Path
) -> None:
    job = job_of_another(root, f"e={server.address}?model=m", prompts)
    code = (
        "import sys; from engine.worker.__main__ import main; "
        f"ended = main(['generate', {str(job.path)!r}]); "
        "sys.exit(ended or bool({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
    assert len(samples.read(job.samples)) == 3


def test_a_job_of_endpoints_alone_runs_where_no_library_of_models_is(
    server: Server, root: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "HEAVY", ("no_such_package_anywhere",))
    arms = ["--arm", f"e={server.address}?model=m", "--device", "cuda:7"]
    assert finetop(root, "generate", *arms, "--prompts", str(prompts)) == 0


def test_a_job_that_was_killed_asks_only_for_what_is_missing(
    server: Server, root: Path, tmp_path: Path, eventually: Eventually
) -> None:
    names = [f"prompt {at}?" for at in range(40)]
    asked = tmp_path / "asked.txt"
    asked.write_text("\n".join(names))
    held = threading.Event()
    server.before_answer = lambda: len(server.asked) < 15 or held.wait(60)
    command = ["generate", "--arm", f"e={server.address}?model=m", "--prompts", str(asked)]
    assert finetop(root, *command, "--detach") == 0
    (job,) = [JobDirectory(path) for path in root.iterdir() if (path / "job.json").exists()]
    eventually(lambda: len(samples.read(job.samples)) >= 10)
    worker = lock.holder(job.lock_file)
    assert worker
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: lock.holder(job.lock_file) is None)
    held.set()
    known = {one.prompt_id for one in samples.read(job.samples)}
    before = -1
    while before != len(server.asked):  # what the worker had sent may arrive after its death
        before = len(server.asked)
        time.sleep(1.0)
    assert 10 <= len(known) < 40
    assert status.derive(job, status.read(job)) is State.CRASHED

    assert finetop(root, "resume", job.path.name, "--follow") == 0
    again = [body["messages"][-1]["content"] for _, _, body in server.asked[before:]]
    assert len(again) == 40 - len(known)
    assert not {f"prompt {int(one.removeprefix('asked-')) - 1}?" for one in known} & set(again)
    made = samples.read(job.samples)
    assert len(made) == len({one.key for one in made}) == 40
    assert {one.text for one in made} == {"yes"}
