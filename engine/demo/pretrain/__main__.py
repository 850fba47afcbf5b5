"""Make the base model from nothing: tokenizer, training, checkpoint, and the record of its run.

`python -m engine.demo.pretrain OUT --steps N [--minutes M] [--seed S]` writes OUT/base (a Hugging
Face checkpoint) and OUT/pretrain_run (a finished job directory).
"""

import argparse
import json
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import spawn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from ..corpus.stream import TRAINING_SEED
from .measuring import measure, say
from .model import save
from .record import Keeper
from .tokens import make_tokenizer
from .training import Team, Training, rate_share


def pretrain(out: Path, steps: int, minutes: float, seed: int, team: Team) -> None:
    """The whole run. The learning rate follows the steps, or the clock where that is ahead."""
    tokenizer = make_tokenizer(seed)
    training = Training(seed, tokenizer, team)
    keeper = None
    if team.rank == 0:
        keeper = Keeper(
            out / "pretrain_run",
            {
                "command": command(steps, minutes, seed, team.size),
                "steps": steps,
                "minutes": minutes,
                "seed": seed,
                "processes": team.size,
                "parameters": training.model.num_parameters(),
            },
        )
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


def command(steps: int, minutes: float, seed: int, processes: int) -> str:
    """The command that makes this run again."""
    limit = f" --minutes {minutes:g}" if minutes else ""
    return (
        f"python -m engine.demo.pretrain OUT --steps {steps}{limit} --seed {seed} "
        f"--processes {processes}"
    )


def _look(
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
    parser.add_argument("--seed", type=int, default=TRAINING_SEED)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    context = torch.multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        spawn(  # type: ignore[no-untyped-call]
            _process,
            (given, context.Value("q", 0), str(Path(folder, "meeting"))),
            nprocs=given.processes,
        )


if __name__ == "__main__":
    main()
