"""What is said beside the numbers: bad input, unlike questions, contamination, divergence."""

from typing import Any

import pytest

from engine.impact.changes.skill_notes import of_rows
from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import summarize
from tests.impact.made_results import measured, results_of, scores_of, suite_of


def _table(suite: Any, **arms: Any) -> SkillTable:
    return build_table(
        results_of({"s": suite}, {arm: {"s": one} if one else {} for arm, one in arms.items()})
    )


def _row(suite: Any, **arms: Any) -> SkillRow:
    return _table(suite, **arms).row("s")


def test_an_empty_suite_and_one_without_gold_have_no_numbers() -> None:
    empty = _row(suite_of(0), base=measured({}), tuned=measured({}))
    assert (empty.items, empty.results, empty.changes) == (0, {}, {})
    assert empty.notes == ("The suite has no items: nothing was measured.",)
    silent = _row(suite_of(30), base={"measures": {}}, tuned={"measures": {}})
    assert silent.notes == ("No score by strict: its items do not say what is right.",)
    described = _row(suite_of(30), base=measured({"i0": 3.0}, "words"), tuned={"measures": {}})
    assert described.notes[0].endswith("Measured of them: words (finetop impact JOB --all).")
    partly = _row(suite_of(30), base=measured(scores_of(20, 25)), tuned=measured(scores_of(9, 25)))
    assert "5 items have no score by strict in any arm, and count nowhere." in partly.notes
    assert partly.items == 25


def test_one_item_is_listed() -> None:
    row = _row(suite_of(1), base=measured({"i0": 1.0}), tuned=measured({"i0": 0.0}))
    change = row.changes["tuned"]
    assert change.verdict is not None
    assert (change.verdict.word, change.verdict.is_primary) == ("items only", False)
    assert change.lost == ("i0",)
    assert row.results["base"].interval == pytest.approx((0.2065493, 1.0))
    assert row.notes == ("1 item gives no verdict: read them one by one.",)


def test_a_stage_without_a_skill() -> None:
    row = _row(suite_of(30), base=measured(scores_of(20, 30)), A=None, B=measured(scores_of(9, 30)))
    assert row.changes.keys() == {"B"}
    assert "Not measured: A." in row.notes


def test_items_that_an_arm_lacks_count_in_no_change() -> None:
    row = _row(suite_of(30), base=measured(scores_of(20, 30)), tuned=measured(scores_of(9, 29)))
    assert row.unpaired == 1
    assert row.changes["tuned"].test.items == 29
    assert "1 item is not in all arms, and no change counts it." in row.notes


@pytest.mark.parametrize(
    ("base", "tuned", "words"),
    [
        ({"fewshot": 0}, {"fewshot": 5}, "solved items before each question 0 for base, 5 for tun"),
        ({"template": "own"}, {"template": "raw"}, "template own for base, raw for tuned"),
        ({"template_hash": "a1"}, {"template_hash": "b2"}, "(chat template)"),
        ({"decode": {"temperature": 0.0, "seed": 7}}, {"decode": {"temperature": 0.7, "seed": 7}},
         "(temperature 0.0 for base, 0.7 for tuned)"),
        ({"decode": {}}, {"decode": {"top_p": 0.9}}, "(top_p None for base, 0.9 for tuned)"),
        ({"decode": "greedy"}, {"decode": {"top_p": 0.9}}, "decoding greedy for base"),
    ],
)  # fmt: skip
def test_arms_that_were_not_asked_alike(
    base: dict[str, Any], tuned: dict[str, Any], words: str
) -> None:
    row = _row(
        suite_of(30),
        base=measured(scores_of(20, 30), asked=base),
        tuned=measured(scores_of(9, 30), asked=tuned),
    )
    (note,) = row.notes
    assert words in note
    assert note.startswith("The arms were not asked alike")
    assert "a1" not in note
    alike = _row(
        suite_of(30),
        base=measured(scores_of(20, 30), asked=base),
        tuned=measured(scores_of(9, 30), asked=base),
    )
    assert alike.notes == ()


def test_answers_that_were_cut() -> None:
    finish = {f"i{at}": "length" if at < 3 else "stop" for at in range(30)}
    row = _row(
        suite_of(30),
        base=measured(scores_of(20, 30)),
        tuned=measured(scores_of(9, 30), finish=finish),
    )
    assert row.results["tuned"].cut == ("i0", "i1", "i2")
    assert row.notes == (
        "tuned: 3 answers were cut by the length limit: the score is that of a part.",
    )


def test_a_choice_by_likelihood_is_not_cut_with_its_answer() -> None:
    finish = {f"i{at}": "length" for at in range(30)}
    cut = measured(scores_of(20, 30), "likelihood", finish=finish)
    row = _row(suite_of(30, "likelihood"), base=cut, tuned=cut)
    assert row.results["tuned"].cut == ()
    assert not [note for note in row.notes if "length limit" in note]


