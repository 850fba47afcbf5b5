"""Suites by their refs: what is read, and what is refused by file and line."""

import json
from pathlib import Path

import pytest

from engine.bundled import DATA, SUITES
from engine.chat import Message
from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.errors import EngineError
from engine.impact.suites.suite_reader import (
    MOST_LABELS,
    anchor,
    describe_suite,
    load_suite,
    needs_worker,
    share_labels,
)
from engine.impact.suites.suite_specs import SuiteSpec, parse_suite
from engine.jobs import directory
from engine.recipes.recipe import TrainRecipe

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
    (found,) = read_items(write(tmp_path / "facts.jsonl", GOOD))
    assert found.messages == (Message("user", "What is the capital of Norway?"),)
    assert (found.id, found.skill, found.score) == ("facts-001", "facts", "exact")
    assert (found.gold, found.reference, found.group) == (("Oslo",), "Oslo", "capital:Norway")


def test_a_text_for_perplexity_needs_no_messages(tmp_path: Path) -> None:
    row = {"id": "p", "skill": "prose", "score": "perplexity", "text": "It rained."}
    (found,) = read_items(write(tmp_path / "prose.jsonl", row))
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
        read_items(path)
    assert f"{path}:2" in caught.value.detail
    assert says in caught.value.detail


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n{oops\n", "utf-8")
    with pytest.raises(EngineError) as caught:
        read_items(path)
    assert f"{path}:3" in caught.value.detail


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="facts-001"):
        read_items(write(tmp_path / "twice.jsonl", GOOD, GOOD))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe"])
def test_an_empty_or_unreadable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        read_items(path)
    assert str(path) in caught.value.detail


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        read_items(tmp_path / "none.jsonl")


def test_a_file_of_prompts_is_a_suite(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Say yes.", "gold": ["yes", "Yes."]},
        {"question": "2 + 2?", "answer": 4, "score": "number"},
        {"messages": [{"role": "user", "content": "Sing."}], "checks": {"words": 2}},
        {"prompt": "Talk."},
    ]
    items = read_items(write(tmp_path / "p.jsonl", *rows))
    assert [item.score for item in items] == ["exact", "number", "checks", "open"]
    assert [item.gold for item in items] == [("yes", "Yes."), ("4",), (), ()]


def _load(ref: str, *runs: Path, limit: int = 0) -> tuple[Item, ...]:
    return load_suite(SuiteSpec("s", ref), runs, limit)


def test_a_bundled_name_is_a_suite_or_held_out_rows_or_prompts() -> None:
    assert _load("bundled:facts") == tuple(read_items(SUITES / "facts.jsonl"))
    emotion = _load("bundled:emotion")
    assert len(emotion) == len((DATA / "emotion" / "eval.jsonl").read_text().splitlines())
    assert {item.choices for item in emotion} == {
        ("anger", "fear", "joy", "love", "sadness", "surprise")
    }
    assert all(item.gold == (item.reference,) for item in emotion)
    counsel = _load("bundled:counsel", limit=3)
    assert [item.score for item in counsel] == ["open"] * 3, "pairs: the chosen answer"
    assert all(item.reference for item in counsel)
    assert _load("bundled:creative")[0].messages
    with pytest.raises(EngineError, match="Unknown bundled suite 'no'") as raised:
        _load("bundled:no")
    assert "facts" in raised.value.detail
    assert "emotion" in raised.value.detail


def test_the_limit_of_the_suite_itself_counts_and_labels_are_those_of_all_rows() -> None:
    spec = parse_suite("bundled:emotion?limit=2")
    items = load_suite(spec, limit=5)
    assert len(items) == 2
    assert len(items[0].choices) == 6


def _folder(path: Path, rows: list[dict[str, object]], name: str = "train.jsonl") -> Path:
    path.mkdir(exist_ok=True)
    write(path / name, *rows)
    return path


