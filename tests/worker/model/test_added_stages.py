"""Stages on an adapter with added tokens: each knows them, and what is saved has their rows."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoints import checkpoint_list
from engine.checkpoints.adapter_rows import WEIGHTS, count_rows, read_rows
from engine.checkpoints.config_json import read_json
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, list_checkpoints
from engine.launching.export_source import find_source
from engine.recipes.settings import Decode
from engine.release.adapter_stages import check_stages
from engine.release.disk_need import PLACES, measure_need
from engine.release.targets import parse_targets
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import ModelCache
from engine.worker.model.merging import merge
from engine.worker.release.gguf.metadata_check import check_metadata
from engine.worker.release.gguf.write import write_gguf
from engine.worker.release.proving.open_shipped import add_adapter, open_run
from engine.worker.release.proving.weight_checks import check_weights
from engine.worker.release.writing.merged_folder import write_merged
from engine.worker.release.writing.tokenizer_folder import write_tokenizer
from tests.worker.added_tokens import ADDED, ATTENTION, save_base, save_enlarged
from tests.worker.here import train_here
from tests.worker.release.made_exports import spec_of
from tests.worker.training.test_train import make_recipe

CPU = torch.device("cpu")
QUICK = ("training.max_steps=2", "samples.count=0", "forgetting.tokens=64", "training.saves=1",
         "training.evaluations=1", "training.learning_rate=1e-2", "method.rank=2",
         "training.warmup_ratio=0")  # fmt: skip
STAGES = {
    "continued": ("model.adapter=continue",),
    "merged": ("model.adapter=merge",),
    "whole": ("method.kind=full",),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base("llama", tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_enlarged(tmp_path_factory.mktemp("adapter") / "adapter", base, **ATTENTION)[0]


@pytest.fixture(scope="module")
def stages(
    base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, JobDirectory]:
    """Runs that begin with the adapter, on rows with an added token in them."""
    root, rows = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("rows") / "rows.jsonl"
    rows.write_text(
        "".join(
            f'{{"prompt": "say {at} {ADDED[2]}", "completion": "number {at}"}}\n'
            for at in range(16)
        )
    )
    return {
        name: train_here(
            make_recipe(base, rows, *QUICK, *changes, f"model.checkpoint={adapter}"), root
        )
        for name, changes in STAGES.items()
    }


def ask(arm: Arm, known: list[Path]) -> tuple[int, list[int]]:
    """How many tokens an arm knows, and its answer to a prompt with every added one."""
    loaded_arm = ModelCache(CPU).load_arm(arm, locate(arm, known), lambda line: None)
    assert loaded_arm is not None
    loaded_arm.check_ids([300, 301, 302])
    decoder = BatchDecoder(loaded_arm, [[5, 300, 9, 301, 302]], Decode(max_new_tokens=4))
    while not decoder.done:
        decoder.step()
    return loaded_arm.model.vocabulary, decoder.answers[0].output_ids


def test_the_adapter_is_an_arm_and_its_base_another(base: Path, adapter: Path) -> None:
    models = ModelCache(CPU)

    def load(text: str) -> Any:
        arm = parse_arm(text)
        return models.load_arm(arm, locate(arm, []), lambda line: None)

    plain, tuned = load(f"plain={base}"), load(f"tuned={base}+{adapter}")
    assert (plain.model.vocabulary, tuned.model.vocabulary) == (300, 303)
    assert 301 in tuned.ends
    assert "loaded separately" in tuned.notes[0]
    with pytest.raises(EngineError, match="strength of this adapter cannot be set") as raised:
        load(f"half={base}+{adapter}@0.5")
    assert "its vocabulary has 303 tokens, that of its base 300" in raised.value.detail
    assert checkpoint_list.resolve(str(adapter), []).vocab_size == 303


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_knows_the_added_tokens(
    stages: dict[str, JobDirectory], name: str, base: Path
) -> None:
    known = [job.path for job in stages.values()]
    ref = f"run:{stages[name].path.name}"
    rows, answer = ask(Arm("it", ref), known)
    assert rows == 303
    assert answer
    source = find_source(ref, known)
    assert count_rows(read_json(source.base / "config.json"), source.adapter) == 303
    if source.adapter is not None:
        merged = merge(source.base, source.adapter)
        assert merged.get_input_embeddings().num_embeddings == 303
        assert merged.get_output_embeddings().out_features == 303


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_is_exported_with_the_added_tokens(
    stages: dict[str, JobDirectory], name: str, tmp_path: Path
) -> None:
    known = [job.path for job in stages.values()]
    source = find_source(f"run:{stages[name].path.name}", known)
    merged, file = tmp_path / "merged", tmp_path / "model.gguf"
    write_merged(source, merged, torch.float32, 10**9, lambda done, total: None)
    ends = write_tokenizer(source, merged)
    assert 301 in ends
    write_gguf(merged, file, "f32", ends, lambda done, total: None)
    assert check_metadata(merged, file).status == "passed"
    spec = spec_of(source, file, "gguf:f32", ends, checkpoint=merged)
    summed = add_adapter(spec, open_run(spec))
    for one in (spec, spec_of(source, merged, "merged", ends)):
        checks = check_weights(one, summed, lambda done, total: None)
        assert all(check.status == "passed" for check in checks), checks
        # What a stage that merges began with has the tokens already.
        assert checks[0].facts["of another shape"] == (0 if name == "merged" else 2)


def test_a_continued_adapter_and_its_checkpoints_keep_the_rows(
    stages: dict[str, JobDirectory], adapter: Path
) -> None:
    job = stages["continued"]
    for folder in (job.adapter, *list_checkpoints(job.checkpoints)):
        assert read_rows(folder).rows == 303
        assert read_rows(folder).values == 2 * 303 * 32
    assert list_checkpoints(job.checkpoints)
    assert read_rows(stages["merged"].adapter).values == 0, "they are in its base"


def test_one_adapter_of_two_stages_is_refused_where_tokens_were_added(
    stages: dict[str, JobDirectory],
) -> None:
    known = [job.path for job in stages.values()]
    with pytest.raises(EngineError, match="not one adapter") as raised:
        check_stages(find_source(f"run:{stages['merged'].path.name}", known))
    assert "its vocabulary has 303 tokens, that of its base 300" in raised.value.detail
    check_stages(find_source(f"run:{stages['continued'].path.name}", known))


def test_the_disk_need_counts_the_added_rows(base: Path, adapter: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(adapter, tmp_path / "plain")
    tensors = load_file(adapter / WEIGHTS)
    factors = {name: one for name, one in tensors.items() if "lora_" in name}
    save_file(factors, plain / WEIGHTS)
    added, none = (
        measure_need(find_source(f"{base}+{one}", []), parse_targets(["merged"]), "float32", 10)
        for one in (adapter, plain)
    )
    assert added.targets["merged"] - none.targets["merged"] == 2 * 3 * 32 * 4
    assert added.temporary - none.temporary == 10 * PLACES * 3 * 4
