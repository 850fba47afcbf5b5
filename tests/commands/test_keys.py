"""`finetop keys` lists what the keymap has, for people and as JSON."""

import json

import pytest

from tui import cli
from tui.keymap import EVERYWHERE, KEYS, SCREENS, faces


def test_every_key_has_a_line_below_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys"]) == 0
    pages: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in filter(None, capsys.readouterr().out.splitlines()):
        if line.startswith("  "):
            lines.append(line)
        else:
            lines = pages.setdefault(line, [])
    for page, title in SCREENS.items():
        own = [key for key in KEYS if key.screen == page]
        for key, line in zip(own, pages.get(title, []), strict=True):
            assert line.split("  ")[1].strip() == faces(key)
            assert line.endswith(key.help)


def test_one_page_by_its_name_or_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "watch", "--json"]) == 0
    by_name = json.loads(capsys.readouterr().out)
    assert cli.main(["keys", "Watch", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == by_name
    assert {entry["page"] for entry in by_name} == {"watch"}
    assert by_name[0] == {"page": "watch", "keys": ["h", "left"], "help": KEYS_OF_WATCH[0]}
    assert cli.main(["keys", EVERYWHERE]) == 0
    assert capsys.readouterr().out.startswith("Everywhere\n")


KEYS_OF_WATCH = [key.help for key in KEYS if key.screen == "watch"]


def test_an_unknown_page_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "wach"]) == 2
    error = capsys.readouterr().err
    assert "No page is called 'wach'." in error
    assert "everywhere, runs, launch, watch" in error


def test_a_page_without_keys_of_its_own_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "machine"]) == 0
    assert capsys.readouterr().out == "Machine\n  no keys but those that work everywhere\n"
