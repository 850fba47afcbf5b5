"""Orders of rows: whole, the same for a seed and an epoch, of like length, and resumed exactly."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.jobs import directory
from engine.jobs.status import State
from engine.worker.data.batching import EpochSampler, LengthGroupedSampler, PackedSampler
from tests.worker.here import resume_here, train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, make_recipe, weights

DRAW = random.Random(3)
LENGTHS = [DRAW.randint(15, 60) for _ in range(203)]


def taken(sampler: EpochSampler, epoch: int) -> list[int]:
    """The rows of an epoch in order."""
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert len(found) == len(sampler)
    return [row for one in found for row in (one if isinstance(one, tuple) else (one,))]


def orders(seed: int) -> list[EpochSampler]:
    return [LengthGroupedSampler(LENGTHS, 16, seed), PackedSampler(LENGTHS, 256, seed)]


@pytest.mark.parametrize("which", [0, 1])
def test_an_order_is_that_of_its_seed_and_epoch_alone(which: int) -> None:
    one = orders(7)[which]
    first, second = taken(one, 0), taken(one, 1)
    assert sorted(first) == sorted(second) == list(range(len(LENGTHS)))
    assert first != second
    other = orders(7)[which]
    assert taken(other, 1) == second, "though epoch 0 was never taken"
    assert taken(one, 0) == first
    assert taken(orders(8)[which], 0) != first


def test_steps_by_length_need_little_padding() -> None:
    order = taken(LengthGroupedSampler(LENGTHS, 16, 7), 0)
    steps = [order[at : at + 16] for at in range(0, len(order), 16)]
    padded = sum(max(LENGTHS[row] for row in step) * len(step) for step in steps)
    assert padded < 1.1 * sum(LENGTHS)
    assert len(steps[-1]) == len(LENGTHS) % 16, "the rest comes last"


def test_bins_are_full_and_mixed_anew_in_each_epoch() -> None:
    sampler = PackedSampler(LENGTHS, 256, 7)
    assert len(sampler) * 256 < 1.05 * sum(LENGTHS) + 256
    first = {tuple(sorted(one)) for one in sampler}
    sampler.set_epoch(1)
    assert {tuple(sorted(one)) for one in sampler} != first


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of many lengths."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(
        json.dumps({"prompt": f"say {one}", "completion": f"number {one} " * (1 + one % 7)}) + "\n"
        for one in range(60)
    ))  # fmt: skip
    return path


QUICK = ("samples.count=0", "forgetting.tokens=0", "training.evaluations=1", "training.saves=0",
         "training.learning_rate=5e-3")  # fmt: skip
WAYS = {
    "packing": (
        "training.packing=true",
        "training.batch_size=1",
        "training.gradient_accumulation_steps=2",
    ),
    "by length": ("training.group_by_length=true", "training.gradient_accumulation_steps=2"),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_a_run_that_is_stopped_goes_on_in_the_same_order(
    way: str, base: Path, rows: Path, root: Path
) -> None:
    """Stopped in mid-epoch, with dropout and accumulation: bit for bit the run that was not."""
    recipe = make_recipe(base, rows, *QUICK, *WAYS[way], "method.dropout=0.1")
    whole = train_here(recipe, root)
    total = len(curves(whole)["train/loss"][0])
    job = directory.create(root, recipe)
    assert resume_here(job, stop_at=total // 2 + 2) is State.STOPPED
    assert resume_here(job) is State.DONE
    again, first = weights(job.adapter), weights(whole.adapter)
    assert all(torch.equal(again[name], first[name]) for name in first)
    seen, known = curves(job), curves(whole)
    for tag in ("train/loss", "train/tokens", "eval/loss"):
        assert seen[tag][0] == known[tag][0]
        np.testing.assert_array_equal(seen[tag][1], known[tag][1])


def test_a_packed_run_trains_on_every_row_and_learns_as_an_unpacked_one(
    base: Path, rows: Path, root: Path
) -> None:
    """All rows in one step: the loss is that of the untrained model by tokens, packed or not."""
    one_step = (*QUICK, "training.epochs=1", "training.batch_size=64", "method.dropout=0")
    plain = curves(train_here(make_recipe(base, rows, *one_step), root))
    packed = curves(train_here(make_recipe(base, rows, *one_step, "training.packing=true"), root))
    for seen in (plain, packed):
        assert seen["train/loss"][0] == [1]
    assert packed["train/loss"][1][0] == pytest.approx(plain["train/loss"][1][0], rel=1e-5)
    assert packed["train/grad_norm"][1][0] == pytest.approx(
        plain["train/grad_norm"][1][0], rel=1e-3
    )
    assert packed["train/tokens"][1][0] == plain["train/tokens"][1][0]
    assert packed["eval/loss"][1][-1] == pytest.approx(plain["eval/loss"][1][-1], rel=1e-3)
