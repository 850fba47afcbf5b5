"""Launching an evaluation: what is written into its recipe, and what is refused before."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.compare import endpoint_keys
from engine.compare.arms import parse_arms
from engine.errors import EngineError
from engine.impact.suites.suite_specs import parse_suites
from engine.jobs import directory, launch
from engine.launching import evaluation
from engine.recipes.recipe import EvaluateRecipe, Recipe, TrainRecipe


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    return root


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[EvaluateRecipe]:
    recipes: list[EvaluateRecipe] = []

    def keep(recipe: Recipe, *_: Any, **__: Any) -> None:
        assert isinstance(recipe, EvaluateRecipe)
        recipes.append(recipe)

    monkeypatch.setattr(launch, "launch", keep)
    return recipes


ARM = "base=bundled:demo-base"
ADDRESS = "e=http://localhost:1/v1?model=m"


def test_refs_are_valid_from_any_folder(
    root: Path, tmp_path: Path, launched: list[EvaluateRecipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.jsonl").write_text('{"prompt": "Say yes.", "gold": "yes"}\n')
    run = directory.create(root, TrainRecipe())
    run.held_out.write_text(
        '{"id": "a", "messages": [{"role": "user", "content": "?"}], "reference": "x"}\n'
    )
    (tmp_path / "enc").mkdir()
    (tmp_path / "enc" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    recipe = EvaluateRecipe(
        arms=[ARM], encoder="enc@3", prompts="bundled:all", choices="bundled:emotion",
        suites=["mine.jsonl?limit=1", "bundled:facts", f"run:{run.path.name}"],
    )  # fmt: skip
    evaluation.launch_evaluation(recipe, root)
    (located,) = launched
    assert [(suite.name, suite.ref) for suite in parse_suites(located.suites)] == [
        ("mine", str(tmp_path / "mine.jsonl")),
        ("facts", "bundled:facts"),
        (f"held-out of {run.path.name}", f"run:{run.path.name}"),
        ("labels", "bundled:emotion"),
    ]
    assert (located.choices, located.prompts) == ("", "bundled:all")
    assert located.encoder == str(tmp_path / "enc@3")


def test_rows_that_only_a_worker_reads_are_not_read_here(
    root: Path, tmp_path: Path, launched: list[EvaluateRecipe]
) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"prompt": ["a", "b"], "completion": ["c", "d"]}), path)
    evaluation.launch_evaluation(EvaluateRecipe(arms=[ARM], suites=[str(path)]), root)
    assert parse_suites(launched[0].suites)[0].ref == str(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": []}, "No arms to evaluate"),
        ({"arms": [ARM, ARM]}, "Two arms have the name"),
        ({"arms": [ARM, ADDRESS], "suites": ["bundled:prose"]}, "Nothing can be measured of an"),
        ({"arms": [ARM, ADDRESS], "null_adapters": 1}, "An endpoint has no null adapters"),
        ({"arms": [ARM, f"{ADDRESS}&key=BOX_KEY"]}, "BOX_KEY was not sent to this address before"),
        ({"suites": ["bundled:poems"]}, "Unknown bundled suite 'poems'"),
        ({"suites": ["bundled:facts", "bundled:facts"]}, "Two suites have the name 'facts'"),
        ({"suites": ["/no/suite.jsonl"]}, "/no/suite.jsonl"),
        ({"suites": ["run:nothing"]}, "nothing"),
        ({"suites": ["bundled:facts?fewshot=many"]}, "fewshot"),
        ({"suites": ["bundled:creative?fewshot=5"]}, "Too few examples"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_made(
    changes: dict[str, Any], words: str, root: Path
) -> None:
    recipe = EvaluateRecipe(**{"arms": [ARM]} | changes)
    with pytest.raises(EngineError) as caught:
        evaluation.launch_evaluation(recipe, root)
    assert words in f"{caught.value} {caught.value.detail}"
    assert list(root.iterdir()) == []


def test_what_an_address_lacks_is_said_before_the_start(
    root: Path, launched: list[EvaluateRecipe]
) -> None:
    suites = ["bundled:prose", "bundled:emotion?limit=4", "bundled:facts?limit=4"]
    recipe = EvaluateRecipe(arms=[ARM, ADDRESS], suites=suites, prompts="bundled:all")
    (line,) = evaluation.describe_endpoints(recipe, root)
    assert line == (
        "e: a server gives answers, no likelihoods. Not measured of it: anything of prose; the "
        "score of emotion (likelihood)."
    )
    assert evaluation.describe_endpoints(EvaluateRecipe(arms=[ARM], suites=suites), root) == []
    evaluation.launch_evaluation(recipe, root)
    assert launched[0].arms == [ARM, ADDRESS]


def test_a_key_that_is_not_set_here_is_missed_before_the_start(root: Path) -> None:
    arm = f"{ADDRESS}&key=BOX_KEY"
    endpoint_keys.allow(endpoint_keys.uses_of(parse_arms([arm])))
    with pytest.raises(EngineError, match="API key is missing"):
        evaluation.launch_evaluation(EvaluateRecipe(arms=[arm], suites=["bundled:facts"]), root)
    assert list(root.iterdir()) == []
