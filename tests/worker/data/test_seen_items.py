"""Items in the rows that arms were trained on: over stages, and unknown where rows are."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.chat import Message
from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.impact.suites.suite_specs import SuiteSpec
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Data, Model, Replay
from engine.worker.data.seen_items import SeenItemsFinder
from tests.checkpoints.made import make_adapter

LONG = "the quick brown fox jumps over the lazy dog while nobody in the house looks outside today"


def _item(name: str, question: str, answer: str = "yes") -> Item:
    return Item(name, (Message("user", question),), score="exact", gold=(answer,))


SUITES = {
    "facts": [
        _item("first", "What was in the first stage?"),
        _item("second", "What was in the second stage?"),
        _item("long", "Unlike any question", LONG),
        _item("free", "What was in no stage at all?"),
    ],
    "other": [_item("first", "Not the same question.")],
}
SPECS = [SuiteSpec("facts", "bundled:facts"), SuiteSpec("other", "bundled:python")]


def _run(
    root: Path, checkpoint: str, rows: Sequence[tuple[str, str]], replay: str = ""
) -> JobDirectory:
    root.mkdir(exist_ok=True)
    path = root / f"rows-{len(list(root.iterdir()))}.jsonl"
    lines = [{"prompt": asked, "completion": said} for asked, said in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = TrainRecipe(
        model=Model(checkpoint=checkpoint),
        data=Data(train=str(path), eval_fraction=0),
        replay=Replay(replay, 0.5),
    )
    return directory.create(root, recipe, (), [path])


def _finder(*jobs: JobDirectory) -> SeenItemsFinder:
    return SeenItemsFinder(SUITES, SPECS, [job.path for job in jobs])


def _ref(job: JobDirectory) -> str:
    return f"run:{job.path.name}"


FIRST = [("What was in the first stage?", "yes"), ("Tell me.", f"Well: {LONG}")]
SECOND = [("what was in  the second stage", "no"), ("Another", "yes")]


def test_an_arm_has_seen_the_rows_of_its_stage_and_of_those_before(tmp_path: Path) -> None:
    first = _run(tmp_path / "runs", "bundled:demo-base", FIRST)
    second = _run(tmp_path / "runs", _ref(first), SECOND)
    finder = _finder(first, second)
    one, two = (finder.find(Arm("a", _ref(job))) for job in (first, second))
    assert one.suites == {"facts": {"first": "question", "long": "answer"}, "other": {}}
    assert two.suites == {
        "facts": {"first": "question", "second": "question", "long": "answer"},
        "other": {},
    }
    assert two.notes == (
        "3 of 4 items of facts stand in rows that it was trained on",
        "what bundled:demo-base was pre-trained on is not known",
    )


def test_the_rows_of_a_run_are_read_once_for_all_arms(tmp_path: Path) -> None:
    first = _run(tmp_path / "runs", "bundled:demo-base", FIRST * 600)
    read: list[tuple[str, int]] = []
    finder = SeenItemsFinder(
        SUITES, SPECS, [first.path], lambda run, rows: read.append((run, rows))
    )
    for arm in (Arm("a", _ref(first)), Arm("b", "bundled:demo-base", _ref(first))):
        assert finder.find(arm).suites
    assert read == [(first.path.name, 1000)]


def test_the_base_of_an_arm_has_a_past_too_and_nothing_of_an_adapter_at_strength_0(
    tmp_path: Path,
) -> None:
    first = _run(tmp_path / "runs", "bundled:demo-base", FIRST)
    second = _run(tmp_path / "runs", "bundled:demo-base", SECOND)
    finder = _finder(first, second)
    both = finder.find(Arm("a", _ref(first), _ref(second)))
    assert both.suites is not None
    assert set(both.suites["facts"]) == {"first", "second", "long"}
    off = finder.find(Arm("a", _ref(first), _ref(second), strength=0))
    assert off.suites is not None
    assert set(off.suites["facts"]) == {"first", "long"}
    make_adapter(first.adapter, "bundled:demo-base")
    assert finder.find(Arm("a", _ref(first), strength=0)).suites is None


def test_replayed_rows_were_trained_on(tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    old.write_text(json.dumps({"prompt": FIRST[0][0], "completion": "x"}) + "\n")
    run = _run(tmp_path / "runs", "bundled:demo-base", SECOND, str(old))
    seen = _finder(run).find(Arm("a", _ref(run))).suites
    assert seen is not None
    assert set(seen["facts"]) == {"first", "second"}


def test_what_was_pre_trained_is_unknown_and_not_zero(tmp_path: Path) -> None:
    for ref in ("bundled:demo-base", str(tmp_path / "none")):
        found = _finder().find(Arm("a", ref))
        assert (found.suites, found.trained) == (None, ())
        assert len(found.notes) == 1


@pytest.mark.parametrize("damage", ["gone", "changed", "no recipe"])
def test_rows_that_cannot_be_read_make_it_unknown(tmp_path: Path, damage: str) -> None:
    first = _run(tmp_path / "runs", "bundled:demo-base", FIRST)
    second = _run(tmp_path / "runs", _ref(first), SECOND)
    recipe = first.recipe()
    assert isinstance(recipe, TrainRecipe)
    rows = Path(recipe.data.train)
    if damage == "gone":
        rows.unlink()
    elif damage == "changed":
        rows.write_text(rows.read_text() * 2)
    else:
        first.recipe_file.write_text("?")
    found = _finder(first, second).find(Arm("a", _ref(second)))
    assert found.suites is None
    assert found.notes[0] == "1 of 4 items of facts stand in rows that it was trained on"
    assert found.notes[1].startswith("not all of its training rows are known: ")
    assert first.path.name in found.notes[1]


def test_a_foreign_adapter_makes_it_unknown(tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", "bundled:demo-base")
    run = _run(tmp_path / "runs", str(adapter), FIRST)
    found = _finder(run).find(Arm("a", _ref(run)))
    assert found.suites is None
    assert "was not trained here" in " ".join(found.notes)


def test_held_out_rows_are_seen_only_where_their_text_was_trained_on(tmp_path: Path) -> None:
    rows = [{"prompt": f"question number {at}", "completion": "a"} for at in range(20)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[3]]))
    recipe = TrainRecipe(data=Data(train=str(path), eval_fraction=0.5, shuffle=False))
    run = directory.create(tmp_path / "runs", recipe)
    suite = {"mine": [_item(str(at), f"question number {at}") for at in range(20)]}
    spec = SuiteSpec("mine", f"run:{run.path.name}")
    found = SeenItemsFinder(suite, [spec], [run.path]).find(Arm("a", _ref(run)))
    # Without shuffling the last ten of 21 rows are held out, the copy of row 3 among them.
    assert found.suites == {"mine": {str(at): "question" for at in range(11)}}
    assert found.trained == ("mine",)


def test_a_suite_whose_questions_were_trained_counts_as_trained(tmp_path: Path) -> None:
    asked = [(item.messages[0].content, "x") for item in SUITES["facts"][:3]]
    first = _run(tmp_path / "runs", "bundled:demo-base", asked)
    second = _run(tmp_path / "runs", _ref(first), SECOND)
    finder = _finder(first, second)
    assert finder.find(Arm("a", _ref(first))).trained == ("facts",)
    parent = Arm("b", _ref(first))
    assert finder.find(Arm("a", _ref(second)), parent).trained == (), "its parent was"
    assert finder.find(Arm("a", _ref(second))).trained == ("facts",), "somewhere on the way"


@pytest.mark.parametrize("name", ["a/b", "a\0b", "\0", "0/"])
def test_whatever_a_suite_and_its_items_are_called(tmp_path: Path, name: str) -> None:
    run = _run(tmp_path / "runs", "bundled:demo-base", FIRST)
    suites = {name: [_item(name, FIRST[0][0])], "a": [_item("b", "Not the same question.")]}
    specs = [SuiteSpec(suite, "bundled:facts") for suite in suites]
    found = SeenItemsFinder(suites, specs, [run.path]).find(Arm("a", _ref(run)))
    assert found.suites == {name: {name: "question"}, "a": {}}


def test_a_run_on_rows_that_a_model_made_says_who_wrote_and_reviewed_them(tmp_path: Path) -> None:
    """So a table, and a report, of what it gained says where that comes from."""
    first = _run(tmp_path / "runs", "bundled:demo-base", FIRST)
    second = _run(tmp_path / "runs", _ref(first), SECOND)
    reviews = ["accepted", "not reviewed", "not reviewed"]
    lines = [
        {"row": at, "answers": [{"model": "writer=a\x1b[31m"}], "review": {"decision": decision}}
        for at, decision in enumerate(reviews, 1)
    ]
    rows = max((tmp_path / "runs").glob("rows-*.jsonl"))
    provenance = rows.with_suffix(".provenance.jsonl")
    written = "".join(json.dumps(line) + "\n" for line in lines)
    provenance.write_text(f"{written}no JSON\n[1]\n" + '{"review": 3, "answers": 4}\n')
    note = f"{second.path.name} was trained on a file of 3 rows made by a"
    found = _finder(first, second).find(Arm("a", _ref(second))).notes
    assert found[0].startswith(note)
    assert found[0].endswith("2 of them not reviewed by a person")
    assert "\x1b" not in found[0]
    before = _finder(first, second).find(Arm("a", _ref(first))).notes
    assert not [one for one in before if "made by" in one]
