"""What is told of a data set before it is trained, each oddity with rows that have it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EngineError
from engine.worker.companion.handlers import Handlers
from engine.worker.data import lengths
from tests.worker.data.families import QWEN3
from tests.worker.tiny import CHATML, make_model, make_tokenizer
from tui.launch.fit_lines import measured

LLAMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}{{ '[INST] ' + message.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + message.content + eos_token }}{% endif %}{% endfor %}"
)


def checkpoint(path: Path, template: str | None = CHATML, **special: Any) -> str:
    tokenizer = make_tokenizer(template, **special)
    make_model(len(tokenizer)).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return checkpoint(tmp_path_factory.mktemp("base"))


def write(path: Path, rows: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def pair(prompt: str, answer: str) -> dict[str, str]:
    return {"prompt": prompt, "completion": answer}


def inspect(base: str, rows: str, asked: dict[str, Any] | None = None, **data: Any) -> Any:
    request = {"checkpoint": base, "data": {"train": rows, **data}, **(asked or {})}
    *_, last = [one for one in Handlers().inspect(request, lambda: False) if one is not None]
    return last["report"]


def text_of(row: Any, learned: bool | None = None) -> str:
    return "".join(
        token["text"] for token in row["tokens"] if learned is None or token["learned"] == learned
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([7], (1, 7, 7, 7, 7, [(7, 7, 1)])),
        (range(1, 101), (100, 1, 50, 95, 100, [(0, 9, 9), (10, 19, 10)])),
        ([3, 3, 900], (3, 3, 3, 900, 900, [(0, 99, 2), (100, 199, 0)])),
        ([12, 5, 9, 30], (4, 5, 9, 30, 30, [(5, 9, 2), (10, 14, 1)])),
    ],
)
def test_lengths_are_measured_and_binned(given: Sequence[int], expected: Any) -> None:
    found = lengths.measure(list(given))
    bins = [(one.least, one.most, one.rows) for one in found.bins]
    assert (found.rows, found.least, found.median, found.p95, found.most) == expected[:5]
    assert bins[:2] == expected[5][:2]
    assert sum(one.rows for one in found.bins) == len(given)
    assert len(bins) <= lengths.MOST_BINS
    assert bins[-1][1] >= max(given) >= bins[-1][0]


def test_a_report_tells_columns_rows_rejects_and_both_sides(base: str, tmp_path: Path) -> None:
    rows = [{"q": f"which {number}?", "completion": "joy", "topic": "x"} for number in range(8)] + [
        {"q": "which 1?", "completion": "joy", "topic": "y"},
        {"q": "", "completion": "joy"},
    ]
    other = write(tmp_path / "eval.jsonl", [pair("which 2?", "joy"), pair("which 3?", "anger")])
    train = write(tmp_path / "mine.jsonl", rows)
    renamed = {"columns": {"prompt": "q"}}
    # The held-out file has the schema's own names, so it is read apart from the columns.
    with pytest.raises(EngineError, match="columns"):
        inspect(base, train, eval=other, **renamed)
    other = write(
        tmp_path / "eval.jsonl",
        [{"q": "which 2?", "completion": "joy"}, {"q": "which 3?", "completion": "anger"}],
    )
    report = inspect(base, train, eval=other, **renamed)
    data = report["data"]
    assert data["columns"] == {"prompt": "q", "completion": "completion"}
    assert data["unused"] == ["topic"]
    assert (data["schema"], data["looked_at"]) == ("prompt/completion", 10)
    assert (report["kept"], report["rejected"]) == (9, 1)
    assert report["rejects"][0]["line"] == 10
    assert report["sides"] == {"train": 9, "eval": 2, "duplicates": 1, "leaked": 1, "asked": 1}
    limited = inspect(base, train, eval=other, limit=1, **renamed)["sides"]
    assert (limited["train"], limited["eval"]) == (1, 1), "of each file, as in training"
    assert report["rows"][0]["source"] == f"{train}:1"
    assert text_of(report["rows"][0], learned=True) == "joy<|im_end|>"


def test_what_the_limit_removes_is_told_and_shown(base: str, tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [pair("which?", "joy"), pair("which?", "joy " * 40)])
    whole = inspect(base, rows)
    assert whole["too_long"]["removed"] is None
    assert whole["too_long"]["share_of_learned"] == 0
    total = whole["learned_tokens"]
    limit = whole["lengths"]["most"] - 10
    cut = inspect(base, rows, max_length=limit)
    assert cut["too_long"]["cut"] == {"rows": 1, "example": f"{rows}:2"}
    assert cut["too_long"]["dropped"]["rows"] == 0
    assert cut["too_long"]["share_of_learned"] == pytest.approx(10 / total)
    assert cut["too_long"]["removed"]["text"].endswith("<|im_end|>")
    assert cut["rows"][1]["removed"] == cut["too_long"]["removed"]["text"]
    assert cut["rows"][1]["cut"] == 10
    assert cut["lengths"] == whole["lengths"], "lengths are those of whole rows"
    dropped = inspect(base, rows, max_length=limit, too_long="drop")
    assert dropped["too_long"]["dropped"] == {"rows": 1, "example": f"{rows}:2"}
    assert (dropped["kept"], dropped["rejected"]) == (1, 1)
    assert "more than max_length" in dropped["rejects"][0]["reason"]


def test_a_second_bos_marks_in_the_text_and_endless_answers_are_counted(tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base", LLAMA, bos_token="<s>", eos_token="</s>")
    rows = write(
        tmp_path / "rows.jsonl",
        [pair("which?", "joy"), pair("<s>which?", "joy"), pair("which?", "the end is </s> here")],
    )
    report = inspect(base, rows)
    assert report["bos"]["token"] == "<s>"
    assert report["bos"]["one"]["rows"] == 2
    assert report["bos"]["several"] == {"rows": 1, "example": f"{rows}:2"}
    assert report["marks"] == {"rows": 2, "example": f"{rows}:2"}
    assert report["ends"]["tokens"] == ["</s>"]
    assert report["ends"]["endless"]["rows"] == 0
    mine = tmp_path / "mine.jinja"
    mine.write_text("{% for message in messages %}\n{{ message.content }}\n{% endfor %}")
    talk = [
        {"role": role, "content": said}
        for role, said in [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    ]
    endless = inspect(
        base, write(tmp_path / "talk.jsonl", [{"messages": talk}]), template=str(mine)
    )
    assert endless["ends"]["endless"]["rows"] == 1, "only the last answer can be ended for it"
    assert endless["bos"]["none"]["rows"] == 1


def test_a_token_that_reaches_over_the_seam_is_told(base: str, tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [pair("which?", "sadness"), pair("which?", "\nsadness")])
    assert inspect(base, rows)["seams"] == {"rows": 0, "example": ""}
    mine = tmp_path / "mine.jinja"
    mine.write_text(
        "{% for message in messages %}{{ message.role }}: {{ message.content }}{{ eos_token }}"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    report = inspect(base, rows, template=str(mine))
    assert report["seams"]["rows"] == 1
    assert text_of(report["rows"][0], learned=True).startswith(" "), "the space is learned with it"


def test_a_greeting_that_the_template_refuses_is_left_out_of_the_report(tmp_path: Path) -> None:
    strict = "{% if messages[0].role != 'user' %}{{ raise_exception('user first') }}{% endif %}"
    turns = [{"from": who, "value": who} for who in ("gpt", "human", "gpt")]
    rows = write(tmp_path / "a.jsonl", [{"conversations": turns}])
    for template in (CHATML, strict + CHATML):
        report = inspect(checkpoint(tmp_path / "base", template), rows)
        (row,) = report["rows"]
        assert (report["rejected"], report["seams"]["rows"]) == (0, 0)
        assert text_of(row, learned=True) == "gpt<|im_end|>"
        assert ("assistant\ngpt<|im_end|>\n<|im_start|>user" in text_of(row)) == (
            template == CHATML
        )


def test_templates_stand_side_by_side(base: str, tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [pair("which?", "joy")])
    shown = inspect(base, rows, {"templates": True, "rows": 0})["templates"]
    assert [one["template"]["name"] for one in shown] == ["raw", "instruct", "chatml", "chat"]
    assert text_of(shown[0]) == "which?\njoy<|im_end|>"
    assert {text_of(one, learned=True) for one in shown} == {"joy<|im_end|>"}
    both = inspect(base, rows, {"templates": True}, system="Be brief.", max_length=8)["templates"]
    assert [one["template"]["system"] for one in both] == ["", "Be brief."] * 4
    assert text_of(both[1]) == "Be brief.\nwhich?\njoy<|im_end|>", "whole, whatever the limit"
    bare = checkpoint(tmp_path / "bare", None)
    mine = tmp_path / "mine.j2"
    mine.write_text("{% for message in messages %}* {{ message.content }} {% endfor %}")
    shown = inspect(bare, rows, {"templates": True}, template=str(mine))["templates"]
    assert [one["template"]["name"] for one in shown] == ["raw", "instruct", "chatml", "mine.j2"]


def test_pairs_show_both_answers_and_texts_are_learned_whole(base: str, tmp_path: Path) -> None:
    pairs = write(
        tmp_path / "pairs.jsonl", [{"prompt": "which?", "chosen": "joy", "rejected": "anger"}] * 2
    )
    row = inspect(base, pairs)["rows"][0]
    assert text_of(row, learned=True) == "joy<|im_end|>"
    assert text_of({"tokens": row["rejected"]}, learned=True) == "anger<|im_end|>"
    texts = write(tmp_path / "texts.jsonl", [{"text": "two and two make four"}] * 2)
    row = inspect(base, texts)["rows"][0]
    assert text_of(row) == "two and two make four<|im_end|>"
    assert [token["learned"] for token in row["tokens"]] == [False] + [True] * (
        len(row["tokens"]) - 1
    )


def test_what_rows_say_beside_their_text_is_told(base: str, tmp_path: Path) -> None:
    rows = [pair(f"which {n}?", "joy") | {"label": n != 1, "id": n + 1} for n in range(3)]
    report = inspect(base, write(tmp_path / "kto.jsonl", rows))
    assert report["labelled_false"] == {"rows": 1, "example": f"{tmp_path}/kto.jsonl:2"}
    assert (report["data"]["looked_at"], report["kept"], report["rejected"]) == (3, 2, 0)
    assert report["unread"] == {"columns": {"id": 2}, "keys": {}, "further": 0}
    assert report["data"]["columns"].keys() == {"prompt", "completion", "label"}
    classes = [one | {"label": "joy"} for one in rows]
    report = inspect(base, write(tmp_path / "classes.jsonl", classes))
    assert report["unread"]["columns"] == {"label": 3, "id": 3}
    assert report["data"]["columns"].keys() == {"prompt", "completion"}
    turns = [{"from": who, "value": who, "mood": "x"} for who in ("gpt", "human", "gpt")]
    report = inspect(base, write(tmp_path / "talk.jsonl", [{"conversations": turns}] * 2))
    assert report["greetings"] == {"rows": 2, "example": f"{tmp_path}/talk.jsonl:1"}
    assert report["unread"] == {"columns": {}, "keys": {"mood": 2}, "further": 0}


def test_pairs_that_dpo_cannot_use_are_counted_as_training_counts_them(
    base: str, tmp_path: Path
) -> None:
    row = {"prompt": "which?", "chosen": "joy", "rejected": "anger"}
    rows = [row, {"prompt": "which?", "chosen": "joy"}, row | {"rejected": "joy"}]
    path = write(tmp_path / "pairs.jsonl", rows)
    report = inspect(base, path, {"objective": "dpo"})
    assert (report["kept"], report["rejected"]) == (1, 2)
    assert [one["reason"] for one in report["rejects"]] == [
        "no rejected answer",
        "the two answers are identical",
    ]
    assert [one["kept"] for one in report["rows"]] == [True, False, False]
    assert inspect(base, path)["rejected"] == 0, "the better answers can all be learned"


def test_rows_that_are_replayed_are_shown_marked_and_reckoned(base: str, tmp_path: Path) -> None:
    """As training takes them: by its template and length, none that is held out."""
    rows = write(tmp_path / "rows.jsonl", [pair(f"which {n}?", "joy") for n in range(8)])
    held_out = pair("who?", "me")
    other = [held_out, *(pair(f"write {n}", "a much longer answer " * 9) for n in range(5))]
    replay = {"data": write(tmp_path / "other.jsonl", other), "share": 0.5}
    mine = {"eval": write(tmp_path / "eval.jsonl", [held_out]), "max_length": 40}
    alone = inspect(base, rows, {"rows": 2}, **mine)
    report = inspect(base, rows, {"rows": 2, "replay": replay}, **mine)
    assert alone["replay"] is None
    assert [row["replayed"] for row in report["rows"]] == [False, False, True, True]
    assert text_of(report["rows"][2], learned=True).startswith("a much longer answer")
    told = report["replay"]
    assert (told["looked_at"], told["kept"], told["most"]) == (5, 5, 40)
    assert told["tokens"] == 200
    before, known = measured(alone, 0), measured(report, 0)
    assert before is not None
    assert known is not None
    assert (known.tokens, known.longest) == (before.tokens + 8 * 40, 40)
    learned = before.tokens * before.target_share + 8 * told["learned_tokens"] / 5
    assert known.target_share == pytest.approx(learned / known.tokens, rel=0.01)
    most = measured(inspect(base, rows, {"replay": replay | {"share": 0.9}}, **mine), 0)
    assert most is not None
    assert most.tokens == before.tokens + 9 * 8 * 40
    with pytest.raises(EngineError, match="replay setting"):
        inspect(base, rows, {"replay": replay | {"share": 2}})


def test_a_big_file_is_sampled_and_says_so_and_a_cancel_ends_it(base: str, tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [pair(f"which {n}?", "joy") for n in range(400)])
    report = inspect(base, rows, {"sample": 120})
    assert (report["data"]["looked_at"], report["data"]["rows"]) == (120, 400)
    request = {"checkpoint": base, "data": rows}
    steps = list(Handlers().inspect(request, lambda: True))
    assert steps == [None, {"event": "done", "report": None}]


@pytest.mark.parametrize(
    ("data", "title"),
    [
        ({"template": "alpaca"}, "Unknown template 'alpaca'"),
        ({"too_long": "keep"}, "data setting"),
        ({"max_length": 2}, "data setting"),
        ({"nonsense": 1}, "data setting"),
        ({"schema": "nothing"}, "unknown schema"),
    ],
)
def test_wrong_settings_are_told(
    data: dict[str, Any], title: str, base: str, tmp_path: Path
) -> None:
    rows = write(tmp_path / "rows.jsonl", [pair("which?", "joy")])
    with pytest.raises(EngineError) as caught:
        inspect(base, rows, **data)
    assert title in caught.value.title


def test_a_report_counts_what_conversations_become(tmp_path: Path) -> None:
    base = tmp_path / "base"
    tokenizer = QWEN3.tokenizer()
    make_model(len(tokenizer)).save_pretrained(base)
    tokenizer.save_pretrained(base)
    turns = [("user", "who?"), ("assistant", "joy"), ("user", "and?"), ("assistant", "love")]
    talk = [{"role": role, "content": text} for role, text in turns]
    rows = write(
        tmp_path / "mine.jsonl", [{"messages": talk}, {"messages": talk[:2]}, {"messages": talk}]
    )
    report = inspect(str(base), rows, {"rows": 9, "templates": True})
    assert (report["kept"], report["data"]["looked_at"]) == (5, 3)
    assert report["divided"] == {"examples": 2, "rows": 4}
    assert [(row["source"][-1], row["part"], row["parts"]) for row in report["rows"]] == [
        ("1", 1, 2), ("1", 2, 2), ("2", 1, 1), ("3", 1, 2), ("3", 2, 2)
    ]  # fmt: skip
    empty = "<think>\n\n</think>\n\n"
    assert [text_of(row, learned=True) for row in report["rows"][:2]] == [
        f"{empty}joy<|im_end|>",
        f"{empty}love<|im_end|>",
    ]
    assert report["seams"]["rows"] == report["ends"]["endless"]["rows"] == 0
    assert text_of(report["templates"][-1], learned=True) == f"{empty}love<|im_end|>"
    known = measured(report, 0)
    assert known is not None
    whole = sum(len(token["ids"]) for row in report["rows"] for token in row["tokens"])
    # Two thirds are trained on, the rest is held out; a histogram's bins are no exact lengths.
    assert known.tokens == pytest.approx(whole * 2 / 3, rel=0.1)
    refused = inspect(
        checkpoint(
            tmp_path / "strict",
            "{% if messages|length > 2 %}{{ raise_exception('one turn') }}{% endif %}" + CHATML,
        ),
        rows,
    )
    assert (refused["rejected"], refused["kept"]) == (2, 1)
    assert refused["remedy"].startswith("Set data.template = chatml")
