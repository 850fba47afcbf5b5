"""Measures against the same numbers computed the long way, and the job as a real process."""

import json
import math
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import atomic
from engine.chat import Message
from engine.compare import prompts, samples
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.impact.results.evaluation_results import read_results
from engine.impact.suites.evaluation_plan import Suite
from engine.impact.suites.suite_specs import parse_suite
from engine.jobs import directory, status
from engine.jobs.process import worker_command
from engine.jobs.status import State
from engine.recipes.recipe import EvaluateRecipe
from engine.recipes.settings import Decode
from engine.worker.data.encode import choose_template, collate, encode_messages
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.inference.sample_log import SampleLog
from engine.worker.inference.score_log import ScoreLog, ScoreMemory
from engine.worker.inference.suite_measures import SuiteMeasurer, count_work
from engine.worker.inference.text_likelihood import Read, read_texts
from tests.worker.data.families import QWEN3
from tests.worker.inference.labelled import label_scores
from tests.worker.tiny import save_adapter, save_checkpoint
from tests.worker.whole_nll import nll

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


def measurer(loaded_arm: LoadedArm, tmp_path: Path) -> SuiteMeasurer:
    tmp_path.mkdir(exist_ok=True)
    memory = ScoreMemory(ScoreLog(tmp_path / "scores.jsonl"), "one", "one")
    return SuiteMeasurer(loaded_arm.arm, loaded_arm, memory, SampleLog(tmp_path / "samples.jsonl"))


def suite(items: list[Item], spec: str = "mine=x", **settings: Any) -> Suite:
    plain = tuple(items)
    asked = Suite(parse_suite(spec), plain, plain, Decode(max_new_tokens=8), 1, 0.7)
    return replace(asked, **settings)


def test_items_are_scored_by_what_is_said(models: ModelCache, base: Path, tmp_path: Path) -> None:
    one = load_arm(models, base)
    ask = (Message("user", "Two and two"),)
    asked = suite([Item("a", ask)])
    measurer(one, tmp_path / "before").measure(asked, lambda done: None)
    (said,) = (sample.text for sample in samples.read(tmp_path / "before" / "samples.jsonl"))
    items = [
        Item("right", ask, score="exact", gold=(said,)),
        Item("wrong", ask, score="exact", gold=(said + "!",)),
        Item("open", ask),
        Item("prose", score="perplexity", text="i miss my dög"),
    ]
    done: list[int] = []
    result = measurer(one, tmp_path).measure(suite(items), done.append)
    assert result.measures["strict"] == {"right": 1.0, "wrong": 0.0}
    assert set(result.measures["gold_nll"]) == {"right", "wrong"}
    assert set(result.finish) == {"right", "wrong", "open"}
    assert result.measures["tokens"].keys() == {"open"}, "what has no right answer is described"
    assert result.measures["rougeL"].keys() == {"right", "wrong"}
    assert (result.tokens, result.bytes) == (
        {"prose": read_texts(one, {"p": items[3].text}).tokens["p"]},
        {"prose": 14},
    )
    assert result.measures["nll"]["prose"] == read_texts(one, {"p": items[3].text}).nll["p"]
    assert done == sorted(done)
    assert done[-1] == count_work(suite(items), one.arm) == 6
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert {row["prompt_id"] for row in rows} == {"mine/right", "mine/wrong", "mine/open"}
    (row,) = (row for row in rows if row["item"] == "right")
    assert (row["suite"], row["gold"], row["text"]) == ("mine", [said], said)
    assert row["output_ids"]


def test_choices_are_weighed_and_named(models: ModelCache, base: Path, tmp_path: Path) -> None:
    one = load_arm(models, base)
    items = [
        Item(str(at), tuple(asked), score="choices", gold=(LABELS[at],), choices=tuple(LABELS))
        for at, asked in enumerate(QUESTIONS)
    ]
    result = measurer(one, tmp_path).measure(suite(items), lambda done: None)
    sums = label_scores(one, QUESTIONS, LABELS)
    likeliest = [LABELS[row.index(max(row))] for row in sums]
    assert [result.picked["likelihood"][str(at)] for at in range(3)] == likeliest
    for at, (row, asked) in enumerate(zip(sums, QUESTIONS, strict=True)):
        assert result.measures["likelihood"][str(at)] == float(likeliest[at] == LABELS[at])
        tokens = len(one.tokenizer(LABELS[at])["input_ids"]) + 1
        nll = result.measures["gold_nll"][str(at)]
        assert nll == pytest.approx(-row[at] / tokens, abs=1e-4), asked
        name = result.picked["strict"][str(at)]
        assert name in ("", *LABELS)
        assert result.measures["strict"][str(at)] == float(name == LABELS[at])


