"""The skill table from what an evaluation wrote, its JSON, and its words on a terminal."""

import json
import math
from typing import Any

import pytest

from engine.impact.evaluation_results import read_results
from engine.impact.skill_rows import SkillTable
from engine.impact.skill_table import build_table
from engine.impact.stage_summary import summarize
from engine.impact.table_json import table_to_json
from engine.impact.verdicts import judge
from engine.statistics import paired_test


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
