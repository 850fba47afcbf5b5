"""What a gate found, for programs: JSON, and JUnit's XML as CI systems read it.

Both follow from the outcomes alone: no time and no place is in them. Text of suites and arms is
untrusted; in XML what the standard does not allow is replaced.
"""

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from engine.errors import EngineError
from engine.impact.changes.gate import (
    CONFIDENCE,
    GateOutcome,
    GateReport,
    Limit,
    write_change,
)
from engine.json_output import finite_or_none
from engine.text import clean, one_line

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not know, section 2.2."""
_SUITE = "finetop gate"


def encode_report(report: GateReport, job: str) -> dict[str, Any]:
    """The report as the standard's JSON knows it; `job` is the id of the evaluation."""
    return {
        "outcome": report.outcome,
        "arm": report.after,
        "against": report.before,
        "job": job,
        "confidence": CONFIDENCE,
        "limits": [
            _encode_outcome(judged)
            | {
                "notes": list(judged.notes),
                "seen": {
                    arm: None if ids is None else list(ids) for arm, ids in judged.seen.items()
                },
            }
            for judged in report.outcomes
        ],
        "notes": list(report.notes),
    }


def _encode_outcome(judged: GateOutcome) -> dict[str, Any]:
    flips = judged.flips
    return {
        "suite": judged.limit.suite,
        "kind": judged.limit.kind,
        "limit": judged.limit.share,
        "threshold": judged.limit.threshold,
        "measure": judged.measure,
        "unit": judged.unit,
        "items": judged.items,
        "change": finite_or_none(judged.change),
        "lower_bound": finite_or_none(judged.low),
        "upper_bound": finite_or_none(judged.high),
        "outcome": judged.outcome,
        "reason": judged.reason or None,
        "items_needed": judged.items_needed,
        "needed_if": None if judged.items_needed is None else judged.needed_if,
        "lost": None if flips is None else len(flips.lost),
        "gained": None if flips is None else len(flips.gained),
        "unseen": None if judged.unseen is None else _encode_outcome(judged.unseen),
    }


def write_junit(report: GateReport) -> bytes:
    """A test case a limit: failed, or skipped where the evidence does not do."""
    suite = _open_suite(report.title, [judged.limit for judged in report.outcomes])
    for case, judged in zip(suite, report.outcomes, strict=True):
        text = describe_outcome(judged)
        if judged.outcome == "failed":
            failure = ElementTree.SubElement(
                case, "failure", message=_xml(text), type=judged.outcome
            )
            failure.text = _xml("\n".join((text, *map(one_line, judged.notes))))
        elif judged.outcome == "not enough evidence":
            ElementTree.SubElement(case, "skipped", message=_xml(text))
        else:
            ElementTree.SubElement(case, "system-out").text = _xml(
                "\n".join((text, *map(one_line, judged.notes)))
            )
    return _finish(suite)


def write_junit_error(title: str, limits: Sequence[Limit], error: EngineError) -> bytes:
    """A test case a limit, none of which could be judged: the evaluation did not end."""
    suite = _open_suite(title, limits)
    for case in suite:
        element = ElementTree.SubElement(case, "error", message=_xml(one_line(error.title)))
        element.set("type", "evaluation")
        element.text = _xml(clean(str(error)))
    return _finish(suite)


def describe_outcome(judged: GateOutcome) -> str:
    """One limit in a sentence: `facts lost at most 3 points: failed, -12.0 (upper bound -9.1) ...`;
    not cleaned but for the suite's name."""
    head = f"{one_line(judged.limit.suite)} {judged.limit.words}: {judged.outcome}"
    if judged.reason:
        return f"{head}, {judged.reason}"
    side = "upper" if judged.bound == judged.high else "lower"
    needed = "" if judged.items_needed is None else f", about {judged.items_needed:,} items needed"
    needed += f" if {judged.needed_if}" if needed else ""
    change, bound = write_change(judged, judged.change), write_change(judged, judged.bound)
    return f"{head}, change {change}, {side} 95% bound {bound}, n = {judged.items:,}{needed}"


def _open_suite(title: str, limits: Sequence[Limit]) -> ElementTree.Element:
    """With a case for each limit, whose names differ: the same limit is never set twice."""
    name = _xml(f"{_SUITE}: {one_line(title)}")
    suite = ElementTree.Element("testsuite", name=name)
    for limit in limits:
        words = _xml(f"{one_line(limit.suite)} {limit.words}")
        ElementTree.SubElement(suite, "testcase", classname=name, name=words)
    return suite


def _finish(suite: ElementTree.Element) -> bytes:
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("*/failure")),
        "errors": len(suite.findall("*/error")),
        "skipped": len(suite.findall("*/skipped")),
    }
    root = ElementTree.Element("testsuites", name=_SUITE)
    for element in (root, suite):
        element.attrib.update({key: str(count) for key, count in counts.items()})
    root.append(suite)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)
