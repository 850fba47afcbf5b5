"""One way to answer the same prompts with a base and with a tuned model, in a process of its own.

    python -P -m tests.benchmarks.answering pipelines|ours BASE ADAPTER PROMPTS OUT

Everything is imported before the clock starts. Memory is what is resident once the models are
loaded, each has said a word, so that no weight is left on the disk, and the heap is trimmed; less
what was resident before.
"""

import ctypes
import gc
import importlib
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.peak import resident

NEW_TOKENS = 64

Said = list[list[int]]


def main(how: str, base: str, adapter: str, prompts: str, out: str) -> None:
    from engine.worker.environment import set_environment

    set_environment()
    from engine.worker.model import loading as model_loading

    for name in ("transformers.pipelines", "transformers.models.llama.modeling_llama",
                 "engine.worker.inference.batch"):  # fmt: skip
        importlib.import_module(name)
    model_loading.warm()
    asked = json.loads(Path(prompts).read_text(encoding="utf-8"))
    found = (as_people_do if how == "pipelines" else as_we_do)(Path(base), Path(adapter), asked)
    Path(out).write_text(json.dumps(found), encoding="ascii")


def as_people_do(base: Path, adapter: Path, prompts: Sequence[str]) -> dict[str, Any]:
    """Two pipelines of transformers, each with a model of its own, one after the other."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

    make: Any = pipeline
    before = settled()
    loading = time.perf_counter()
    pipelines: list[Any] = []
    for tuned in (False, True):
        model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        if tuned:
            model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
        tokenizer = AutoTokenizer.from_pretrained(base)
        pipelines.append(make("text-generation", model=model, tokenizer=tokenizer))
    loaded = time.perf_counter() - loading
    for one in pipelines:
        one(prompts[0], do_sample=False, max_new_tokens=1)
    memory = settled() - before
    began = time.perf_counter()
    said: Said = []
    for one in pipelines:
        answers = one(
            list(prompts), do_sample=False, max_new_tokens=NEW_TOKENS, return_tensors=True
        )
        for prompt, answer in zip(prompts, answers, strict=True):
            ids = one.tokenizer(prompt)["input_ids"]
            said.append(list(answer[0]["generated_token_ids"])[len(ids) :])
    took = time.perf_counter() - began
    return {"seconds": took, "loading": loaded, "memory": memory, "said": said}


def as_we_do(base: Path, adapter: Path, prompts: Sequence[str]) -> dict[str, Any]:
    """As the job `generate` does it: one base in memory, its adapter switched, in batches."""
    import torch

    from engine.chat import Message
    from engine.compare.arm_weights import ArmWeights
    from engine.compare.arms import Arm
    from engine.compare.items import Item
    from engine.recipes.settings import Decode
    from engine.worker.inference.decoding import BatchDecoder
    from engine.worker.inference.model_batch import ROWS, ModelBatch
    from engine.worker.inference.models import ModelCache

    before = settled()
    loading = time.perf_counter()
    models = ModelCache(torch.device("cpu"), budget=0)
    arms = [Arm("base", str(base), form="raw"), Arm("tuned", str(base), str(adapter), form="raw")]
    weights = [ArmWeights(base), ArmWeights(base, adapter)]
    loaded_arms = [
        models.load_arm(arm, at, lambda _: None) for arm, at in zip(arms, weights, strict=True)
    ]
    loaded = time.perf_counter() - loading
    for loaded_arm in loaded_arms:
        assert loaded_arm is not None, "there is room for both"
        BatchDecoder(
            loaded_arm, [loaded_arm.prompt([Message("user", prompts[0])])], Decode()
        ).step()
    memory = settled() - before
    asked = [Item(str(at), (Message("user", text),)) for at, text in enumerate(prompts)]
    began = time.perf_counter()
    said: Said = []
    for arm, loaded_arm in zip(arms, loaded_arms, strict=True):
        assert loaded_arm is not None, "there is room for both"
        batch = ModelBatch(arm, loaded_arm, asked, Decode(max_new_tokens=NEW_TOKENS), ROWS)
        made = {}
        while not batch.done:
            made.update({int(one.prompt_id): list(one.output_ids) for one in batch.step()})
        said += [made[at] for at in range(len(asked))]
    took = time.perf_counter() - began
    return {"seconds": took, "loading": loaded, "memory": memory, "said": said}


def settled() -> int:
    """Bytes resident once what is garbage was collected and the heap was trimmed."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    last = -1
    while last != (now := resident("VmRSS")):
        last = now
        time.sleep(0.2)
    return now


if __name__ == "__main__":
    main(*sys.argv[1:6])
