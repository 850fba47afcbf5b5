"""What would fail only after the queue is refused at launch, and nothing is made."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.bundled import BASE
from engine.compare import endpoint_keys
from engine.compare.arms import parse_arms
from engine.errors import EngineError
from engine.jobs import directory, launch, process, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.launching import evaluation, generation, resume, training
from engine.recipes import recipe as recipes
from engine.recipes.recipe import EvaluateRecipe, GenerateRecipe, Recipe, TrainRecipe
from tests.checkpoints.made import make_adapter, make_model

SFT = [{"prompt": "a", "completion": "b"}] * 4
PAIRS = [{"prompt": "a", "chosen": "b", "rejected": "c"}] * 4
DPO = ("training.objective=dpo",)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes whose workers would have been started."""
    made: list[Recipe] = []

    def note(recipe: Recipe, root: Path, **_: object) -> JobDirectory:
        made.append(recipe)
        return JobDirectory(root / "none")

    monkeypatch.setattr(launch, "launch", note)
    return made


def write_rows(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make_recipe(*changes: str) -> TrainRecipe:
    made = recipes.parse(recipes.with_changes({"kind": "train", "device": "cpu"}, changes))
    assert isinstance(made, TrainRecipe)
    return made


def refuse(root: Path, *changes: str) -> EngineError:
    """The error with which a run is refused."""
    with pytest.raises(EngineError) as caught:
        training.launch_training(make_recipe(*changes), root)
    assert list(root.iterdir()) == [], "nothing was made"
    return caught.value


@pytest.mark.parametrize("base", ["/no/such/base", "someone/else", None])
def test_an_adapter_without_its_base_starts_nothing(
    base: str | None, root: Path, tmp_path: Path, launched: list[Recipe]
) -> None:
    adapter = make_adapter(tmp_path / "adapter", base)
    title = refuse(root, f"model.checkpoint={adapter}").title
    assert title == "The base of this adapter cannot be used."
    recipe = GenerateRecipe(arms=[f"t={adapter}"], prompts="bundled:code", device="cpu")
    with pytest.raises(EngineError, match="adapter's base cannot be used") as caught:
        generation.launch_generation(recipe, root)
    assert "Set the base explicitly" in caught.value.hint
    measured = EvaluateRecipe(arms=["b=bundled:demo-base", f"t={adapter}"], device="cpu")
    with pytest.raises(EngineError, match="adapter's base cannot be used"):
        evaluation.launch_evaluation(measured, root)
    assert launched == []


def test_a_base_that_went_missing_is_said_before_the_queue_of_a_resumed_run(
    root: Path, tmp_path: Path
) -> None:
    base = make_model(tmp_path / "base")
    adapter = make_adapter(tmp_path / "adapter", str(base))
    train = directory.create(root, make_recipe(f"model.checkpoint={adapter}"))
    generate = directory.create(root, GenerateRecipe(arms=[f"t={adapter}"], prompts="bundled:code"))
    evaluate = directory.create(root, EvaluateRecipe(arms=[f"t={adapter}"]))
    base.rename(tmp_path / "moved")
    for job in (train, generate, evaluate):
        (job.checkpoints / "checkpoint-5").mkdir(parents=True)
        status.write(job, Status(State.STOPPED))
        with pytest.raises(EngineError, match=r"base .*cannot be used"):
            resume.resume_job(job)
        assert job.latest_attempt() == 0


def test_files_that_went_missing_are_said_before_the_queue_even_with_force(
    root: Path, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", SFT)
    asked = write_rows(tmp_path / "asked.jsonl", [{"prompt": "a"}])
    recipe = make_recipe(f"data.train={rows}", f"samples.prompts={asked}")
    job = directory.create(root, recipe, inputs=[rows])
    (job.checkpoints / "checkpoint-5").mkdir(parents=True)
    status.write(job, Status(State.STOPPED))
    for path in (asked, rows):
        path.rename(tmp_path / "moved")
        with pytest.raises(EngineError) as caught:
            resume.resume_job(job, force=True)
        assert str(path) in f"{caught.value.title} {caught.value.detail}"
        (tmp_path / "moved").rename(path)
    assert job.latest_attempt() == 0


def test_a_key_that_is_not_set_is_said_at_launch(
    root: Path, monkeypatch: pytest.MonkeyPatch, launched: list[Recipe]
) -> None:
    arms = [f"e{at}=https://a.example/v1?model=m&key=KEY_{at}" for at in (1, 2)]
    endpoint_keys.allow(endpoint_keys.uses_of(parse_arms(arms)))
    recipe = GenerateRecipe(arms=arms, prompts="bundled:code")
    monkeypatch.setenv("KEY_1", " ")
    with pytest.raises(EngineError, match="API key is missing") as caught:
        generation.launch_generation(recipe, root)
    assert "e1: the environment variable KEY_1" in caught.value.detail
    assert "e2: the environment variable KEY_2" in caught.value.detail
    monkeypatch.setenv("KEY_1", "x")
    monkeypatch.setenv("KEY_2", "x")
    generation.launch_generation(recipe, root)
    assert launched == [recipe]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.json"])
def test_data_without_pairs_is_refused_for_dpo(
    name: str, root: Path, tmp_path: Path, launched: list[Recipe]
) -> None:
    path = tmp_path / name
    if name.endswith(".csv"):
        path.write_text("prompt,completion\na,b\n")
    elif name.endswith(".json"):
        path.write_text(json.dumps(SFT))
    else:
        write_rows(path, SFT)
    error = refuse(root, f"data.train={path}", *DPO)
    assert error.title == "DPO needs preference pairs, and this dataset has none."
    write_rows(path.with_name("half.jsonl"), [{"prompt": "a", "chosen": "b"}] * 3)
    error = refuse(root, f"data.train={path.with_name('half.jsonl')}", *DPO)
    assert error.title == "DPO needs preference pairs, and this dataset has none."
    rows = [{"prompt": "a", "chosen": "b"}] * 1500 + PAIRS
    path = write_rows(tmp_path / "late.jsonl", rows)
    training.launch_training(make_recipe(f"data.train={path}", *DPO), root)
    assert len(launched) == 1, "a pair that comes late is one"


def test_a_saved_data_set_without_pairs_is_refused_by_its_columns(
    root: Path, tmp_path: Path, launched: list[Recipe]
) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(SFT).save_to_disk(str(tmp_path / "saved"))
    assert "preference pairs" in refuse(root, f"data.train={tmp_path / 'saved'}", *DPO).title
    datasets.Dataset.from_list(PAIRS).save_to_disk(str(tmp_path / "pairs"))
    training.launch_training(make_recipe(f"data.train={tmp_path / 'pairs'}", *DPO), root)
    assert len(launched) == 1


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        (("data.template=nonsense",), "Unknown template 'nonsense'."),
        (("method.kind=full", "method.quantize=4bit"), "Quantised weights cannot be trained."),
        ((*DPO, "training.packing=true"), "Preference pairs cannot be packed."),
        ((*DPO, "replay.data=bundled:rehearsal"), "Replay data has no preference pairs"),
        (("training.dtype=float16",), "The CPU cannot train in float16."),
        (("stopping.metric=eval/los",), "The stopping metric 'eval/los' is not logged."),
        (("stopping.metric=eval/accuracy", "stopping.greater_is_better=true"),
         "The stopping metric 'eval/accuracy' is not logged."),
        (("stopping.metric=forget/nll_shift", "forgetting.tokens=0"),
         "The stopping metric 'forget/nll_shift' is not logged."),
        (("data.train={rows}", "data.eval_fraction=0", "stopping.patience=3"),
         "The stopping metric 'eval/loss' is not logged."),
        (("data.train={rows}", "data.eval_fraction=0", "stopping.metric=eval/accuracy"),
         "The stopping metric 'eval/accuracy' is not logged."),
    ],
)  # fmt: skip
def test_settings_that_cannot_go_together_start_nothing(
    changes: Sequence[str], title: str, root: Path, tmp_path: Path, launched: list[Recipe]
) -> None:
    path = str(write_rows(tmp_path / "rows.jsonl", SFT))
    given = [one.format(rows=path) for one in changes]
    assert title in refuse(root, *given).title
    assert launched == []


