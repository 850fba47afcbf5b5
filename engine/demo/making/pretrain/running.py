"""Pre-training as a whole: phases one after the other, looked at now and then, kept on disk."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine.demo.making.corpus.stream import documents
from engine.demo.making.pretrain.measuring import measure, say
from engine.demo.making.pretrain.model import make_model, save
from engine.demo.making.pretrain.phases import Phase
from engine.demo.making.pretrain.record import Keeper
from engine.demo.making.pretrain.rows import batches
from engine.demo.making.pretrain.tokens import make_tokenizer
from engine.demo.making.pretrain.training import PretrainLoop, Team

EVERY = 240
"""Steps between two looks at what the model can do."""


@dataclass(slots=True)
class Progress:
    """How far the whole run is."""

    step: int = 0
    tokens: int = 0


def pretrain(
    out: Path, phases: Sequence[Phase], minutes: float, seed: int, team: Team, command: str
) -> None:
    """The whole run. `minutes` is a limit for all phases together; 0 is none."""
    tokenizer = make_tokenizer(seed)
    model = make_model(len(tokenizer), seed)
    keeper = None
    if team.rank == 0:
        keeper = Keeper(out / "pretrain_run")
    done, total = Progress(), sum(phase.steps for phase in phases)
    ends = [0]
    for number, phase in enumerate(phases):
        limit = minutes * phase.steps / total
        source = batches(tokenizer, documents(seed + number, phase.mix), phase.step_tokens)
        run_phase(
            out, phase, limit, PretrainLoop(model, source, team), tokenizer, keeper, done, seed
        )
        ends.append(done.step)
    if keeper:
        look(keeper, done.step, model, tokenizer, seed, 100)
        save(model, tokenizer, out / "base")
        recipe = {
            "command": command,
            "seed": seed,
            "phase_steps": [after - before for before, after in pairwise(ends)],
            "minutes": round((time.time() - keeper.started) / 60),
            "parameters": model.num_parameters(),
        }
        keeper.finish(done.step, done.tokens, recipe)


def run_phase(
    out: Path,
    phase: Phase,
    minutes: float,
    training: PretrainLoop,
    tokenizer: PreTrainedTokenizerFast,
    keeper: Keeper | None,
    done: Progress,
    seed: int,
) -> None:
    """One phase. Its learning rate follows the steps, or the clock where that is ahead."""
    started, clock = time.monotonic(), 0.0
    first, seen, since = done.step, 0, time.monotonic()
    while True:
        late = clock / (minutes * 60) if minutes else 0.0
        progress = max((done.step - first) / phase.steps, late)
        if progress >= 1:
            break
        share = phase.share(progress)
        loss, norm, batch, clock = training.step(share, time.monotonic() - started)
        done.step += 1
        done.tokens += batch.tokens
        seen += batch.tokens
        if keeper and (done.step % 10 == 0 or done.step == 1):
            speed, seen, since = seen / (time.monotonic() - since), 0, time.monotonic()
            rate = training.rates[1] * share
            keeper.log_train(done.step, loss, rate, norm, speed, done.tokens)
            print(f"{done.step} {progress:.3f} {loss:.4f} {norm:.2f} {speed:.0f} tok/s", flush=True)
        if keeper and done.step % EVERY == 0:
            look(keeper, done.step, training.model, tokenizer, seed, 20)
            save(training.model, tokenizer, out / "base")
            since = time.monotonic()


def look(
    keeper: Keeper,
    step: int,
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    count: int,
) -> None:
    """Measure, sample, and write both down."""
    found = measure(model, tokenizer, seed + 1, count)
    keeper.log(step, found)
    keeper.log_samples(step, say(model, tokenizer, f"step-{step}"))
    print(json.dumps({name: round(value, 3) for name, value in found.items()}), flush=True)
