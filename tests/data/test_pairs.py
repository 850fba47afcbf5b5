"""Preference pairs beside conversations and other fields: which of them are taken, and how."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Message
from engine.data.rows import find_schema, read
from engine.recipes.settings import Data
from tests.data.test_rows import write

TALK = [
    {"from": "human", "value": "Hi"},
    {"from": "gpt", "value": "Hello, what can I do?"},
    {"from": "human", "value": "Name a colour."},
]
GOOD, BAD = {"from": "gpt", "value": "Blue."}, {"from": "gpt", "value": "No."}
BEFORE = [("user", "Hi"), ("assistant", "Hello, what can I do?"), ("user", "Name a colour.")]
WITH_GOOD, WITH_BAD = [*BEFORE, ("assistant", "Blue.")], [*BEFORE, ("assistant", "No.")]


def said(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


def pair_of(path: Path, row: object, objective: str = "sft") -> tuple[Any, Any]:
    (example,) = read(write(path, row), objective=objective).examples
    return said(example.messages), said(example.rejected)


@pytest.mark.parametrize("objective", ["sft", "dpo"])
@pytest.mark.parametrize(
    "row",
    [
        {"conversations": TALK, "chosen": GOOD, "rejected": BAD},
        {"conversations": TALK, "chosen": "Blue.", "rejected": [BAD]},
        {"messages": TALK, "chosen": [GOOD], "rejected": "No."},
        {"messages": json.dumps(TALK), "chosen": "Blue.", "rejected": "No."},
        {"messages": [*TALK, GOOD], "chosen": "Blue.", "rejected": "No."},
        {"messages": [*TALK, BAD], "chosen": GOOD, "rejected": BAD},
        {"prompt": [*TALK, GOOD], "chosen": GOOD, "rejected": BAD},
        {"messages": [*TALK, GOOD], "chosen": [*TALK, GOOD], "rejected": [*TALK, BAD]},
        {"messages": None, "chosen": [*TALK, GOOD], "rejected": [*TALK, BAD]},
        {"messages": TALK, "response_j": "Blue.", "response_k": "No."},
        {
            "prompt": "Name a colour.",
            "messages": [*TALK, GOOD],
            "chosen": [*TALK, GOOD],
            "rejected": [*TALK, BAD],
        },
    ],
)
def test_a_conversation_beside_a_pair_is_its_prompt(
    tmp_path: Path, row: object, objective: str
) -> None:
    path = tmp_path / "a.jsonl"
    assert pair_of(path, row, objective) == (WITH_GOOD, WITH_BAD)


def test_ultrafeedback_is_pairs(tmp_path: Path) -> None:
    asked, good, bad = (
        {"role": role, "content": content}
        for role, content in (("user", "q"), ("assistant", "a"), ("assistant", "b"))
    )
    row = {
        "prompt": "q",
        "chosen": [asked, good],
        "rejected": [asked, bad],
        "messages": [asked, good],
        "score_chosen": 8.0,
    }
    path = write(tmp_path / "a.jsonl", row)
    assert read(path).schema == "prompt/chosen/rejected"
    assert find_schema(path, Data(schema="messages"), objective="dpo") == "messages"


def test_a_conversation_that_ends_in_a_third_answer_is_refused(tmp_path: Path) -> None:
    other = {"from": "gpt", "value": "Red."}
    row = {"conversations": TALK, "chosen": GOOD, "rejected": BAD}
    path = write(tmp_path / "a.jsonl", row, row | {"conversations": [*TALK, other]})
    (reject,) = read(path).rejects
    assert reject.reason == "'conversations' ends in an answer that is neither of the two"


def test_either_answer_is_learned_in_its_context(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"messages": [*TALK, GOOD], "chosen": GOOD, "rejected": BAD})
    both = read(path, Data(answers="both")).examples
    assert [said(example.messages) for example in both] == [WITH_GOOD, WITH_BAD]


@pytest.mark.parametrize(
    ("row", "sft", "dpo"),
    [
        (
            {"messages": [*TALK, GOOD], "chosen": None, "rejected": None},
            "messages",
            "messages/chosen/rejected",
        ),
        (
            {"messages": [*TALK, GOOD], "prompt": "q", "accepted": True},
            "messages",
            "prompt/accepted/rejected",
        ),
        (
            {"instruction": "q", "output": "a", "chosen": "b", "rejected": "c"},
            "instruction/output",
            "instruction/chosen/rejected",
        ),
        (
            {"messages": [*TALK, GOOD], "accepted": True, "rejected": False},
            "messages",
            "messages/accepted/rejected",
        ),
        ({"prompt": "q", "completion": "a"}, "prompt/completion", "prompt/completion"),
    ],
)
def test_pairs_come_before_all_else_where_they_are_the_objective(
    tmp_path: Path, row: object, sft: str, dpo: str
) -> None:
    good = {"prompt": "q", "chosen": "a", "rejected": "b", "accepted": "a", "messages": TALK}
    path = write(tmp_path / "a.jsonl", row, good | {"instruction": "q", "completion": "a"})
    schemas = [
        read(path, objective=objective).schema if objective == "dpo" else read(path).schema
        for objective in ("sft", "dpo")
    ]
    assert schemas == [sft, dpo]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (
            {"messages": "talk", "chosen": "good", "rejected": "bad"},
            {"talk": TALK, "good": GOOD, "bad": BAD},
        ),
        (
            {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
            {"conversations": TALK, "chosen": GOOD, "rejected": BAD},
        ),
        (
            {"prompt": "ask", "chosen": "good", "rejected": "bad", "history": "before"},
            {
                "ask": "Name a colour.",
                "good": "Blue.",
                "bad": "No.",
                "before": [["Hi", "Hello, what can I do?"]],
            },
        ),
    ],
)
def test_columns_of_llama_factorys_ranking_data(tmp_path: Path, columns: object, row: Any) -> None:
    entry = {"file_name": "a.jsonl", "ranking": True, "columns": columns}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": entry}))
    assert pair_of(tmp_path / "a.jsonl", row) == (WITH_GOOD, WITH_BAD)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=3), TEXT, TEXT, TEXT, st.integers(0, 2))
def test_what_is_asked_is_the_conversation_without_its_answer(
    tmp_path_factory: pytest.TempPathFactory,
    earlier: list[tuple[str, str]],
    asked: str,
    good: str,
    bad: str,
    last: int,
) -> None:
    """In each form of an answer, and whichever of the two the conversation ends in, if any."""
    before = [turn for pair in earlier for turn in zip(("user", "assistant"), pair, strict=True)]
    talk = [*before, ("user", asked)]
    ended = [talk, [*talk, ("assistant", good)], [*talk, ("assistant", bad)]][last]

    def turns(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"role": role, "content": content} for role, content in pairs]

    row = {
        "messages": turns(ended),
        "chosen": turns([("assistant", good)])[0],
        "rejected": turns([("assistant", bad)]),
    }
    path = tmp_path_factory.mktemp("rows") / "a.jsonl"
    assert pair_of(path, row) == ([*talk, ("assistant", good)], [*talk, ("assistant", bad)])
