"""An optimiser for the matrices inside the layers."""

import torch
from torch import Tensor, nn


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
    x: Tensor = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x
