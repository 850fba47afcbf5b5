"""The bundled suites and prompts: read by the one reader, they ask and score what they did before.

`scores_of_version1.json` holds, a bit an answer, what version 1's two scorers gave.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import PROMPTS, SUITES
from engine.chat import Message
from engine.compare import prompts
from engine.compare.checks import score
from engine.compare.item_reader import read_items

BEFORE = json.loads(Path(__file__).with_name("scores_of_version1.json").read_text())


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def text_of(answer: Any) -> str:
    if isinstance(answer, dict) and "right" in answer:
        return str(answer["right"])
    if isinstance(answer, dict):
        return " ".join([answer["topic"], *["word"] * (answer["count"] - 1)])
    return str(answer)


def answers(own: str, other: str) -> list[str]:
    fenced = f"```python\n{own}\n```"
    return [own, other, own.upper(), f"It is {own}.", fenced, f"{own} or {other}", f"{own}  \n"]


@pytest.mark.parametrize("name", BEFORE)
def test_every_answer_has_the_score_that_it_had(name: str) -> None:
    path = SUITES / f"{name}.jsonl"
    rows, items = rows_of(path), read_items(path)
    assert [item.id for item in items] == [row["id"] for row in rows]
    texts = [text_of(row["answer"]) for row in rows]
    bits = "".join(
        str(int(score(item, answer)))
        for item, own, other in zip(items, texts, [*texts[1:], texts[0]], strict=True)
        for answer in answers(own, other)
    )
    assert f"{int(bits, 2):0{len(bits) // 4}x}" == BEFORE[name]


@pytest.mark.parametrize("path", sorted(SUITES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_a_suite_asks_what_its_lines_say(path: Path) -> None:
    for row, item in zip(rows_of(path), read_items(path), strict=True):
        asked = tuple(Message(turn["role"], turn["content"]) for turn in row.get("messages", ()))
        assert (item.id, item.skill, item.group) == (row["id"], row["skill"], row["key"])
        assert (item.messages, item.text) == (asked, row.get("text", ""))


@pytest.mark.parametrize("name", prompts.bundled())
def test_bundled_prompts_are_what_their_lines_say(name: str) -> None:
    rows = rows_of(PROMPTS / f"{name}.jsonl")
    for row, item in zip(rows, prompts.load(f"bundled:{name}"), strict=True):
        assert (item.id, item.skill) == (row["id"], row["skill"])
        assert item.messages == (Message("user", row["prompt"]),)
        assert item.reference == row.get("reference", "")
        assert item.checks == row.get("checks", {})


def test_a_suite_is_a_file_of_prompts() -> None:
    read = prompts.read(SUITES / "facts.jsonl")
    assert [item.reference for item in read[:2]] == ["A country is bigger", "caught"]
    prose = prompts.read(SUITES / "prose.jsonl")
    assert all(item.messages == (Message("user", item.text),) for item in prose)