def test_a_data_set_of_two_sides_is_measured_on_the_other_side(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": f"text {at}", "label": "abc"[at % 3]} for at in range(9)
    ]
    folder = _folder(tmp_path / "set", rows)
    assert [item.gold for item in _load(str(folder))][:3] == [("a",), ("b",), ("c",)]
    _folder(folder, rows[:2], "eval.jsonl")
    items = _load(str(folder))
    assert [item.choices for item in items] == [("a", "b", "c")] * 2, "as training lists them"
    assert "a, b, c" in items[0].messages[0].content
    own = _load(str(folder / "eval.jsonl"))
    assert own[0].choices == ("a", "b"), "a file is that file, whatever lies beside it"


def test_conversations_have_their_last_answer_as_reference(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "And a long one?"},
        {"role": "assistant", "content": "It is\nlong."},
    ]
    (item,) = _load(str(_folder(tmp_path / "set", [{"messages": turns}])))
    assert (len(item.messages), item.reference) == (3, "It is\nlong.")


def test_texts_of_a_data_set_are_read(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": "It rained."},
        {"text": ["no"]},
        {"text": "It stopped."},
    ]
    folder = _folder(tmp_path / "set", rows)
    notes: list[object] = []
    items = load_suite(SuiteSpec("s", str(folder)), say=notes.append)
    assert [(item.id, item.score, item.text) for item in items] == [
        ("train.jsonl:1", "perplexity", "It rained."),
        ("train.jsonl:3", "perplexity", "It stopped."),
    ]
    assert "train.jsonl:2" in str(notes[0])


def test_bad_rows_of_a_data_set_are_left_out_and_said(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"prompt": "1 + 1?", "completion": "It is two."},
        {"prompt": "", "completion": "nothing"},
        {"prompt": "1 + 2?", "completion": "It is three."},
    ]
    folder = _folder(tmp_path / "set", rows)
    notes: list[object] = []
    items = load_suite(SuiteSpec("sums", str(folder)), say=notes.append)
    assert [item.reference for item in items] == ["It is two.", "It is three."]
    (note,) = notes
    assert str(note).startswith("sums: 1 rows are left out")
    assert f"{folder / 'train.jsonl'}:2" in str(note)
    with pytest.raises(EngineError, match="1 of 3 rows") as raised:
        _load(str(folder / "train.jsonl"))
    assert ":2" in raised.value.detail, "a file of items is refused"


def test_ids_that_come_twice(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": name, "prompt": f"{at}?", "completion": f"It is {at}."}
        for at, name in enumerate(["a", "a#2", "a", "a"])
    ]
    folder = _folder(tmp_path / "set", rows)
    assert [item.id for item in _load(str(folder))] == ["a", "a#2", "a#3", "a#4"]
    with pytest.raises(EngineError) as raised:
        _load(str(folder / "train.jsonl"))
    assert "train.jsonl:3: duplicate id 'a', first on line 1" in raised.value.detail


def test_what_a_run_held_out_is_a_suite(tmp_path: Path) -> None:
    job = directory.create(tmp_path, TrainRecipe())
    rows = [
        {"id": f"t:{at}", "messages": [{"role": "user", "content": f"text {at}"}],
         "reference": ["joy ", "fear"][at % 2]}
        for at in range(6)
    ]  # fmt: skip
    write(job.held_out, *rows)
    items = _load(f"run:{job.path.name}", job.path, limit=3)
    assert [item.gold for item in items] == [("joy",), ("fear",), ("joy",)]
    assert items[0].choices == ("fear", "joy")
    job.held_out.unlink()
    with pytest.raises(EngineError, match="no held-out rows"):
        _load(f"run:{job.path.name}", job.path)
    with pytest.raises(EngineError, match="run not found"):
        _load("run:none", job.path)


