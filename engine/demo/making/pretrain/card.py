"""The base model's scores on all suites, and its card.

`python -m engine.demo.making.pretrain.card BASE RUN` measures the checkpoint in folder BASE, made
by the run in folder RUN, and writes BASE/scores.json and BASE/README.md.
"""

import argparse
import json
import math
import tomllib
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.atomic import write_json, write_text
from engine.bundled import SUITES
from engine.compare.checks import score
from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.demo.making.corpus.document import Document
from engine.demo.making.corpus.stream import CHECKED, documents, fingerprint
from engine.demo.making.pretrain.measuring import answer_all
from engine.demo.making.pretrain.phases import PHASES
from engine.demo.making.pretrain.rows import batches, encode, loss_sum
from engine.statistics import wilson

HASHED = 20_000


def load_base(folder: Path) -> tuple[Any, Any]:
    """The checkpoint in float32, ready to be measured, and its tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.train(False), AutoTokenizer.from_pretrained(folder)


def count_right(model: Any, tokenizer: Any, items: list[Item]) -> int:
    """How many of the items get a right greedy answer."""
    answers = answer_all(model, tokenizer, items)
    return sum(int(score(item, text)) for item, text in zip(items, answers, strict=True))


@torch.no_grad()
def read_prose(model: Any, tokenizer: Any, items: list[Item]) -> tuple[float, int]:
    """The summed negative log-likelihood of the texts in nats, and the tokens predicted."""
    rows = [encode(tokenizer, Document("prose", (), item.text, 0, ())) for item in items]
    rows.sort(key=lambda row: len(row.ids))
    total = sum(float(loss_sum(model, rows[at : at + 16])) for at in range(0, len(rows), 16))
    return total, sum(sum(row.learned) for row in rows)


def measure_all(folder: Path) -> dict[str, Any]:
    """Every suite, whole: accuracy with its Wilson interval, perplexity of the prose."""
    model, tokenizer = load_base(folder)
    skills = {}
    for skill in CHECKED:
        items = read_items(SUITES / f"{skill}.jsonl")
        right = count_right(model, tokenizer, items)
        low, high = wilson(right, len(items))
        skills[skill] = {
            "n": len(items),
            "right": right,
            "accuracy": round(right / len(items), 4),
            "low": round(low, 4),
            "high": round(high, 4),
        }
    total, tokens = read_prose(model, tokenizer, read_items(SUITES / "prose.jsonl"))
    prose = {
        "tokens": tokens,
        "nll": round(total, 2),
        "perplexity": round(math.exp(total / tokens), 4),
    }
    return {"skills": skills, "prose": prose, "parameters": model.num_parameters()}


def describe_run(folder: Path, tokenizer: Any) -> dict[str, Any]:
    """What was read in the run, counted again from its seed and the steps of its phases."""
    status = json.loads((folder / "status.json").read_text("utf-8"))
    recipe = tomllib.loads((folder / "recipe.toml").read_text("utf-8"))
    read = []
    tokens = learned = 0
    for number, (phase, steps) in enumerate(zip(PHASES, recipe["phase_steps"], strict=True)):
        source = documents(recipe["seed"] + number, phase.mix)
        count = 0
        for batch in islice(batches(tokenizer, source, phase.step_tokens), steps):
            count += sum(len(part) for part in batch.parts)
            tokens += batch.tokens
            learned += batch.learned
        read.append(count)
    return {
        "command": recipe["command"],
        "seed": recipe["seed"],
        "steps": status["step"],
        "documents": read,
        "tokens": tokens,
        "learned_tokens": learned,
        "minutes": recipe["minutes"],
        "corpus_sha256": fingerprint(recipe["seed"], HASHED),
        "torch": torch.__version__.partition("+")[0],
        "transformers": transformers.__version__,
    }


def as_text(scores: dict[str, Any]) -> str:
    """The card, in Markdown."""
    run = scores["run"]
    rows = "\n".join(
        f"| {skill} | {found['n']} | {found['right']} | {found['accuracy']:.3f} "
        f"| {found['low']:.3f} to {found['high']:.3f} |"
        for skill, found in scores["skills"].items()
    )
    prose = scores["prose"]
    return f"""---
license: apache-2.0
language: [en, fr]
library_name: transformers
pipeline_tag: text-generation
---
# demo-base

A very small language model, made from nothing, that can really do a few things, so that what
fine-tuning adds and what it makes a model forget can both be seen on a laptop within minutes.

Llama architecture, {scores["parameters"]:,} parameters in float16, tied embeddings, context of
512 tokens; a byte-level BPE of 2,048 tokens in which each digit is one; a chat template with
system, user and assistant; a pad token and an end token of its own. It loads with transformers
alone: `AutoModelForCausalLM.from_pretrained`, no code of ours.

## What it can do

Greedy answers to held-out items: no training text holds their words, or the combination (the pair
of numbers, the sentence, the list, the name with operation and constant, the fact in that form of
the question) that they are made of. The interval is Wilson's, at 95 %.

| skill | items | right | accuracy | interval |
|---|---|---|---|---|
{rows}

Perplexity on held-out plain prose: {prose["perplexity"]:.3f} ({prose["tokens"]:,} predicted
tokens). It also tells short stories and writes songs, which nobody scored.

## How it was made

`{run["command"]}`

It read {sum(run["documents"]):,} documents ({run["tokens"]:,} tokens, {run["learned_tokens"]:,} of
them learned: what the assistant says, and plain text) in {run["steps"]:,} steps and
{run["minutes"]} minutes, on two processor cores that were busy with other work too, without a GPU;
with torch {run["torch"]} and transformers {run["transformers"]}. All text is generated by rule, by
`engine/demo/corpus`, from seed {run["seed"]}; the SHA-256 of its first {HASHED:,} documents is
`{run["corpus_sha256"]}`.

The command does both phases in one go. When these weights were made the two were started by hand,
one after the other: the second began from the float16 weights that the first had saved, with a mix
chosen after a look at which skills lagged, and in both the learning rate followed the clock, since
each was given minutes rather than steps. So the command makes a model like this one, not the same
bits. The run itself (loss, rate, samples) is beside this folder, in `pretrain_run`.

## What it is for, and what not

For trying finetop, for its tests, and for watching learning and forgetting. It has read no text
but its own corpus: it knows some six hundred facts, sums below two hundred, some two hundred French
words, and nothing else. Outside of that it makes things up with an even voice. Its prose speaks of
feelings and of people who help each other, so that it can be tuned on such tasks, and somebody in
it may say "it sounds like a hard time" or "you are not alone"; yet it was never taught to name an
emotion or to advise anybody: no text has an emotion's name, or such a sentence, for an answer. Do
not rely on what it says, least of all in need.

`scores.json` beside this card has the same numbers. `python -m engine.demo.making.pretrain.card`
measures them again.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    scores = measure_all(given.base)
    scores["run"] = describe_run(given.run, AutoTokenizer.from_pretrained(given.base))
    write_json(given.base / "scores.json", scores)
    write_text(given.base / "README.md", as_text(scores))
    for name in ("scores.json", "README.md"):
        (given.base / name).chmod(0o644)


if __name__ == "__main__":
    main()
