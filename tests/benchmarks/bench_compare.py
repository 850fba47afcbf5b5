"""Answers of a base and a tuned model: beside two pipelines, side by side, in batches, by token.

    python -m tests.benchmarks compare [--brief]

The model is random, of 60 M parameters, in float32 on the CPU; where knowledge matters it is the
bundled one. Every process has the machine to itself, and all have the same threads.
"""

import asyncio
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.bundled import BASE
from engine.compare import prompts as prompt_files
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm, format_arm
from engine.compare.samples import Sample
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.model_batch import ROWS, ModelBatch
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.inference.token_shift import measure_shift
from tests.benchmarks.answering import NEW_TOKENS
from tests.benchmarks.parts import Part, measure
from tests.benchmarks.results import Outcome
from tests.benchmarks.terminal import Terminal
from tests.pseudo_terminal import dashboard
from tests.tui.building import write_run
from tests.worker.tiny import save_adapter

SEED = 5
RANDOM = random.Random(SEED)
ANSWERING = "esc cancel"
"""On the screen as long as a pane answers."""


@dataclass(frozen=True, slots=True)
class Effort:
    layers: int = 12
    prompts: int = 32
    rounds: int = 3
    asked: int = 8
    """Times that both panes are asked for their first word."""
    shifts: int = 100
    checked: int = 10_000
    """Bundled prompts answered one by one and in batches; all, if there are fewer."""
    pressed: int = 60
    """Keys, while both panes answer."""


BRIEF = Effort(layers=2, prompts=4, rounds=1, asked=2, shifts=5, checked=4, pressed=6)


def bench(effort: Effort) -> Outcome:
    """All parts. Those that fail are not measured, and told of."""
    rows = measure(PARTS, effort)
    settings = {
        "prompts": effort.prompts, "new tokens": NEW_TOKENS, "batch": ROWS, "rounds": effort.rounds,
        "threads": torch.get_num_threads(), "parameters": _size(effort),
    }  # fmt: skip
    return Outcome(rows, settings)


def _beside_pipelines(effort: Effort, folder: Path) -> list[str]:
    """Time, memory and answers of both ways, each in fresh processes, in turn."""
    base, adapter = _random_model(effort, folder)
    asked = folder / "prompts.json"
    asked.write_text(json.dumps(_texts(effort.prompts)), encoding="utf-8")
    found: dict[str, list[Any]] = {"pipelines": [], "ours": []}
    for number in range(effort.rounds):
        for how, results in found.items():
            out = folder / "out.json"
            command = [sys.executable, "-P", "-m", "tests.benchmarks.answering", how]
            environment = dict(os.environ, PYTHONPATH=os.getcwd(), HF_HUB_OFFLINE="1")
            done = subprocess.run(
                [*command, base, adapter, asked, out],
                capture_output=True, text=True, check=False, env=environment,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-2000:]
            results.append(json.loads(out.read_text(encoding="ascii")))
            one = results[-1]
            told = f"{one['seconds']:.1f} s, {one['memory'] / 2**20:.0f} MiB"
            print(f"round {number + 1}: {how}: {told}", flush=True)
    theirs, ours = found["pipelines"], found["ours"]
    pairs = list(zip(theirs[0]["said"], ours[0]["said"], strict=True))
    assert all(len(one) == NEW_TOKENS for pair in pairs for one in pair), "answers of one length"
    same = sum(one == other for one, other in pairs)
    time_share = statistics.median(
        one["seconds"] / other["seconds"] for one, other in zip(ours, theirs, strict=True)
    )
    memory_share = statistics.median(
        one["memory"] / other["memory"] for one, other in zip(ours, theirs, strict=True)
    )
    return [
        f"{statistics.median(one['seconds'] for one in theirs):.1f} s",
        f"{statistics.median(one['seconds'] for one in ours):.1f} s",
        f"{time_share:.3f}",
        f"{statistics.median(one['memory'] for one in theirs) / 2**20:.0f} MiB",
        f"{statistics.median(one['memory'] for one in ours) / 2**20:.0f} MiB",
        f"{memory_share:.3f}",
        f"{same} of {len(pairs)}",
    ]


