"""The tools of an arm: their file, whose tools come first, and what is wrong with a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.compare.arm_tools import offered_tools, read_arm_tools, read_tools_file
from engine.compare.arms import Arm, format_arm, parse_arm
from engine.compare.items import Item
from engine.errors import EngineError
from engine.launching.generation import launch_generation
from engine.recipes.recipe import GenerateRecipe

NOW = {"name": "now", "parameters": {}}
WRAPPED = {"type": "function", "function": NOW}


@pytest.mark.parametrize("value", [[NOW], [WRAPPED], {"tools": [WRAPPED]}, {"tools": NOW}])
def test_definitions_are_read_with_and_without_a_wrapper(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(value))
    arm = parse_arm(f"a=base?tools={path}")
    assert arm.tools == str(path)
    assert parse_arm(format_arm(arm)) == arm
    assert read_arm_tools(arm) == (WRAPPED,)
    assert read_arm_tools(Arm("a", "base")) == ()


def test_a_prompt_s_own_tools_come_first() -> None:
    item = Item("p", tools=(WRAPPED,))
    assert offered_tools(item, ()) == offered_tools(item, ({"x": 1},)) == (WRAPPED,)
    assert offered_tools(Item("p"), (WRAPPED,)) == (WRAPPED,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[\n{", ":2: not valid JSON"),
        ("", ":1: not valid JSON"),
        ("[]", "no list of tools"),
        ("3", "no list of tools"),
        ("{}", "a tool with a name"),
        ('[{"parameters": {}}]', "a tool with a name"),
        (json.dumps([NOW, WRAPPED]), "two tools have the name 'now'"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_file_without_tools_is_refused_by_its_line(
    text: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "tools.json"
    path.write_text(text)
    with pytest.raises(EngineError, match=r"The tools cannot be read\.") as caught:
        read_tools_file(path)
    assert reason in caught.value.detail
    assert str(path) in caught.value.detail


def test_no_file_is_an_error_before_a_job_is_made(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        read_tools_file(tmp_path / "none.json")
    recipe = GenerateRecipe(
        arms=[f"a=bundled:demo-base?tools={tmp_path / 'none.json'}"], prompts="bundled:all"
    )
    with pytest.raises(EngineError):
        launch_generation(recipe, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("arm", ["a=b?tools=x&prompt=raw", "a=b?tools=", "a=b?tools=x&tools=y"])
def test_arms_that_cannot_have_tools(arm: str) -> None:
    with pytest.raises(EngineError, match="Invalid arm"):
        parse_arm(arm)
