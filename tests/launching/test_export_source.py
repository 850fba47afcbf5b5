"""What an export begins with: any stage or checkpoint, adapters of others, and what is refused."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.launching.export_source import find_source
from engine.recipes.recipe import GenerateRecipe, PretrainRecipe, Recipe, TrainRecipe
from engine.recipes.settings import Method, Model
from tests.checkpoints.made import make_adapter, make_model


class Runs:
    """Runs on a base that lies apart from them, as a user has it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "runs"
        self.base = make_model(folder / "base")
        self.jobs: list[JobDirectory] = []

    @property
    def paths(self) -> list[Path]:
        return [job.path for job in self.jobs]

    def make(
        self,
        checkpoint: str,
        kind: str = "lora",
        adapter: str = "continue",
        quantize: str = "none",
    ) -> JobDirectory:
        method = Method(kind=kind, quantize=quantize)
        return self.add(TrainRecipe(model=Model(checkpoint, adapter=adapter), method=method))

    def add(self, recipe: Recipe) -> JobDirectory:
        self.jobs.append(directory.create(self.root, recipe))
        return self.jobs[-1]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def _id(job: JobDirectory) -> str:
    return f"run:{job.path.name}"


def test_an_adapter_is_found_with_its_run(runs: Runs) -> None:
    job = runs.make(str(runs.base), quantize="4bit")
    make_adapter(job.adapter, str(runs.base))
    (job.adapter / "tokenizer_config.json").write_text("{}")
    job.held_out.write_text("{}\n")
    source = find_source(job.path.name, runs.paths)
    assert (source.base, source.adapter, source.root) == (runs.base, job.adapter, runs.base)
    assert (source.before, source.before_adapter) == (runs.base, None)
    assert (source.run, source.stages) == (job.path, (job.path,))
    assert (source.tokenizer, source.held_out) == (job.adapter, job.held_out)
    assert source.quantized == "4bit"


def test_a_checkpoint_and_a_named_base_are_of_the_same_run(runs: Runs) -> None:
    job = runs.make(str(runs.base))
    make_adapter(job.adapter, str(runs.base))
    checkpoint = make_adapter(job.checkpoints / "checkpoint-20", str(runs.base))
    by_path = find_source(str(checkpoint), runs.paths)
    assert (by_path.adapter, by_path.run, by_path.before) == (checkpoint, job.path, runs.base)
    assert by_path.held_out is None, "this run wrote none"
    by_base = find_source(f"mine={runs.base}+{_id(job)}", runs.paths)
    assert (by_base.base, by_base.adapter, by_base.stages) == (
        runs.base, job.adapter, (job.path,),
    )  # fmt: skip


def test_a_stage_that_continues_began_with_the_adapter_before_it(runs: Runs) -> None:
    first = runs.make(str(runs.base))
    make_adapter(first.adapter, str(runs.base))
    second = runs.make(_id(first))
    make_adapter(second.adapter, str(runs.base))
    source = find_source(_id(second), runs.paths)
    assert (source.before, source.before_adapter) == (runs.base, first.adapter)
    assert (source.root, source.stages) == (runs.base, (first.path, second.path))


def test_files_are_named_after_the_run_and_never_after_its_base(runs: Runs) -> None:
    job = runs.make(str(runs.base))
    make_adapter(job.adapter, str(runs.base))
    checkpoint = make_adapter(job.checkpoints / "checkpoint-20", str(runs.base))
    run = "run"
    names = {
        text: find_source(text, runs.paths).name
        for text in (
            _id(job),
            str(job.adapter),
            str(checkpoint),
            f"{runs.base}+{job.adapter}",
            f"mine={runs.base}+{job.adapter}",
        )
    }
    assert list(names.values()) == [run, run, f"{run}-checkpoint-20", run, "mine"]
    foreign = make_adapter(runs.base.parent / "lora", str(runs.base))
    assert find_source(f"{runs.base}+{foreign}", runs.paths).name == "lora"


def test_a_stage_that_merged_began_with_a_whole_model(runs: Runs) -> None:
    first = runs.make(str(runs.base))
    make_adapter(first.adapter, str(runs.base))
    second = runs.make(_id(first), adapter="merge")
    make_model(second.base)
    make_adapter(second.adapter, None)
    source = find_source(_id(second), runs.paths)
    assert (source.base, source.before, source.before_adapter) == (
        second.base, second.base, None,
    )  # fmt: skip
    assert (source.root, source.stages) == (runs.base, (first.path, second.path))


def test_a_model_that_was_trained_whole_is_compared_with_what_it_was(runs: Runs) -> None:
    first = runs.make(str(runs.base))
    make_adapter(first.adapter, str(runs.base))
    second = runs.make(_id(first), kind="full")
    make_model(second.model)
    source = find_source(_id(second), runs.paths)
    assert (source.base, source.adapter) == (second.model, None)
    assert (source.before, source.before_adapter) == (runs.base, first.adapter)
    assert source.root == runs.base
    checkpoint = make_model(second.checkpoints / "checkpoint-7")
    source = find_source(str(checkpoint), runs.paths)
    assert (source.base, source.root, source.run) == (checkpoint, runs.base, second.path)


def test_an_adapter_of_others_is_compared_with_its_base(runs: Runs, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", str(runs.base))
    for text in (str(adapter), f"mine={runs.base}+{adapter}"):
        source = find_source(text, runs.paths)
        assert (source.base, source.adapter, source.before) == (runs.base, adapter, runs.base)
        assert (source.run, source.stages, source.held_out) == (None, (), None)


def test_a_base_that_moved_may_be_named(runs: Runs, tmp_path: Path) -> None:
    job = runs.make(str(tmp_path / "gone"))
    make_adapter(job.adapter, None)
    with pytest.raises(EngineError, match="base cannot be used"):
        find_source(_id(job), runs.paths)
    source = find_source(f"mine={runs.base}+{_id(job)}", runs.paths)
    assert (source.before, source.root, source.run) == (runs.base, runs.base, job.path)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("x=http://127.0.0.1:1/v1?model=m", "An endpoint cannot be exported"),
        ("{run}@0.5", "as it was trained"),
        ("{run}?null=1", "A null adapter"),
        ("{run}?prompt=raw", "no way of asking"),
        ("{run}?temperature=0.5", "no way of asking"),
        ("{base}", "Nothing here trained this model"),
        ("bundled:demo-base", "Nothing here trained this model"),
        ("none-1234", "run not found"),
        ("{empty}", "has no weights"),
        ("mine={other}+{run}", "trained on another base"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_refused_by_name(
    runs: Runs, tmp_path: Path, text: str, title: str
) -> None:
    job = runs.make(str(runs.base))
    make_adapter(job.adapter, str(runs.base))
    names = {
        "run": _id(job),
        "base": str(runs.base),
        "empty": _id(runs.make(str(runs.base))),
        "other": str(make_model(tmp_path / "other")),
    }
    with pytest.raises(EngineError, match=title):
        find_source(text.format(**names), runs.paths)


@pytest.mark.parametrize("recipe", [GenerateRecipe(), PretrainRecipe()])
def test_a_job_that_tuned_nothing_is_refused(runs: Runs, recipe: Recipe) -> None:
    job = runs.add(recipe)
    make_model(job.model)
    with pytest.raises(EngineError, match="did not tune a model"):
        find_source(_id(job), runs.paths)