def _first_words(effort: Effort, folder: Path) -> list[str]:
    """Both panes asked at once, of a companion that has the model; the later one's first text."""
    base, adapter = _random_model(effort, folder)
    arms = [Arm("base", str(base)), Arm("tuned", str(base), str(adapter))]
    os.environ["FINETOP_STATE"] = str(folder)
    waits = asyncio.run(_ask_both([format_arm(arm) for arm in arms], effort.asked, folder))
    return [f"{max(waits):.2f} s"]


async def _ask_both(arms: Sequence[str], times: int, folder: Path) -> list[float]:
    from tui.companion import Companion

    companion = Companion(device="cpu", runs=str(folder))

    async def first(arm: str, text: str) -> float:
        began = time.perf_counter()
        stream = companion.generate(arm, text, {"max_new_tokens": NEW_TOKENS})
        heard = 0.0
        async for event in stream:
            if event["event"] == "text" and not heard:
                heard = time.perf_counter() - began
                stream.cancel()
        assert heard, "an answer has text"
        return heard

    texts = _texts(times)
    try:
        for arm in arms:
            await first(arm, "warm")
        return [max(await asyncio.gather(*(first(arm, text) for arm in arms))) for text in texts]
    finally:
        await companion.close()


def _keys(effort: Effort, folder: Path) -> list[str]:
    """In a terminal, while a companion answers on the bundled model: from a key to what it shows.

    The adapter is random, so that its answers go on up to the limit.
    """
    tuned = write_run(folder / "runs", "tuned", points=3, total=3)
    save_adapter(tuned.adapter, BASE, SEED, target_modules="all-linear")
    waits: list[float] = []
    turns = itertools.cycle((("t", "after tuned has answered"), ("d", "after both have answered")))
    with Terminal(dashboard(folder / "runs"), folder, columns=120, lines=40) as terminal:
        terminal.see("tuned")
        terminal.press("4")
        terminal.see("prompt 1/")
        terminal.press(">")
        terminal.see("256 new")
        while len(waits) < effort.pressed:
            if ANSWERING not in terminal.text():
                terminal.press("\x13")
                terminal.see("words so far")
            key, shown = next(turns)
            began = time.monotonic()
            terminal.press(key)
            came = None
            while came is None and time.monotonic() < began + 5:
                terminal.take(RANDOM.uniform(0.2, 0.3))  # understood later: that delays no byte
                came = terminal.found(shown)
            answering = ANSWERING in terminal.text()
            assert came is not None or not answering, f"no {shown!r} in 5 s"
            if came is not None and answering:  # else it ended meanwhile, and says something else
                waits.append(came - began)
    return [f"{1000 * max(waits):.0f} ms", f"{1000 * statistics.median(waits):.0f} ms"]


def _batched(effort: Effort, folder: Path) -> list[str]:
    """The bundled prompts on the bundled model and an adapter, one by one and in batches."""
    loaded_arms = _bundled_arms(folder)
    asked = prompt_files.load("bundled:all")[: effort.checked]
    decode, same = Decode(max_new_tokens=NEW_TOKENS), 0
    for loaded_arm in loaded_arms:
        batch = ModelBatch(loaded_arm.arm, loaded_arm, asked, decode, ROWS)
        batched = {}
        while not batch.done:
            batched.update({one.prompt_id: one.output_ids for one in batch.step()})
        for prompt in asked:
            alone = _answer(loaded_arm, prompt.messages, decode).output_ids
            same += alone == batched[prompt.id]
    total = len(asked) * len(loaded_arms)
    return [f"{100 * same / total:.2f}% of {total}"]


