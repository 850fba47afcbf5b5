"""Make the base model from nothing: tokenizer, training, checkpoint, and the record of its run.

`python -m engine.demo.making.pretrain OUT [--steps N] [--minutes M] [--seed S]` writes OUT/base (a
Hugging Face checkpoint) and OUT/pretrain_run (a finished job directory).
"""

import argparse
import dataclasses
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import spawn

from engine.demo.making.corpus.stream import TRAINING_SEED
from engine.demo.making.pretrain.phases import PHASES
from engine.demo.making.pretrain.running import pretrain
from engine.demo.making.pretrain.training import Team

STEPS = sum(phase.steps for phase in PHASES)


def _process(rank: int, given: argparse.Namespace, counter: Any, meeting: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo",
        f"file://{meeting}",
        rank=rank,
        world_size=given.processes,
        timeout=timedelta(hours=1),
    )
    phases = [
        dataclasses.replace(phase, steps=max(1, phase.steps * given.steps // STEPS))
        for phase in PHASES
    ]
    team = Team(rank, given.processes, counter)
    pretrain(given.out, phases, given.minutes, given.seed, team, _command(given))
    torch.distributed.destroy_process_group()


def _command(given: argparse.Namespace) -> str:
    limit = f" --minutes {given.minutes:g}" if given.minutes else ""
    return (
        f"python -m engine.demo.making.pretrain OUT --steps {given.steps}{limit} "
        f"--seed {given.seed} --processes {given.processes}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS, help="of both phases together")
    parser.add_argument("--minutes", type=float, default=0.0, help="at most; 0: no limit")
    parser.add_argument("--seed", type=int, default=TRAINING_SEED)
    parser.add_argument("--processes", type=int, default=2, help="of one thread each")
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
