"""Files of items in every shape that training reads, and what is refused of them by line."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import PROMPTS
from engine.chat import Message
from engine.compare.item_reader import read_items
from engine.compare.items import Item, describe
from engine.data.labels import LISTED_PROMPT
from engine.errors import EngineError

USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
SHARED = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
ASKED = (Message("user", "q"),)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def only(path: Path, row: object) -> Item:
    (item,) = read_items(write(path / "p.jsonl", row))
    return item


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": [USER], "completion": [ANSWER]},
        {"prompt": [USER], "completion": "a"},
        {"prompt": "q", "completion": [ANSWER]},
        {"messages": [USER, ANSWER]},
        {"messages": json.dumps([USER, ANSWER])},
        [USER, ANSWER],
        {"conversations": SHARED},
        {"prompt": [USER, ANSWER]},
        {"instruction": "q", "input": "", "output": "a"},
        {"question": "q", "answer": "a"},
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"chosen": [USER, ANSWER], "rejected": [USER, {**ANSWER, "content": "b"}]},
        {"messages": [USER], "reference": "a"},
        {"messages": [USER], "reference": [ANSWER]},
        {"messages": [USER], "target": "a"},
        {"turns": ["q"], "reference": ["a"]},
        {"messages": [USER], "text": "a", "finish": "stop", "output_ids": [1]},
    ],
)
def test_the_answer_is_the_reference_and_never_asked(tmp_path: Path, row: object) -> None:
    item = only(tmp_path, row)
    assert (item.messages, item.reference) == (ASKED, "a")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q"},
        {"prompt": [USER]},
        {"text": "q"},
        {"question": "q"},
        {"query": "q"},
        {"instruction": "q", "input": None},
        {"messages": [USER]},
        {"conversations": SHARED[:1]},
        {"prompt": "q", "text": "t"},
        {"prompt": "q", "completion": None},
        {"instruction": "q", "output": ""},
        {"prompt": "q", "chosen": None, "rejected": "b"},
        {"prompt": "q", "reference": ""},
    ],
)
def test_a_row_without_an_answer_is_asked(tmp_path: Path, row: object) -> None:
    item = only(tmp_path, row)
    assert (item.messages, item.reference, item.score) == (ASKED, "", "open")


def test_earlier_answers_are_asked_and_the_last_one_is_not(tmp_path: Path) -> None:
    later = [{"role": "user", "content": "and?"}, {"role": "assistant", "content": "b"}]
    item = only(tmp_path, {"messages": [USER, ANSWER, *later]})
    assert [message.content for message in item.messages] == ["q", "a", "and?"]
    assert item.reference == "b"
    open_ended = only(tmp_path, {"messages": [USER, ANSWER, later[0]]})
    assert [message.content for message in open_ended.messages] == ["q", "a", "and?"]
    assert open_ended.reference == ""


def test_all_files_that_training_reads(tmp_path: Path) -> None:
    long = "word " * 30_000
    expected = [(long.strip(), "A"), ("q", "B")]
    rows = [{"prompt": prompt, "reference": answer} for prompt, answer in expected]
    for name, separator in (("a.csv", ","), ("b.csv", ";"), ("c.tsv", "\t"), ("d.csv", "|")):
        with (tmp_path / name).open("w", newline="") as file:
            table = csv.DictWriter(file, ["prompt", "reference"], delimiter=separator)
            table.writeheader()
            table.writerows(rows)
    (tmp_path / "e.json").write_text(json.dumps(rows, indent=1))
    write(tmp_path / "f.jsonl", *rows)
    (tmp_path / "g.jsonl.gz").write_bytes(gzip.compress((tmp_path / "f.jsonl").read_bytes()))
    for number, row in enumerate(rows):
        write(tmp_path / f"train-{number:05}-of-00002.jsonl", row)
    names = [
        "a.csv",
        "b.csv",
        "c.tsv",
        "d.csv",
        "e.json",
        "f.jsonl",
        "g.jsonl.gz",
        "train-00000-of-00002.jsonl",
    ]
    for name in names:
        items = read_items(tmp_path / name)
        assert [(item.messages[0].content, item.reference) for item in items] == expected, name
    ids = [item.id for item in read_items(tmp_path / names[-1])]
    assert ids == ["train-00000-of-00002-1", "train-00001-of-00002-1"]


@pytest.mark.parametrize("name", ["lines.txt", "lines.md", "lines"])
def test_of_plain_text_each_line_is_a_prompt(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes("\ufefffirst, of one; line\n\n  # second  \r\nthird".encode())
    items = read_items(path)
    assert [item.messages[0].content for item in items] == [
        "first, of one; line",
        "# second",
        "third",
    ]
    assert [item.id for item in items] == ["lines-1", "lines-3", "lines-4"]
    path.write_bytes(b"fine\n\xff\n")
    with pytest.raises(EngineError, match="2: not valid UTF-8: byte 0xff at 1"):
        read_items(path)


def test_a_text_with_a_label_is_asked_as_in_training(tmp_path: Path) -> None:
    rows = [{"text": "so glad", "label": 1}, {"text": "so sad", "label": 0}]
    one, two = read_items(write(tmp_path / "p.jsonl", *rows))
    asked = LISTED_PROMPT.format(labels="0, 1", text="so glad")
    assert one.messages == (Message("user", asked),)
    assert (one.gold, one.reference, one.choices, one.score) == (("1",), "1", ("0", "1"), "choices")
    assert (two.gold, two.choices) == (("0",), ("0", "1"))


def test_of_several_turns_the_first_is_asked_and_that_is_said(tmp_path: Path) -> None:
    row = {"question_id": 81, "category": "writing", "turns": ["Compose.", "Rewrite it."]}
    first = only(tmp_path, {**row, "reference": ["A poem", "Another"]})
    assert (first.id, first.messages) == ("81", (Message("user", "Compose."),))
    assert (first.reference, first.later_turns) == ("A poem", 1)
    assert describe([first, Item("a")]) == [
        "1 prompt has later turns in the file: only the first turn is asked"
    ]
    in_a_cell = only(tmp_path, {"turns": '["Compose.", "Rewrite it.", "Again."]'})
    assert (in_a_cell.messages, in_a_cell.later_turns) == (first.messages, 2)
    columns = {"role": ["user", "assistant"], "content": ["q", "a"]}
    for turns in ([USER, ANSWER], json.dumps([USER, ANSWER]), columns):
        conversation = only(tmp_path, {"turns": turns})
        assert (conversation.messages, conversation.reference) == (ASKED, "a")
        assert describe([conversation]) == []


def test_null_is_missing_and_0_and_false_are_values(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": None, "skill": None, "group": None, "prompt": "a", "answer": 0, "checks": None},
        {"id": 7, "skill": 3, "prompt": "a", "reference": False, "weight": 0.5},
        {"id": 0, "skill": " ", "prompt": "a", "completion": float("nan"), "gold": 0},
        {"id": {"$oid": "5f"}, "prompt": "a", "reference": 2.5},
    ]
    items = read_items(write(tmp_path / "p.jsonl", *rows))
    assert [(item.id, item.skill, item.group) for item in items] == [
        ("p-1", "", ""), ("7", "3", ""), ("0", "", ""), ('{"$oid": "5f"}', "", ""),
    ]  # fmt: skip
    assert [item.reference for item in items] == ["0", "false", "0", "2.5"]
    assert [item.weight for item in items] == [1, 0.5, 1, 1]
    assert (items[2].gold, items[2].score) == (("0",), "exact")
    table = tmp_path / "p.csv"
    table.write_text('id,prompt,reference,checks,weight\n,a,,,\n0,b,0,"{""words"": 1}",2\n')
    first, second = read_items(table)
    assert (first.id, first.reference, first.checks, first.weight) == ("p-2", "", {}, 1)
    assert (second.id, second.reference, second.checks, second.weight) == (
        "0",
        "0",
        {"words": 1},
        2,
    )


def test_choices_and_gold(tmp_path: Path) -> None:
    mmlu = only(tmp_path, {"question": "q", "choices": ["a", "b"], "gold": 1})
    assert (mmlu.gold, mmlu.choices, mmlu.score) == (("b",), ("a", "b"), "choices")
    arc = only(tmp_path, {"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}})
    assert (arc.choices, arc.score) == (("a", "b"), "open")
    several = only(tmp_path, {"prompt": "q", "gold": ["4", 5], "score": "number"})
    assert (several.gold, several.reference) == (("4", "5"), "4")
    judged = only(tmp_path, {"prompt": "q", "completion": "a", "score": 4.5})
    assert (judged.score, judged.reference) == ("open", "a"), "an annotator's score"
    exact = only(tmp_path, {"prompt": "q", "completion": "a", "score": "exact"})
    assert exact.gold == ("a",)


def test_tools_are_carried_as_a_list_or_as_json(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {}}}
    for tools in ([tool], json.dumps([tool])):
        assert only(tmp_path, {"prompt": "q", "tools": tools}).tools == (tool,)
    assert only(tmp_path, {"prompt": "q", "tools": None}).tools == ()


def test_an_item_written_as_a_row_is_read_again(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "look_up"}}
    items = [
        Item("a", ASKED, "s", "r", {"words": 2}, "checks", tools=(tool,), group="g", weight=0.0),
        Item("b", ASKED, reference="0", score="choices", gold=("x", "y"), choices=("x", "y", "z")),
        Item("c", text="It rained.", score="perplexity", skill="prose"),
        Item("d", (Message("system", "S"), *ASKED, Message("assistant", "a"), *ASKED)),
        Item("e", ASKED, reference="3", score="number", gold=("3",)),
    ]
    assert read_items(write(tmp_path / "p.jsonl", *(item.to_json() for item in items))) == items


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "a\ud83d"}, "field 'prompt' is not valid Unicode at character 2"),
        ({"prompt": "a\0"}, "field 'prompt' contains a NUL character"),
        ({"prompt": "a", "reference": "\ud83d"}, "field 'reference' is not valid Unicode"),
        ({"prompt": "a", "id": "x\0"}, "field 'id' contains a NUL"),
        ({"prompt": "a", "gold": ["\ud83d"]}, "field 'gold' is not valid Unicode"),
        ({"prompt": "a", "checks": {"says": "\ud83d"}}, "field 'checks' is not valid Unicode"),
        ({"prompt": "a", "tools": [{"name": "\ud83d"}]}, "tools[0] is not valid Unicode"),
        ({"prompt": {"a": 1}}, "field 'prompt' must be text, not an object"),
        ({"prompt": [], "completion": "a"}, "'prompt' is an empty list"),
        ({"prompt": "q", "answer": 2.5}, "field 'answer' must be text, not a number"),
        ({"prompt": "a", "reference": {"b": 1}}, "field 'reference' must be text, not an object"),
        ({"prompt": "a", "reference": ["b", "c"]}, "field 'reference' must be text, not a list"),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": ""}]},
         "messages[1]: empty answer"),
        ({"messages": [{"role": "system", "content": "S"}]}, "no user message to answer"),
        ({"text": "q", "label": None}, "missing field 'label'"),
        ({"prompt": "a", "weight": "heavy"}, "field 'weight' must be a number from 0, not 'heavy'"),
        ({"prompt": "a", "weight": -1}, "not '-1'"),
        ({"prompt": "a", "score": "magic"}, "unknown score 'magic'"),
        ({"prompt": "a", "score": "exact"}, "score 'exact' needs a right answer"),
        ({"prompt": "a", "score": "checks"}, "score 'checks' needs checks"),
        ({"prompt": "a", "choices": ["b", "c"], "gold": "d"}, "the right answer 'd' is not one of"),
        ({"prompt": "a", "choices": 5}, "field 'choices' must be a list of texts, not a number"),
        ({"prompt": "a", "gold": [[1]]}, "field 'gold' must hold texts, not a list"),
        ({"prompt": "a", "choices": ["", "b"], "gold": "b"}, "field 'choices' holds an empty text"),
        ({"prompt": "a", "tools": "[{]"}, "'tools' is not valid JSON"),
        ({"prompt": "a", "tools": [{"a": 1}]}, "tools[0] must be a tool with a name"),
        ({"turns": []}, "'turns' is an empty list"),
        ({"turns": ["\ud83d"]}, "field 'turns' is not valid Unicode"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_by_its_line(tmp_path: Path, row: object, reason: str) -> None:
    path = write(tmp_path / "p.jsonl", {"prompt": "fine", "id": 1}, row)
    with pytest.raises(EngineError) as caught:
        read_items(path)
    assert caught.value.title == "1 of 2 rows of p.jsonl cannot be used as prompts"
    assert caught.value.detail.startswith(f"{path}:2: ")
    assert reason in caught.value.detail


def test_the_first_three_bad_rows_are_named_and_all_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"prompt": "a"}\n{oops\n{"reply": "b"}\n{"prompt": 1.5}\n"text"\n\n{"text": ""}\n'
    )
    with pytest.raises(EngineError) as caught:
        read_items(path)
    assert caught.value.title == "5 of 6 rows of p.jsonl cannot be used as prompts"
    *first, more = caught.value.detail.split("\n")
    assert [line.removeprefix(f"{path}:")[:2] for line in first] == ["2:", "3:", "4:"]
    assert more == "and 2 more"


def test_the_same_id_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", *({"id": name, "prompt": "a"} for name in ("x", 5, "5")))
    with pytest.raises(EngineError, match=r"p\.jsonl:3: duplicate id '5', first on line 2"):
        read_items(path)


def test_rows_on_one_line_have_ids_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps([{"prompt": "a"}, {"prompt": "b"}]))
    assert [item.id for item in read_items(path)] == ["p-1", "p-1-2"]


def test_parquet_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    path.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(EngineError, match="Parquet or Arrow") as caught:
        read_items(path)
    assert "JSONL" in caught.value.hint


def test_columns_are_called_as_the_list_of_llama_factory_says(tmp_path: Path) -> None:
    columns = {"prompt": "ask", "response": "say"}
    entry = {"file_name": "p.jsonl", "columns": columns}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": entry}))
    item = only(tmp_path, {"ask": "q", "say": "a"})
    assert (item.messages, item.reference) == (ASKED, "a")


def test_bundled_files_are_read_as_they_stand() -> None:
    for path in PROMPTS.glob("*.jsonl"):
        assert len(read_items(path)) == len(path.read_text("utf-8").splitlines())
