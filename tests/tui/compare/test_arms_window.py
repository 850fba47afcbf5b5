"""Who answers: arms written, changed, ordered, saved and loaded by keys alone."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from tests.tui.conftest import FakeCompanion, screen_text, see, until
from tui.app import FinetopApp
from tui.compare.arm_fields import GROUPS, Node, arm_of, free_name, how_asked, values_of
from tui.compare.arm_form import ArmForm
from tui.compare.arms_window import ArmsWindow
from tui.compare.page import ComparePage

KEYS = [field.key for field in GROUPS[0].fields]
EMPTY = dict.fromkeys(KEYS, "") | {"form": "as trained"}
NODES = [
    Node("run:ab12", "emotion", "LoRA on demo-base", base="bundled:demo-base"),
    Node("bundled:demo-base", "demo-base", "model, bundled"),
]


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("FINETOP_CONFIG", str(tmp_path / "config" / "config.toml"))


@pytest.mark.parametrize(
    "text",
    [
        "base=bundled:demo-base",
        "b=/m/x y+run:ab12@0.25?prompt=raw&prefix=Think step by step.",
        "strict=run:ab12?prompt=chat&system=Be brief. 100%25",
        "none=run:ab12?system=",
        "warm=run:ab12?temperature=0.7&seed=8",
        "far=http://box:8000/v1?model=llama&key=BOX_KEY",
    ],
)
def test_every_arm_comes_back_from_the_fields_as_it_was(text: str) -> None:
    arm = parse_arm(text)
    assert arm_of(values_of(arm), NODES, ()) == arm


def test_a_run_with_a_strength_goes_on_its_own_base() -> None:
    values = EMPTY | {"name": "half", "checkpoint": "run:ab12", "strength": "0.5"}
    assert arm_of(values, NODES, ()) == Arm("half", "bundled:demo-base", "run:ab12", 0.5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "name is required"),
        ({"name": "taken"}, "already named taken"),
        ({"checkpoint": ""}, "A model, a run or an endpoint is required"),
        ({"strength": "much"}, "much is not a number"),
        ({"strength": "3"}, "must be 0 to 1.5"),
        (
            {"checkpoint": "bundled:demo-base", "strength": "0.5"},
            "full model has no adapter strength",
        ),
        ({"checkpoint": "http://box/v1", "strength": "0.5"}, "endpoint has no adapter strength"),
        ({"decode": "temperature=hot"}, "temperature"),
        ({"decode": "heat=1"}, "heat"),
        ({"checkpoint": "http://box:8000/v1"}, "model= is missing"),
        ({"checkpoint": "http://box/v1", "model": "m", "key": "sk-123"}, "environment variable"),
    ],
)
def test_what_is_wrong_is_said_in_words(changes: dict[str, str], said: str) -> None:
    values = EMPTY | {"name": "x", "checkpoint": "run:ab12", "strength": "1"} | changes
    with pytest.raises(EngineError, match=said):
        arm_of(values, NODES, {"taken"})


def test_names_are_free_and_how_it_is_asked_is_short() -> None:
    assert free_name("run:ab12", ()) == "ab12"
    assert free_name("run:ab12", {"ab12", "ab12-2"}) == "ab12-3"
    arm = Arm("x", "m", form="raw", system="", prefix="Think.", decode=(("temperature", 0.7),))
    assert how_asked(arm) == "raw, no system prompt, prompt prefix, temperature 0.7"


async def _open(pilot: Pilot[Any]) -> None:
    await pilot.press("4")
    await see(pilot, "tuned: ")
    await see(pilot, "prompt 1/")
    await pilot.press("c")
    await see(pilot, "a add")


async def _fill(pilot: Pilot[Any], **values: str) -> None:
    """Put texts into fields of the form that is open."""
    form = pilot.app.screen
    assert isinstance(form, ArmForm)
    for at, field in enumerate(form.query(Input)):
        key = [one for one in KEYS if one != "form"][at]
        if key in values:
            field.value = values[key]
    await pilot.pause()


async def test_a_third_and_a_fourth_arm_answer_too(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await _open(pilot)
        await pilot.press("a")
        await see(pilot, "model")
        await see(pilot, "LoRA r8 on demo-base")
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await _fill(pilot, name="half", strength="0.5", prefix="Think step by step.")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ArmsWindow))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ArmForm))
        await _fill(pilot, name="far", checkpoint="http://127.0.0.1:9/v1", model="m")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ArmsWindow))
        await see(pilot, "m at 127.0.0.1:9/v1")
        await pilot.press("a")
        await see(pilot, "At most 4 arms")
        await pilot.press("ctrl+s")
        await see(pilot, "far: m at 127.0.0.1:9/v1")
        await pilot.press("ctrl+s")
        await see(pilot, "far says so.")
        await pilot.press("d", "d", "d")
        await see(pilot, "1 only in far")
        await pilot.press("1", "down", "down", "4")
        await see(pilot, "1 only in far")  # another run passed over in the list changes nothing
        await pilot.press("1", "c")
        await until(pilot, lambda: "far" not in screen_text(app))
    arms = [arm for arm, _, _ in companion.asked]
    assert len(arms) == 4
    assert arms[2] == "half=bundled:demo-base+run:emotion-lora@0.5?prefix=Think step by step."
    assert arms[3] == "far=http://127.0.0.1:9/v1?model=m"
    messages = [asked for _, asked, _ in companion.asked]
    assert all(one == messages[0] for one in messages), "the same prompt for all"
    assert len({str(decoding) for _, _, decoding in companion.asked}) == 1


async def test_arms_are_changed_ordered_and_removed(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await _open(pilot)
        await pilot.press("enter")
        await see(pilot, "model or endpoint")
        await _fill(pilot, decode="temperature=0.7 seed=8", name="tuned")
        await pilot.press("ctrl+s")
        await see(pilot, "Another arm is already named tuned.")
        await _fill(pilot, name="warm")
        await pilot.press("ctrl+s")
        await see(pilot, "temperature 0.7")
        await pilot.press("J")
        await pilot.press("ctrl+s")
        await see(pilot, "warm: ")
        panes = screen_text(app)
        assert panes.index("tuned: ") < panes.index("warm: ")
        await pilot.press("ctrl+s")
        await see(pilot, "warm says so.")
        await pilot.press("c")
        await see(pilot, "a add")
        await pilot.press("D", "D")
        await see(pilot, "At least one arm is required")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "tuned: " not in screen_text(app))
    own = {arm.partition("=")[0]: decoding for arm, _, decoding in companion.asked}
    assert own["warm"]["temperature"] == 0.7
    assert own["warm"]["seed"] == 8
    assert own["tuned"]["temperature"] == 0


async def test_a_set_is_saved_by_a_name_and_loaded_again(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await _open(pilot)
        await pilot.press("l")
        await see(pilot, "No saved sets")
        await pilot.press("s", *"both", "enter")
        await see(pilot, "Saved as “both”.")
        await pilot.press("s", *"both", "enter")
        await see(pilot, "“both” exists: enter again replaces it.")
        await pilot.press("enter")
        await see(pilot, "Saved as “both”.")
        await pilot.press("D", "l")
        await see(pilot, "base, tuned")
        await pilot.press("enter")
        await see(pilot, "as trained")
        await pilot.press("ctrl+s")
        await see(pilot, "tuned: ")
        await pilot.press("c")
        await see(pilot, "a add")
        await pilot.press("l")
        await see(pilot, "base, tuned")
        await pilot.press("D")
        await see(pilot, "No saved sets.")
        await until(pilot, lambda: app.actions.arm_sets() == {})


async def test_leaving_the_arms_changes_nothing(app: FinetopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await _open(pilot)
        assert isinstance(app.screen, ArmsWindow)
        await pilot.press("D", "escape")
        await see(pilot, "tuned: ")
        assert isinstance(app.screen, ComparePage)


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (300, 100)])
async def test_the_windows_hold_at_any_size(app: FinetopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.press("4")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ArmsWindow))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ArmForm))
        await pilot.resize_terminal(60, 15)
        await pilot.press("tab", "tab", "escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, ComparePage))
