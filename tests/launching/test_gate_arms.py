"""What a gate holds against what: runs, stages, adapters, arms in the grammar, done jobs."""

from pathlib import Path

import pytest

from engine.compare.arms import format_arm
from engine.errors import EngineError
from engine.impact.results.evaluation_results import EvaluationResults
from engine.jobs.store import Store
from engine.launching.gate_arms import find_gate_arms, find_measured_arms, read_gate_suite
from tests.impact.made_results import measured, results_of, scores_of, suite_of
from tests.tui.building import write_run
from tests.worker.tiny import save_adapter, save_checkpoint


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Stages A, B, C on the bundled base, in this order."""
    root = tmp_path / "runs"
    for name, checkpoint in (("A", "bundled:demo-base"), ("B", "run:A"), ("C", "run:B")):
        write_run(root, name, checkpoint=checkpoint)
    return Store(root)


@pytest.mark.parametrize(
    ("run", "against", "before", "after", "others"),
    [
        ("A", "root", "base=bundled:demo-base", "A=run:A", []),
        ("A", "parent", "base=bundled:demo-base", "A=run:A", []),
        ("C", "root", "base=bundled:demo-base", "C=run:C", ["parent B=run:B"]),
        ("C", "parent", "B=run:B", "C=run:C", ["root base=bundled:demo-base"]),
        ("run:C", "root", "base=bundled:demo-base", "C=run:C", ["parent B=run:B"]),
        ("C", "A", "A=run:A", "C=run:C", []),
        ("x=run:C@0.5", "root", "base=bundled:demo-base", "x=run:C@0.5", ["parent B=run:B"]),
        ("C", "y=run:C@0.0", "y=run:C@0.0", "C=run:C", []),
        (
            "x=run:B?prompt=raw&temperature=0.5", "root",
            "base=bundled:demo-base?prompt=raw&temperature=0.5",
            "x=run:B?prompt=raw&temperature=0.5", ["parent A=run:A?prompt=raw&temperature=0.5"],
        ),
        ("base=run:A", "root", "base (base)=bundled:demo-base", "base=run:A", []),
        ("t=/m+/a@0.5", "root", "base=/m", "t=/m+/a@0.5", []),
    ],
)  # fmt: skip
def test_a_run_against_its_root_its_parent_or_any_arm(
    store: Store, run: str, against: str, before: str, after: str, others: list[str]
) -> None:
    arms = find_gate_arms(run, against, store)
    assert format_arm(arms.before) == before
    assert format_arm(arms.after) == after
    named = [f"{word} {arm.name}={arm.checkpoint}" for word, arm in arms.others]
    assert named == [other.partition("?")[0] for other in others]


def test_a_run_by_its_path_and_one_of_its_checkpoints(store: Store) -> None:
    arms = find_gate_arms(str(store.root / "B"), "parent", store)
    assert (format_arm(arms.before), format_arm(arms.after)) == ("A=run:A", "B=run:B")


def test_an_adapter_against_the_base_that_it_names(store: Store, tmp_path: Path) -> None:
    base = save_checkpoint(tmp_path / "base")
    save_adapter(tmp_path / "adapter", base)
    arms = find_gate_arms(f"tuned={tmp_path / 'adapter'}", "root", store)
    assert arms.before.checkpoint == str(base)
    with pytest.raises(EngineError, match="base of full is not known") as error:
        find_gate_arms(f"full={base}", "root", store)
    assert "--against NAME=CHECKPOINT" in error.value.hint


@pytest.mark.parametrize(
    ("run", "words"),
    [("D", "No run 'D'"), ("run:D", "No run 'D'"), ("x=", "checkpoint is missing")],
)
def test_what_is_missing_is_named(store: Store, run: str, words: str) -> None:
    with pytest.raises(EngineError) as error:
        find_gate_arms(run, "root", store)
    assert words in error.value.title


def _results() -> EvaluationResults:
    one = {"facts": measured(scores_of(1, 2))}
    parents = {"base": "", "A": "base", "B": "A", "checkpoint": ""}
    return results_of(
        {"facts": suite_of(2)},
        {arm: {"suites": one, "parent": parent} for arm, parent in parents.items()},
    )


@pytest.mark.parametrize(
    ("against", "arm", "pair"),
    [
        ("root", "", ("base", "checkpoint")),
        ("root", "B", ("base", "B")),
        ("parent", "B", ("A", "B")),
        ("parent", "checkpoint", ("base", "checkpoint")),
        ("B", "A", ("B", "A")),
    ],
)
def test_the_arms_of_a_job_that_is_done(against: str, arm: str, pair: tuple[str, str]) -> None:
    assert find_measured_arms(_results(), against, arm, "job") == pair


@pytest.mark.parametrize(
    ("against", "arm", "words"),
    [
        ("C", "", "Unknown arm 'C'"),
        ("root", "C", "Unknown arm 'C'"),
        ("parent", "C", "Unknown arm 'C'"),
        ("root", "base", "no two arms"),
        ("parent", "base", "no two arms"),
    ],
)
def test_arms_that_a_job_lacks_are_refused(against: str, arm: str, words: str) -> None:
    with pytest.raises(EngineError) as error:
        find_measured_arms(_results(), against, arm, "job-1a2b")
    assert words in error.value.title
    assert "job-1a2b: base, A, B, checkpoint" in error.value.detail


@pytest.mark.parametrize(
    ("text", "ref", "name"),
    [
        ("facts", "bundled:facts", "facts"),
        ("emotion", "bundled:emotion", "emotion"),
        ("bundled:facts", "bundled:facts", "facts"),
        ("f=facts?limit=5", "bundled:facts", "f"),
        ("run:A", "run:A", "held-out of A"),
        ("org/name", "org/name", "name"),
        ("..", "..", ".."),
    ],
)
def test_a_bare_name_is_that_of_a_bundled_suite(text: str, ref: str, name: str) -> None:
    suite = read_gate_suite(text)
    assert (suite.ref, suite.name) == (ref, name)


def test_a_file_comes_before_a_bundled_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts").write_text("{}")
    assert read_gate_suite("facts").ref == "facts"
