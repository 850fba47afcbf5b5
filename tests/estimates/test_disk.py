"""The disk of a run: part by part, and beside the directories of real ones."""

from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints import checkpoint_list, config_json, describe
from engine.checkpoints.entry import Checkpoint
from engine.estimates import disk, fit, memory
from engine.estimates.disk import DiskUse
from engine.jobs.directory import JobDirectory
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from tests.checkpoints.made import make_adapter, make_model
from tests.worker.here import train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import make_recipe

SIZES: dict[str, Any] = {
    "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4,
    "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 32_000,
}  # fmt: skip


def _recipe(*changes: str) -> TrainRecipe:
    made = recipes.parse(recipes.with_changes({"kind": "train"}, changes))
    assert isinstance(made, TrainRecipe)
    return made


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return describe.inspect(make_model(tmp_path / "model", **SIZES))


def _use(checkpoint: Checkpoint, *changes: str, merges: bool = False) -> DiskUse:
    recipe = _recipe(*changes)
    config = config_json.read_json(checkpoint.path / "config.json")
    size = memory.estimate(config, recipe, parameters=checkpoint.parameters)
    return disk.estimate_disk(recipe, checkpoint, config, size, merges=merges)


def test_no_more_are_kept_than_are_made(checkpoint: Checkpoint) -> None:
    use = _use(checkpoint, "training.saves=5", "training.save_total_limit=2")
    assert (use.made, use.kept, use.marked) == (5, 2, 2)
    assert use.most_at_end == use.at_end + 2 * use.checkpoint
    use = _use(checkpoint, "training.saves=3", "training.save_total_limit=9")
    assert (use.made, use.kept, use.marked) == (3, 3, 0)
    assert use.peak == use.at_end + use.vocabulary + use.reference, "no fourth one is written"
    use = _use(checkpoint, "training.saves=9", "training.max_steps=1")
    assert (use.made, use.kept, use.marked) == (1, 1, 0)


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        ((), 5), (("training.saves=0",), 1), (("stopping.patience=2",), 15),
        (("stopping.result=best",), 15), (("forgetting.stop=true",), 15),
        (("stopping.result=best", "training.max_steps=7"), 7),
    ],
)  # fmt: skip
def test_what_is_made_follows_from_saves_and_evaluations(
    changes: tuple[str, ...], made: int
) -> None:
    usual = ("training.saves=5", "training.evaluations=10")
    assert disk.count_made(_recipe(*usual, *changes)) == made


def test_the_vocabulary_counts_once(tmp_path: Path) -> None:
    """33 MB of Gemma's: more than what LoRA learns of a small model."""
    base = make_model(tmp_path / "base", **SIZES)
    bare = _use(describe.inspect(base))
    (base / "tokenizer.json").write_bytes(b" " * 5_000_000)
    (base / "tokenizer.model").write_bytes(b" " * 700_000)
    use = _use(describe.inspect(base))
    assert use.vocabulary == 5_000_000, "tokenizer.json holds all of it, and alone is saved"
    assert use.checkpoint == bare.checkpoint
    assert use.at_end - bare.at_end == 5_000_000 - bare.vocabulary
    assert use.first == use.checkpoint + 5_000_000
    adapter = make_adapter(tmp_path / "adapter", str(base))
    assert disk._vocabulary(describe.inspect(adapter)) == 5_000_000


def test_the_alarm_keeps_its_references_while_the_run_lasts(checkpoint: Checkpoint) -> None:
    use, none = _use(checkpoint, "forgetting.tokens=1024"), _use(checkpoint, "forgetting.tokens=0")
    assert use.reference == 1024 * 32_000 * 2, "the base's distributions, in float16"
    assert none.reference == 0
    assert use.at_end == none.at_end
    assert use.marked == none.marked + 1 == 2, "without an alarm none is the last in the budget"
    merging = _use(checkpoint, merges=True)
    assert merging.merged == 4 * checkpoint.parameters  # type: ignore[operator]
    assert merging.at_end - merging.merged == _use(checkpoint).at_end


def _real_bytes(folder: Path) -> int:
    """What lies below a folder; files that share their content count once."""
    sizes: dict[int, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            status = path.lstat()
            sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


@pytest.mark.parametrize("kind", ["lora", "full"])
@pytest.mark.parametrize("saves", [1, 4])
def test_a_real_directory_is_as_large_as_that(
    kind: str, saves: int, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vocabulary of a real one's size, beside a tiny model."""
    from engine.worker.model import tokenizer_files

    base = save_checkpoint(tmp_path / "base")
    monkeypatch.setattr(tokenizer_files, "LINKED_BYTES", 5000)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "i miss my dog", "completion": "sadness"}\n' * 24)
    recipe = make_recipe(
        base, rows, f"method.kind={kind}", "training.max_steps=8", f"training.saves={saves}",
        "training.save_total_limit=9", "method.rank=32", "samples.count=0",
    )  # fmt: skip
    job: JobDirectory = train_here(recipe, root)
    checkpoint = checkpoint_list.resolve(str(base), [])
    config, _ = fit.read_model(checkpoint)
    size = fit.estimator(checkpoint, "cpu")(recipe)
    use = disk.estimate_disk(recipe, checkpoint, config, size, held_out=60)
    assert len(list(job.checkpoints.glob("checkpoint-*"))) == use.kept == saves
    assert use.at_end == pytest.approx(_real_bytes(job.path), rel=0.05)
    assert use.peak > use.at_end
