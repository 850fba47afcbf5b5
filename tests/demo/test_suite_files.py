"""The committed suites: whole, different, and those that the script writes."""

import json

import pytest

from engine.bundled import SUITES
from engine.compare.item_reader import read_items
from engine.demo.making.corpus.stream import CHECKED
from engine.demo.making.suite import ITEMS, SPARE, items, texts


@pytest.mark.parametrize("skill", [*CHECKED, "prose"])
def test_a_suite_loads_with_as_many_items_as_said(skill: str) -> None:
    found = read_items(SUITES / f"{skill}.jsonl")
    assert len(found) == ITEMS
    assert len({item.messages or item.text for item in found}) == ITEMS
    assert {item.skill for item in found} == {skill}


@pytest.mark.parametrize("skill", [*CHECKED, "prose"])
def test_a_suite_is_what_the_script_draws_less_what_leaked(skill: str) -> None:
    drawn = texts(ITEMS + SPARE) if skill == "prose" else items(skill, ITEMS + SPARE)
    lines = (SUITES / f"{skill}.jsonl").read_text("utf-8").splitlines()
    left = iter(json.dumps({**row, "id": ""}, ensure_ascii=False) for row in drawn)
    for line in lines:
        wanted = json.dumps({**json.loads(line), "id": ""}, ensure_ascii=False)
        assert wanted in left, "not drawn, or out of order"


def test_combinations_are_many() -> None:
    for skill in CHECKED:
        keys = {item.group for item in read_items(SUITES / f"{skill}.jsonl")}
        assert len(keys) >= 150
