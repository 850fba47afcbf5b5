"""Schemas beyond the plain ones: preferences, labels, samples, and columns that a recipe names."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.chat import ToolCall
from engine.data.labels import LISTED_PROMPT, MOST_LISTED, PLAIN_PROMPT
from engine.data.rows import Example, Message, find_schema, preview, read, recognise
from engine.errors import EngineError
from engine.recipes.settings import Data

USER, GOOD, BAD = Message("user", "q"), Message("assistant", "good"), Message("assistant", "bad")


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def turns(*messages: Message) -> list[dict[str, str]]:
    return [{"role": one.role, "content": one.content} for one in messages]


def only(path: Path, **data: Any) -> Example:
    (example,) = read(path, Data(**data)).examples
    return example


PAIRS = [
    ({"prompt": "q", "chosen": "good", "rejected": "bad"}, "prompt/chosen/rejected"),
    (
        {"question": "q", "response_j": "good", "response_k": "bad"},
        "question/response_j/response_k",
    ),
    ({"instruction": "q", "chosen": "good", "rejected": "bad"}, "instruction/chosen/rejected"),
    (
        {"query": "q", "chosen_response": "good", "rejected_response": "bad"},
        "query/chosen_response/rejected_response",
    ),
    ({"chosen": turns(USER, GOOD), "rejected": turns(USER, BAD)}, "chosen/rejected"),
    (
        {"prompt": "q", "chosen": turns(USER, GOOD), "rejected": turns(USER, BAD)},
        "prompt/chosen/rejected",
    ),
    ({"prompt": turns(USER), "chosen": turns(GOOD), "rejected": "bad"}, "prompt/chosen/rejected"),
    (
        {
            "chosen": "\n\nHuman: q\n\nAssistant: good",
            "rejected": "\n\nHuman: q\n\nAssistant: bad",
        },
        "chosen/rejected",
    ),
]


@pytest.mark.parametrize(("row", "schema"), PAIRS)
def test_each_kind_of_pair_gives_both_conversations(
    tmp_path: Path, row: object, schema: str
) -> None:
    path = write(tmp_path / "pairs.jsonl", row)
    assert read(path).schema == recognise(row) == schema
    example = only(path)
    assert (example.messages, example.rejected) == ((USER, GOOD), (USER, BAD))
    other = only(path, answers="rejected")
    assert (other.messages, other.rejected) == ((USER, BAD), ())
    both = read(path, Data(answers="both")).examples
    assert [(one.messages, one.rejected) for one in both] == [((USER, GOOD), ()), ((USER, BAD), ())]


def test_a_pair_without_its_rejected_answer_still_teaches_the_chosen_one(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", PAIRS[0][0], {"prompt": "q", "chosen": "good"})
    assert [one.rejected for one in read(path).examples] == [(USER, BAD), ()]
    found = read(path, Data(answers="both"))
    assert len(found.examples) == 2
    assert [(one.line, one.reason) for one in found.rejects] == [(2, "missing field 'rejected'")]


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ("just an answer", "no prompt: 'chosen' has only an answer"),
        ("\n\nHuman: a\n\nHuman: b\n\nAssistant: c", "'chosen': two Human messages in a row"),
        (
            "\n\nHuman: a\n\nAssistant: b\n\nAssistant: c",
            "'chosen': two Assistant messages in a row",
        ),
        ("\n\nHuman: a\n\nAssistant: ", "'chosen': message 2 (Assistant) is empty"),
        (5.5, "field 'chosen' must be text, not a number"),
        (turns(USER), "no answer to train on"),
    ],
)
def test_a_conversation_that_cannot_be_told_apart_is_refused(
    tmp_path: Path, chosen: object, reason: str
) -> None:
    good = {"chosen": turns(USER, GOOD), "rejected": turns(USER, BAD)}
    path = write(tmp_path / "pairs.jsonl", good, {"chosen": chosen, "rejected": "x"})
    (reject,) = read(path).rejects
    assert reject.reason.startswith(reason)


def test_a_transcript_of_several_turns(tmp_path: Path) -> None:
    text = "\n\nHuman: one\n\nstill one\n\nAssistant: two\n\nHuman: three\n\nAssistant: four"
    path = write(tmp_path / "pairs.jsonl", {"chosen": text, "rejected": text + "!"})
    said = [(one.role, one.content) for one in only(path).messages]
    assert said == [
        ("user", "one\n\nstill one"),
        ("assistant", "two"),
        ("user", "three"),
        ("assistant", "four"),
    ]


def test_an_answer_that_only_quotes_a_speaker_stays_one_text(tmp_path: Path) -> None:
    answer = "You could write:\n\nHuman: hi\n\nAssistant: ho"
    path = write(tmp_path / "pairs.jsonl", {"prompt": "q", "chosen": answer, "rejected": "b"})
    assert only(path).messages == (USER, Message("assistant", answer))


def test_turns_as_columns_are_turns(tmp_path: Path) -> None:
    """As `datasets` stores a sequence of objects."""
    row = {"conversations": {"from": ["human", "gpt"], "value": ["q", "good"]}}
    assert only(write(tmp_path / "a.jsonl", row)).messages == (USER, GOOD)


def test_texts_with_labels_become_instructions_that_list_them(tmp_path: Path) -> None:
    rows = [{"text": "t {labels}", "label": name} for name in ("b", "c", "a")]
    path = write(tmp_path / "a.jsonl", *rows, {"text": "", "label": "z"}, {"text": "u"})
    found = read(path)
    assert (found.schema, found.labels) == ("text/label", ("a", "b", "c", "z"))
    asked = LISTED_PROMPT.replace("{labels}", "a, b, c, z").replace("{text}", "t {labels}")
    assert found.examples[0].messages == (Message("user", asked), Message("assistant", "b"))
    assert [one.reason for one in found.rejects] == ["empty 'text'", "missing field 'label'"]


def test_the_words_of_the_instruction_are_the_users(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"sentence": "so {text}", "label": 1})
    assert only(path, label_prompt="Mood of {text}?").messages[0].content == "Mood of so {text}?"
    assert read(path, Data(label_prompt="{text}: yes or no?")).labels == ()
    asked = only(path, label_prompt="{labels}? {text}").messages
    assert [one.content for one in asked] == ["1? so {text}", "1"]
    with pytest.raises(EngineError, match="The label prompt has no"):
        read(path, Data(label_prompt="What is it?"))


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([10, 9, 2], ("2", "9", "10")),
        ([-1, 1, 0], ("-1", "0", "1")),
        (["10", "9"], ("9", "10")),
        ([True, False], ("false", "true")),
        ([1.0, 2.0], ("1", "2")),
        ([" joy ", "anger"], ("anger", "joy")),
        (["joy", 2], ("2", "joy")),
    ],
)
def test_labels_are_sorted(tmp_path: Path, values: list[Any], labels: tuple[str, ...]) -> None:
    path = write(tmp_path / "a.jsonl", *[{"text": "t", "label": value} for value in values])
    assert read(path).labels == labels


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, 0.5, ""])
def test_a_label_that_is_none(tmp_path: Path, value: object) -> None:
    path = write(tmp_path / "a.jsonl", {"text": "t", "label": "x"}, {"text": "t", "label": value})
    found = read(path)
    assert (found.labels, len(found.rejects)) == (("x",), 1)
    assert "'label'" in found.rejects[0].reason


def test_names_of_labels_come_before_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"text": "t", "label": 0, "label_name": "joy"})
    assert only(path).messages[1].content == "joy"


def test_many_labels_are_not_listed(tmp_path: Path) -> None:
    rows = [{"text": "t", "label": f"l{number}"} for number in range(MOST_LISTED + 1)]
    found = read(write(tmp_path / "a.jsonl", *rows))
    assert found.examples[0].messages[0].content == PLAIN_PROMPT.replace("{text}", "t")


def test_labels_of_another_file_count_where_they_are_given(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"text": "t", "label": "a"})
    asked = read(path, labels=("a", "b")).examples[0].messages[0].content
    assert "one of: a, b." in asked
    assert find_schema(path) == "text/label"


def test_texts_alone_are_learned_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"text": "once", "id": 1}, {"text": " "})
    found = read(path)
    assert (found.schema, [(one.messages, one.text) for one in found.examples]) == (
        "text",
        [((), "once")],
    )
    assert [one.reason for one in found.rejects] == ["empty 'text'"]


def test_samples_teach_only_what_ended_by_itself(tmp_path: Path) -> None:
    sample = {"messages": turns(USER), "text": "good", "finish": "stop", "output_ids": [1]}
    path = write(tmp_path / "samples.jsonl", sample, {**sample, "finish": "length"})
    found = read(path)
    assert found.schema == "samples"
    assert [one.messages for one in found.examples] == [(USER, GOOD)]
    assert [one.reason for one in found.rejects] == ["the answer is truncated: 'length'"]


def test_columns_under_other_names(tmp_path: Path) -> None:
    row = {"Frage": "q", "Antwort": "good", "prompt": "not this", "note": "n", "Regie": "s"}
    path = write(tmp_path / "a.jsonl", row)
    named = {"prompt": "Frage", "completion": "Antwort", "system": "Regie"}
    assert only(path, columns=named).messages == (Message("system", "s"), USER, GOOD)
    assert read(path, Data(columns=named)).schema == "prompt/completion"
    assert only(path, columns={"text": "note"}).text == "n"
    pairs = write(
        tmp_path / "b.jsonl", {"q": "q", "A": "good", "B": "bad", "label": 1, "text": "t"}
    )
    example = only(pairs, columns={"prompt": "q", "chosen": "A", "rejected": "B"})
    assert (example.messages, example.rejected) == ((USER, GOOD), (USER, BAD))


def test_the_schema_that_is_named_is_taken(tmp_path: Path) -> None:
    row = {
        "instruction": "do",
        "output": "good",
        "text": "all of it",
        "prompt": "q",
        "answer": "good",
    }
    path = write(tmp_path / "a.jsonl", row)
    assert read(path).schema == "instruction/output"
    assert only(path, schema="text").text == "all of it"
    assert only(path, schema="prompt/answer").messages == (USER, GOOD)
    assert read(path, Data(schema="instruction/input/output")).schema == "instruction/output"


@pytest.mark.parametrize(
    ("data", "title", "detail"),
    [
        ({"columns": {"prompt": "Fraeg"}}, "a.jsonl has no column 'Fraeg'", "Frage, Antwort"),
        ({"group": "who"}, "a.jsonl has no column 'who'", "Frage, Antwort"),
        ({"columns": {"promt": "Frage"}}, "no schema has a field 'promt'", "prompt"),
        (
            {"schema": "prompt/answer", "columns": {"chosen": "Frage"}},
            "prompt/answer has no field 'chosen'",
            "prompt, answer",
        ),
        ({"schema": "poem"}, "unknown schema 'poem'", ""),
        (
            {"schema": "prompt/answer"},
            "rows do not fit the schema prompt/answer: missing field 'prompt'",
            "Frage",
        ),
        (
            {"schema": "prompt/answer", "columns": {"prompt": "Frage"}},
            "rows do not fit the schema prompt/answer: missing field 'answer'",
            "Antwort",
        ),
        ({}, "unknown columns", "Frage, Antwort"),
        ({"columns": {"prompt": "Frage"}}, "unknown columns", "Frage, Antwort"),
    ],
)
def test_what_a_recipe_says_wrong_is_named(
    tmp_path: Path, data: dict[str, Any], title: str, detail: str
) -> None:
    path = write(tmp_path / "a.jsonl", {"Frage": "q", "Antwort": "a"})
    with pytest.raises(EngineError) as caught:
        preview(path, 1, Data(**data))
    assert title in caught.value.title
    assert detail in caught.value.detail
    assert caught.value.hint


def test_the_group_is_read_as_it_stands(tmp_path: Path) -> None:
    row = {"prompt": "q", "completion": "a"}
    rows = [{**row, "who": who} for who in ("x", 7, None, "")] + [row]
    found = read(write(tmp_path / "a.jsonl", *rows), Data(group="who"))
    assert [one.group for one in found.examples] == ["x", "7", "", "", ""]


def test_answers_with_calls_and_reasoning_are_read_with_them(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    tools = [{"type": "function", "function": {"name": "f"}}]
    sample = {"messages": turns(USER), "text": "I look.", "finish": "stop", "output_ids": []}
    parts = {"spoken": "I look.", "reasoning": "Hm.", "tool_calls": [call], "tools": tools}
    malformed = {"spoken": "", "malformed_calls": [{"text": "<tool_call>", "reason": "cut"}]}
    path = write(tmp_path / "samples.jsonl", sample | parts, sample | malformed)
    result = read(path)
    (example,) = result.examples
    assert example.messages[-1] == Message(
        "assistant", "I look.", "Hm.", (ToolCall("f", '{"x": 1}'),)
    )
    assert example.tools == tuple(tools)
    assert "malformed" in result.rejects[0].reason