@pytest.mark.parametrize(
    ("name", "content", "setting", "title"),
    [
        ("own.jinja", b"\xff\xfe", "data.template", "The template is not UTF-8 text."),
        ("own.jinja", b" \n", "data.template", "The file contains no chat template."),
        ("probe.txt", b"a\n\xff", "forgetting.probe", "The probe text is not UTF-8 text."),
        ("probe.txt", b"\n \n", "forgetting.probe", "The probe text is empty."),
        ("asked.jsonl", b"[", "samples.prompts", "asked.jsonl"),
    ],
)
def test_a_text_that_cannot_be_used_starts_nothing(
    name: str, content: bytes, setting: str, title: str, root: Path, tmp_path: Path,
    launched: list[Recipe],
) -> None:  # fmt: skip
    (tmp_path / name).write_bytes(content)
    error = refuse(root, f"{setting}={tmp_path / name}")
    assert title in f"{error.title} {error.detail}"
    assert launched == []


def test_a_long_text_may_be_cut_inside_of_a_letter(
    root: Path, tmp_path: Path, launched: list[Recipe]
) -> None:
    (tmp_path / "probe.txt").write_text("a" + "é" * (1 << 20))
    training.launch_training(make_recipe(f"forgetting.probe={tmp_path / 'probe.txt'}"), root)
    assert len(launched) == 1


