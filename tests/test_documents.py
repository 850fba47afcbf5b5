"""The documents say what is true, and the top level holds what it should."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
TOP = {
    "tui", "engine", "runs", "tests", "pyproject.toml", "README.md", "Makefile", "constraints.txt",
    "LICENSE", "ARCHITECTURE.md", "CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md",
}  # fmt: skip


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=HERE, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    return listed.stdout.splitlines()


def test_the_readme_leaves_the_keys_to_the_command_that_lists_them() -> None:
    text = (HERE / "README.md").read_text(encoding="utf-8")
    assert "finetop keys" in text
    assert "| Everywhere |" not in text, "a table of keys belongs to `finetop keys`"


def test_every_picture_and_document_that_the_readme_names_is_there() -> None:
    text = (HERE / "README.md").read_text(encoding="utf-8")
    for name in (".pictures/watch.svg", "ARCHITECTURE.md", "CONTRIBUTING.md"):
        assert name in text
        assert (HERE / name).is_file()


def test_every_command_that_prints_json_is_told_to_agents() -> None:
    text = (HERE / "AGENTS.md").read_text(encoding="utf-8")
    for path in (HERE / "tui" / "commands").glob("*.py"):
        if '"--json"' in path.read_text("utf-8"):
            command = path.stem.removesuffix("_options").replace("_", " ")
            assert f"`finetop {command}" in text


def test_the_top_level_holds_what_a_project_needs_and_no_more() -> None:
    names = {name.partition("/")[0] for name in tracked()}
    assert {name for name in names if not name.startswith(".")} == TOP


def test_pins_resolve_anywhere() -> None:
    pins = (HERE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert "torch==2.13.0" in pins
    for pin in pins:
        assert pin.count("==") == 1, pin
        assert "+" not in pin, f"a local version is on no index: {pin}"
        assert "@" not in pin, f"a file is on one machine alone: {pin}"


def test_only_the_readme_of_runs_is_kept() -> None:
    assert [name for name in tracked() if name.startswith("runs/")] == ["runs/README.md"]
