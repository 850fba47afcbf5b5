"""Make the bundled base model from nothing: tokenizer, model, training, checkpoint, its own run.

`python -m engine.demo.pretrain OUT --steps N [--minutes M] [--seed S]` writes OUT/base (a Hugging
Face checkpoint) and OUT/pretrain_run (a finished job directory). A script: the one file here that
loads torch and transformers, and nothing imports it but its test.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engine.catalog.schemas import Message
from engine.impact.scores import score
from engine.impact.suites import Item, parse

from . import pretrain_record as record
from .corpus import prose
from .corpus.document import Document
from .corpus.stream import CHECKED, documents
from .suite import items

PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('unknown role: ' + message['role']) }}{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
VOCABULARY = 2048
CONTEXT = 512
TOKENIZER_DOCUMENTS = 30_000
STEP_TOKENS = 10_240
"""Tokens read in one optimiser step, about."""
ROW_TOKENS = 1_280
"""Tokens in one forward pass, padding included, about."""


def make_tokenizer(seed: int, count: int = TOKENIZER_DOCUMENTS) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on the first documents of the corpus; each digit is a token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [PAD, BEGIN, END, *ROLES.values()]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (
        text
        for document in islice(documents(seed), count)
        for text in (document.text, *(content for _, content in document.messages))
    )
    tokenizer.train_from_iterator(texts, trainer)
    begin = tokenizer.token_to_id(BEGIN)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A $B", special_tokens=[(BEGIN, begin)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=list(ROLES.values()),
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def make_model(vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A small Llama with random weights in float32."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=192,
        intermediate_size=448,
        num_hidden_layers=5,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.02,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        bos_token_id=1, eos_token_id=2, pad_token_id=0, max_new_tokens=256
    )
    return model


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal, for the matrices inside the layers.

    Keller Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". In float32
    and with matrices of one shape stacked: torch's own works in bfloat16, which is slow on a CPU.
    """

    def __init__(self, weights: list[nn.Parameter], rate: float, momentum: float = 0.95) -> None:
        super().__init__(weights, {"lr": rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                moving: Tensor = state["momentum"]
                moving.lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(moving, group["momentum"])
                wide = update if update.shape[0] <= update.shape[1] else update.T
                shapes.setdefault((wide.shape[0], wide.shape[1]), []).append((weight, wide))
            for alike in shapes.values():
                straight = orthogonal(torch.stack([wide for _, wide in alike]))
                for (weight, _), change in zip(alike, straight, strict=True):
                    turned = change if change.shape == weight.shape else change.T
                    scale = max(1.0, weight.shape[0] / weight.shape[1]) ** 0.5
                    weight.mul_(1 - group["lr"] * 0.01).add_(turned, alpha=-group["lr"] * scale)


def orthogonal(matrices: Tensor, rounds: int = 5) -> Tensor:
    """Nearly the closest orthogonal matrices, by a quintic Newton-Schulz iteration.

    `matrices` is (count, rows, columns) with rows <= columns.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@dataclass(frozen=True, slots=True)
class Row:
    """One document as token ids; only what the assistant says, and plain text, is learned."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]
    """For each token, whether it is to be predicted."""


def encode(tokenizer: PreTrainedTokenizerFast, document: Document) -> Row:
    """The document's tokens, cut at the context's length; the same ids as the chat template."""
    parts: list[tuple[str, bool]] = []
    if document.text:
        at = document.learned_from
        parts = [(document.text[:at], False), (document.text[at:] + END, True)]
    for role, content in document.messages:
        answer = role == "assistant"
        parts += [(ROLES[role], False), (content + END * answer, answer)]
    ids, learned = [tokenizer.bos_token_id], [False]
    for text, counts in parts:
        piece = tokenizer.encode(text, add_special_tokens=False) if text else []
        ids += piece
        learned += [counts] * len(piece)
    return Row(tuple(ids[:CONTEXT]), tuple(learned[:CONTEXT]))


@dataclass(slots=True)
class Batch:
    """The rows of one optimiser step, in parts of about the same length to save padding."""

    parts: list[list[Row]] = field(default_factory=list)
    tokens: int = 0
    learned: int = 0


def batches(tokenizer: PreTrainedTokenizerFast, source: Iterator[Document]) -> Iterator[Batch]:
    """Steps of about STEP_TOKENS tokens. A row is a document: nothing leaks between documents."""
    while True:
        rows: list[Row] = []
        batch = Batch()
        while batch.tokens < STEP_TOKENS:
            row = encode(tokenizer, next(source))
            rows.append(row)
            batch.tokens += len(row.ids)
            batch.learned += sum(row.learned)
        rows.sort(key=lambda row: len(row.ids))
        part: list[Row] = []
        for row in rows:
            if part and len(row.ids) * (len(part) + 1) > ROW_TOKENS:
                batch.parts.append(part)
                part = []
            part.append(row)
        batch.parts.append(part)
        yield batch


def loss_sum(model: LlamaForCausalLM, rows: list[Row]) -> Tensor:
    """The summed negative log-likelihood of the learned tokens, in nats.

    Padding stands at the end, where causal attention keeps it from every token before it.
    """
    longest = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    learned = torch.zeros(len(rows), longest, dtype=torch.bool)
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = torch.tensor(row.ids)
        learned[at, : len(row.ids)] = torch.tensor(row.learned)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    chosen = learned[:, 1:]
    logits = model.lm_head(hidden[:, :-1][chosen])
    return nn.functional.cross_entropy(logits, ids[:, 1:][chosen], reduction="sum")


class Team:
    """One process, or several that share the work of each step and agree on its sum.

    Processes of one thread each lose little where other programs use the same cores; the threads
    of one process wait for each other at every operation.
    """

    def __init__(self, rank: int = 0, size: int = 1, counter: Any = None) -> None:
        self.rank, self.size, self._counter, self._given = rank, size, counter, 0

    def take(self, parts: list[list[Row]]) -> Iterator[list[Row]]:
        """The parts that fall to this process: whoever is free takes the next one."""
        if self.size == 1:
            yield from parts
            return
        while True:
            with self._counter.get_lock():
                at = self._counter.value - self._given
                self._counter.value += 1
            if at >= len(parts):
                break
            yield parts[at]
        # Every process counted one past the end.
        self._given += len(parts) + self.size

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values


class Training:
    """The model with its two optimisers, one step at a time."""

    def __init__(self, seed: int, tokenizer: PreTrainedTokenizerFast, team: Team) -> None:
        self.team = team
        self.model = make_model(len(tokenizer), seed)
        inner = [weight for weight in self.model.model.layers.parameters() if weight.ndim == 2]
        inside = {id(weight) for weight in inner}
        rest = [weight for weight in self.model.parameters() if id(weight) not in inside]
        self.weights = inner + rest
        self.optimisers: tuple[torch.optim.Optimizer, ...] = (
            Muon(inner, 0.02),
            torch.optim.AdamW(rest, lr=0.004, betas=(0.9, 0.95), weight_decay=0.0),
        )
        self.rates = (0.02, 0.004)
        self.batches = batches(tokenizer, documents(seed))

    def step(self, share: float, clock: float = 0.0) -> tuple[float, float, Batch, float]:
        """One step at `share` of the highest learning rate.

        Returns the mean loss in nats per learned token, the gradient's norm, the batch, and the
        first process's clock.
        """
        batch = next(self.batches)
        for weight in self.weights:
            weight.grad = torch.zeros_like(weight)
        total = 0.0
        for rows in self.team.take(batch.parts):
            loss = loss_sum(self.model, rows)
            (loss / batch.learned).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        notes = torch.tensor([total, clock if self.team.rank == 0 else 0.0])
        gradients = [weight.grad.flatten() for weight in self.weights if weight.grad is not None]
        together = self.team.sum(torch.cat([*gradients, notes]))
        for weight, found in zip(
            self.weights, together[:-2].split([g.numel() for g in gradients]), strict=True
        ):
            weight.grad = found.view_as(weight)
        norm = float(nn.utils.clip_grad_norm_(self.weights, 1.0))
        for optimiser, rate in zip(self.optimisers, self.rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()
        return float(together[-2]) / batch.learned, norm, batch, float(together[-1])


def rate_share(progress: float) -> float:
    """The share of the highest learning rate: up over 2 %, level, then linearly to 0 from 40 %."""
    return min(1.0, (progress + 1e-4) / 0.02, max(0.0, 1 - progress) / 0.6)


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
        out = model.generate(**inputs, do_sample=False, max_new_tokens=110)
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
    model.eval()
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


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the checkpoint in float16, in Hugging Face layout."""
    half = LlamaForCausalLM(model.config).half()
    half.load_state_dict(model.state_dict())
    half.generation_config = model.generation_config
    half.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def pretrain(out: Path, steps: int, minutes: float, seed: int, team: Team) -> None:
    """The whole run. The learning rate follows the steps, or the clock where that is ahead."""
    tokenizer = make_tokenizer(seed)
    training = Training(seed, tokenizer, team)
    keeper = None
    if team.rank == 0:
        keeper = record.Keeper(out / "pretrain_run", training.model.num_parameters(), steps, seed)
    started, clock = time.monotonic(), 0.0
    tokens, step, seen, since = 0, 0, 0, time.monotonic()
    every = max(50, steps // 10)
    while (progress := max(step / steps, clock / (minutes * 60) if minutes else 0.0)) < 1:
        share = rate_share(progress)
        loss, norm, batch, clock = training.step(share, time.monotonic() - started)
        step += 1
        tokens += batch.tokens
        seen += batch.tokens
        if keeper and (step % 10 == 0 or step == 1):
            speed, seen, since = seen / (time.monotonic() - since), 0, time.monotonic()
            keeper.log_train(step, loss, training.rates[1] * share, norm, speed, tokens)
            print(f"{step} {progress:.3f} {loss:.4f} {norm:.2f} {speed:.0f} tok/s", flush=True)
        if keeper and step % every == 0:
            _look(keeper, step, training.model, tokenizer, seed, 20)
            save(training.model, tokenizer, out / "base")
            since = time.monotonic()
    if keeper:
        save(training.model, tokenizer, out / "base")
        _look(keeper, step, training.model, tokenizer, seed, 100)
        keeper.finish(step, tokens)


def _look(
    keeper: record.Keeper,
    step: int,
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    count: int,
) -> None:
    """Measure, sample, and write both down."""
    found = measure(model, tokenizer, seed + 1, count)
    keeper.log_eval(step, found)
    keeper.log_samples(step, _samples(model, tokenizer))
    print(json.dumps({name: round(value, 3) for name, value in found.items()}), flush=True)


def _samples(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> list[tuple[str, str]]:
    model.eval()
    asked = [Item(prompt, "open", "open", (Message("user", prompt),)) for prompt in record.PROMPTS]
    answers = answer_all(model, tokenizer, asked)
    model.train()
    return list(zip(record.PROMPTS, answers, strict=True))


def _process(rank: int, given: argparse.Namespace, counter: Any, meeting: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo",
        f"file://{meeting}",
        rank=rank,
        world_size=given.processes,
        timeout=timedelta(hours=1),
    )
    pretrain(
        given.out, given.steps, given.minutes, given.seed, Team(rank, given.processes, counter)
    )
    torch.distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--minutes", type=float, default=0.0, help="0: no limit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    context = torch.multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(
            _process,
            (given, context.Value("q", 0), str(Path(folder, "meeting"))),
            nprocs=given.processes,
        )


if __name__ == "__main__":
    main()
