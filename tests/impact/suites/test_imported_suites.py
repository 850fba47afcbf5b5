"""Files of other harnesses as skills of arms: named, paired, or refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EngineError
from engine.impact.results.evaluation_results import FLEXIBLE, LIKELIHOOD, LIKELIHOOD_NORM, STRICT
from engine.impact.suites.imported_suites import ImportedSuites, import_suites
from engine.impact.suites.suite_specs import parse_suites

CHOICES = ("anger", "joy")
TIME = "2026-11-30T17-52-33.537767"


def _choice_line(item: int, right: int, sums: tuple[float, float], **more: Any) -> dict[str, Any]:
    """As lm_eval 0.4.13 writes it, numbers as texts."""
    question = f"Which emotion is text {item}?"
    picked = sums.index(max(sums))
    answers = [[str(one), "False"] for one in sums]
    return {
        "doc_id": item,
        "doc": {"question": question, "choices": list(CHOICES), "gold": right},
        "target": str(right),
        "arguments": {
            f"gen_args_{at}": {"arg_0": f"5 examples\n\n{question}", "arg_1": f" {choice}"}
            for at, choice in enumerate(CHOICES)
        },
        "resps": [[one] for one in answers],
        "filtered_resps": answers,
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "acc": float(picked == right),
        "acc_norm": 1.0,
    } | more


def _write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


LINES = [_choice_line(0, 1, (-3.0, -1.0)), _choice_line(1, 0, (-3.0, -1.0))]


def _import(*texts: str, taken: tuple[str, ...] = ()) -> ImportedSuites:
    return import_suites(parse_suites(texts), ["base", "tuned"], taken)


def test_a_task_is_a_skill_and_its_metrics_are_measures(tmp_path: Path) -> None:
    path = _write(tmp_path / f"samples_emo_{TIME}.jsonl", LINES)
    imported = _import(f"lm-eval:{path}?arm=base")
    facts, found = imported.suites["emo"], imported.arms["base"]["emo"]
    assert list(imported.arms) == ["base"]
    assert facts.measure == LIKELIHOOD
    assert facts.labels == CHOICES
    assert facts.items["1"].prompt == "Which emotion is text 1?"
    assert [one.gold for one in facts.items.values()] == [("joy",), ("anger",)]
    assert found.measures == {LIKELIHOOD: {"0": 1, "1": 0}, LIKELIHOOD_NORM: {"0": 1, "1": 1}}
    assert found.picked == {LIKELIHOOD: {"0": "joy", "1": "joy"}}
    assert (found.seen, found.finish) == (None, {})
    assert found.asked == {"source": "lm-evaluation-harness"}
    wanted = _import(f"mine=lm-eval:{path}?arm=base&measure=likelihood_norm").suites["mine"]
    assert wanted.measure == LIKELIHOOD_NORM
    with pytest.raises(EngineError, match="no measure 'strict'"):
        _import(f"lm-eval:{path}?arm=base&measure=strict")


def test_how_it_was_asked_stands_beside_the_samples(tmp_path: Path) -> None:
    path = _write(tmp_path / f"samples_emo_{TIME}.jsonl", LINES)
    about = {"n-shot": {"emo": 5}, "chat_template": None, "model_name": "org/model",
             "higher_is_better": {"emo": {"acc": True, "acc_norm": True}}}  # fmt: skip
    beside = tmp_path / f"results_{TIME}.json"
    beside.write_text(json.dumps(about))
    found = _import(f"lm-eval:{path}?arm=base").arms["base"]["emo"]
    assert (found.asked["fewshot"], found.asked["template"], found.asked["model"]) == (
        5,
        "raw",
        "org/model",
    )
    about["higher_is_better"] = {"emo": {"acc": False, "acc_norm": True}}
    beside.write_text(json.dumps(about))
    found = _import(f"lm-eval:{path}?arm=base").arms["base"]["emo"]
    assert list(found.measures) == [LIKELIHOOD_NORM], "a metric of which less is better"
    beside.write_text("{")
    assert "fewshot" not in _import(f"lm-eval:{path}?arm=base").arms["base"]["emo"].asked


def test_metrics_of_which_less_is_better_are_no_skill(tmp_path: Path) -> None:
    line = {"doc_id": 0, "doc": {}, "target": "", "metrics": ["brier_score"], "brier_score": 0.2}
    with pytest.raises(EngineError, match="more is better") as raised:
        _import(f"lm-eval:{_write(tmp_path / 'a.jsonl', [line])}?arm=base")
    assert "brier_score" in raised.value.detail


def test_filters_of_generated_answers(tmp_path: Path) -> None:
    lines = [
        {
            "doc_id": item,
            "doc": {"question": f"{item} + 1?"},
            "target": str(item + 1),
            "arguments": {"gen_args_0": {"arg_0": f"{item} + 1?", "arg_1": {"until": ["x"]}}},
            "filtered_resps": ["1"],
            "filter": name,
            "metrics": ["exact_match", "f1", "bleu"],
            "exact_match": float(name == "flexible-extract"),
            "f1": 0.5,
            "bleu": 40.0,
        }
        for item in range(2)
        for name in ("strict-match", "flexible-extract")
    ]
    imported = _import(f"lm-eval:{_write(tmp_path / 'sums.jsonl', lines)}?arm=base")
    found = imported.arms["base"]["sums"]
    assert found.measures[STRICT] == {"0": 0, "1": 0}
    assert found.measures[FLEXIBLE] == {"0": 1, "1": 1}
    assert set(found.measures) == {STRICT, FLEXIBLE, "f1 · strict-match", "f1 · flexible-extract"}
    assert "left out, since not between 0 and 1: bleu" in found.notes
    assert imported.suites["sums"].measure == STRICT
    assert imported.suites["sums"].items["1"].gold == ("2",)
    assert found.picked == {}


def test_of_a_folder_the_newest_file_of_each_task(tmp_path: Path) -> None:
    model = tmp_path / "out" / "model"
    old, new = "2026-01-01T00-00-00.5", "2026-02-01T00-00-00.5"
    _write(model / f"samples_emo_{new}.jsonl", LINES)
    _write(model / f"samples_emo_{old}.jsonl", LINES[:1])
    _write(model / f"samples_other_task_{old}.jsonl", LINES)
    for folder in (model, tmp_path / "out"):
        found = _import(f"lm-eval:{folder}?arm=base")
        assert sorted(found.suites) == ["emo", "other_task"]
        assert len(found.suites["emo"].items) == 2
    pairs = [{"doc_id": 0, "doc": {}, "target": "", "ppl": [1.0, 2], "metrics": ["ppl"]}]
    _write(model / f"samples_texts_{old}.jsonl", pairs)
    notes: list[str] = []
    specs = parse_suites([f"lm-eval:{model}?arm=base"])
    assert len(import_suites(specs, ["base"], say=notes.append).suites) == 2
    assert "samples_texts" in notes[0]
    with pytest.raises(EngineError, match="folder of 2 tasks cannot be one suite"):
        _import(f"mine=lm-eval:{model}?arm=base")
    _write(tmp_path / "out" / "second" / f"samples_emo_{new}.jsonl", LINES)
    with pytest.raises(EngineError, match="several models") as raised:
        _import(f"lm-eval:{tmp_path / 'out'}?arm=base")
    assert "model, second" in raised.value.detail
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="no samples"):
        _import(f"lm-eval:{tmp_path / 'empty'}?arm=base")
    with pytest.raises(EngineError, match=r"none\.jsonl"):
        _import(f"lm-eval:{tmp_path / 'none.jsonl'}?arm=base")


def test_arms_are_paired_on_the_same_items_or_refused(tmp_path: Path) -> None:
    base = _write(tmp_path / "base" / f"samples_emo_{TIME}.jsonl", LINES)
    later = "2026-12-01T00-00-00.1"
    lines = [_choice_line(1, 0, (-1.0, -3.0)), _choice_line(0, 1, (-1.0, -3.0))]
    tuned = _write(tmp_path / "tuned" / f"samples_emo_{later}.jsonl", lines)
    imported = _import(f"lm-eval:{base}?arm=base", f"lm-eval:{tuned}?arm=tuned")
    assert list(imported.suites) == ["emo"]
    assert imported.arms["tuned"]["emo"].measures[LIKELIHOOD] == {"1": 1, "0": 0}
    edited = [LINES[0], _choice_line(1, 1, (-3.0, -1.0))]
    _write(tuned, edited)
    with pytest.raises(EngineError, match="not of the same items") as raised:
        _import(f"lm-eval:{base}?arm=base", f"lm-eval:{tuned}?arm=tuned")
    assert str(tuned) in raised.value.detail
    assert raised.value.detail.endswith("the first is 1")


def test_names_that_are_taken_and_arms_that_are_not_there(tmp_path: Path) -> None:
    path = _write(tmp_path / f"samples_emo_{TIME}.jsonl", LINES)
    with pytest.raises(EngineError, match="no arm 'other'") as raised:
        _import(f"lm-eval:{path}?arm=other")
    assert "base, tuned" in raised.value.hint
    with pytest.raises(EngineError, match="Two suites have the name 'emo'"):
        _import(f"lm-eval:{path}?arm=base", taken=("emo",))
    with pytest.raises(EngineError, match="Two suites have the name 'emo'"):
        _import(f"lm-eval:{path}?arm=base", f"emo=lm-eval:{path}?arm=base")


def test_other_metrics_of_two_arms_are_refused(tmp_path: Path) -> None:
    base = _write(tmp_path / "a" / "emo.jsonl", LINES)
    lines = [{**line, "metrics": ["acc_norm"]} for line in LINES]
    tuned = _write(tmp_path / "b" / "emo.jsonl", lines)
    with pytest.raises(EngineError, match="not scored by one metric"):
        _import(f"lm-eval:{base}?arm=base", f"lm-eval:{tuned}?arm=tuned")


def test_a_log_of_inspect(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    samples = [
        {"id": item, "epoch": 1, "input": [{"role": "user", "content": f"question {item}"}],
         "choices": ["red", "blue"], "target": "B",
         "scores": {"choice": {"value": value}, "style": {"value": 0.5}}}
        for item, value in (("a", "C"), ("b", "I"))
    ]  # fmt: skip
    log = {"status": "success", "eval": {"task": "colours", "model": "m"}, "samples": samples}
    path.write_text(json.dumps(log))
    imported = _import(f"inspect:{path}?arm=tuned")
    facts, found = imported.suites["colours"], imported.arms["tuned"]["colours"]
    assert facts.items["a"].prompt == "question a"
    assert facts.items["a"].gold == ("blue",)
    assert found.measures == {STRICT: {"a": 1, "b": 0}, "score · style": {"a": 0.5, "b": 0.5}}
    assert found.asked == {"source": "inspect_ai", "model": "m"}


def test_what_is_not_as_the_harness_writes_it_costs_no_score(tmp_path: Path) -> None:
    line = {"doc_id": 0, "doc": "text", "target": ["a"], "arguments": [["p", " x"], ["q", " y"]],
            "filtered_resps": [["a"], []], "acc": 1.0}  # fmt: skip
    imported = _import(f"lm-eval:{_write(tmp_path / 'a.jsonl', [line])}?arm=base")
    assert imported.suites["a"].items["0"].choices == ()
    assert imported.arms["base"]["a"].measures == {STRICT: {"0": 1}}