def test_more_samples_are_drawn_and_kept(models: ModelCache, base: Path, tmp_path: Path) -> None:
    one = load_arm(models, base)
    items = [Item("a", (Message("user", "Two"),)), Item("b", (Message("user", "and three"),))]
    asked = suite(items, samples=3, temperature=1.5)
    result = measurer(one, tmp_path).measure(asked, lambda done: None)
    assert (result.asked["samples"], result.asked["temperature"]) == (3, 1.5)
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert sorted(row["prompt_id"] for row in rows) == [
        "mine/a", "mine/a#1", "mine/a#2", "mine/b", "mine/b#1", "mine/b#2"
    ]  # fmt: skip
    assert {(row["decode"]["temperature"], row["decode"]["seed"]) for row in rows} == {
        (0.0, 7), (1.5, 8), (1.5, 9)
    }  # fmt: skip
    assert 0 < result.measures["different answers"]["a"] <= 1
    again = measurer(one, tmp_path).measure(asked, lambda done: None)
    assert again.to_json() == result.to_json()
    assert len((tmp_path / "samples.jsonl").read_text().splitlines()) == len(rows)


def test_an_item_that_does_not_fit_is_left_out_with_its_reason(
    models: ModelCache, base: Path, tmp_path: Path
) -> None:
    one = load_arm(models, base)
    long = "word " * one.model.context
    items = [
        Item("fits", (Message("user", "Two"),), score="exact", gold=("x",)),
        Item("long", (Message("user", long),), score="exact", gold=("x",)),
    ]
    result = measurer(one, tmp_path).measure(suite(items), lambda done: None)
    assert set(result.measures["strict"]) == set(result.measures["gold_nll"]) == {"fits"}
    assert "longer than the model's context" in result.refused["long"]


def test_a_text_of_which_nothing_is_predicted_is_left_out(
    models: ModelCache, base: Path, tmp_path: Path
) -> None:
    """An NLL of 0 would be that of a text that the model knows by heart."""
    texts = [
        Item("one", score="perplexity", text="a"),
        Item("more", score="perplexity", text="i miss my dog"),
    ]
    result = measurer(load_arm(models, base), tmp_path).measure(suite(texts), lambda done: None)
    assert set(result.measures["nll"]) == set(result.tokens) == set(result.bytes) == {"more"}
    assert "one token" in result.refused["one"]


def test_an_arm_that_diverged_is_said_to_have(
    models: ModelCache, base: Path, tmp_path: Path
) -> None:
    """Its scores are those of any arm that is wrong everywhere."""
    adapter = save_adapter(tmp_path / "diverged", base)
    weights = load_file(adapter / "adapter_model.safetensors")
    diverged = {name: tensor * math.nan for name, tensor in weights.items()}
    save_file(diverged, adapter / "adapter_model.safetensors")
    ask = (Message("user", "joy or fear?"),)
    items = [
        Item("a", ask, score="choices", gold=("joy",), choices=("joy", "fear")),
        Item("b", ask),
    ]
    for name, path in (("whole", None), ("broken", adapter)):
        one = measurer(load_arm(models, base, path), tmp_path / name)
        notes = one.measure(suite(items, samples=2), lambda done: None).notes
        found = [note for note in notes if "diverged: NaN in the logits of 2 of 2" in note]
        assert len(found) == (name == "broken"), notes


def test_a_choice_that_does_not_fit_leaves_the_answer(
    models: ModelCache, base: Path, tmp_path: Path
) -> None:
    one = load_arm(models, base)
    asked = (Message("user", "Two"),)
    long = "word " * one.model.context
    items = [
        Item("fits", asked, score="choices", gold=("yes",), choices=("yes", "no")),
        Item("long", asked, score="choices", gold=("yes",), choices=("yes", long)),
    ]
    result = measurer(one, tmp_path).measure(suite(items), lambda done: None)
    assert set(result.measures["strict"]) == {"fits", "long"}
    assert set(result.measures["likelihood"]) == {"fits"}
    assert "longer than the model's context" in result.refused["long"]


