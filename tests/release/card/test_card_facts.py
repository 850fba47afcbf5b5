"""What a card tells comes from the runs, the base and an evaluation of these weights."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.errors import EngineError
from engine.release.card.card_facts import choose_name, collect_facts, read_base
from engine.release.card.card_impact import read_impact
from tests.release.card.carded import list_runs, make_recipe, write_measured, write_source


def state(license_id: str = "") -> Callable[[Path], dict[str, Any]]:
    """Every folder's README.md states this license."""
    return lambda _: {"license": license_id} if license_id else {}


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "state"))


def test_stages_are_told_with_their_numbers(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    facts = collect_facts(source, make_recipe(tmp_path), list_runs(tmp_path), state("mit"))
    assert [stage.run.id for stage in facts.stages] == ["emotion-lora", "child"]
    first = facts.stages[0]
    assert (first.rows, first.trained_tokens, first.held_out_rows) == (2400, 8445, 600)
    assert first.evaluated == "2,114 tokens"
    assert [(one.name, one.sha256) for one in first.files] == [("emotion-lora.jsonl", "ab" * 32)]
    assert (first.data, first.data_set, first.is_bundled_data) == ("emotion-lora.jsonl", "", False)
    assert {curve.tag for curve in first.run.curves} >= {"train/loss", "eval/loss"}
    assert facts.base.architecture == "LlamaForCausalLM"
    assert facts.base.id == ""
    assert any("--base-id" in remark for remark in facts.remarks)
    assert facts.license.id == "mit"
    assert "/home" not in repr([facts.stages, facts.base, facts.remarks])


def test_the_id_that_the_user_gives_comes_first(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    assert read_base(source.root, "google/gemma-3-270m").id == "google/gemma-3-270m"
    assert read_base(source.root, "not an id").id == ""
    bundled = read_base(BASE)
    assert (bundled.name, bundled.id, bundled.is_bundled) == ("demo-base", "", True)


def test_a_data_set_of_the_hub_is_known_by_its_place(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    recipe = source.stages[0] / "recipe.toml"
    place = "/home/marguerite/.cache/huggingface/hub/datasets--dair-ai--emotion/snapshots/ab/t.csv"
    recipe.write_text(recipe.read_text().replace("/home/marguerite/data/emotion-lora.jsonl", place))
    facts = collect_facts(source, make_recipe(tmp_path), [], state())
    first, second = facts.stages
    assert (first.data_set, first.data_terms) == ("dair-ai/emotion", "")
    assert (second.data_set, second.data_terms) == ("", "")
    asked: list[Path] = []

    def read(folder: Path) -> dict[str, Any]:
        asked.append(folder)
        return {"license": ["cc-by-4.0", 3, "odc-by"]}

    facts = collect_facts(source, make_recipe(tmp_path), [], read)
    assert facts.stages[0].data_terms == "cc-by-4.0, odc-by"
    assert str(asked[1]).endswith("datasets--dair-ai--emotion/snapshots/ab")


def test_the_name_is_the_user_s_else_that_of_the_run(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    assert choose_name(source, make_recipe(tmp_path, name="export-child")) == "child"
    assert choose_name(source, make_recipe(tmp_path, model_name="Mood_1.0")) == "Mood_1.0"
    assert source.run is not None
    record = source.run / "job.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"name": "my mood: réf"}))
    assert choose_name(source, make_recipe(tmp_path)) == "my-mood-r-f"
    on_the_way = source.run / "checkpoints" / "checkpoint-5"
    assert replace(source, adapter=on_the_way).name == "my mood: réf-checkpoint-5"
    record.unlink()
    assert choose_name(source, make_recipe(tmp_path)) == "child", "its id"


def test_a_name_that_the_license_does_not_allow_is_changed_and_said(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    facts = collect_facts(source, make_recipe(tmp_path), [], state("llama3.2"))
    assert facts.name == "Llama-child"
    assert any("Llama" in remark and "repository" in remark for remark in facts.remarks)
    assert any("before you publish" in remark for remark in facts.remarks)


def test_a_license_that_is_none_is_refused(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    with pytest.raises(EngineError, match="Unknown license"):
        collect_facts(source, make_recipe(tmp_path, license="free"), [], state())


def test_the_newest_evaluation_of_these_weights_is_told(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    write_measured(tmp_path, source.root, "older", created=10.0)
    write_measured(tmp_path, source.root, "newer", created=20.0)
    impact = read_impact(source, "", list_runs(tmp_path))
    assert impact is not None
    assert (impact.job, impact.base, impact.arm) == ("newer", "base", "counsel")
    assert any("emotion" in line for line in impact.headline)
    assert len(impact.headline) <= 12
    assert list(impact.tables[0].head)[2:] == ["base", "emotion", "counsel"]
    older = read_impact(source, "run:older", list_runs(tmp_path))
    assert older is not None
    assert older.job == "older"


def test_an_evaluation_of_other_weights_is_none_of_ours(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    job = write_measured(tmp_path, source.root)
    results = json.loads(job.results.read_text())
    for spec in ("counsel=run:emotion-lora", "counsel=run:child@0.5", f"counsel={source.root}",
                 "counsel=http://localhost:1/v1?model=m"):  # fmt: skip
        results["arms"]["counsel"]["arm"] = spec
        job.results.write_text(json.dumps(results))
        assert read_impact(source, "", list_runs(tmp_path)) is None, spec
    with pytest.raises(EngineError, match="did not measure"):
        read_impact(source, "run:impact-child", list_runs(tmp_path))


def test_a_damaged_evaluation_is_passed_over_unless_it_is_named(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    job = write_measured(tmp_path, source.root)
    job.results.write_text("{")
    assert read_impact(source, "", list_runs(tmp_path)) is None
    with pytest.raises(EngineError, match="cannot be read"):
        read_impact(source, "impact-child", list_runs(tmp_path))
    with pytest.raises(EngineError, match="not found"):
        read_impact(source, "run:gone", list_runs(tmp_path))


def test_an_adapter_beside_its_base_is_the_same_model(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    job = write_measured(tmp_path, source.root)
    results = json.loads(job.results.read_text())
    results["arms"]["counsel"]["arm"] = f"counsel={source.root}+{source.adapter}"
    job.results.write_text(json.dumps(results))
    impact = read_impact(source, "", list_runs(tmp_path))
    assert impact is not None
    assert impact.arm == "counsel"


def test_a_job_without_a_record_that_can_be_read_is_passed_over(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    write_measured(tmp_path, source.root)
    broken = tmp_path / "elsewhere" / "broken"
    (broken / "job.json").mkdir(parents=True)
    runs = [broken, *(tmp_path / "runs").iterdir()]
    found = read_impact(source, "", runs)
    assert found is not None
    assert found.job == "impact-child"


def test_a_stage_of_which_nothing_can_be_read_is_told_as_that(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    first = source.stages[0]
    for name in ("job.json", "recipe.toml", "status.json"):
        (first / name).unlink()
        (first / name).mkdir()
    (first / "attempts" / "1" / "worker.log").write_bytes(b"\xff\xfe 7 training rows")
    stage = collect_facts(source, make_recipe(tmp_path), [], state()).stages[0]
    assert (stage.rows, stage.data, stage.files) == (None, "", ())
    assert stage.run.problems
