"""What a recipe asks to measure: suites of old and new keys, their measure, parents of stages."""

import json
from pathlib import Path

import pytest

from engine.compare.arms import parse_arms
from engine.errors import EngineError
from engine.impact.suites.evaluation_plan import (
    find_parents,
    list_specs,
    make_plan,
    split_encoder,
)
from engine.jobs import directory
from engine.recipes.recipe import EvaluateRecipe, TrainRecipe
from engine.recipes.settings import Decode, Model


def _write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


CHOICE = {"prompt": "?", "score": "choices", "gold": "yes", "choices": ["yes", "no"]}
OTHER = CHOICE | {"choices": ["yes", "perhaps"]}
FREE = {"prompt": "?", "reference": "a long answer in words of its own"}
TEXT = {"score": "perplexity", "text": "i miss my dog"}


@pytest.mark.parametrize(
    ("rows", "options", "measure"),
    [
        ([CHOICE, CHOICE], "", "likelihood"),
        ([CHOICE, OTHER], "", "strict"),
        ([CHOICE, OTHER], "?template=raw", "likelihood"),
        ([CHOICE, CHOICE], "?measure=strict", "strict"),
        ([CHOICE, {"prompt": "?", "gold": "x"}], "", "strict"),
        ([TEXT], "", "nll"),
        ([FREE, FREE], "", "gold_nll"),
        ([FREE, {"prompt": "?"}], "", "gold_nll"),
        ([FREE, {"prompt": "?", "gold": "x"}], "", "strict"),
        ([{"prompt": "?"}], "", "strict"),
    ],
)
def test_the_measure_of_a_skill(
    rows: list[object], options: str, measure: str, tmp_path: Path
) -> None:
    path = _write(tmp_path / "mine.jsonl", *rows)
    (suite,) = make_plan(EvaluateRecipe(arms=["a=x:y"], suites=[path + options]), ()).suites
    assert (suite.name.partition(",")[0], suite.measure) == ("mine", measure)


@pytest.mark.parametrize(
    ("written", "path", "layer"),
    [("/x/enc", "/x/enc", None), ("/x/enc@3", "/x/enc", 3), ("/x@y/enc", "/x@y/enc", None)],
)
def test_an_encoder_and_its_layer(written: str, path: str, layer: int | None) -> None:
    assert split_encoder(written) == (Path(path), layer)


def test_every_bundled_suite_without_names_and_old_keys_beside_them() -> None:
    names = [spec.name for spec in list_specs(EvaluateRecipe())]
    assert names == ["arithmetic", "facts", "formats", "french", "prose", "python"]
    old = EvaluateRecipe(
        arms=["a=x:y"], choices="bundled:facts", prompts="bundled:general", limit=3
    )
    plan = make_plan(old, ())
    assert [suite.name for suite in plan.suites] == [*names, "labels", "prompts"]
    assert [len(suite.items) for suite in plan.suites[:6]] == [3] * 6
    assert len(plan.suites[6].items) == 320, "these two were never limited"


def test_options_of_a_suite_come_before_those_of_the_recipe(tmp_path: Path) -> None:
    path = _write(tmp_path / "mine.jsonl", *([CHOICE] * 5))
    recipe = EvaluateRecipe(
        arms=["a=x:y"], limit=4, samples=2, temperature=0.5, decode=Decode(max_new_tokens=9),
        suites=[path, f"own={path}?limit=2&samples=3&temperature=0&max_new_tokens=5"],
    )  # fmt: skip
    usual, own = make_plan(recipe, ()).suites
    assert (len(usual.items), usual.samples, usual.temperature) == (4, 2, 0.5)
    assert usual.decode.max_new_tokens == 9
    assert (len(own.items), own.samples, own.temperature) == (2, 3, 0.0)
    assert own.decode.max_new_tokens == 5


def test_examples_are_drawn_from_the_whole_suite(tmp_path: Path) -> None:
    rows = [{"prompt": f"question {at}", "gold": f"answer {at}"} for at in range(9)]
    path = _write(tmp_path / "mine.jsonl", *rows)
    recipe = EvaluateRecipe(arms=["a=x:y"], suites=[f"{path}?fewshot=2&limit=3", path])
    few, usual = make_plan(recipe, ()).suites
    assert (few.name, len(few.items), len(usual.items)) == ("mine, 2-shot", 3, 9)
    assert [len(item.messages) for item in few.items] == [5] * 3
    assert [item.messages[-1] for item in few.items] == [
        item.messages[-1] for item in usual.items[:3]
    ]
    assert few.digest != usual.digest


def test_an_edited_suite_has_another_digest(tmp_path: Path) -> None:
    digests = set()
    for rows in ([CHOICE], [CHOICE | {"gold": "no"}], [CHOICE | {"prompt": "!"}]):
        path = _write(tmp_path / "mine.jsonl", *rows)
        (suite,) = make_plan(EvaluateRecipe(arms=["a=x:y"], suites=[path]), ()).suites
        digests.add(suite.digest)
    assert len(digests) == 3


def test_parents_are_the_arms_that_runs_began_with(tmp_path: Path) -> None:
    first = directory.create(tmp_path, TrainRecipe(model=Model(checkpoint="bundled:demo-base")))
    second = directory.create(
        tmp_path, TrainRecipe(model=Model(checkpoint=f"run:{first.path.name}"))
    )
    runs = [first.path, second.path]
    refs = {"b": f"run:{first.path.name}", "c": f"run:{second.path.name}"}
    written = ["base=bundled:demo-base", *(f"{name}={ref}" for name, ref in refs.items())]
    assert find_parents(parse_arms(written), runs) == {"b": "base", "c": "b"}
    assert find_parents(parse_arms([written[0], written[2]]), runs) == {}
    merged = [written[0], f"c=bundled:demo-base+run:{second.path.name}", written[1]]
    assert find_parents(parse_arms(merged), runs) == {"b": "base", "c": "b"}


def test_without_arms_there_is_nothing_to_do() -> None:
    with pytest.raises(EngineError, match="No arms"):
        make_plan(EvaluateRecipe(suites=["bundled:facts"]), ())