def test_what_is_true_of_many_skills_is_said_once() -> None:
    finish = dict.fromkeys(("i0", "i1"), "length")
    cut = measured(scores_of(20, 30), "strict", finish=finish)
    names = [f"i{at}" for at in range(30)]
    results = results_of(
        {"a": suite_of(names, group="g"), "b": suite_of(names, group="g"), "c": suite_of(30)},
        {"base": {"a": cut, "b": measured(scores_of(9, 30))},
         "tuned": {"a": cut, "b": cut, "c": cut}},
    )  # fmt: skip
    table = build_table(results)
    notes = list(of_rows(results, table.skills))
    assert notes[-2:] == [
        "Answers cut by the length limit, scored by that part: a 2 of base, 2 of tuned; "
        "b 2 of tuned; c 2 of tuned.",
        "Groups of items, which are what intervals and tests count: 1 of a, 1 of b.",
    ]
    assert "c: Not measured: base." in notes
    assert sum("cut by" in note for note in notes) == 1
    assert sum("roups" in note for note in notes) == 1


def test_contamination_with_and_without_and_unknown() -> None:
    seen = {f"i{at}": "question" for at in range(10)}
    table = _table(
        suite_of(40),
        base=measured(scores_of(20, 40)),
        tuned=measured(scores_of(30, 40), seen=seen),
    )
    row = table.row("s")
    base, tuned = row.results["base"], row.results["tuned"]
    assert (base.seen, base.unseen) == (None, None)
    assert tuned.seen == tuple(seen)
    assert tuned.unseen is not None
    assert (tuned.score, tuned.unseen.value) == pytest.approx((0.75, 20 / 30))
    unseen = row.changes["tuned"].unseen
    assert unseen is not None
    assert unseen.items == 30
    assert unseen.difference == pytest.approx(10 / 30)
    assert "tuned: 10 items were seen in training: 0.750 with them, 0.667 without." in row.notes
    assert table.notes == ("Whether base saw these items in training is unknown.",)
    assert summarize(table).seen == 10


def test_all_items_seen_and_no_arm_known() -> None:
    seen = {f"i{at}": "answer" for at in range(30)}
    row = _row(suite_of(30), base=measured(scores_of(9, 30), seen=seen))
    assert row.results["base"].unseen is None
    assert "base: 30 items were seen in training: 0.300 with them, all of them." in row.notes
    unknown = _table(
        suite_of(30), base=measured(scores_of(9, 30)), tuned=measured(scores_of(9, 30))
    )
    assert unknown.notes == ("Whether any arm saw these items in training is unknown.",)
    assert summarize(unknown).seen is None


def test_a_diverged_model_has_no_verdict_and_is_no_part_of_the_family() -> None:
    tokens = {f"i{at}": 10 for at in range(30)}
    fine = {f"i{at}": 20.0 + at for at in range(30)}
    row = _row(
        suite_of(30, measure="nll"),
        base=measured(fine, "nll", tokens=tokens),
        tuned=measured(fine | {"i3": None, "i4": None}, "nll", tokens=tokens),
    )
    assert row.changes["tuned"].verdict is None
    assert row.results["tuned"].diverged == ("i3", "i4")
    assert row.notes == (
        "tuned is not finite on 2 items: it diverged, and its change is not tested.",
    )


def test_groups_and_weights_are_said() -> None:
    suite = suite_of(40)
    for at, item in enumerate(suite["items"].values()):
        item |= {"group": f"g{at // 4}", "weight": 1.0 + at % 2}
    row = _row(suite, base=measured(scores_of(20, 40)), tuned=measured(scores_of(10, 40)))
    assert row.is_weighted
    assert row.changes["tuned"].test.name == "clustered proportions"
    assert any("10 groups" in note for note in row.notes)
    assert any("weighted means" in note for note in row.notes)


def test_texts_in_other_tokens() -> None:
    nll = {f"i{at}": 20.0 + at for at in range(30)}
    row = _row(
        suite_of(30, measure="nll"),
        base=measured(nll, "nll", tokens=dict.fromkeys(nll, 10), bytes=dict.fromkeys(nll, 40)),
        tuned=measured(nll, "nll", tokens=dict.fromkeys(nll, 7), bytes=dict.fromkeys(nll, 40)),
    )
    assert any("bits per byte" in note for note in row.notes)
    base, tuned = row.results["base"], row.results["tuned"]
    assert (
        base.bits_per_byte == tuned.bits_per_byte == pytest.approx(34.5 / 0.6931471805599453 / 40)
    )
    assert base.score < tuned.score
    assert row.changes["tuned"].difference == 0.0


def test_an_arms_own_notes_stand_beside_its_skill() -> None:
    row = _row(suite_of(30), base=measured(scores_of(9, 30), notes=["No encoder was named."]))
    assert row.notes == ("base: No encoder was named.",)
