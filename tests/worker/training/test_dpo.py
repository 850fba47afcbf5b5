"""Preferences: DPO's own numbers, worked out here, and the life of every other run."""

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes.recipe import TrainRecipe
from engine.worker.data.encode import IGNORE_INDEX, Encoded, choose_template
from engine.worker.data.pair_rows import answer_start
from engine.worker.data.preference_pairs import (
    ScoredPair,
    collate_pairs,
    compare_with_reference,
)
from engine.worker.data.prepare import EncodedPair, PreparedDataset, prepare
from engine.worker.model import loading
from tests.worker.here import resume_here, train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, make_recipe, weights

pytest.importorskip("trl")
CPU = torch.device("cpu")
DPO = ("training.objective=dpo", "training.gradient_accumulation_steps=2", "training.epochs=2",
       "training.evaluations=2", "training.saves=0", "samples.count=1", "samples.max_new_tokens=4",
       "forgetting.tokens=64", "training.learning_rate=5e-3", "training.warmup_ratio=0",
       "method.dropout=0")  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pairs whose answers differ in length, so that passes do."""
    path = tmp_path_factory.mktemp("rows") / "pairs.jsonl"
    lines = [
        {
            "prompt": f"say {one}",
            "chosen": f"number {one} " * (1 + one % 3),
            "rejected": "no way " * (1 + one % 2),
        }
        for one in range(30)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def data_of(recipe: TrainRecipe, base: Path) -> PreparedDataset:
    tokenizer = loading.load_tokenizer(base)
    template = choose_template(tokenizer)
    return prepare(recipe.data, tokenizer, template, recipe.training.seed, objective="dpo")


def log_probability(model: Any, row: Encoded) -> float:
    """Of the answer of one row, in nats."""
    ids = torch.tensor([row.input_ids])
    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=ids).logits[0, :-1], dim=-1)
    return sum(
        float(logs[at, label])
        for at, label in enumerate(row.labels[1:])
        if label != IGNORE_INDEX
    )  # fmt: skip


def preference(job: JobDirectory, base: Path, beta: float) -> tuple[float, float]:
    """Mean loss and accuracy over the held-out pairs, formula (7) of arXiv 2305.18290, by hand."""
    recipe = job.recipe()
    assert isinstance(recipe, TrainRecipe)
    before = loading.load_base(base, CPU, torch.float32)
    if recipe.method.kind == "full":
        now = loading.load_base(job.model, CPU, torch.float32)
    else:
        now = loading.load_base(base, CPU, torch.float32)
        now = loading.attach_adapter(now, job.adapter)
    losses, right = [], 0
    pairs = data_of(recipe, base).eval_pairs
    for pair in pairs:
        chosen, rejected = (
            log_probability(now, row) - log_probability(before, row)
            for row in (pair.chosen, pair.rejected)
        )
        losses.append(math.log1p(math.exp(-beta * (chosen - rejected))))
        right += chosen > rejected
    return float(np.mean(losses)), right / len(pairs)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_the_measured_loss_is_that_of_the_formula(
    kind: str, base: Path, rows: Path, root: Path
) -> None:
    recipe = make_recipe(base, rows, *DPO, f"method.kind={kind}", "training.dpo_beta=0.3")
    job = train_here(recipe, root)
    seen = curves(job)
    assert seen["eval/loss"][1][0] == pytest.approx(math.log(2)), "it begins as its reference"
    loss, accuracy = preference(job, base, 0.3)
    assert seen["eval/loss"][1][-1] == pytest.approx(loss, rel=1e-3)
    assert seen["eval/accuracy"][1][-1] == pytest.approx(accuracy)
    assert seen["eval/loss"][1][-1] < 0.5
    assert seen["dpo/margin"][1][-1] > seen["dpo/margin"][1][0]
    assert set(seen["dpo/accuracy"][0]) == set(range(1, 7))
    margin = seen["eval/chosen_reward"][1] - seen["eval/rejected_reward"][1]
    np.testing.assert_allclose(seen["eval/margin"][1], margin, atol=1e-5)
    assert "train/perplexity" not in seen, "a loss of pairs has none"
    assert (job.adapter if kind == "lora" else job.model).is_dir()
    assert job.samples.read_text().count("\n") == 3


def test_a_step_counts_every_pair_alike_however_it_is_cut(
    base: Path, rows: Path, root: Path
) -> None:
    """24 pairs in one step: by passes of 24, and of 5, 5, 5, 5 and 4."""
    common = (*DPO, "training.max_steps=2", "training.evaluations=0")
    whole = make_recipe(
        base, rows, *common, "training.batch_size=24", "training.gradient_accumulation_steps=1"
    )
    parts = make_recipe(
        base, rows, *common, "training.batch_size=5", "training.gradient_accumulation_steps=5"
    )
    one, other = curves(train_here(whole, root)), curves(train_here(parts, root))
    for tag in ("train/loss", "train/grad_norm", "dpo/margin", "train/tokens"):
        np.testing.assert_allclose(one[tag][1], other[tag][1], rtol=1e-3, atol=1e-5)


def test_stopped_and_resumed_it_is_the_run_that_was_not(base: Path, rows: Path, root: Path) -> None:
    recipe = make_recipe(base, rows, *DPO, "training.group_by_length=true")
    whole = train_here(recipe, root)
    job = directory.create(root, recipe)
    assert resume_here(job, stop_at=4) is State.STOPPED
    assert resume_here(job) is State.DONE
    again, first = weights(job.adapter), weights(whole.adapter)
    assert all(torch.equal(again[name], first[name]) for name in first)
    seen, known = curves(job), curves(whole)
    for tag in ("train/loss", "dpo/margin", "eval/loss", "eval/accuracy"):
        assert seen[tag][0] == known[tag][0]
        np.testing.assert_array_equal(seen[tag][1], known[tag][1])


def test_an_adapter_that_goes_on_is_compared_with_itself_as_it_began(
    base: Path, rows: Path, root: Path
) -> None:
    first = train_here(make_recipe(base, rows, *DPO), root)
    on = make_recipe(base, rows, *DPO, f"model.checkpoint=run:{first.path.name}")
    second = train_here(on, root)
    assert curves(second)["eval/loss"][1][0] == pytest.approx(math.log(2))
    assert sorted(path.name for path in second.adapter.iterdir() if path.is_dir()) == []


@pytest.mark.usefixtures("bitsandbytes")
def test_on_a_quantised_base_what_is_learned_stays_in_float32(
    base: Path, rows: Path, root: Path
) -> None:
    job = train_here(make_recipe(base, rows, *DPO, "method.quantize=4bit"), root)
    assert {one.dtype for one in weights(job.adapter).values()} == {torch.float32}
    seen = curves(job)["eval/loss"][1]
    assert seen[-1] < seen[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("training.packing=true",), "cannot be packed"),
        (("method.target_modules=lm_head",), "does not support an adapter"),
    ],
)
def test_what_it_cannot_do_is_refused_in_words(
    changes: tuple[str, ...], words: str, base: Path, rows: Path, root: Path
) -> None:
    with pytest.raises(EngineError, match=words):
        train_here(make_recipe(base, rows, *DPO, *changes), root)


def test_without_the_package_it_says_what_to_install(
    base: Path, rows: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: None if name == "trl" else find(name)
    )
    with pytest.raises(EngineError, match="DPO needs TRL") as caught:
        train_here(make_recipe(base, rows, *DPO), root)
    assert "finetop[dpo]" in caught.value.hint


def row(ids: list[int], learned: list[int]) -> Encoded:
    labels = [token if at in learned else IGNORE_INDEX for at, token in enumerate(ids)]
    return Encoded(ids, labels, 0, kept=True, reason="")


def test_what_is_compared_is_the_last_answer_alone() -> None:
    """Two turns: the first answer is the same in both, and belongs to the prompt."""
    pair = EncodedPair(row([1, 2, 3, 4, 5, 6], [1, 4, 5]), row([1, 2, 3, 4, 7], [1, 4]))
    assert answer_start(pair.chosen, pair.rejected) == 4
    same_start = EncodedPair(row([1, 2, 3, 4], [1, 2, 3]), row([1, 2, 9], [1, 2]))
    assert answer_start(same_start.chosen, same_start.rejected) == 1, (
        "the words they share are a part of the answer"
    )
    made = collate_pairs([ScoredPair(pair, -1.0, -2.0)], pad_id=9)
    assert made["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 7, 9]]
    assert made["completion_mask"].tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 0]]
    assert made["attention_mask"].tolist() == [[1] * 6, [1] * 5 + [0]]
    assert (made["ref_chosen_logps"].item(), made["ref_rejected_logps"].item()) == (-1, -2)


def test_the_reference_is_asked_once_and_again_where_the_pairs_are_others(tmp_path: Path) -> None:
    pairs = [EncodedPair(row([1, 2, at], [2]), row([1, 2, 99, 98], [2, 3])) for at in range(3, 8)]
    asked: list[int] = []

    def score(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        asked.append(len(batch["input_ids"]) // 2)
        return batch["input_ids"][:, 2].float()

    file = tmp_path / "reference.npy"
    found = compare_with_reference(pairs, file, 2, 0, score)
    assert [one.chosen for one in found] == [3, 4, 5, 6, 7]
    assert {one.rejected for one in found} == {99}
    assert asked == [2, 2, 1]
    assert compare_with_reference(pairs, file, 2, 0, score) == found
    assert asked == [2, 2, 1]
    file.write_bytes(file.read_bytes()[:-5])
    assert compare_with_reference(pairs, file, 2, 0, score) == found
    assert compare_with_reference(pairs[1:], file, 4, 0, score) == found[1:]
    assert asked == [2, 2, 1, 2, 2, 1, 4]