@pytest.mark.parametrize(
    ("answers", "labels"),
    [
        (["yes", "no"] * 2, ("no", "yes")),
        (["yes", "no", "no"], ()),  # too few rows for two labels
        (["yes"] * 9, ()),  # nothing to choose from
        (["a" * 64, "b"] * 2, ("a" * 64, "b")),
        (["a" * 65, "b"] * 2, ()),
        (["a\nb", "b"] * 2, ()),
        (["yes", "no", "", "no"], ()),  # one is not answered
        ([str(at % MOST_LABELS) for at in range(2 * MOST_LABELS)], True),
        ([str(at % (MOST_LABELS + 1)) for at in range(4 * MOST_LABELS)], ()),
    ],
)
def test_which_answers_are_labels(answers: list[str], labels: object) -> None:
    items = [
        Item(str(at), (Message("user", f"{at}?"),), reference=answer)
        for at, answer in enumerate(answers)
    ]
    shared = share_labels(items)
    if labels == ():
        assert shared == tuple(items)
    else:
        assert {item.score for item in shared} == {"choices"}
        assert labels is True or shared[0].choices == labels
        assert [item.gold[0] for item in shared] == answers


def test_items_that_say_how_they_are_scored_stay_as_they_are() -> None:
    asked = (Message("user", "?"),)
    items = [Item(str(at), asked, reference="yn"[at % 2]) for at in range(6)]
    scored = [*items, Item("x", asked, score="exact", gold=("y",), reference="y")]
    assert share_labels(scored) == tuple(scored)
    text = [*items, Item("t", score="perplexity", text="y")]
    assert share_labels(text) == tuple(text)


def test_what_a_suite_means_for_its_numbers() -> None:
    asked = (Message("user", "?"),)
    free = [Item("a", asked), Item("b", asked)]
    assert describe_suite(free) == [
        "no item has a right answer: answers are described and not scored"
    ]
    referred = Item("r", asked, reference="as it was answered")
    assert describe_suite([*free, referred]) == [
        "answers are free words: how likely the references are is the score"
    ]
    exact = Item("c", asked, score="exact", gold=("x",))
    assert describe_suite([*free, exact]) == ["2 of 3 items have no right answer: no score"]
    assert describe_suite([exact]) == ["one item: no interval tells much"]
    choices = ("joyful", "fear", "joy and fear", "joy")
    labels = [Item(str(at), asked, score="choices", gold=("joy",), choices=choices) for at in "ab"]
    assert describe_suite(labels) == []
    (note,) = describe_suite(labels, raw=True)
    assert note.startswith("the choice 'joy' begins 'joy and fear'")


def test_refs_are_valid_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "mine.jsonl", GOOD)
    _folder(tmp_path / "set", [{"prompt": "a", "completion": "b"}])
    monkeypatch.chdir(tmp_path)
    for ref, expected in {
        "mine.jsonl": f"{tmp_path}/mine.jsonl",
        "set": f"{tmp_path}/set/train.jsonl",
        "bundled:facts": "bundled:facts",
        "lm-eval:a.jsonl": f"lm-eval:{tmp_path}/a.jsonl",
    }.items():
        assert anchor(SuiteSpec("s", ref)).ref == expected
    for ref in ("none.jsonl", "bundled:none", "run:none"):
        with pytest.raises(EngineError):
            anchor(SuiteSpec("s", ref))


def test_scores_of_others_are_no_items() -> None:
    with pytest.raises(EngineError, match="no items to ask"):
        _load("lm-eval:a.jsonl")


def test_parquet_needs_a_worker(tmp_path: Path) -> None:
    from pyarrow import Table, parquet

    from engine.worker.data.arrow import read_raw

    path = tmp_path / "rows.parquet"
    rows = [
        {"question": f"{at}?", "choices": ["x", "y"], "gold": at % 2, "id": "same"}
        for at in range(5)
    ]
    parquet.write_table(Table.from_pylist(rows), path)
    spec = SuiteSpec("s", str(path))
    assert needs_worker(spec)
    assert not needs_worker(SuiteSpec("s", "bundled:facts"))
    with pytest.raises(EngineError, match="Parquet"):
        load_suite(spec)
    items = load_suite(spec, limit=2, raw=read_raw)
    assert [(item.id, item.gold) for item in items] == [("same", ("x",)), ("same#2", ("y",))]
