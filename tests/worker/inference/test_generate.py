"""Panes that can be trusted: each arm says what a fresh model, loaded alone elsewhere, says."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.bundled import BASE
from engine.chat import Message
from engine.compare import samples
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.compare.prompts import load
from engine.errors import EngineError
from engine.jobs import directory, status
from engine.jobs.process import worker_command
from engine.recipes.recipe import GenerateRecipe
from engine.recipes.settings import Decode
from engine.worker.data.chat_template import render_prompt
from engine.worker.inference.decoding import BatchDecoder, probabilities
from engine.worker.inference.models import MOST_ADAPTERS, ModelCache
from engine.worker.model import loading
from engine.worker.tokenizers.detokenize import StreamDecoder, decode_ids
from tests.worker.inference.arms import ADAPTERS, GREEDY, LENGTH, TEXTS, load_arm, raw_prompts, say
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint

NO_MESSAGE = [Message("user", "")]
Said = dict[str, list[list[int]]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def adapters(base: Path) -> dict[str, Path]:
    made = {
        name: save_adapter(base.parent / name, base, seed, **settings)
        for seed, (name, settings) in enumerate(ADAPTERS.items(), 1)
    }
    bundled = save_adapter(base.parent / "bundled", BASE, target_modules="all-linear")
    return made | {"bundled": bundled}


@pytest.fixture(scope="module")
def stored(base: Path) -> Path | None:
    """The base as it is stored in 4 bits; None without the package that reads it."""
    path = base.parent / "stored"
    try:
        loading.load_base(base, torch.device("cpu"), torch.float32, "4bit").save_pretrained(path)
    except EngineError:
        return None
    make_tokenizer().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    return raw_prompts()


@pytest.fixture(scope="module")
def bundled_prompts() -> list[list[int]]:
    tokenizer = loading.load_tokenizer(BASE)
    return [render_prompt([Message("user", text)], tokenizer) for text in TEXTS]


@pytest.fixture(scope="module")
def reference(
    base: Path,
    stored: Path | None,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    bundled_prompts: list[list[int]],
) -> Said:
    """What fresh models say in a process of their own, by `reference.py`."""
    jobs: dict[str, dict[str, Any]] = {"base": {"base": base, "adapter": None}}
    jobs |= {name: {"base": base, "adapter": adapters[name]} for name in ADAPTERS}
    if stored is not None:
        jobs |= {"4bit": {"base": stored, "adapter": None},
                 "4bit lora": {"base": stored, "adapter": adapters["lora"]}}  # fmt: skip
    jobs = {name: job | {"prompts": prompts} for name, job in jobs.items()}
    for name, adapter in (("bundled", None), ("bundled lora", adapters["bundled"])):
        jobs[name] = {"base": BASE, "adapter": adapter, "prompts": bundled_prompts}
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("reference.py")],
        input=json.dumps({"jobs": jobs, "length": LENGTH}, default=str),
        capture_output=True,
        text=True,
        check=True,
    )
    said: Said = json.loads(done.stdout)
    for name in ADAPTERS:
        assert said[name] != said["base"], f"{name} changes nothing: it would prove nothing"
    assert said["bundled"] != said["bundled lora"]
    return said


@pytest.fixture
def models() -> ModelCache:
    return ModelCache(torch.device("cpu"))


def test_the_base_is_a_fresh_base_before_during_and_after_adapters(
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    reference: Said,
) -> None:
    plain = load_arm(models, base)
    assert say(plain, prompts) == reference["base"]

    going = BatchDecoder(plain, prompts[:1], GREEDY)
    for _ in range(5):
        going.step()
    tuned = load_arm(models, base, adapters["lora"])
    assert tuned.model is plain.model, "one base in memory"
    while not going.done:
        going.step()
    assert going.answers[0].output_ids == reference["base"][0], "attached while it spoke"

    assert say(tuned, prompts) == reference["lora"]
    assert say(plain, prompts) == reference["base"]

    cancelled = BatchDecoder(tuned, prompts[:1], GREEDY)
    cancelled.step()
    cancelled.cancel()
    assert cancelled.answers[0].finish == "cancelled"
    assert say(plain, prompts) == reference["base"]
    assert say(tuned, prompts) == reference["lora"]


def test_it_holds_on_the_bundled_model_too(
    models: ModelCache, adapters: dict[str, Path], bundled_prompts: list[list[int]], reference: Said
) -> None:
    plain, prompts = load_arm(models, BASE), bundled_prompts
    assert say(plain, prompts) == reference["bundled"]
    tuned = load_arm(models, BASE, adapters["bundled"])
    left, right = BatchDecoder(plain, prompts, GREEDY), BatchDecoder(tuned, prompts[:1], GREEDY)
    for _ in range(8):
        left.step()
        right.step()
    right.cancel()
    while not left.done:
        left.step()
    assert [answer.output_ids for answer in left.answers] == reference["bundled"]
    assert say(tuned, prompts) == reference["bundled lora"]
    assert say(plain, prompts) == reference["bundled"]


@pytest.mark.usefixtures("bitsandbytes")
def test_it_holds_on_a_base_that_is_stored_in_four_bits(
    models: ModelCache,
    stored: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    reference: Said,
) -> None:
    plain, tuned = load_arm(models, stored), load_arm(models, stored, adapters["lora"])
    assert tuned.model is plain.model
    assert reference["4bit"] not in (reference["base"], reference["4bit lora"])
    assert say(plain, prompts[:2]) == reference["4bit"][:2]
    assert say(tuned, prompts[:2]) == reference["4bit lora"][:2]
    for one in (plain, tuned):
        with pytest.raises(IndexError):
            one.forward(input_ids=torch.tensor([[10**6]]))
    assert say(plain, prompts[:1]) == reference["4bit"][:1]
    cancelled = BatchDecoder(tuned, prompts[:1], GREEDY)
    cancelled.step()
    cancelled.cancel()
    assert say(plain, prompts[:1]) == reference["4bit"][:1]
    assert say(tuned, prompts[:1]) == reference["4bit lora"][:1]


def test_batches_of_bundled_prompts_say_what_single_ones_say(models: ModelCache) -> None:
    """A sample of them; the benchmark `compare` takes all."""
    plain = load_arm(models, BASE)
    asked = [plain.prompt(one.messages) for one in load("bundled:all")[::5]]
    batch = BatchDecoder(plain, asked, GREEDY)
    while not batch.done:
        batch.step()
    assert [answer.output_ids for answer in batch.answers] == say(plain, asked)


def test_panes_that_speak_in_turn_do_not_hear_each_other(
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    reference: Said,
) -> None:
    loaded_arms = {
        "base": load_arm(models, base),
        "lora": load_arm(models, base, adapters["lora"]),
        "other": load_arm(models, base, adapters["other"]),
        "rslora": load_arm(models, base, adapters["rslora"]),
        "dora": load_arm(models, base, adapters["dora"]),
    }
    assert len({id(one.model) for one in loaded_arms.values()}) == 1
    panes = {name: BatchDecoder(one, prompts[:1], GREEDY) for name, one in loaded_arms.items()}
    while not all(pane.done for pane in panes.values()):
        for pane in panes.values():
            if not pane.done:
                pane.step()
    for name, pane in panes.items():
        assert pane.answers[0].output_ids == reference[name][0], name


def test_the_base_is_a_fresh_base_after_a_forward_pass_that_failed(
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    reference: Said,
) -> None:
    plain, tuned = load_arm(models, base), load_arm(models, base, adapters["lora"], strength=0.5)
    for one in (plain, tuned):
        with pytest.raises(IndexError):
            one.forward(input_ids=torch.tensor([[10**6]]))
    assert say(plain, prompts[:2]) == reference["base"][:2]
    full = load_arm(models, base, adapters["lora"])
    assert say(full, prompts[:2]) == reference["lora"][:2]


@pytest.mark.parametrize("shape", ["wide", "astray"])
@pytest.mark.parametrize("first", ["it", "another"])
def test_the_base_is_a_fresh_base_after_an_adapter_that_did_not_fit(
    shape: str,
    first: str,
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    reference: Said,
    tmp_path: Path,
) -> None:
    plain = load_arm(models, base)
    if first == "another":
        load_arm(models, base, adapters["lora"])
    other = save_adapter(tmp_path / "other", base, 9)
    tensors = load_file(other / "adapter_model.safetensors")
    if shape == "wide":
        tensors = {key: torch.cat([one, one], dim=-1) for key, one in tensors.items()}
    else:  # all of its tensors are placed, and one more is left
        tensors["base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight"] = torch.ones(
            4, 32
        )
    save_file(tensors, other / "adapter_model.safetensors")
    going = BatchDecoder(plain, prompts[:1], GREEDY)
    going.step()
    for _ in range(2):
        with pytest.raises(EngineError, match="does not match this base"):
            load_arm(models, base, other)
    while not going.done:
        going.step()
    assert going.answers[0].output_ids == reference["base"][0]
    assert say(load_arm(models, base), prompts[:2]) == reference["base"][:2]
    tuned = load_arm(models, base, adapters["lora"])
    assert tuned.model is plain.model
    assert say(tuned, prompts[:2]) == reference["lora"][:2]


def test_a_base_keeps_the_adapters_that_were_heard_last(
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    reference: Said,
    tmp_path: Path,
) -> None:
    kept = load_arm(models, base, adapters["other"])
    for number in range(MOST_ADAPTERS + 1):
        copy = shutil.copytree(adapters["lora"], tmp_path / str(number))
        last = load_arm(models, base, Path(copy))
        kept = load_arm(models, base, adapters["other"])
    assert kept.model is last.model
    assert len(kept.model._model.peft_config) == MOST_ADAPTERS
    assert say(kept, prompts[:1]) == reference["other"][:1]
    assert say(last, prompts[:1]) == reference["lora"][:1]
    assert say(load_arm(models, base), prompts[:1]) == reference["base"][:1]


def test_an_adapter_that_was_written_anew_is_read_anew(
    models: ModelCache, base: Path, prompts: list[list[int]], tmp_path: Path
) -> None:
    path = save_adapter(tmp_path / "adapter", base, 1)
    before = say(load_arm(models, base, path), prompts[:1])
    save_adapter(path, base, 2)
    os.utime(path / "adapter_model.safetensors", ns=(1, 1))
    after = load_arm(models, base, path)
    assert say(after, prompts[:1]) != before
    assert after.model.path_of(after.adapter) == path


@pytest.mark.parametrize("name", ["bias", "saved"])
def test_where_off_is_not_the_base_it_is_loaded_apart_and_said(
    name: str,
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    reference: Said,
) -> None:
    plain, tuned = load_arm(models, base), load_arm(models, base, adapters[name])
    assert tuned.model is not plain.model
    assert "loaded separately" in tuned.notes[0]
    assert say(tuned, prompts[:2]) == reference[name][:2]
    assert say(plain, prompts[:2]) == reference["base"][:2]


def test_a_model_of_the_cache_is_loaded_by_its_name(
    models: ModelCache, base: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    snapshot = tmp_path / "models--org--name" / "snapshots" / ("0123abcd" * 5)
    shutil.copytree(base, snapshot)
    lines: list[str] = []
    weights = ArmWeights(snapshot, adapters["bias"])
    loaded_arm = models.load_arm(Arm("arm", str(snapshot)), weights, lines.append)
    assert lines == ["loading org/name"]
    assert loaded_arm is not None
    assert loaded_arm.notes[0] == "org/name is loaded separately for arm"


def test_batches_say_what_single_prompts_say(
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
    reference: Said,
) -> None:
    for adapter, name in ((None, "base"), (adapters["lora"], "lora")):
        one = load_arm(models, base, adapter)
        batch = BatchDecoder(one, prompts, GREEDY)
        while not batch.done:
            batch.step()
        assert [answer.output_ids for answer in batch.answers] == reference[name]
        texts: list[str] = []
        for start in range(0, len(prompts), 3):
            few = BatchDecoder(one, prompts[start : start + 3], GREEDY)
            while not few.done:
                few.step()
            texts += [few.text(at) for at in range(len(few.answers))]
        assert texts == [batch.text(at) for at in range(len(prompts))]


def test_answers_stop_at_an_end_token_and_at_the_limit_and_at_the_context(
    models: ModelCache, base: Path, prompts: list[list[int]]
) -> None:
    one = load_arm(models, base)
    first = say(one, prompts[:1])[0][0]
    one.model.ends = (first,)
    answers = BatchDecoder(one, prompts[:1], GREEDY)
    answers.step()
    sample = answers.sample(0, "p", NO_MESSAGE, "arm")
    assert (sample.finish, sample.output_ids, sample.text) == ("stop", (first,), "")

    one.model.ends = ()
    answers = BatchDecoder(one, prompts[:1], Decode(max_new_tokens=3))
    while not answers.done:
        answers.step()
    assert answers.sample(0, "p", NO_MESSAGE, "arm").finish == "length"
    assert len(answers.answers[0].output_ids) == 3

    one.model.context = len(prompts[0]) + 2
    answers = BatchDecoder(one, prompts[:1], GREEDY)
    while not answers.done:
        answers.step()
    assert len(answers.answers[0].output_ids) == 2
    with pytest.raises(EngineError, match="longer than the model's context"):
        one.prompt([Message("user", "a long one " * 100)])


def test_log_probabilities_are_the_models_own(
    models: ModelCache, base: Path, prompts: list[list[int]]
) -> None:
    one = load_arm(models, base)
    answers = BatchDecoder(one, prompts[:1], Decode(max_new_tokens=6, temperature=2.0))
    while not answers.done:
        answers.step()
    sample = answers.sample(0, "p", NO_MESSAGE, "arm")
    whole = torch.tensor([[*sample.prompt_ids, *sample.output_ids]])
    with torch.inference_mode():
        logs = one.forward(input_ids=whole).logits[0].log_softmax(-1)
    start = len(sample.prompt_ids)
    expected = [float(logs[start + at - 1, one]) for at, one in enumerate(sample.output_ids)]
    assert sample.logprobs == pytest.approx(expected, abs=1e-3)


def test_a_seed_gives_the_same_draws_and_moves_no_other_random_numbers(
    models: ModelCache, base: Path, prompts: list[list[int]]
) -> None:
    one = load_arm(models, base)
    drawn = Decode(max_new_tokens=LENGTH, temperature=1.5, top_p=0.9, seed=3)
    state = torch.get_rng_state()
    first = say(one, prompts, drawn)
    assert torch.equal(torch.get_rng_state(), state)
    assert say(one, prompts, drawn) == first
    assert say(one, prompts, Decode(max_new_tokens=LENGTH, temperature=1.5, seed=4)) != first
    narrow = Decode(max_new_tokens=LENGTH, temperature=1.5, top_k=1)
    assert say(one, prompts, narrow) == say(one, prompts)


def test_the_nucleus_is_the_smallest_set_that_holds_p() -> None:
    logits = torch.tensor([[0.1, 0.5, 0.15, 0.25]]).log()
    kept = probabilities(logits, Decode(temperature=1.0, top_p=0.7))
    assert kept[0].tolist() == pytest.approx([0, 2 / 3, 0, 1 / 3])
    kept = probabilities(logits, Decode(temperature=1.0, top_k=3))
    assert kept[0].tolist() == pytest.approx([0, 0.5 / 0.9, 0.15 / 0.9, 0.25 / 0.9])
    kept = probabilities(logits, Decode(temperature=0.5))
    assert kept[0, 1] == pytest.approx(0.25 / (0.01 + 0.25 + 0.0225 + 0.0625))


@pytest.mark.parametrize(
    "text", ["naïve 👩‍🚀 robot", "سلام دنیا", "你好，世界", " leading, trailing "]
)
def test_pieces_never_end_inside_a_character_and_add_up_to_the_text(text: str) -> None:
    tokenizer = make_tokenizer()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = StreamDecoder(tokenizer)
    shown = [pieces.feed(token) for token in ids]
    assert not any("�" in piece for piece in shown)
    assert "".join(shown) == decode_ids(tokenizer, ids) == text


def test_bases_that_do_not_fit_are_taken_in_turn(base: Path, tmp_path: Path) -> None:
    other = save_checkpoint(tmp_path / "other", seed=5)
    said: list[str] = []
    models = ModelCache(torch.device("cpu"))
    first = models.load_arm(Arm("a", "a"), ArmWeights(base), said.append)
    assert first is not None
    models.budget = first.model.size * 3 // 2
    assert (
        models.load_arm(Arm("b", "b"), ArmWeights(other), said.append, busy=[first.model]) is None
    )
    second = models.load_arm(Arm("b", "b"), ArmWeights(other), said.append)
    assert second is not None
    again = models.load_arm(Arm("a", "a"), ArmWeights(base), said.append)
    assert again is not None
    assert again.model is not first.model, "it was dropped for the other"
    assert said == ["loading base", "loading other", "loading base"]


@pytest.mark.worker
def test_the_job_writes_each_answer_once_and_goes_on_where_it_was(
    base: Path,
    adapters: dict[str, Path],
    reference: Said,
    tmp_path: Path,
    root: Path,
) -> None:
    asked = tmp_path / "prompts.txt"
    asked.write_text("\n".join(TEXTS))
    recipe = GenerateRecipe(
        device="cpu",
        arms=[f"b={base}?prompt=raw", f"t={base}+{adapters['lora']}?prompt=raw"],
        prompts=str(asked),
        decode=GREEDY,
    )
    job = directory.create(root, recipe)
    run_job(job)
    first = samples.read(job.samples)
    said = {(one.arm, one.prompt_id): list(one.output_ids) for one in first}
    for number in range(len(TEXTS)):
        for arm, name in zip(recipe.arms, ("base", "lora"), strict=True):
            assert said[arm, f"prompts-{number + 1}"] == reference[name][number]

    # Killed in the middle of a line, after half of the answers.
    lines = job.samples.read_bytes().splitlines(keepends=True)
    job.samples.write_bytes(b"".join(lines[:4]) + lines[4][:50])
    run_job(job)
    second = samples.read(job.samples)
    assert second[:4] == first[:4], "what was there is not made again"
    assert sorted(one.key[:2] for one in second) == sorted(one.key[:2] for one in first)
    assert [one.output_ids for one in second if one.arm == recipe.arms[1]] == [
        one.output_ids for one in first if one.arm == recipe.arms[1]
    ]


def run_job(job: directory.JobDirectory) -> None:
    done = subprocess.run(
        worker_command("generate", str(job.path)), capture_output=True, text=True, check=False
    )
    log = job.attempt(job.latest_attempt()).log
    assert done.returncode == 0, done.stdout + done.stderr + log.read_text()
    final = status.read(job)
    assert final is not None
    assert final.state is status.State.DONE
    assert (final.step, final.total) == (8, 8)


def test_a_diverged_model_draws_what_it_says_greedily(base: Path, tmp_path: Path) -> None:
    """Its logits are no numbers, of which no distribution can be made: an answer like any other."""
    adapter = save_adapter(tmp_path / "diverged", base)
    weights = load_file(adapter / "adapter_model.safetensors")
    diverged = {name: tensor * math.nan for name, tensor in weights.items()}
    save_file(diverged, adapter / "adapter_model.safetensors")
    loaded_arm = load_arm(ModelCache(torch.device("cpu")), base, adapter)
    drawn = say(loaded_arm, raw_prompts()[:2], Decode(max_new_tokens=4, temperature=0.7))
    assert drawn == say(loaded_arm, raw_prompts()[:2], Decode(max_new_tokens=4))
