"""Stages and checkpoints among the arms of an evaluation."""

from collections.abc import Mapping

from engine.impact.results.evaluation_results import ArmResults, EvaluationResults
from tui.impact.arm_paths import find_reference, has_stages, path_to, steps_of

FOLDER = "/runs/emotion/checkpoints"


def results(arms: Mapping[str, tuple[str, str]]) -> EvaluationResults:
    """Arms by name, each with its text in the grammar and its parent."""
    made = {name: ArmResults(name, spec, {}, parent) for name, (spec, parent) in arms.items()}
    return EvaluationResults(made, {})


STAGED = results({
    "base": ("base=bundled:demo-base", ""),
    "a": ("a=run:a-1", "base"),
    "c": ("c=run:c-1", "b"),
    "b": ("b=run:b-1", "a"),
    "other": ("other=run:o-1", "gone"),
})  # fmt: skip
STEPPED = results({
    "base": ("base=bundled:demo-base", ""),
    "late": (f"late={FOLDER}/checkpoint-100", ""),
    "early": (f"early={FOLDER}/checkpoint-20/", ""),
    "last": (f"last=bundled:demo-base+{FOLDER}/checkpoint-300", ""),
    "elsewhere": ("elsewhere=/runs/x/checkpoints/checkpoint-7", ""),
    "broken": ("@@@", ""),
})  # fmt: skip


def test_stages_follow_their_parents_in_whatever_order_they_are_named() -> None:
    assert path_to(STAGED, "c") == ("base", "a", "b", "c")
    assert path_to(STAGED, "base") == ("base",)
    assert path_to(STAGED, "other") == ("base", "other")
    assert steps_of(STAGED) == {}


def test_an_arm_is_compared_with_the_base_or_its_parent() -> None:
    assert find_reference(STAGED, "c", "parent") == "b"
    assert find_reference(STAGED, "c", "base") == "base"
    assert find_reference(STAGED, "other", "parent") == "base"
    assert find_reference(STAGED, "base", "parent") is None
    assert has_stages(STAGED)
    assert not has_stages(STEPPED)


def test_checkpoints_of_one_run_are_steps_in_order() -> None:
    assert list(steps_of(STEPPED).items()) == [("early", 20), ("late", 100), ("last", 300)]
    assert path_to(STEPPED, "last") == ("base", "early", "late", "last")
    assert path_to(STEPPED, "early") == ("base", "early")
    assert path_to(STEPPED, "elsewhere") == ("base", "elsewhere")


def test_parents_in_a_circle_end() -> None:
    circle = results({"base": ("b", ""), "x": ("x=run:x", "y"), "y": ("y=run:y", "x")})
    assert path_to(circle, "x") == ("base", "y", "x")


def test_the_run_itself_comes_after_its_checkpoints() -> None:
    output = results({
        "base": ("base=bundled:demo-base", ""),
        "s1": ("s1=/runs/emotion-ab12/checkpoints/checkpoint-10", ""),
        "s2": ("s2=/runs/emotion-ab12/checkpoints/checkpoint-20", ""),
        "tuned": ("tuned=run:emotion-ab12", ""),
        "half": ("half=run:emotion-ab12@0.5", ""),
        "foreign": ("foreign=run:other", ""),
    })  # fmt: skip
    assert path_to(output, "tuned") == ("base", "s1", "s2", "tuned")
    assert path_to(output, "half") == ("base", "half")
    assert path_to(output, "foreign") == ("base", "foreign")