def test_a_raw_suite_is_asked_without_a_template(
    models: ModelCache, base: Path, tmp_path: Path
) -> None:
    one = load_arm(models, base)
    items = [Item("a", (Message("user", "Two"),), score="exact", gold=("x",))]
    own = measurer(one, tmp_path).measure(suite(items), lambda done: None)
    raw = measurer(one, tmp_path).measure(suite(items, "mine=x?template=raw"), lambda done: None)
    assert (own.asked["template"], raw.asked["template"]) == ("own", "raw")
    assert own.asked["template_hash"]
    assert not raw.asked["template_hash"]
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert rows[1]["prompt_ids"] == one.tokenizer("Two")["input_ids"]
    assert len({row["arm"] for row in rows}) == 1, "it is the same arm, asked otherwise"


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
            for text, label in (
                ("i miss my dog", "sadness"),
                ("lovely", "joy"),
                ("no", "sadness"),
                ("hm", "joy"),
            )
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
    assert (final.step, final.total) == (33, 33)
    results = read_results(json.loads(job.results.read_text()))
    assert list(results.arms) == ["base", "tuned", "diverged"]
    assert results.suites["labels"].labels == ("joy", "sadness")
    assert len({one.digest for one in results.suites["labels"].items.values()} - {""}) == 4
    before, after, lost = (arm.suites for arm in results.arms.values())
    assert before["mixed"].seen is None, "a model that no run of ours made"
    assert any(" pre-trained on is not known" in note for note in results.arms["base"].notes)
    assert before["mixed"].measures["nll"] != after["mixed"].measures["nll"]
    assert set(before["mixed"].measures["strict"]) == {"sum"}
    assert set(before["labels"].picked["likelihood"].values()) <= {"joy", "sadness"}
    assert lost["mixed"].measures["nll"] == {"prose": math.inf}, "it is not finite"
    assert set(lost["labels"].picked["likelihood"].values()) == {""}
    assert set(lost["labels"].measures["likelihood"].values()) == {0.0}
    items = prompts.read(job.items)
    asked = ["mixed/sum", *(f"labels/labels-{at}" for at in range(1, 5))]
    assert [item.id for item in items] == [asked[0], "mixed/prose", *asked[1:]]
    answers = samples.read(job.samples)
    assert {sample.prompt_id for sample in answers} == {*asked}
    assert len(answers) == 15


class _Killed(BaseException):
    """What no code of ours catches."""


@pytest.mark.parametrize("moment", ["before", "half", "after"])
def test_a_kill_at_any_write_changes_nothing(
    models: ModelCache, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Before a line is written, in the midst of it, or after it: what comes of the next start is
    the same, and nothing is there twice."""
    ask = [(Message("user", f"say {at}"),) for at in range(3)]
    items = [
        *(Item(f"e{at}", one, score="exact", gold=("x",)) for at, one in enumerate(ask)),
        Item("c", ask[0], score="choices", gold=("joy",), choices=("joy", "fear")),
        Item("t", score="perplexity", text="i miss my dog"),
    ]
    asked = suite(items, samples=2, decode=Decode(max_new_tokens=3))
    write, one, left = atomic.append_lines, load_arm(models, base), [1000]

    def append(path: Path, text: str) -> None:
        left[0] -= 1
        if left[0] == 0 and moment == "half":
            with path.open("a") as file:
                file.write(text[: len(text) // 2])
        elif left[0] or moment == "after":
            write(path, text)
        if left[0] == 0:
            raise _Killed

    def measure(folder: Path) -> dict[str, Any]:
        folder.mkdir(exist_ok=True)
        return measurer(one, folder).measure(asked, lambda done: None).to_json()

    monkeypatch.setattr(atomic, "append_lines", append)
    whole = measure(tmp_path / "whole")
    writes = 1000 - left[0]
    assert writes >= 4
    for number in range(1, writes + 1):
        folder, left[0] = tmp_path / str(number), number
        with pytest.raises(_Killed):
            measure(folder)
        left[0] = 1000
        assert measure(folder) == whole
        for name in ("samples.jsonl", "scores.jsonl"):
            rows, expected = _rows(folder / name), _rows(tmp_path / "whole" / name)
            assert sorted(rows) == sorted(expected)


def _rows(path: Path) -> list[str]:
    """By what each whole line is known again."""
    rows = []
    for line in path.read_text().splitlines():
        with suppress(ValueError):
            rows.append(json.loads(line)["row"])
    return rows
