"""Measures against the same numbers computed the long way, and the job as a real process."""

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.chat import Message
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.data.rows import Example
from engine.errors import EngineError
from engine.jobs import directory, status
from engine.jobs.process import worker_command
from engine.jobs.status import State
from engine.recipes.recipe import EvaluateRecipe, TrainRecipe
from engine.worker.data.encode import choose_template, collate, encode_messages, nll
from engine.worker.evaluate import _label_rows, measure_labels, measure_suite
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.inference.scoring import Read, label_scores, read_texts, score_items
from tests.worker.data.families import QWEN3
from tests.worker.tiny import save_adapter, save_checkpoint

LABELS = ["joy", "sadness", "anger and fear"]
QUESTIONS = [
    [Message("user", "i miss my dog")],
    [Message("system", "Name the emotion."), Message("user", "what a day, what a lovely day")],
    [Message("user", "no")],
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def models() -> ModelCache:
    return ModelCache(torch.device("cpu"))


def load_arm(
    models: ModelCache, base: Path, adapter: Path | None = None, **settings: Any
) -> LoadedArm:
    made = models.load_arm(
        Arm("arm", str(base), **settings), ArmWeights(base, adapter), lambda _: None
    )
    assert made is not None
    return made


def the_long_way(one: LoadedArm, asked: list[Message], label: str) -> float:
    """One row, one forward pass: what training would call its loss."""
    answered = [*asked, Message("assistant", label)]
    (row,) = encode_messages(answered, one.tokenizer, choose_template(one.tokenizer), 500)
    with torch.inference_mode(), one.model.with_adapter(one.adapter) as model:
        total, _ = nll(model, collate([row]))
    return -float(total)


def test_a_label_is_scored_in_the_context_in_which_it_would_be_given(
    models: ModelCache, tmp_path: Path
) -> None:
    """The template writes earlier answers differently: the label's row is the last of several."""
    arm = load_arm(models, save_checkpoint(tmp_path / "base", template=QWEN3.template))
    asked = [*QUESTIONS[0], Message("assistant", "sadness"), Message("user", "and now?")]
    (found,) = label_scores(arm, [asked], LABELS)
    for label, score in zip(LABELS, found, strict=True):
        answered = [*asked, Message("assistant", label)]
        first, last = encode_messages(answered, arm.tokenizer, choose_template(arm.tokenizer), 500)
        assert (first.answers, last.answers) == ((1,), (3,))
        with torch.inference_mode(), arm.model.with_adapter(arm.adapter) as model:
            total, _ = nll(model, collate([last]))
        assert score == pytest.approx(-float(total), abs=1e-4)


def test_labels_are_scored_as_training_would(
    models: ModelCache, base: Path, tmp_path: Path
) -> None:
    plain = load_arm(models, base)
    tuned = load_arm(models, base, save_adapter(tmp_path / "adapter", base))
    before = label_scores(plain, QUESTIONS, LABELS)
    after = label_scores(tuned, QUESTIONS, LABELS)
    for one, found in ((plain, before), (tuned, after)):
        for asked, row in zip(QUESTIONS, found, strict=True):
            expected = [the_long_way(one, asked, label) for label in LABELS]
            assert row == pytest.approx(expected, abs=1e-3)
    assert before != after


def test_a_raw_prompt_is_scored_as_text_label_end(models: ModelCache, base: Path) -> None:
    one = load_arm(models, base, form="raw", prefix="Think:")
    (row,) = label_scores(one, QUESTIONS[:1], ["joy"])
    ids = one.tokenizer("Think:\ni miss my dog")["input_ids"]
    tail = [*one.tokenizer("joy")["input_ids"], one.tokenizer.eos_token_id]
    with torch.inference_mode():
        logs = one.forward(input_ids=torch.tensor([ids + tail])).logits[0].log_softmax(-1)
    expected = sum(float(logs[len(ids) + at - 1, token]) for at, token in enumerate(tail))
    assert row == [pytest.approx(expected, abs=1e-3)]


def test_every_token_of_a_text_is_predicted_once(models: ModelCache, base: Path) -> None:
    one = load_arm(models, base)
    texts = {"short": "i miss my dog", "long": "The capital of France is Paris. " * 8, "one": "a"}
    ids = {name: one.tokenizer(text)["input_ids"] for name, text in texts.items()}
    read = read_texts(one, texts, window=16)
    assert read.tokens == {name: len(each) - 1 for name, each in ids.items()}
    with torch.inference_mode():
        logits = one.forward(input_ids=torch.tensor([ids["short"]])).logits[0]
    logs = logits.double().log_softmax(-1)
    expected = -sum(float(logs[at, token]) for at, token in enumerate(ids["short"][1:]))
    assert read.nll["short"] == pytest.approx(expected, abs=1e-3)
    assert read.nll["one"] == 0
    total = sum(read.nll.values()) / sum(read.tokens.values())
    assert read.perplexity == pytest.approx(math.exp(total))
    assert read_texts(one, texts, window=500).nll["long"] != read.nll["long"], "less context"


def test_a_diverged_model_has_a_perplexity_too() -> None:
    assert Read({"a": 1e6}, {"a": 2}).perplexity == math.inf
    assert math.isnan(Read({"a": math.nan}, {"a": 2}).perplexity)


def test_items_are_scored_by_what_is_said(models: ModelCache, base: Path) -> None:
    one = load_arm(models, base)
    ask = (Message("user", "Two and two"),)
    said = score_items(one, [Item("a", ask, score="exact", gold=("?",))], limit=8).answers["a"]
    items = [
        Item("right", ask, score="exact", gold=(said,)),
        Item("wrong", ask, score="exact", gold=(said + "!",)),
        Item("open", ask),
        Item("prose", score="perplexity", text="i miss my dog"),
    ]
    scored = score_items(one, items[:2], limit=8)
    assert scored.scores == {"right": 1.0, "wrong": 0.0}
    result = measure_suite(one, items)
    assert result["items"] == 2, "an open item has no score"
    assert "weighted_accuracy" not in result
    whole = measure_suite(one, [Item("a", ask)])["answers"]["a"]
    heavy = [Item("right", ask, score="exact", gold=(whole,), weight=3), items[1]]
    assert measure_suite(one, heavy)["weighted_accuracy"] == 0.75
    assert result["interval"][0] <= result["accuracy"] <= result["interval"][1]
    assert result["perplexity"] > 1


def test_labels_are_told_from_free_answers(models: ModelCache, base: Path) -> None:
    one = load_arm(models, base)
    rows = [
        Example((Message("user", f"text {at}"), Message("assistant", LABELS[at % 4 // 2])), str(at))
        for at in range(7)
    ]
    result = measure_labels(one, rows)
    assert result["labels"] == ["joy", "sadness"]
    assert result["majority"] == 4 / 7
    assert result["likelihood"]["items"] == 7
    likely = result["likelihood"]["answers"]
    assert result["likelihood"]["right"] == sum(
        likely[row.source] == row.messages[-1].content for row in rows
    )
    assert set(result["likelihood"]["answers"].values()) <= {"joy", "sadness"}
    free = [
        Example((Message("user", "a"), Message("assistant", f"answer {at}")), str(at))
        for at in range(60)
    ]
    with pytest.raises(EngineError, match="not class labels"):
        measure_labels(one, free)


@pytest.mark.worker
def test_the_job_measures_base_and_tuned_and_diverged(
    base: Path, tmp_path: Path, root: Path
) -> None:
    adapter = save_adapter(tmp_path / "adapter", base)
    diverged = shutil.copytree(adapter, tmp_path / "diverged") / "adapter_model.safetensors"
    save_file({name: weight * math.nan for name, weight in load_file(diverged).items()}, diverged)
    suite = tmp_path / "mixed.jsonl"
    suite.write_text(
        json.dumps(
            {
                "id": "sum",
                "skill": "sums",
                "score": "number",
                "answer": 4,
                "messages": [{"role": "user", "content": "2 + 2"}],
            }
        )
        + "\n"
        + json.dumps({"id": "prose", "skill": "p", "score": "perplexity", "text": "i miss my dog"})
        + "\n"
    )
    labelled = tmp_path / "labels.jsonl"
    labelled.write_text(
        "".join(
            json.dumps({"instruction": "Which?", "input": text, "output": label}) + "\n"
            for text, label in (("i miss my dog", "sadness"), ("lovely", "joy"))
        )
    )
    recipe = EvaluateRecipe(
        device="cpu",
        arms=[
            f"base={base}",
            f"tuned={base}+{adapter}",
            f"diverged={base}+{diverged.parent}",
        ],
        suites=[str(suite)],
        choices=str(labelled),
    )
    job = directory.create(root, recipe)
    done = subprocess.run(
        worker_command("evaluate", str(job.path)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr + job.attempt(1).log.read_text()
    final = status.read(job)
    assert final is not None
    assert final.state is State.DONE
    assert (final.step, final.total) == (18, 18)
    results = json.loads(job.results.read_text())["arms"]
    assert list(results) == ["base", "tuned", "diverged"]
    before, after, lost = results.values()
    assert before["suites"]["mixed"]["perplexity"] != after["suites"]["mixed"]["perplexity"]
    assert before["suites"]["mixed"]["items"] == 1
    assert set(before["choices"]["likelihood"]["answers"].values()) <= {"joy", "sadness"}
    assert lost["suites"]["mixed"]["perplexity"] is None, "it is not finite"
    assert lost["suites"]["mixed"]["nll"] == {"prose": None}
    assert set(lost["choices"]["likelihood"]["answers"].values()) == {""}


def test_labels_of_a_run_are_those_of_the_rows_it_held_out(root: Path) -> None:
    job = directory.create(root, TrainRecipe(name="own"))
    lines = [
        {"id": "own.jsonl:3", "messages": [{"role": "user", "content": "lovely"}],
         "reference": "joy"},
        {"id": "own.jsonl:9", "messages": [{"role": "user", "content": "gone"}]},
    ]  # fmt: skip
    job.held_out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (example,) = _label_rows(f"run:{job.path.name}", [job.path])
    assert example.source == "own.jsonl:3"
    assert [message.content for message in example.messages] == ["lovely", "joy"]
    with pytest.raises(EngineError, match="has no held-out rows"):
        _label_rows(f"run:{directory.create(root, TrainRecipe()).path.name}",
                    [path for path in root.iterdir() if path != job.path])  # fmt: skip