def test_eval_rows_beside_the_training_file_are_looked_at(
    root: Path, tmp_path: Path, launched: list[Recipe]
) -> None:
    train = write_rows(tmp_path / "train.jsonl", SFT)
    write_rows(tmp_path / "eval.jsonl", [{"nothing": "known"}])
    assert "eval.jsonl" in refuse(root, f"data.train={train}").title
    write_rows(tmp_path / "eval.jsonl", SFT)
    training.launch_training(make_recipe(f"data.train={train}"), root)
    assert len(launched) == 1


def test_a_checkpoint_without_a_chat_template_is_not_asked_by_one(
    root: Path, tmp_path: Path, launched: list[Recipe]
) -> None:
    base = make_model(tmp_path / "base")
    (base / "tokenizer_config.json").write_text("{}")
    changes = (f"model.checkpoint={base}", "data.template=chat")
    assert refuse(root, *changes).title == "This checkpoint has no chat template."
    recipe = GenerateRecipe(arms=[f"b={base}?prompt=chat"], prompts="bundled:code", device="cpu")
    with pytest.raises(EngineError, match="no chat template"):
        generation.launch_generation(recipe, root)
    assert launched == []


def test_a_strength_without_an_adapter_starts_nothing(root: Path, launched: list[Recipe]) -> None:
    recipe = GenerateRecipe(arms=[f"b={BASE}@0.5"], prompts="bundled:code", device="cpu")
    with pytest.raises(EngineError, match="no adapter to set a strength"):
        generation.launch_generation(recipe, root)
    assert launched == []


@pytest.mark.parametrize(
    ("package", "changes"), [("trl", DPO), ("bitsandbytes", ("method.quantize=4bit",))]
)
def test_a_package_that_is_missing_is_said_at_launch(
    package: str, changes: Sequence[str], root: Path, monkeypatch: pytest.MonkeyPatch,
    launched: list[Recipe],
) -> None:  # fmt: skip
    data = ("data.train=bundled:counsel",)
    monkeypatch.delenv("FINETOP_PYTHON", raising=False)
    monkeypatch.setattr(process, "missing_packages",
                        lambda names=(): [name for name in names if name == package])  # fmt: skip
    assert package in refuse(root, *data, *changes).detail
    monkeypatch.setenv("FINETOP_PYTHON", "/bin/sh")
    assert not process.lacks_package(package), "of another interpreter nothing is known"
    monkeypatch.setenv("FINETOP_PYTHON", sys.executable)
    assert process.lacks_package(package)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"suites": ["/no/suite.jsonl"]}, "suite.jsonl"),
        ({"prompts": "/no/prompts.jsonl"}, "prompts.jsonl"),
        ({"choices": "/no/labels.jsonl"}, "labels.jsonl"),
        ({"choices": "run:nobody"}, "nobody"),
        ({"arms": ["b=/no/model"]}, "/no/model"),
        ({"arms": []}, "No arms"),
    ],
)
def test_an_evaluation_of_what_is_missing_starts_nothing(
    fields: dict[str, object], why: str, root: Path, launched: list[Recipe]
) -> None:
    table = {"kind": "evaluate", "device": "cpu", "arms": ["b=bundled:demo-base"], **fields}
    recipe = recipes.parse(table)
    assert isinstance(recipe, EvaluateRecipe)
    with pytest.raises(EngineError) as caught:
        evaluation.launch_evaluation(recipe, root)
    assert why in f"{caught.value.title} {caught.value.detail}"
    assert launched == []


def test_what_is_right_starts(root: Path, tmp_path: Path, launched: list[Recipe]) -> None:
    for changes in (
        (), ("data.train=bundled:counsel", *DPO), ("data.template=chatml",),
        ("method.quantize=4bit",), ("replay.data=bundled:rehearsal",),
        ("stopping.metric=forget/kl_to_base",), ("stopping.metric=train/loss",),
        ("data.train=bundled:counsel", "stopping.metric=eval/accuracy", *DPO),
        ("data.eval_fraction=0", f"data.train={write_rows(tmp_path / 'rows.jsonl', SFT)}"),
    ):  # fmt: skip
        training.launch_training(make_recipe(*changes), root)
    everything = EvaluateRecipe(arms=["b=bundled:demo-base"], choices="bundled:emotion",
                                prompts="bundled:all", device="cpu")  # fmt: skip
    evaluation.launch_evaluation(everything, root)
    assert len(launched) == 10
