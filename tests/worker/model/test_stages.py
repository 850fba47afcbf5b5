"""Stages on stages: an adapter goes on, is merged, becomes a whole model; every node answers."""

import gc
import json
import re
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_config, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.checkpoints import checkpoint_list
from engine.checkpoints.stages import Lineage, find_stage
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.jobs import directory, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import ModelCache
from engine.worker.model import loading
from engine.worker.model.merging import merge
from engine.worker.model.saving import save_merged
from tests.worker.here import resume_here, train_here
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint
from tests.worker.training.test_train import curves, make_recipe, weights

CPU = torch.device("cpu")
LOAD: Any = AutoModelForCausalLM.from_pretrained
QUICK = ("training.max_steps=3", "samples.count=0", "forgetting.tokens=64", "training.saves=0",
         "training.evaluations=1", "training.warmup_ratio=0", "method.dropout=0",
         "training.learning_rate=1e-2")  # fmt: skip
IDS = torch.arange(5, 25).unsqueeze(0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base") / "root-base")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(24))
    )
    return path


Tree = dict[str, JobDirectory]


@pytest.fixture(scope="module")
def tree(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A on the base, B goes on with A, C merges B and begins anew, D learns all of C, E goes on
    with C."""
    root = tmp_path_factory.mktemp("runs")
    made: Tree = {}
    for name, on, *changes in (
        ("A", "", "method.rank=4"),
        ("B", "A", "method.rank=16"),
        ("C", "B", "model.adapter=merge", "method.rank=2"),
        ("D", "C", "method.kind=full"),
        ("E", "C", "method.rank=2"),
    ):
        ref = f"run:{made[on].path.name}" if on else str(base)
        changes = [*changes, f"name={name}", f"model.checkpoint={ref}"]
        made[name] = train_here(make_recipe(base, rows, *QUICK, *changes), root)
    return made


def runs(tree: Tree) -> list[Path]:
    return [job.path for job in tree.values()]


def logits_of(ref: str, known: list[Path]) -> torch.Tensor:
    """What our own path says after a prompt, as logits."""
    arm = Arm("it", ref)
    loaded_arm = ModelCache(CPU).load_arm(arm, locate(arm, known), lambda line: None)
    assert loaded_arm is not None
    answers = BatchDecoder(loaded_arm, [list(range(5, 15))], Decode(max_new_tokens=4))
    while not answers.done:
        answers.step()
    assert answers.answers[0].output_ids
    with torch.no_grad():
        return torch.as_tensor(loaded_arm.forward(input_ids=IDS, use_cache=False).logits)


def test_every_node_answers_and_each_says_something_else(tree: Tree, base: Path) -> None:
    said = {"base": logits_of(str(base), [])}
    for name, job in tree.items():
        said[name] = logits_of(f"run:{job.path.name}", runs(tree))
    names = list(said)
    for at, one in enumerate(names):
        for other in names[:at]:
            assert (said[one] - said[other]).abs().max() > 1e-3, f"{one} is not {other}"


def test_every_node_is_loaded_with_nothing_of_ours(tree: Tree, base: Path) -> None:
    for name, job in tree.items():
        if name == "D":
            model = LOAD(job.model, dtype=torch.float32)
            AutoTokenizer.from_pretrained(job.model)
        else:
            on = LOAD(tree["C"].base if name in ("C", "E") else base, dtype=torch.float32)
            model = PeftModel.from_pretrained(on, str(job.adapter))
            AutoTokenizer.from_pretrained(job.adapter)
        with torch.no_grad():
            theirs = model.eval()(input_ids=IDS).logits
        ours = logits_of(f"run:{job.path.name}", runs(tree))
        torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)


def test_no_adapter_names_a_path_of_this_machine_or_has_a_card(tree: Tree) -> None:
    """Neither the result nor a checkpoint of a run, whether it is new or continued."""
    root = tree["A"].path.parent.parent
    found = [file.parent for job in tree.values() for file in job.path.rglob("adapter_config.json")]
    assert {tree["A"].adapter, tree["B"].adapter, tree["C"].adapter} < set(found)
    assert any(folder.name.startswith("checkpoint-") for folder in found)
    for folder in found:
        assert not (folder / "README.md").exists()
        for file in folder.glob("*.json"):
            assert str(root) not in file.read_text(), file


def test_an_adapter_that_goes_on_keeps_its_shape_and_says_so(tree: Tree) -> None:
    shapes = {name: len(one) for name, one in weights(tree["A"].adapter).items()}
    assert shapes == {name: len(one) for name, one in weights(tree["B"].adapter).items()}
    log = tree["B"].attempt(1).log.read_text()
    assert "keeps its own rank 4 (not 16)" in log
    assert "keeps its own" not in tree["E"].attempt(1).log.read_text()


OF_OTHERS: dict[str, dict[str, Any]] = {
    "IA3": {"target_modules": ["q_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
    "LOHA": {"target_modules": ["q_proj", "v_proj"], "r": 2},
    "TRAINABLE_TOKENS": {"target_modules": ["embed_tokens"], "token_indices": list(range(5, 120))},
    "LORA": {"target_modules": ["q_proj", "embed_tokens"], "r": 4},
}
"""Methods and settings that we do not train anew, or whose adapter lies around the embedding."""


@pytest.mark.parametrize("method", list(OF_OTHERS))
def test_an_adapter_of_another_method_goes_on_by_its_own(
    method: str, base: Path, rows: Path, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    config = get_peft_config({"peft_type": method, "task_type": "CAUSAL_LM"} | OF_OTHERS[method])
    given = tmp_path / "given" / "adapter"
    get_peft_model(LOAD(base, dtype=torch.float32), config).save_pretrained(str(given))
    wanted = make_recipe(base, rows, *QUICK, f"model.checkpoint={given}", "training.saves=3")
    whole, parted = train_here(wanted, tmp_path), directory.create(tmp_path, wanted)
    assert resume_here(parted, stop_at=2) is State.STOPPED
    assert resume_here(parted) is State.DONE
    left = json.loads((whole.adapter / "adapter_config.json").read_text())
    assert left["peft_type"] == method
    log = whole.attempt(1).log.read_text()
    assert (f"keeps its own method {method}" in log) == (method != "LORA")
    learned, before = weights(whole.adapter), weights(given)
    assert any(not torch.equal(one, before[name]) for name, one in learned.items())
    for name, one in weights(parted.adapter).items():
        assert torch.equal(one, learned[name])
    said = [logits_of(ref, [whole.path]) for ref in (str(given), f"run:{whole.path.name}")]
    assert not torch.equal(*said)


@pytest.mark.parametrize("method", ["ADAPTION_PROMPT", "LILY"])
def test_a_method_that_has_no_merging_is_refused_by_name(
    method: str, base: Path, tmp_path: Path
) -> None:
    sizes = {"adapter_len": 2, "adapter_layers": 1} if method == "ADAPTION_PROMPT" else {}
    config = get_peft_config({"peft_type": method, "task_type": "CAUSAL_LM"} | sizes)
    get_peft_model(LOAD(base, dtype=torch.float32), config).save_pretrained(str(tmp_path))
    with pytest.raises(EngineError, match="cannot be merged") as caught:
        merge(base, tmp_path)
    assert method in caught.value.detail
    assert "model.adapter = continue" in caught.value.hint


def test_a_merged_base_is_what_the_adapter_made_of_its_base(tree: Tree) -> None:
    merged, before = LOAD(tree["C"].base, dtype=torch.float32), tree["B"].path.name
    with torch.no_grad():
        torch.testing.assert_close(
            merged.eval()(IDS).logits, logits_of(f"run:{before}", runs(tree)), atol=1e-4, rtol=1e-4
        )
    config = json.loads((tree["C"].adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None
    found = checkpoint_list.resolve(str(tree["C"].adapter), runs(tree))
    assert found.base_path == tree["C"].base
    assert config["r"] == 2
    AutoTokenizer.from_pretrained(tree["C"].base)
    assert not tree["D"].base.exists(), "a whole model needs none"


def test_a_moved_folder_of_runs_is_found_again(tree: Tree, tmp_path: Path) -> None:
    moved = []
    for name, job in tree.items():
        moved.append(Path(shutil.copytree(job.path, tmp_path / "moved" / job.path.name)))
        if name in ("C", "E"):
            config = moved[-1] / "adapter" / "adapter_config.json"
            body = json.loads(config.read_text())
            config.write_text(json.dumps(body | {"base_model_name_or_path": "/gone/base"}))
    for name in ("C", "E"):
        found = checkpoint_list.resolve(f"run:{tree[name].path.name}", moved)
        assert found.base_path == tmp_path / "moved" / tree["C"].path.name / "base"
        assert found.reason is None


def lineage(tree: Tree, ref: str, *changes: str) -> Lineage:
    recipe = make_recipe(Path(ref), Path("/nowhere"), f"model.checkpoint={ref}", *changes)
    return find_stage(recipe, runs(tree)).lineage


def test_a_stage_knows_its_root_and_its_parent_by_name(tree: Tree, base: Path) -> None:
    def of(ref: str, *changes: str) -> tuple[str, str | None, str]:
        found = lineage(tree, ref, *changes)
        assert found.root_path == base
        return found.root, found.parent, found.off

    def run(name: str) -> str:
        return f"run:{tree[name].path.name}"

    merge, full = "model.adapter=merge", "method.kind=full"
    assert of(str(base)) == ("root-base", None, "root")
    assert of(str(base), full) == ("root-base", None, "neither")
    assert of(run("A")) == ("root-base", "A", "root")
    assert of(run("B"), merge) == ("root-base", "B", "parent")
    assert of(run("C")) == ("root-base", "C", "neither"), "off it is the merged B"
    assert of(run("C"), full) == ("root-base", "C", "neither")
    assert of(run("D")) == ("root-base", "D", "parent")
    assert of(str(tree["D"].model)) == ("root-base", "model", "parent"), "named by its path"


def test_both_bases_are_measured_while_a_stage_trains(tree: Tree) -> None:
    assert "forget/kl_to_parent" not in curves(tree["A"])
    for name in ("B", "C", "D", "E"):
        seen = curves(tree[name])
        assert seen["forget/kl_to_parent"][1][0] < 1e-5, f"{name} begins as its parent"
        assert seen["forget/kl_to_base"][1][0] > 1e-4, f"{name} begins elsewhere than the root"
        assert seen["forget/kl_to_parent"][1][-1] > 1e-4
    first, last = (status.read(tree[name]) for name in "AB")
    assert first is not None
    assert last is not None
    assert (first.base, first.parent) == ("root-base", "")
    assert (last.base, last.parent) == ("root-base", "A")
    log = tree["B"].attempt(1).log.read_text()
    assert re.search(r"forgetting .* to root-base, .* to A, over", log)


def test_a_stage_that_merges_is_stopped_and_goes_on(
    tree: Tree, base: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its root is read once, and is gone when another model is loaded: memory holds one of them."""
    loaded, there, load = list[Path](), list[int](), loading.load_base
    alive: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()

    def watched(path: Path, *rest: Any, **named: Any) -> Any:
        loaded.append(path)
        there.append(len(alive))
        alive.add(model := load(path, *rest, **named))
        return model

    root = tree["A"].path.parent
    wanted = ("model.adapter=merge", f"model.checkpoint=run:{tree['A'].path.name}")
    recipe = make_recipe(base, rows, *QUICK, *wanted, "training.max_steps=4", "method.dropout=0.1")
    whole = train_here(recipe, root)
    job = directory.create(root, recipe)
    gc.collect()
    monkeypatch.setattr(loading, "load_base", watched)
    try:
        assert resume_here(job, stop_at=2) is State.STOPPED
        assert there == [0, 0, 0]
        assert resume_here(job) is State.DONE
        assert loaded == [base, base, job.base, job.base]
        again, first = weights(job.adapter), weights(whole.adapter)
        assert all(torch.equal(again[name], first[name]) for name in first)
    finally:
        for one in (whole, job):
            shutil.rmtree(one.path)


@pytest.mark.usefixtures("bitsandbytes")
def test_a_stage_on_4_bits_merges_into_whole_weights(tree: Tree, base: Path, rows: Path) -> None:
    root = tree["A"].path.parent
    wanted = ("model.adapter=merge", f"model.checkpoint=run:{tree['B'].path.name}",
              "method.quantize=4bit")  # fmt: skip
    job = train_here(make_recipe(base, rows, *QUICK, *wanted), root)
    merged = LOAD(job.base, dtype=torch.float32)
    expected = merge(base, tree["B"].adapter)
    for one, other in zip(merged.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    shutil.rmtree(job.path)


def test_a_merged_base_has_the_format_of_the_base(base: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    loading.load_base(base, CPU, torch.bfloat16).save_pretrained(half)
    adapter = save_adapter(tmp_path / "adapter", base)
    save_merged(half, adapter, make_tokenizer(), tmp_path / "merged")
    assert loading.stored_dtype(tmp_path / "merged") is torch.bfloat16
    got, wanted = LOAD(tmp_path / "merged", dtype=torch.bfloat16), merge(half, adapter)
    for one, other in zip(got.parameters(), wanted.parameters(), strict=True):
        assert torch.equal(one, other.to(torch.bfloat16)), "rounded once"
    (tmp_path / "merged" / "kept").touch()
    save_merged(half, adapter, make_tokenizer(), tmp_path / "merged")
    assert (tmp_path / "merged" / "kept").exists()


def test_an_adapter_whose_base_is_gone_is_refused_in_words(tmp_path: Path, base: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", base)
    config = adapter / "adapter_config.json"
    body = json.loads(config.read_text())
    config.write_text(json.dumps(body | {"base_model_name_or_path": "/gone/base"}))
    recipe = make_recipe(adapter, tmp_path)
    assert isinstance(recipe, TrainRecipe)
    with pytest.raises(EngineError, match="base of this adapter cannot be used") as caught:
        find_stage(recipe, [])
    assert "/gone/base" in caught.value.detail


def test_an_adapter_that_is_not_finite_is_not_merged(tmp_path: Path, base: Path) -> None:
    from safetensors.torch import load_file, save_file

    adapter = save_adapter(tmp_path / "adapter", base)
    file = adapter / "adapter_model.safetensors"
    broken = {name: one.fill_(float("nan")) for name, one in load_file(file).items()}
    save_file(broken, file)
    with pytest.raises(EngineError, match="values that are not finite"):
        merge(base, adapter)
