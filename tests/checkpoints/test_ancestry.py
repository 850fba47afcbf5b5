"""Which runs a model comes from, and what of its training is not known."""

from pathlib import Path

from engine.bundled import BASE
from engine.checkpoints.ancestry import trace_runs
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Model
from tests.checkpoints.made import make_adapter, make_model


def _run(root: Path, checkpoint: str) -> JobDirectory:
    return directory.create(root, TrainRecipe(model=Model(checkpoint=checkpoint)))


def test_a_chain_of_runs_is_followed_to_the_root(tmp_path: Path) -> None:
    first = _run(tmp_path, "bundled:demo-base")
    second = _run(tmp_path, f"run:{first.path.name}")
    third = _run(tmp_path, f"run:{second.path.name}")
    runs = [third.path, first.path, second.path]
    ancestry = trace_runs([f"run:{third.path.name}"], runs)
    assert ancestry.runs == [third.path, second.path, first.path]
    assert (ancestry.roots, ancestry.gaps) == (["bundled:demo-base"], [])
    again = trace_runs([f"run:{third.path.name}", f"run:{second.path.name}"], runs)
    assert again.runs == ancestry.runs


def test_a_run_is_known_by_the_folders_of_its_weights(tmp_path: Path) -> None:
    first = _run(tmp_path, "bundled:demo-base")
    make_adapter(first.adapter, "bundled:demo-base")
    run = _run(tmp_path, str(first.adapter))
    runs = [first.path, run.path]
    for folder in (run.adapter, run.checkpoints / "checkpoint-20", run.model):
        make_adapter(folder, "bundled:demo-base")
        assert trace_runs([str(folder)], runs).runs == [run.path, first.path]
    # What the run merged before it began was trained by those before it alone.
    make_model(run.base)
    assert trace_runs([str(run.base)], runs).runs == [first.path]


def test_a_base_and_an_adapter_each_have_a_past(tmp_path: Path) -> None:
    one, other = _run(tmp_path, "bundled:demo-base"), _run(tmp_path, "bundled:demo-base")
    refs = [f"run:{other.path.name}", f"run:{one.path.name}"]
    assert trace_runs(refs, [one.path, other.path]).runs == [other.path, one.path]


def test_models_of_others_end_the_chain(tmp_path: Path) -> None:
    base = make_model(tmp_path / "model")
    ancestry = trace_runs([str(base)], ())
    assert (ancestry.runs, ancestry.roots, ancestry.gaps) == ([], [str(base)], [])
    assert trace_runs([str(BASE)], ()).roots == ["bundled:demo-base"], "under one name"
    adapter = make_adapter(tmp_path / "adapter", str(base))
    run = _run(tmp_path / "runs", str(adapter))
    ancestry = trace_runs([f"run:{run.path.name}"], [run.path])
    assert (ancestry.runs, ancestry.roots) == ([run.path], [str(base)])
    assert ancestry.gaps == [f"the adapter {adapter} was not trained here"]


def test_what_is_gone_is_a_gap(tmp_path: Path) -> None:
    run = _run(tmp_path, "run:gone-1234")
    assert trace_runs([f"run:{run.path.name}"], [run.path]).gaps == ["the run gone-1234 is gone"]
    assert trace_runs([str(tmp_path / "none")], ()).gaps == [f"{tmp_path / 'none'} is gone"]
    run.recipe_file.unlink()
    ancestry = trace_runs([f"run:{run.path.name}"], [run.path])
    assert ancestry.runs == [run.path]
    assert ancestry.gaps == [f"the recipe of {run.path.name} cannot be read"]


def test_a_circle_ends(tmp_path: Path) -> None:
    run = _run(tmp_path, "x")
    make_model(run.base)
    run.recipe_file.write_text(f'kind = "train"\n[model]\ncheckpoint = "{run.base}"\n')
    assert trace_runs([str(run.base)], [run.path]).runs == []
    run.recipe_file.write_text(f'kind = "train"\n[model]\ncheckpoint = "run:{run.path.name}"\n')
    assert trace_runs([f"run:{run.path.name}"], [run.path]).runs == [run.path]
