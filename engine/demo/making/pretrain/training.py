"""One step of pre-training, alone or shared between processes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from engine.demo.making.pretrain.muon import Muon
from engine.demo.making.pretrain.rows import Batch, Row, loss_sum


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


class PretrainLoop:
    """The model with its two optimisers, one step at a time."""

    def __init__(self, model: LlamaForCausalLM, source: Iterator[Batch], team: Team) -> None:
        self.team = team
        self.model = model
        self.batches = source
        inner = [weight for weight in self.model.model.layers.parameters() if weight.ndim == 2]
        inside = {id(weight) for weight in inner}
        rest = [weight for weight in self.model.parameters() if id(weight) not in inside]
        self.weights = inner + rest
        self.optimisers: tuple[torch.optim.Optimizer, ...] = (
            Muon(inner, 0.02),
            torch.optim.AdamW(rest, lr=0.004, betas=(0.9, 0.95), weight_decay=0.0),
        )
        self.rates = (0.02, 0.004)

    def step(self, share: float, clock: float = 0.0) -> tuple[float, float, Batch, float]:
        """One step at `share` of the highest learning rate.

        Returns the mean loss in nats per trained token, the gradient's norm, the batch, and the
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
        parts = torch.split(together[:-2], [part.numel() for part in gradients])
        for weight, found in zip(self.weights, parts, strict=True):
            weight.grad = found.view_as(weight)
        norm = float(nn.utils.clip_grad_norm_(self.weights, 1.0))
        for optimiser, rate in zip(self.optimisers, self.rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()
        return float(together[-2]) / batch.learned, norm, batch, float(together[-1])
