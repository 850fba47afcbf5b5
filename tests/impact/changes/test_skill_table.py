"""The skill table from what an evaluation wrote, its JSON, and its words on a terminal."""

import json
import math
from typing import Any

import pytest

from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import summarize
from engine.impact.changes.table_json import table_to_json
from engine.impact.changes.verdicts import judge
from engine.impact.results.evaluation_results import read_results
from engine.statistics import paired_test
from tests.impact.made_results import measured, results_of, scores_of, suite_of


def _suite(right: int, items: int, **more: Any) -> dict[str, Any]:
    scores = {f"i{at}": float(at < right) for at in range(items)}
    return {"scores": scores, "answers": {}, "items": items} | more


def _prose(nll: float | None, texts: int = 30) -> dict[str, Any]:
    each = {f"t{at}": None if nll is None else nll + at / 10 for at in range(texts)}
    return {"nll": each, "text_tokens": dict.fromkeys(each, 10)}


def _table(results: dict[str, Any], *arms: str) -> SkillTable:
    return build_table(read_results(results), arms)


def _json(table: SkillTable) -> Any:
    return json.loads(json.dumps(table_to_json(table, summarize(table)), allow_nan=False))


def _results(**arms: dict[str, Any]) -> dict[str, Any]:
    return {"schema": 1, "arms": {name: {"arm": name, "suites": one} for name, one in arms.items()}}


RESULTS = _results(
    base={"facts": _suite(190, 200), "song": _suite(3, 3), "prose": _prose(20.0)},
    first={"facts": _suite(188, 200), "song": _suite(0, 3), "prose": _prose(21.0)},
    last={"facts": _suite(100, 200), "song": _suite(3, 3), "prose": _prose(22.0)},
)


def test_each_arm_is_held_against_the_first() -> None:
    facts, song, prose = _table(RESULTS).skills
    last, first = facts.changes["last"], facts.changes["first"]
    assert last.verdict is not None
    assert first.verdict is not None
    assert (last.verdict.word, last.verdict.is_beyond, last.verdict.is_primary) == (
        "lost", True, True
    )  # fmt: skip
    assert (len(last.lost), len(last.gained)) == (90, 0)
    assert (first.verdict.word, first.verdict.is_primary) == ("the same within", False)
    alone = judge(paired_test([-1.0] * 2 + [0.0] * 198))
    assert (first.verdict.low, first.verdict.high) == pytest.approx((alone.low, alone.high))
    assert song.changes["first"].verdict is not None
    assert song.changes["first"].verdict.word == "items only"
    assert prose.changes["last"].verdict is not None
    assert prose.changes["last"].verdict.delta is None
    assert prose.changes["last"].verdict.word == "higher"
    assert prose.changes["last"].test.difference == pytest.approx(0.2)  # 2 nats of 10 tokens
    mean = math.fsum(20.0 + at / 10 for at in range(30)) / 300
    assert prose.results["base"].score == pytest.approx(math.exp(mean))


def test_the_primary_family_is_the_last_arm_alone() -> None:
    """Four skills at p = 0.03 each: by itself each is lost, by Holm none is."""
    base = {name: _suite(100, 200) for name in "abcd"}
    worse = {name: _suite(100, 200) for name in "abcd"}
    for one in worse.values():
        one["scores"] |= dict.fromkeys([f"i{at}" for at in range(11)], 0.0)
        one["scores"] |= dict.fromkeys([f"i{at}" for at in range(100, 102)], 1.0)
    table = _table(_results(base=base, other=worse, last=worse))
    for row in table.skills:
        exploratory, primary = row.changes["other"].verdict, row.changes["last"].verdict
        assert exploratory is not None
        assert primary is not None
        assert exploratory.p == primary.p < 0.05
        assert (exploratory.word, exploratory.confidence) == ("lost", 0.95)
        assert (primary.word, primary.confidence) == ("not enough evidence", 0.9875)


def test_groups_and_lacking_items() -> None:
    groups = {f"i{at}": f"g{at // 10}" for at in range(200)}
    base = {"facts": _suite(190, 200, groups=groups), "only base": _suite(5, 10)}
    last = {"facts": _suite(100, 180, groups=groups), "only last": _suite(5, 10)}
    table = _table(_results(base=base, last=last))
    facts, only_base, only_last = table.skills
    assert facts.changes["last"].test.name == "clustered proportions"
    assert (facts.unpaired, facts.items, facts.changes["last"].test.items) == (20, 200, 180)
    assert (only_base.changes, only_last.changes) == ({}, {})


