"""The tokens that are shown are the tokens that are trained: what the model's forward pass gets."""

import functools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from engine.jobs import recipe
from engine.jobs.recipe import TrainRecipe
from engine.worker.answering.desk import Desk
from engine.worker.rows.encode import IGNORED
from engine.worker.rows.template import choose_template
from engine.worker.training.trainer import TokenTrainer
from tests.worker.here import train_here
from tests.worker.tiny import save_checkpoint

Seen = tuple[tuple[int, ...], tuple[bool, ...]]
"""The ids of a row, and which of them are learned."""


class Watch:
    """Every training pass of a model: the ids that forward got, and the labels of its loss."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[Seen] = []
        self.batches: list[int] = []
        self._inputs: dict[str, Any] = {}
        loss, forward = TokenTrainer.compute_loss, LlamaForCausalLM.forward

        def compute_loss(trainer: Any, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
            self._inputs = {name: value.clone() for name, value in inputs.items()}
            try:
                return loss(trainer, model, inputs, *rest, **named)
            finally:
                self._inputs = {}

        @functools.wraps(forward)
        def run(model: Any, *rest: Any, **named: Any) -> Any:
            if self._inputs:
                assert not rest
                self._take(named)
            return forward(model, *rest, **named)

        monkeypatch.setattr(TokenTrainer, "compute_loss", compute_loss)
        monkeypatch.setattr(LlamaForCausalLM, "forward", run)

    def _take(self, given: dict[str, Any]) -> None:
        labels, mask = self._inputs["labels"], self._inputs["attention_mask"].bool()
        ids = given["input_ids"]
        assert torch.equal(ids, self._inputs["input_ids"])
        assert labels[~mask].eq(IGNORED).all(), "padding is never learned"
        before = len(self.rows)
        for line in range(len(ids)):
            tokens = ids[line][mask[line]].tolist()
            learned = labels[line][mask[line]].ne(IGNORED).tolist()
            starts = [0]
            if "position_ids" in self._inputs:  # packed: each row counts its positions from 0
                positions = given["position_ids"][line][mask[line]]
                starts = positions.eq(0).nonzero()[:, 0].tolist()
            for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
                self.rows.append((tuple(tokens[start:end]), tuple(learned[start:end])))
            expected = labels[line][mask[line]]
            assert expected[expected.ne(IGNORED)].tolist() == [
                token for token, one in zip(tokens, learned, strict=True) if one
            ]
        self.batches.append(len(self.rows) - before)


def conversation(number: int) -> list[dict[str, str]]:
    turns = [
        {"role": "user", "content": "i miss my dog " * (1 + number % 5)},
        {"role": "assistant", "content": ("joy", "sadness and love", "anger")[number % 3]},
    ]
    if number % 4 == 0:
        turns += [
            {"role": "user", "content": "and now?"},
            {"role": "assistant", "content": "surprise"},
        ]
    if number % 7 == 0:
        turns.insert(0, {"role": "system", "content": f"Be kind, number {number}."})
    return turns


def write(path: Path, numbers: range) -> Path:
    lines = [json.dumps({"messages": conversation(number)}) for number in numbers]
    lines.insert(3, "{broken")
    path.write_text("\n".join(lines) + "\n")
    return path


PACKED = "training.packing=true"
DROPPED = ("data.too_long=drop", "data.max_length=80")


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("training.group_by_length=true", "data.system=Be brief.", *DROPPED),
        (PACKED,),
        (PACKED, "data.template=raw", "data.system=Be brief.", *DROPPED),
        ("method.kind=full", "training.accumulation=2", "data.template=chatml"),
    ],
    ids=["plain", "by length, dropped", "packed", "packed, raw", "full, accumulated"],
)
def test_what_forward_gets_is_what_is_shown(
    changes: tuple[str, ...], tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_checkpoint(tmp_path / "base")
    rows = write(tmp_path / "rows.jsonl", range(30))
    table: dict[str, Any] = {
        "name": "watched",
        "device": "cpu",
        "model": {"checkpoint": str(base)},
        "data": {
            "train": str(rows),
            "eval": str(write(tmp_path / "other.jsonl", range(30, 36))),
            "max_length": 60,
        },
        "method": {"rank": 2},
        "training": {"batch_size": 4, "epochs": 2, "evaluations": 1, "saves": 0},
        "samples": {"count": 0},
        "forgetting": {"tokens": 0},
    }
    wanted = recipe.parse(recipe.with_changes(table, changes))
    assert isinstance(wanted, TrainRecipe)
    watch = Watch(monkeypatch)
    job = train_here(wanted, root)

    shown = report(wanted)
    assert shown["rejected"] >= 1
    assert shown["too_long"]["dropped" if DROPPED[0] in changes else "cut"]["rows"]
    expected = Counter(
        (
            tuple(one for token in row["tokens"] for one in token["ids"]),
            tuple(token["learned"] for token in row["tokens"] for _ in token["ids"]),
        )
        for row in shown["rows"]
        if row["kept"]
    )
    assert Counter(watch.rows) == Counter({row: 2 * count for row, count in expected.items()})
    assert max(watch.batches) >= 4
    assert len(watch.batches) > 4

    # What the run left asks as it was trained, by its own files alone.
    left = job.adapter if wanted.method.kind == "lora" else job.model
    tokenizer: Any = AutoTokenizer.from_pretrained(left)
    assert choose_template(tokenizer).hash == shown["template"]["hash"]


def report(wanted: TrainRecipe) -> dict[str, Any]:
    from dataclasses import asdict

    request = {
        "checkpoint": wanted.model.checkpoint,
        "data": asdict(wanted.data),
        "rows": 100,
        "seed": wanted.training.seed,
    }
    *_, last = [one for one in Desk().inspect(request, lambda: False) if one is not None]
    found: dict[str, Any] = last["report"]
    return found
