"""The tokens that are shown are the tokens that are trained: what the model gets, pass by pass."""

import functools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaModel

from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.worker.companion.handlers import Handlers
from engine.worker.data import batching
from engine.worker.data.chat_template import choose_template
from engine.worker.data.encode import IGNORE_INDEX
from engine.worker.training.trainer import MeasuredTrainer, TokenTrainer
from tests.worker.data.families import QWEN3
from tests.worker.here import train_here
from tests.worker.tiny import save_checkpoint

Seen = tuple[tuple[int, ...], tuple[bool, ...]]
"""The ids of a row, and which of them are learned."""


class Watch:
    """Every training pass of a model, row by row: the ids that it got and what the loss counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, trainer: type[MeasuredTrainer]) -> None:
        self.passes: list[list[Seen]] = []
        self.drawn: list[list[Seen]] = []
        """What the passes were made of, where that is no pairs."""
        self._inputs: dict[str, Any] = {}
        loss, forward, choose = trainer.compute_loss, LlamaModel.forward, batching.choose_collate

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

        def choose_collate(*about: Any) -> Any:
            collate: Any = choose(*about)

            def watched(rows: Any) -> Any:
                flat = [one for row in rows for one in (row if isinstance(row, list) else [row])]
                self.drawn.append([seen(one.input_ids, one.labels) for one in flat])
                return collate(rows)

            return watched

        monkeypatch.setattr(trainer, "compute_loss", compute_loss)
        monkeypatch.setattr(LlamaModel, "forward", run)
        monkeypatch.setattr("engine.worker.training.trainer.choose_collate", choose_collate)

    def _take(self, given: dict[str, Any]) -> None:
        ids, mask = given["input_ids"], self._inputs["attention_mask"].bool()
        assert torch.equal(ids, self._inputs["input_ids"])
        if "labels" in self._inputs:
            labels = self._inputs["labels"]
        else:  # of pairs it is said which tokens count
            labels = ids.masked_fill(self._inputs["completion_mask"] == 0, IGNORE_INDEX)
        assert labels[~mask].eq(IGNORE_INDEX).all(), "padding is never learned"
        rows: list[Seen] = []
        for line in range(len(ids)):
            tokens, learned = ids[line][mask[line]].tolist(), labels[line][mask[line]].tolist()
            starts = [0]
            if "position_ids" in self._inputs:  # packed: each row counts its positions from 0
                positions = given["position_ids"][line][mask[line]]
                starts = positions.eq(0).nonzero()[:, 0].tolist()
            for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
                rows.append(seen(tokens[start:end], learned[start:end]))
        self.passes.append(rows)

    def epochs(self) -> list[Counter[Seen]]:
        """How often each row was seen, in the first and in the second half of the passes."""
        half = len(self.passes) // 2
        parts = self.passes[:half], self.passes[half:]
        return [Counter(row for rows in part for row in rows) for part in parts]


def seen(ids: Sequence[int], labels: Sequence[int]) -> Seen:
    assert all(label in (one, IGNORE_INDEX) for one, label in zip(ids, labels, strict=True))
    return tuple(ids), tuple(label != IGNORE_INDEX for label in labels)


def shown(tokens: Sequence[dict[str, Any]]) -> Seen:
    """The same of a row in a report."""
    return (
        tuple(one for token in tokens for one in token["ids"]),
        tuple(token["learned"] for token in tokens for _ in token["ids"]),
    )


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
REPLAYED = ("replay.share=0.25", "replay.data=OLD")


def make(base: Path, rows: Path, held_out: Path, *changes: str) -> TrainRecipe:
    table: dict[str, Any] = {
        "name": "watched",
        "device": "cpu",
        "model": {"checkpoint": str(base)},
        "data": {"train": str(rows), "eval": str(held_out), "max_length": 60},
        "method": {"rank": 2},
        "training": {"batch_size": 4, "epochs": 2, "evaluations": 1, "saves": 0},
        "samples": {"count": 0},
        "forgetting": {"tokens": 0},
    }
    wanted = recipe.parse(recipe.with_changes(table, changes))
    assert isinstance(wanted, TrainRecipe)
    return wanted


@pytest.mark.parametrize(
    "changes",
    [
        REPLAYED,
        ("training.group_by_length=true", "data.system=Be brief.", *DROPPED),
        (PACKED,),
        (PACKED, "data.template=raw", "data.system=Be brief.", *DROPPED),
        ("method.kind=full", "training.gradient_accumulation_steps=2", "data.template=chatml"),
        ("data.template=QWEN3", *REPLAYED),
    ],
    ids=["replayed", "by length, dropped", "packed", "packed, raw", "full, accumulated", "divided"],
)
def test_what_the_model_gets_is_what_is_shown(
    changes: tuple[str, ...], tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pass has the rows that were drawn for it, and each epoch all that are shown, once."""
    base = save_checkpoint(tmp_path / "base")
    rows, old = write(tmp_path / "rows.jsonl", range(30)), tmp_path / "old.jsonl"
    write(old, range(100, 110))
    (tmp_path / "qwen3.jinja").write_text(QWEN3.template)
    changes = tuple(
        one.replace("OLD", str(old)).replace("QWEN3", str(tmp_path / "qwen3.jinja"))
        for one in changes
    )
    wanted = make(base, rows, write(tmp_path / "other.jsonl", range(30, 36)), *changes)
    watch = Watch(monkeypatch, TokenTrainer)
    job = train_here(wanted, root)

    told = report(wanted)
    assert told["rejected"] >= 1
    assert told["too_long"]["dropped" if DROPPED[0] in changes else "cut"]["rows"]
    expected = Counter(shown(row["tokens"]) for row in told["rows"] if row["kept"])
    assert {row["replayed"] for row in told["rows"]} == {False, wanted.replay.data != ""}
    assert bool(told["divided"]["rows"]) == (wanted.data.template.endswith("qwen3.jinja"))
    assert watch.passes == watch.drawn
    assert watch.epochs() == [expected] * 2
    assert max(map(len, watch.passes)) >= 4
    assert len(watch.passes) > 4

    # What the run left asks as it was trained, by its own files alone.
    left = job.adapter if wanted.method.kind == "lora" else job.model
    tokenizer: Any = AutoTokenizer.from_pretrained(left)
    assert choose_template(tokenizer).hash == told["template"]["hash"]


