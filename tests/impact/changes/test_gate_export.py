"""What a gate writes for programs: JSON that the standard knows, XML that every reader parses."""

import json
from xml.etree import ElementTree

from engine.errors import JobFailed
from engine.impact.changes.gate import GateReport, Limit, judge_limits
from engine.impact.changes.gate_export import (
    describe_outcome,
    encode_report,
    write_junit,
    write_junit_error,
)
from tests.impact.made_results import measured, results_of, scores_of, suite_of

HOSTILE = 'a\x1b]0;pwn\x07<&"]]>\ufffe\udcff\u202eb\x00\n'
RIGHT = {"facts": 299, HOSTILE: 250, "french": 292, "math": 300}


def _report(arm: str = "tuned") -> GateReport:
    after = {name: measured(scores_of(count, 300)) for name, count in RIGHT.items()}
    after["math"]["measures"]["strict"]["i7"] = None
    results = results_of(
        {name: suite_of(300) for name in RIGHT},
        {
            "base": {name: measured(scores_of(300, 300)) for name in RIGHT},
            arm: after,
        },
    )
    limits = [Limit("lost at most", 0.03, name) for name in RIGHT]
    return judge_limits(results, limits, "base", arm)


def test_the_json_has_every_limit() -> None:
    table = json.loads(json.dumps(encode_report(_report(), "gate-1a2b"), allow_nan=False))
    assert (table["outcome"], table["arm"], table["against"]) == ("failed", "tuned", "base")
    assert table["job"] == "gate-1a2b"
    outcomes = {one["suite"]: one["outcome"] for one in table["limits"]}
    assert list(outcomes.values()) == ["passed", "failed", "not enough evidence", "failed"]
    facts, hostile, french, math = table["limits"]
    assert facts["lost"] == 1
    assert facts["lower_bound"] > facts["threshold"] == -0.03
    assert hostile["upper_bound"] < -0.03
    assert french["items_needed"] > 0
    assert french["needed_if"] == "nothing is lost"
    assert facts["items_needed"] is facts["needed_if"] is None
    assert math["change"] is None
    assert "diverged" in math["reason"]
    assert facts["seen"] == {"base": None, "tuned": None}


def test_junit_counts_what_it_holds() -> None:
    content = write_junit(_report())
    root = ElementTree.fromstring(content)
    (suite,) = root
    assert root.tag == "testsuites"
    assert suite.tag == "testsuite"
    for element in (root, suite):
        counts = {key: element.get(key) for key in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "4", "failures": "2", "errors": "0", "skipped": "1"}
    cases = list(suite)
    assert [case.tag for case in cases] == ["testcase"] * 4
    assert [case[0].tag for case in cases] == ["system-out", "failure", "skipped", "failure"]
    assert cases[0].get("name") == "facts lost at most 3 points"
    assert "change -16.7, upper 95% bound" in str(cases[1][0].get("message"))
    assert "about" in str(cases[2][0].get("message"))
    assert all(case.get("classname") for case in cases)


def test_hostile_names_make_no_hostile_xml() -> None:
    content = write_junit(_report(HOSTILE))
    text = content.decode("utf-8")
    ElementTree.fromstring(content)
    for sign in "\x00\x07\x1b\ufffe\u202e":
        assert sign not in text
    assert "&lt;&amp;&quot;" in text


def test_the_same_report_is_the_same_bytes() -> None:
    assert write_junit(_report()) == write_junit(_report())
    assert b"time" not in write_junit(_report())


def test_an_evaluation_that_failed_is_an_error_of_each_limit() -> None:
    limits = [Limit("lost at most", 0.03, name) for name in ("facts", HOSTILE)]
    error = JobFailed("The GPU is out of memory.", f"at item {HOSTILE}", "Use --limit.")
    (suite,) = ElementTree.fromstring(write_junit_error("tuned against base", limits, error))
    assert (suite.get("errors"), suite.get("failures")) == ("2", "0")
    for case in suite:
        assert case[0].tag == "error"
        assert case[0].get("message") == "The GPU is out of memory."
        assert "--limit" in str(case[0].text)


def test_an_outcome_in_a_sentence() -> None:
    facts, hostile, french, math = _report().outcomes
    assert describe_outcome(facts).startswith(
        "facts lost at most 3 points: passed, change -0.3, lower 95% bound -1."
    )
    assert "\n" not in describe_outcome(hostile)
    assert describe_outcome(french).endswith("items needed if nothing is lost")
    assert describe_outcome(math).endswith("a model diverged")