def _shifts(effort: Effort, folder: Path) -> list[str]:
    """Forward passes of the base's and the tuned weights, counted inside of the model."""
    plain, tuned = _bundled_arms(folder)
    asked = prompt_files.load("bundled:all")
    messages = [asked[at % len(asked)].messages for at in range(effort.shifts)]
    decode = Decode(max_new_tokens=32, temperature=1.0)
    answers = [_answer(tuned, one, decode) for one in messages]
    passes = 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    with plain.model.with_adapter(None) as model:
        hook = model.get_base_model().register_forward_hook(count)
    began = time.perf_counter()
    for answer in answers:
        measure_shift(plain, tuned, answer)
    took = time.perf_counter() - began
    hook.remove()
    return [f"{passes / len(answers) / 2:g}", f"{took:.1f} s"]


def _answer(loaded_arm: LoadedArm, messages: Any, decode: Decode) -> Sample:
    answers = BatchDecoder(loaded_arm, [loaded_arm.prompt(messages)], decode)
    while not answers.done:
        answers.step()
    return answers.sample(0, "", messages, loaded_arm.arm.name)


def _bundled_arms(folder: Path) -> list[LoadedArm]:
    adapter = save_adapter(folder / "adapter", BASE, SEED, target_modules="all-linear")
    models = ModelCache(torch.device("cpu"))
    made = [
        models.load_arm(Arm(name, str(BASE)), weights, lambda _: None)
        for name, weights in (("base", ArmWeights(BASE)), ("tuned", ArmWeights(BASE, adapter)))
    ]
    return [loaded_arm for loaded_arm in made if loaded_arm is not None]


def _random_model(effort: Effort, folder: Path) -> tuple[Path, Path]:
    """A random Llama that never ends an answer, with the bundled tokenizer, and an adapter."""
    from transformers import LlamaForCausalLM

    base, adapter = folder / "base", folder / "tuned"
    torch.manual_seed(SEED)
    model: Any = LlamaForCausalLM(_config(effort))
    ends = json.loads((BASE / "generation_config.json").read_bytes()).get("eos_token_id")
    with torch.no_grad():
        model.lm_head.weight[ends] = 0
    model.save_pretrained(base)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (BASE / name).exists():
            shutil.copy(BASE / name, base)
    return base, save_adapter(adapter, base, SEED, target_modules="all-linear", r=16)


def _config(effort: Effort) -> Any:
    from transformers import LlamaConfig

    own = json.loads((BASE / "config.json").read_bytes())
    return LlamaConfig(
        vocab_size=own["vocab_size"], hidden_size=640, intermediate_size=1728,
        num_hidden_layers=effort.layers, num_attention_heads=10, num_key_value_heads=10,
        max_position_embeddings=1024, initializer_range=0.1, tie_word_embeddings=False,
    )  # fmt: skip


def _size(effort: Effort) -> int:
    from transformers import LlamaForCausalLM

    with torch.device("meta"):
        model: Any = LlamaForCausalLM(_config(effort))
    return sum(one.numel() for one in model.parameters())


def _texts(count: int) -> list[str]:
    """The bundled prompts, again from the first where they are too few."""
    found = [prompt.messages[-1].content for prompt in prompt_files.load("bundled:all")]
    return [found[at % len(found)] for at in range(count)]


PARTS: tuple[Part[Effort], ...] = (
    Part(
        (
            ("base and tuned answer the prompts: two pipelines, one after the other", ""),
            ("the same: one base in memory, in batches", ""),
            ("time, ours to the pipelines'", "at most 0.2"),
            ("weights in memory: two pipelines", ""),
            ("the same: one base and its adapter", ""),
            ("memory, ours to the pipelines'", "at most 0.6"),
            ("answers that are the same, token for token", ""),
        ),
        _beside_pipelines,
    ),
    Part((("first text in both panes, model loaded, the slowest", "at most 0.5 s"),), _first_words),
    Part(
        (
            ("from a key to what it shows while both panes answer, the slowest", "at most 50 ms"),
            ("the same: the median", ""),
        ),
        _keys,
    ),
    Part((("batched answers of the bundled model equal to single ones", "100.00%"),), _batched),
    Part(
        (
            ("forward passes for token shift, an arm and answer", "at most 1"),
            ("the same: time for all of them", ""),
        ),
        _shifts,
    ),
)
