"""A model that never ended an answer learns to, from training alone, whatever its pad token is."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.chat import Message
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Decode
from engine.worker.data import encode, loss_spans
from engine.worker.data.encode import IGNORE_INDEX
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import ModelCache
from tests.worker.here import train_here
from tests.worker.tiny import make_tokenizer, save_checkpoint

LABELS = ("joy", "anger", "sadness")
LIMIT = 24


def prompt(number: int) -> str:
    return f"{LABELS[number % 3]} felt {number} times"


def stopped(base: Path, template: str, root: Path) -> float:
    """Tune on 96 rows, then the share of greedy answers to 40 other prompts that stop."""
    rows = root / "rows.jsonl"
    rows.write_text(
        "".join(
            json.dumps({"prompt": prompt(number), "completion": LABELS[number % 3]}) + "\n"
            for number in range(96)
        )
    )
    wanted = recipe.parse({
        "kind": "train",
        "device": "cpu",
        "model": {"checkpoint": str(base)},
        "data": {"train": str(rows), "template": template, "max_length": 128},
        "method": {"kind": "full"},
        "training": {
            "batch_size": 8, "epochs": 5, "learning_rate": 5e-3, "evaluations": 0, "saves": 0
        },
        "samples": {"count": 0},
        "forgetting": {"tokens": 0},
    })  # fmt: skip
    assert isinstance(wanted, TrainRecipe)
    job = train_here(wanted, root)
    arm = Arm("tuned", str(job.model))
    loaded_arm = ModelCache(torch.device("cpu")).load_arm(arm, locate(arm, []), lambda what: None)
    assert loaded_arm is not None
    asked = [loaded_arm.prompt([Message("user", prompt(number))]) for number in range(200, 240)]
    answers = BatchDecoder(loaded_arm, asked, Decode(max_new_tokens=LIMIT))
    while not answers.done:
        answers.step()
    return sum(answer.finish == "stop" for answer in answers.answers) / len(asked)


@pytest.mark.parametrize(
    ("template", "pad"),
    [("", "own"), ("", "eos"), ("", "none"), ("raw", "eos"), ("instruct", "eos")],
)
def test_greedy_answers_to_held_out_prompts_stop(
    template: str, pad: str, tmp_path: Path, root: Path
) -> None:
    base = save_checkpoint(tmp_path / "base")
    if pad != "own":
        other = make_tokenizer(pad_token="<|im_end|>" if pad == "eos" else "")
        other.save_pretrained(base)
    assert stopped(base, template, root) >= 0.95


def test_without_the_end_token_in_the_loss_none_would_stop(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above sees is the learning of the end, and nothing that the model brought."""
    tokenise = loss_spans.tokenise

    def forget_ends(text: str, learned: Any, tokenizer: Any) -> tuple[list[int], list[int]]:
        ids, labels = tokenise(text, learned, tokenizer)
        end = tokenizer.eos_token_id
        return ids, [IGNORE_INDEX if label == end else label for label in labels]

    monkeypatch.setattr(encode, "tokenise", forget_ends)
    assert stopped(save_checkpoint(tmp_path / "base"), "", root) < 0.5
