"""Whatever a run, an argument or a folder is called, no command hands a control to the terminal."""

from pathlib import Path

import pytest

from engine.jobs.status import Failure, State
from engine.text import is_safe
from tests.tui.browse.answered import write_answers
from tests.tui.building import write_run
from tui import cli

HOSTILE = "a\x1b]0;pwn\x07\x9b31m\u202eb"
COMMANDS = [
    ["runs", "--all"], ["runs", "--json"], ["logs", "h"], ["queue"], ["metrics", "h"],
    ["metrics", "h", "--csv", "-"], ["compare", "numbers", "ans"], ["compare", "votes", "ans"],
    ["compare", "numbers", "ans", "--json"], ["compare", "votes", "ans", "--json"],
    ["compare", "export", "ans", "--to", HOSTILE], ["checkpoints"], ["doctor"], ["resume", "h"],
    ["stop", "h"], ["rm", "h"], ["fit", HOSTILE], ["train", HOSTILE], ["tokenize", HOSTILE],
    ["generate", "--arm", HOSTILE, "--prompts", HOSTILE], ["judge", "ans", "--by", HOSTILE],
    ["judge", "show", "ans"], ["judge", "show", HOSTILE], ["get", HOSTILE], ["watch", HOSTILE],
    ["data", "inspect", HOSTILE], ["train", "--set", f"{HOSTILE}=1"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2])[:20])
def test_no_command_hands_a_control_to_the_terminal(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    failure = Failure(HOSTILE, HOSTILE, HOSTILE)
    for directory in ("h", f"folder{HOSTILE}"):
        write_run(root, HOSTILE, directory=directory, state=State.FAILED, points=9, error=failure,
                  log=HOSTILE, device=HOSTILE, message=HOSTILE, checkpoint=HOSTILE)  # fmt: skip
    write_answers(root, "ans", arms=(f"b{HOSTILE}=bundled:demo-base", "tuned=run:h"))
    cli.main([*command, "--runs", str(root)])
    out, err = capsys.readouterr()
    for line in (out + err).replace("\t", " ").split("\n"):
        assert is_safe(line)
    assert out or err