def test_of_preferences_the_model_gets_both_answers_that_are_shown(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each pass the better answers and then the worse, pair by pair; what counts is learned."""
    pytest.importorskip("trl")
    from engine.worker.training.dpo import PreferenceTrainer

    def write_pairs(path: Path, numbers: range) -> Path:
        lines = [
            {
                "prompt": "i miss my dog " * (1 + number % 5),
                "chosen": f"sadness {number} " * (1 + number % 3),
                "rejected": f"joy {number} " * (1 + number % 2),
            }
            for number in numbers
        ]
        path.write_text("\n".join(map(json.dumps, lines)))
        return path

    base, rows = save_checkpoint(tmp_path / "base"), write_pairs(tmp_path / "rows.jsonl", range(10))
    held_out = write_pairs(tmp_path / "other.jsonl", range(20, 22))
    wanted = make(base, rows, held_out, "training.objective=dpo", "data.max_length=120")
    watch = Watch(monkeypatch, PreferenceTrainer)
    train_here(wanted, root)
    expected = Counter(
        (shown(row["tokens"]), shown(row["rejected"])) for row in report(wanted)["rows"]
    )
    pairs = [list(zip(one[: len(one) // 2], one[len(one) // 2 :], strict=True))
             for one in watch.passes]  # fmt: skip
    assert [len(one) for one in pairs] == [4, 4, 2] * 2
    for epoch in (pairs[:3], pairs[3:]):
        assert Counter(pair for one in epoch for pair in one) == expected


TALK = [
    {"from": "human", "value": "hi"},
    {"from": "gpt", "value": "joy to you"},
    {"from": "human", "value": "i miss my dog"},
]


def kto(number: int) -> dict[str, Any]:
    answer = f"sadness {number}" if number % 3 else "anger"
    return {"prompt": "i miss my dog", "completion": answer, "label": number % 3 > 0}


def alpaca(number: int) -> dict[str, Any]:
    history = [["hi", "joy to you"], ["and?", f"love {number}"]][: number % 3]
    return {"instruction": "i miss my dog", "output": f"sadness {number}", "history": history}


def ranking(number: int) -> dict[str, Any]:
    good, bad = ({"from": "gpt", "value": f"{word} {number}"} for word in ("sadness", "joy"))
    talk = [*TALK, good] if number % 2 else TALK
    return {"conversations": talk, "chosen": good, "rejected": bad, "score": 8.0}


def ultrafeedback(number: int) -> dict[str, Any]:
    good, bad = ({"role": "assistant", "content": f"{word} {number}"} for word in ("joy", "love"))
    asked = {"role": "user", "content": "i miss my dog"}
    return {"prompt": "i miss my dog", "chosen": [asked, good], "rejected": [asked, bad],
            "messages": [asked, good]}  # fmt: skip


TOOL = {"name": "look_up", "parameters": {"type": "object", "properties": {"word": {}}}}


def tool_calls(number: int) -> dict[str, Any]:
    call = {"name": "look_up", "arguments": {"word": f"dog {number}"}}
    turns = [
        {"role": "user", "content": "i miss my dog"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": call}]},
        {"role": "tool", "content": "sadness", "tool_call_id": "c1"},
        {"role": "assistant", "content": "sadness and love", "reasoning_content": "a loss"},
    ]
    return {"messages": turns, "tools": [TOOL]}


def function_calls(number: int) -> dict[str, Any]:
    call = json.dumps({"name": "look_up", "arguments": {"word": f"dog {number}"}})
    turns = [
        *TALK,
        {"from": "function_call", "value": call},
        {"from": "observation", "value": "sadness"},
        {"from": "gpt", "value": "sadness and love"},
    ]
    return {"conversations": turns, "tools": json.dumps([TOOL])}


def marks(number: int) -> dict[str, Any]:
    turns = conversation(number)
    more = [
        {"role": "user", "content": "and?"},
        {"role": "assistant", "content": "wrong", **({"weight": 0}, {"train": False})[number % 2]},
    ]
    return {"messages": [*turns, *more]}


@pytest.mark.parametrize(
    ("make_row", "objective"),
    [
        (tool_calls, "sft"),
        (function_calls, "sft"),
        (marks, "sft"),
        (kto, "sft"),
        (alpaca, "sft"),
        (ranking, "sft"),
        (ranking, "dpo"),
        (ultrafeedback, "sft"),
        (ultrafeedback, "dpo"),
    ],
)
def test_of_each_shape_of_rows_the_model_gets_what_is_shown(
    make_row: Callable[[int], dict[str, Any]],
    objective: str,
    tmp_path: Path,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What stands beside prompt and answer counts the same in a run and in its report."""
    if objective == "dpo":
        pytest.importorskip("trl")
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(make_row(number)) + "\n" for number in range(8)))
    held_out = tmp_path / "other.jsonl"
    held_out.write_text(json.dumps(make_row(20)) + "\n")
    changes = (f"training.objective={objective}", "training.epochs=1", "data.max_length=1000",
               "data.template=chatml")  # fmt: skip
    wanted = make(save_checkpoint(tmp_path / "base"), path, held_out, *changes)
    watch = Watch(monkeypatch, _trainer_of(objective))
    job = train_here(wanted, root)
    told = report(wanted)
    shown_rows = [shown(row[side]) for row in told["rows"] for side in _sides(objective)]
    assert Counter(row for one in watch.passes for row in one) == Counter(shown_rows)
    false_rows = 3 if make_row is kto else 0
    assert (told["labelled_false"]["rows"], told["kept"]) == (false_rows, 8 - false_rows)
    log = job.attempt(1).log.read_text()
    assert ("labelled false: they are not trained on" in log) == (make_row is kto)
    unread = {"columns": {"score": 8}} if make_row is ranking else {}
    unread = {"columns": {"messages": 8}} if make_row is ultrafeedback else unread
    assert told["unread"] == {"columns": {}, "keys": {}, "further": 0} | unread
    assert ("unread columns: " in log) == bool(unread)


def _sides(objective: str) -> tuple[str, ...]:
    return ("tokens", "rejected") if objective == "dpo" else ("tokens",)


def _trainer_of(objective: str) -> type[Any]:
    if objective == "sft":
        return TokenTrainer
    from engine.worker.training.dpo import PreferenceTrainer

    return PreferenceTrainer


def report(wanted: TrainRecipe) -> dict[str, Any]:
    from dataclasses import asdict

    request = {
        "checkpoint": wanted.model.checkpoint,
        "data": asdict(wanted.data),
        "replay": asdict(wanted.replay),
        "rows": 100,
        "seed": wanted.training.seed,
        "objective": wanted.training.objective,
    }
    *_, last = [one for one in Handlers().inspect(request, lambda: False) if one is not None]
    found: dict[str, Any] = last["report"]
    return found
