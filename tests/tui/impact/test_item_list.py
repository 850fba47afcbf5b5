"""Flip classes of a cell's items, what was regained, and where an item was lost."""

from engine.impact.results.evaluation_results import (
    ArmResults,
    ArmSuite,
    EvaluationResults,
    SuiteFacts,
    SuiteItem,
    read_results,
)
from tests.tui.impact.evaluated import staged_results
from tui.impact.item_list import CLASSES, ItemList, list_items, matching, next_lost, titles_of

STAGED = read_results(staged_results())


def classes(items: ItemList) -> dict[str, int]:
    return {name: len(matching(items.rows, name, "")) for name in CLASSES if name}


def test_the_classes_of_a_stage_against_the_base_and_against_its_parent() -> None:
    of_base = list_items(STAGED, "arithmetic", "counsel", "base")
    assert classes(of_base) == {
        "lost": 12, "gained": 0, "regained": 27, "kept": 288, "never": 0,
    }  # fmt: skip
    assert (of_base.reference, of_base.regained) == ("base", 27)
    of_parent = list_items(STAGED, "arithmetic", "counsel", "parent")
    assert classes(of_parent) == {
        "lost": 0, "gained": 27, "regained": 27, "kept": 261, "never": 12,
    }  # fmt: skip
    assert of_parent.reference == "emotion"
    assert of_parent.p == 2 * 0.5**27


def test_the_song_is_lost_at_the_first_stage_and_back_at_the_second() -> None:
    rows = list_items(STAGED, "song", "counsel", "base").rows
    assert [(row.label, row.lost_at) for row in rows] == [("regained", "emotion")] * 3


def test_the_base_against_itself_keeps_or_never_has() -> None:
    items = list_items(STAGED, "emotion", "base", "parent")
    assert classes(items) == {"lost": 0, "gained": 0, "regained": 0, "kept": 78, "never": 522}


def test_texts_that_are_read_are_neither_right_nor_wrong() -> None:
    items = list_items(STAGED, "prose", "counsel", "base")
    assert items.flips is None
    assert {row.label for row in items.rows} == {""}
    assert items.rows[1].before == 1.51
    assert items.rows[1].after == 1.71


def _stepped(scores: list[dict[str, float]]) -> EvaluationResults:
    """A base and its checkpoints at steps 10, 20, 30, by item."""
    arms = {}
    for at, of_arm in enumerate(scores):
        name = f"step {10 * at}" if at else "base"
        spec = f"s{at}=/r/checkpoints/checkpoint-{10 * at}" if at else "base=bundled:demo-base"
        arms[name] = ArmResults(name, spec, {"s": ArmSuite({"strict": of_arm})})
    facts = SuiteFacts("s", {item: SuiteItem(f"{item}?") for item in scores[0]})
    return EvaluationResults(arms, {"s": facts})


def test_of_checkpoints_two_agree_on_the_step_of_a_loss() -> None:
    results = _stepped([
        {"lost": 1, "flickers": 1, "last alone": 1, "never": 0},
        {"lost": 1, "flickers": 0, "last alone": 1, "never": 0},
        {"lost": 0, "flickers": 1, "last alone": 1, "never": 0},
        {"lost": 0, "flickers": 1, "last alone": 0, "never": 0},
    ])  # fmt: skip
    rows = {row.id: row for row in list_items(results, "s", "step 30", "base").rows}
    assert rows["lost"].lost_at == "step 20"
    assert rows["flickers"].lost_at == ""
    assert rows["flickers"].label == "regained"
    assert (rows["last alone"].lost_at, rows["last alone"].label) == ("", "lost")
    assert rows["never"].lost_at == ""


def test_a_run_that_watched_the_items_says_at_which_step_it_lost_them() -> None:
    facts = {"s": SuiteFacts("s", {item: SuiteItem(f"{item}?") for item in "ab"})}
    tuned = ArmSuite({"strict": {"a": 0, "b": 1}}, lost_at={"a": 40, "b": 60})
    arms = {
        "base": ArmResults(
            "base", "base=bundled:demo-base", {"s": ArmSuite({"strict": {"a": 1, "b": 1}})}
        ),
        "tuned": ArmResults("tuned", "tuned=run:r", {"s": tuned}),
    }
    rows = list_items(EvaluationResults(arms, facts), "s", "tuned", "base").rows
    assert [row.lost_at for row in rows] == ["step 40", ""], "b came back before the end"


def test_items_that_only_one_arm_has_are_counted_and_left_out() -> None:
    results = _stepped([{"a": 1, "b": 1}, {"b": 1, "c": 0}])
    items = list_items(results, "s", "step 10", "base")
    assert [row.id for row in items.rows] == ["b"]
    assert items.unpaired == 2


def test_rows_are_found_by_class_and_by_text_whatever_the_case() -> None:
    rows = list_items(STAGED, "arithmetic", "emotion", "base").rows
    assert len(matching(rows, "lost", "")) == 39
    assert [row.id for row in matching(rows, "lost", "QUESTION 7 of")] == ["arithmetic-7"]
    assert [row.id for row in matching(rows, "", "arithmetic-299")] == ["arithmetic-299"]


def test_the_next_lost_item_is_found_around_the_end() -> None:
    rows = list_items(STAGED, "arithmetic", "counsel", "base").rows
    assert next_lost(rows, 0, 1) == 1
    assert next_lost(rows, 11, 1) == 0
    assert next_lost(rows, 0, -1) == 11
    kept = matching(rows, "kept", "")
    assert next_lost(kept, 0, 1) is None


def test_a_title_is_one_clean_line_or_the_id() -> None:
    results = _stepped([{"a": 1}, {"a": 0}])
    items = {"a": SuiteItem("two\nlines \x1b]0;title\x07 \u202ertl"), "b": SuiteItem("")}
    results = EvaluationResults(results.arms, {"s": SuiteFacts("s", items)})
    (row,) = list_items(results, "s", "step 10", "base").rows
    assert row.title.startswith("two lines")
    assert "\x1b" not in row.title
    assert "\u202e" not in row.title


def test_a_first_paragraph_that_items_share_is_left_out_of_their_titles() -> None:
    ask = "What emotion is in this text?\n\n"
    prompts = {"a": f"{ask}i miss my dog", "b": f"{ask}what a day\n\nindeed", "c": "Alone.\n\nyes"}
    items = {item: SuiteItem(prompt) for item, prompt in prompts.items()}
    assert titles_of(items) == {
        "a": "… i miss my dog",
        "b": "… what a day indeed",
        "c": "Alone. yes",
    }
    assert titles_of({"d": SuiteItem("")}) == {"d": "d"}
