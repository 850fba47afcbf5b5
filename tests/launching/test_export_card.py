"""What a model card cannot hold is refused before the queue, not after an hour of proofs."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.launching.export import plan_export
from tests.release.card.carded import make_recipe, write_measured, write_source


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"license": "free"}, "Unknown license"),
        ({"base_id": "a/b--c"}, "not a model id"),
        ({"limitations": "x" * 30_000}, "too long"),
    ],
)
def test_what_a_card_cannot_hold_is_refused_at_once(
    tmp_path: Path, wrong: dict[str, str], words: str
) -> None:
    source = write_source(tmp_path)
    right = make_recipe(tmp_path, source=f"run:{source.stages[-1].name}", targets=["adapter"])
    Path(right.out).parent.mkdir()
    assert plan_export(right, tmp_path / "runs").recipe.license == ""
    with pytest.raises(EngineError, match=words):
        plan_export(make_recipe(tmp_path, source=right.source, targets=["adapter"], **wrong),
                    tmp_path / "runs")  # fmt: skip


def test_a_damaged_row_that_was_held_out_is_refused_at_once(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    recipe = make_recipe(tmp_path, source=f"run:{source.stages[-1].name}", targets=["adapter"])
    Path(recipe.out).parent.mkdir()
    row = '{"id": "a", "messages": [{"role": "user", "content": "x"}], "reference": "y"}\n'
    held_out = source.stages[-1] / "held_out.jsonl"
    held_out.write_text(row)
    assert plan_export(recipe, tmp_path / "runs").source.held_out == held_out
    held_out.write_text(row + row[:30])
    with pytest.raises(EngineError, match=r"1 of 2 rows of held_out\.jsonl"):
        plan_export(recipe, tmp_path / "runs")


def test_an_evaluation_of_other_weights_is_refused_at_once(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    write_measured(tmp_path, source.root)
    (tmp_path / "out").mkdir()
    runs = tmp_path / "runs"
    named = {"targets": ["adapter"], "report": "run:impact-child"}
    planned = plan_export(make_recipe(tmp_path, source="run:child", **named), runs)
    assert planned.recipe.report == "run:impact-child"
    (runs / "impact-child" / "results.json").write_text(
        (runs / "impact-child" / "results.json").read_text().replace("run:child", "run:gone")
    )
    with pytest.raises(EngineError, match="did not measure"):
        plan_export(make_recipe(tmp_path, source="run:child", **named), runs)


def test_a_license_file_that_cannot_go_along_is_refused_at_once(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    recipe = make_recipe(tmp_path, source=f"run:{source.stages[-1].name}", targets=["adapter"])
    Path(recipe.out).parent.mkdir()
    (source.root / "LICENSE").write_bytes(bytes(2 << 20))
    with pytest.raises(EngineError, match="LICENSE is larger than"):
        plan_export(recipe, tmp_path / "runs")
