"""Suite files: what is read, and what is refused by file and line."""

import json
from pathlib import Path

import pytest

from engine.bundled import SUITES
from engine.chat import Message
from engine.errors import EngineError
from engine.impact.suites import load, load_suites

GOOD = {
    "id": "facts-001",
    "skill": "facts",
    "score": "exact",
    "messages": [{"role": "user", "content": "What is the capital of Norway?"}],
    "answer": "Oslo",
    "key": "capital:Norway",
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_an_item_is_read_with_all_its_fields(tmp_path: Path) -> None:
    (found,) = load(write(tmp_path / "facts.jsonl", GOOD))
    assert found.messages == (Message("user", "What is the capital of Norway?"),)
    assert (found.id, found.skill, found.score) == ("facts-001", "facts", "exact")
    assert (found.gold, found.reference, found.group) == (("Oslo",), "Oslo", "capital:Norway")


def test_a_text_for_perplexity_needs_no_messages(tmp_path: Path) -> None:
    row = {"id": "p", "skill": "prose", "score": "perplexity", "text": "It rained."}
    (found,) = load(write(tmp_path / "prose.jsonl", row))
    assert (found.text, found.messages) == ("It rained.", ())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score": "magic"}, "magic"),
        ({"messages": []}, "'messages'"),
        ({"messages": [{"role": "user"}]}, "'content'"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "boss"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "no user message to answer"),
        ({"answer": None}, "'exact'"),
        ({"score": "number", "answer": "five"}, "'number'"),
        ({"score": "number", "answer": True}, "'number'"),
        ({"score": "choices", "answer": {"right": "a"}}, "'wrong'"),
        ({"score": "words", "answer": {"count": "5", "topic": "sea"}}, "'count'"),
        ({"score": "perplexity"}, "'text'"),
    ],
)
def test_a_bad_item_is_named_by_file_line_and_reason(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    path = write(tmp_path / "bad.jsonl", GOOD, {**GOOD, "id": "two", **change})
    with pytest.raises(EngineError) as caught:
        load(path)
    assert f"{path}:2" in caught.value.detail
    assert says in caught.value.detail


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n{oops\n", "utf-8")
    with pytest.raises(EngineError) as caught:
        load(path)
    assert f"{path}:3" in caught.value.detail


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="facts-001"):
        load(write(tmp_path / "twice.jsonl", GOOD, GOOD))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe"])
def test_an_empty_or_unreadable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        load(path)
    assert str(path) in caught.value.detail


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        load(tmp_path / "none.jsonl")


def test_a_recipe_names_suites_by_their_files(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.jsonl", GOOD, {**GOOD, "id": "two"})
    suites = load_suites(["bundled:facts", str(mine)], limit=1)
    assert {name: len(items) for name, items in suites.items()} == {"facts": 1, "mine": 1}
    assert load_suites([str(mine)])["mine"] == load(mine)
    assert set(load_suites([], limit=1)) == {path.stem for path in SUITES.glob("*.jsonl")}
    (tmp_path / "other").mkdir()
    twin = write(tmp_path / "other" / "mine.jsonl", GOOD)
    with pytest.raises(EngineError, match="same name"):
        load_suites([str(mine), str(twin)])


def test_a_file_of_prompts_is_a_suite(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Say yes.", "gold": ["yes", "Yes."]},
        {"question": "2 + 2?", "answer": 4, "score": "number"},
        {"messages": [{"role": "user", "content": "Sing."}], "checks": {"words": 2}},
        {"prompt": "Talk."},
    ]
    items = load(write(tmp_path / "p.jsonl", *rows))
    assert [item.score for item in items] == ["exact", "number", "checks", "open"]
    assert [item.gold for item in items] == [("yes", "Yes."), ("4",), (), ()]
