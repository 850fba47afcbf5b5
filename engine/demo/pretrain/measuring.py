"""What the model can do while it learns: answers to held-out items, loss on held-out text."""

import math
from dataclasses import asdict
from random import Random
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine.impact.scores import score
from engine.impact.suites import Item, parse

from ..corpus import prose
from ..corpus.stream import CHECKED
from ..suite import items
from .rows import encode, loss_sum


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
                [asdict(message) for message in item.messages],
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
    return {skill: [parse(row) for row in items(skill, count, seed)] for skill in CHECKED}


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
