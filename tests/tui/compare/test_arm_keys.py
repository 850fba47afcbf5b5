"""Keys of endpoints in the dashboard: what a file names is asked about, what is typed is not."""

import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.compare import arm_sets, endpoint_keys
from engine.compare.arms import parse_arm
from engine.compare.endpoint_keys import KeyUse
from engine.jobs import directory, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.launching import resume as resume_module
from engine.recipes.recipe import GenerateRecipe
from tests.tui.conftest import FakeCompanion, screen_text, see, until
from tui.app import FinetopApp
from tui.compare.arm_fields import GROUPS
from tui.compare.arm_form import ArmForm
from tui.compare.arms_window import ArmsWindow
from tui.compare.page import ComparePage
from tui.screens.dialogs import ConfirmDialog, ErrorDialog

FAR = "far=https://far.example/v1?model=m&key="
KEYS = [field.key for field in GROUPS[0].fields]


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETOP_CONFIG", str(tmp_path / "config" / "config.toml"))


async def _load(pilot: Pilot[Any], arm: str) -> None:
    """Have the arms of a set that a file brought in the window of arms."""
    arm_sets.save("theirs", [parse_arm("base=bundled:demo-base"), parse_arm(arm)])
    await pilot.press("4")
    await see(pilot, "tuned: ")
    await pilot.press("c")
    await see(pilot, "a add")
    await pilot.press("l")
    await see(pilot, "base, far")
    await pilot.press("enter")
    await see(pilot, "m at far.example/v1")


def _known(arm: str) -> list[KeyUse]:
    return endpoint_keys.find_unknown([parse_arm(arm)])


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_a_saved_set_asks_before_it_sends_a_key(
    size: tuple[int, int], app: FinetopApp, companion: FakeCompanion
) -> None:
    async with app.run_test(size=size) as pilot:
        await _load(pilot, FAR + "BOX_KEY")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "BOX_KEY to https://far.example?" in " ".join(screen_text(app).split())
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, ArmsWindow))
        assert _known(FAR + "BOX_KEY"), "nothing was agreed to"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ComparePage))
        await see(pilot, "far: m at far.example/v1")
        await pilot.press("c")
        await see(pilot, "a add")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ComparePage))
    assert not _known(FAR + "BOX_KEY")


async def test_a_saved_set_cannot_send_the_key_of_an_account(app: FinetopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await _load(pilot, FAR + "HF_TOKEN")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        shown = " ".join(screen_text(app).split())
        assert "usually holds the key of an account" in shown
        assert "edit the arm" in shown
        assert "finetop resume" not in shown, "there is no run"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ArmsWindow))
    assert _known(FAR + "HF_TOKEN")


@pytest.mark.parametrize("is_changed", [True, False])
async def test_the_key_of_an_account_is_sent_once_it_is_typed(
    is_changed: bool, app: FinetopApp
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await _load(pilot, FAR + "HF_TOKEN")
        await pilot.press("end", "enter")
        await until(pilot, lambda: isinstance(app.screen, ArmForm))
        fields = dict(zip([one for one in KEYS if one != "form"], app.screen.query(Input),
                          strict=True))  # fmt: skip
        field = fields["key" if is_changed else "name"]
        before = field.value
        field.focus()
        await until(pilot, lambda: field.has_focus)
        await pilot.press("end", "backspace")
        await until(pilot, lambda: field.value == before[:-1])
        await pilot.press(before[-1])
        await until(pilot, lambda: field.value == before)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ArmsWindow))
        await pilot.press("ctrl+s")
        awaited = ComparePage if is_changed else ErrorDialog
        await until(pilot, lambda: isinstance(app.screen, awaited))
    assert bool(_known(FAR + "HF_TOKEN")) is not is_changed


async def test_a_key_that_goes_unencrypted_is_asked_about_though_it_is_typed(
    app: FinetopApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await see(pilot, "tuned: ")
        await pilot.press("c")
        await see(pilot, "a add")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ArmForm))
        values = {"name": "far", "checkpoint": "http://far.example/v1", "model": "m",
                  "key": "BOX_KEY"}  # fmt: skip
        names = [one for one in KEYS if one != "form"]
        for name, field in zip(names, app.screen.query(Input), strict=True):
            field.value = values.get(name, field.value)
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ArmsWindow))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "sent unencrypted" in " ".join(screen_text(app).split())
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ComparePage))


async def test_a_job_of_another_asks_before_it_is_resumed(
    app: FinetopApp, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[str] = []

    def resume(job: JobDirectory, *_: object, **__: object) -> None:
        resumed.append(job.path.name)

    monkeypatch.setattr(resume_module, "resume_job", resume)
    recipe = GenerateRecipe(name="theirs", arms=[FAR + "BOX_KEY"], prompts="bundled:all")
    job = directory.create(root, recipe)
    now = time.time()
    status.write(job, Status(State.STOPPED, step=1, total=9, started=now, heartbeat=now))
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "theirs")
        await pilot.press("home", "r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmDialog))
        assert resumed == []
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: resumed == [job.path.name])
    assert not _known(FAR + "BOX_KEY")


async def test_a_run_that_names_the_key_of_an_account_is_resumed_by_the_command_that_is_shown(
    app: FinetopApp, root: Path
) -> None:
    recipe = GenerateRecipe(name="theirs", arms=[FAR + "HF_TOKEN"], prompts="bundled:all")
    job = directory.create(root, recipe)
    now = time.time()
    status.write(job, Status(State.STOPPED, total=9, started=now, heartbeat=now))
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "theirs")
        await pilot.press("home")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        shown = " ".join(screen_text(app).replace("│", " ").split())
        command = f"finetop resume {job.path.name} --allow-key https://far.example=HF_TOKEN"
        assert command in shown


async def test_answers_that_were_left_out_can_be_asked_for_again(
    app: FinetopApp, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[Path] = []
    monkeypatch.setattr(resume_module, "resume_job", lambda job, *_, **__: resumed.append(job.path))
    for name, rejected in (("whole", 0), ("partly", 2)):
        recipe = GenerateRecipe(name=name, arms=["b=bundled:demo-base"], prompts="bundled:all")
        job = directory.create(root, recipe)
        now = time.time()
        status.write(job, Status(State.DONE, step=9, total=9, started=now, heartbeat=now,
                                 rejected=rejected))  # fmt: skip
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "partly")
        await pilot.press("home")
        await pilot.press("r")
        await until(pilot, lambda: resumed == [job.path])
        await pilot.press("down", "r")
        await pilot.pause()
    assert resumed == [job.path]