def test_flips_are_those_of_the_items_that_the_test_counts() -> None:
    """The second arm lacks the last twenty items, which the third one lost."""
    table = _table(
        _results(
            base={"facts": _suite(200, 200)},
            second={"facts": _suite(180, 180)},
            third={"facts": _suite(180, 200)},
        )
    )
    change = table.skills[0].changes["third"]
    assert (change.lost, change.test.items, change.test.difference) == ((), 180, 0.0)


def test_a_diverged_model_and_json() -> None:
    results = _results(base={"prose": _prose(20.0)}, last={"prose": _prose(None)})
    table = _table(results)
    written = _json(table)
    last = written["skills"]["prose"]["arms"]["last"]
    assert last["score"] is None
    assert last["vs_base"]["difference"] is None
    assert last["vs_base"]["p"] == 1.0
    written = _json(_table(RESULTS))
    change = written["skills"]["facts"]["arms"]["last"]["vs_base"]
    assert (change["verdict"], change["beyond_delta"], change["family"]) == (
        "lost", True, "primary"
    )  # fmt: skip
    assert written["skills"]["facts"]["arms"]["base"]["vs_base"] is None
    assert written["summary"]["primary"] == ["last", "base"]
    assert written["summary"]["verdicts"] == {"lost": 1, "items only": 1, "higher": 1}


def test_labels_are_one_skill_by_likelihood_and_by_the_answer_beside_it() -> None:
    results = _results(base={}, last={})
    for name, right in (("base", 20), ("last", 150)):
        way = _suite(right, 200)
        results["arms"][name]["choices"] = {"likelihood": way, "generated": way, "labels": ["a"]}
    table = _table(results)
    assert [(row.name, row.measure) for row in table.skills] == [("labels", "likelihood")]
    assert [(row.name, row.measure) for row in table.secondary] == [("labels", "strict")]
    verdicts = [row.changes["last"].verdict for row in (*table.skills, *table.secondary)]
    assert [one and (one.word, one.is_primary) for one in verdicts] == [
        ("gained", True), ("gained", False)
    ]  # fmt: skip


def test_unknown_arms_are_refused() -> None:
    with pytest.raises(ValueError, match="other"):
        _table(RESULTS, "base", "other")


def test_a_stage_is_held_against_its_parent_as_well() -> None:
    """Base, A, B: B lost what A had learned, and is what the base was."""
    right = {"base": 100, "A": 180, "B": 100}
    arms = {
        name: {"suites": {"s": measured(scores_of(count, 200))}, "parent": parent}
        for (name, count), parent in zip(right.items(), ("", "base", "A"), strict=True)
    }
    table = build_table(results_of({"s": suite_of(200)}, arms))
    row = table.row("s")
    assert table.stages == ("base", "A", "B")
    assert row.stage_changes.keys() == {"B"}
    before, parent = row.changes["B"], row.stage_changes["B"]
    assert (before.before, parent.before) == ("base", "A")
    assert before.verdict is not None
    assert parent.verdict is not None
    assert (before.verdict.word, before.family) == ("the same within", "primary")
    assert (parent.verdict.word, parent.family) == ("lost", "exploratory, unadjusted")
    assert len(parent.lost) == 80
    alone = build_table(results_of({"s": suite_of(200)}, arms), ["base", "B"]).row("s")
    assert alone.stage_changes == {}


def test_regained_is_over_the_stages_that_lead_to_the_last_arm() -> None:
    right = {"base": 200, "A": 150, "other": 0, "B": 190}
    parents = {"A": "base", "other": "base", "B": "A"}
    arms = {
        name: {"suites": {"s": measured(scores_of(count, 200))}, "parent": parents.get(name, "")}
        for name, count in right.items()
    }
    row = build_table(results_of({"s": suite_of(200)}, arms)).row("s")
    assert (len(row.ever_lost), len(row.regained)) == (50, 40)
    named = build_table(results_of({"s": suite_of(200)}, arms), (), 0.05, list(right)).row("s")
    assert (len(named.ever_lost), len(named.regained)) == (200, 190)


