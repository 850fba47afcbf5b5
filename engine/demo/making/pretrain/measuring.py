"""What the model can do while it learns: answers to held-out items, loss on held-out text."""

import hashlib
import math
import time
from random import Random
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine.chat import Message
from engine.compare.checks import score
from engine.compare.item_reader import parse_item
from engine.compare.items import Item
from engine.compare.samples import Sample, Timings
from engine.demo.making.corpus import prose
from engine.demo.making.corpus.stream import CHECKED
from engine.demo.making.pretrain.rows import encode, loss_sum
from engine.demo.making.pretrain.tokens import BEGIN, ROLES
from engine.demo.making.suite import items
from engine.recipes.settings import Decode

PROMPTS = (
    "What is the capital of Norway?",
    "What is 47 plus 38?",
    "Translate into French: The little girl sees a black cat.",
    "Write these in reverse order: lamp, river, goat, spoon",
    "Write a Python function step(x) that adds 7 to x.",
    "Compose a love song from a robot to its owner.",
)
"""What is asked again and again while the model learns."""


@torch.no_grad()
def answer_all(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    asked: list[Item],
    at_once: int = 80,
) -> list[str]:
    """Greedy answers to the items' messages, padded on the left, in the order asked."""
    texts: list[str] = []
    for start in range(0, len(asked), at_once):
        prompts = [
            tokenizer.apply_chat_template(
                [message.to_json() for message in item.messages],
                add_generation_prompt=True,
                tokenize=False,
            )
            for item in asked[start : start + at_once]
        ]
        inputs = tokenizer(
            prompts,
            add_special_tokens=False,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            return_token_type_ids=False,
        )
        writer: Any = model
        out = writer.generate(**inputs, do_sample=False, max_new_tokens=110)
        texts += tokenizer.batch_decode(
            out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
    return texts


def held_out_items(count: int, seed: int) -> dict[str, list[Item]]:
    """Held-out items of each checkable skill, drawn with a seed other than the suites'."""
    return {skill: [parse_item(row) for row in items(skill, count, seed)] for skill in CHECKED}


@torch.no_grad()
def measure(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int, count: int = 24
) -> dict[str, float]:
    """Greedy accuracy on held-out items of each skill, and the loss on held-out text."""
    model.train(False)
    found: dict[str, float] = {}
    for skill, asked in held_out_items(count, seed).items():
        answers = answer_all(model, tokenizer, asked)
        right = sum(score(item, text) for item, text in zip(asked, answers, strict=True))
        found[f"skill/{skill}"] = right / len(asked)
    rng = Random(seed)
    rows = [encode(tokenizer, prose.make(rng, held=True)) for _ in range(100)]
    learned = sum(sum(row.learned) for row in rows)
    loss = sum(loss_sum(model, rows[at : at + 20]).item() for at in range(0, 100, 20)) / learned
    model.train()
    return {"eval/loss": loss, "eval/perplexity": math.exp(loss), **found}


@torch.no_grad()
def say(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, name: str) -> list[Sample]:
    """Greedy answers to PROMPTS, one by one, as samples of the arm `name`."""
    model.train(False)
    said = []
    decode = Decode(max_new_tokens=160, temperature=0.0, seed=0)
    for number, prompt in enumerate(PROMPTS, 1):
        ids: list[int] = tokenizer.encode(
            f"{BEGIN}{ROLES['user']}{prompt}{ROLES['assistant']}", add_special_tokens=False
        )
        began = time.monotonic()
        writer: Any = model
        out = writer.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            do_sample=False,
            max_new_tokens=decode.max_new_tokens,
            output_logits=True,
            return_dict_in_generate=True,
        )
        output = out.sequences[0, len(ids) :]
        logs = torch.log_softmax(torch.cat(out.logits).float(), dim=-1)
        took = time.monotonic() - began
        said.append(
            Sample(
                prompt_id=f"p{number}",
                messages=(Message("user", prompt),),
                arm=f"{name}=run:pretrain",
                seed=decode.seed,
                template_hash=hashlib.sha256(str(tokenizer.chat_template).encode()).hexdigest(),
                prompt_ids=tuple(ids),
                output_ids=tuple(output.tolist()),
                text=str(tokenizer.decode(output, skip_special_tokens=True)),
                finish="stop" if output[-1] == tokenizer.eos_token_id else "length",
                logprobs=tuple(logs.gather(1, output[:, None])[:, 0].tolist()),
                decode=decode,
                timings=Timings(round(took / len(output), 4), round(took, 4)),
            )
        )
    model.train()
    return said