def test_other_measures_are_rows_of_their_own_and_never_primary() -> None:
    scores = {"strict": (100, 40), "flexible": (100, 100), "likelihood": (120, 110)}
    arms = {
        arm: {
            "s": {
                "measures": {name: scores_of(counts[at], 200) for name, counts in scores.items()}
                | {"gold_nll": {f"i{item}": 1.0 + 0.5 * at for item in range(200)}}
                | {"length": {f"i{item}": 40.0 - 20 * at + item % 3 for item in range(200)}}
            }
        }
        for at, arm in enumerate(("base", "tuned"))
    }
    table = build_table(results_of({"s": suite_of(200)}, arms))
    assert [row.measure for row in table.skills] == ["strict"]
    assert [row.measure for row in table.secondary] == [
        "flexible", "likelihood", "gold_nll", "length"
    ]  # fmt: skip
    verdicts = {row.measure: row.changes["tuned"] for row in table.measures_of("s")}
    assert {change.family for name, change in verdicts.items() if name != "strict"} == {
        "exploratory, unadjusted"
    }
    assert verdicts["strict"].family == "primary"
    assert verdicts["strict"].confidence == 0.95  # one skill: its other measures are no family
    words = {name: one.verdict and one.verdict.word for name, one in verdicts.items()}
    assert words["gold_nll"] == "higher"
    assert words["length"] == "lower"
    assert verdicts["gold_nll"].flips is None
    assert table.row("s", "gold_nll").unit == "nats per token"
    with pytest.raises(KeyError):
        table.row("s", "rouge1")


def test_chance_adjusted_flips_need_as_many_choices_everywhere() -> None:
    arms = {
        arm: {"s": measured(scores_of(right, 200), "likelihood")}
        for arm, right in (("base", 150), ("tuned", 100))
    }
    suite = suite_of(200, "likelihood", choices=["a", "b", "c", "d"])
    change = build_table(results_of({"s": suite}, arms)).row("s").changes["tuned"]
    assert change.adjusted_flips == pytest.approx((0.25 - 0.25 * 0.5 / 3, 0.0))
    suite["items"]["i0"]["choices"] = ["a", "b"]
    change = build_table(results_of({"s": suite}, arms)).row("s").changes["tuned"]
    assert change.adjusted_flips is None


def test_documents_are_what_a_perplexity_counts() -> None:
    """Ten times the tokens in each of thirty documents say no more than they did."""
    few, many = (
        build_table(
            results_of(
                {"p": suite_of(30, "nll")},
                {
                    arm: {
                        "p": measured(
                            {f"i{at}": times * (20.0 + at % 7 + change * at) for at in range(30)},
                            "nll",
                            tokens={f"i{at}": 10 * times for at in range(30)},
                        )
                    }
                    for arm, change in (("base", 0.0), ("tuned", 0.1))
                },
            )
        )
        .row("p")
        .changes["tuned"]
        for times in (1, 10)
    )
    assert (few.low, few.high, few.p) == pytest.approx((many.low, many.high, many.p))
    assert few.verdict is not None
    assert (few.verdict.word, few.verdict.delta) == ("higher", None)


def test_the_family_holds_scores_and_perplexities_together() -> None:
    """Two skills, so Holm tests the smaller p at 2.5%."""
    nll = {
        arm: {f"i{at}": 20.0 + at + add for at in range(30)}
        for arm, add in (("base", 0.0), ("tuned", 1.0))
    }
    tokens = {f"i{at}": 10 for at in range(30)}
    arms = {
        arm: {"s": measured(scores_of(100, 200)), "p": measured(nll[arm], "nll", tokens=tokens)}
        for arm in ("base", "tuned")
    }
    table = build_table(results_of({"s": suite_of(200), "p": suite_of(30, "nll")}, arms))
    assert table.row("p").changes["tuned"].confidence == pytest.approx(0.975)
    assert table.row("s").changes["tuned"].confidence == pytest.approx(0.95)


def test_an_arm_is_named_once_and_delta_is_above_0() -> None:
    with pytest.raises(ValueError, match="arms"):
        _table(RESULTS, "base", "base")
    with pytest.raises(ValueError, match="delta"):
        build_table(read_results(RESULTS), (), 0.0)
