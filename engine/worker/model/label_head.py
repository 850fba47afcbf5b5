"""A causal model's head, applied only to the positions that something is asked of.

Of a batch with n positions that count, the logits of all others are never made: the model's own
forward is told which to keep. Where n rows of the vocabulary are still large, the body runs once,
and then the model's own forward on its output, some rows at a time, so that soft caps, scales and
adapters on the head come along. `label_head_trial` tries both against the whole.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.worker.data.encode import IGNORE_INDEX, widest
from engine.worker.model.loading import base_of

Inputs = Mapping[str, Any]
"""What a model's forward takes; `input_ids` among them."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelHead:
    """How logits and the NLL of labels are had from one model."""

    keeps: bool = False
    """Whether its forward makes the logits of chosen positions alone; else all are made."""
    chunk: int | None = None
    """Rows of logits that are made at once; None where it cannot go on from its body's output."""
    learned: tuple[torch.nn.Parameter, ...] = ()
    """Parameters with gradients that come after its body."""

    def logits(self, model: Any, inputs: Inputs, keep: Tensor) -> Tensor:
        """Logits of the positions that `keep`, bool of (rows, length), names: (n, vocabulary)."""
        if self.keeps:
            return torch.as_tensor(model(**_uncached(inputs), logits_to_keep=keep).logits)
        return torch.as_tensor(model(**_uncached(inputs)).logits[keep])

    def nll_of_labels(
        self, model: Any, inputs: Inputs, labels: Tensor, *, alike: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Of each label its NLL in nats, float32 of (n,), and its row, int64 of (n,).

        `labels` is (rows, length), position i predicts label i + 1, and IGNORE_INDEX is no label.
        The last position predicts nothing and may be absent from `inputs`. `alike` promises a loss
        that weighs all labels alike: chunks of a head that is learned are then computed once.
        """
        targets = labels[:, 1:]
        counted = targets != IGNORE_INDEX
        keep = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
        keep[:, : counted.shape[1]] = counted
        wanted, rows = targets[counted], counted.nonzero()[:, 0]
        if self.chunk is None or len(wanted) <= self.chunk:
            return token_nll(self.logits(model, inputs, keep), wanted), rows
        output = body_output(model, inputs)
        states: Tensor = output.last_hidden_state
        hidden, wanted = states[keep.to(states.device)], wanted.to(states.device)
        after = AfterBody(model, type(output))
        learned = self.learned if torch.is_grad_enabled() else ()
        nll: Any = _ChunkedNll.apply(  # type: ignore[no-untyped-call]
            after, wanted, self.chunk, alike, hidden, *learned
        )
        return nll, rows.to(nll.device)

    def nll_by_row(
        self, model: Any, inputs: Inputs, labels: Tensor, *, alike: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Of each row the sum of NLL in nats, `widest` of (rows,), and of how many labels."""
        nll, rows = self.nll_of_labels(model, inputs, labels, alike=alike)
        sums = torch.zeros(len(labels), dtype=widest(nll.device), device=nll.device)
        counts = (labels[:, 1:] != IGNORE_INDEX).sum(1)
        return sums.index_add(0, rows.to(nll.device), nll.to(sums.dtype)), counts


def token_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """NLL in nats, float32 of (n,), of logits (n, vocabulary) and token ids (n,)."""
    logs = torch.log_softmax(logits.float(), dim=-1)
    return -logs.gather(-1, targets.to(logs.device).unsqueeze(-1)).squeeze(-1)


def body_output(model: Any, inputs: Inputs) -> Any:
    """What the model's body returns on these inputs; the head makes no logits."""
    found: list[Any] = []
    body = base_of(model).base_model
    handle = body.register_forward_hook(lambda module, given, output: found.append(output))
    none = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    try:
        model(**_uncached(inputs), logits_to_keep=none)
    finally:
        handle.remove()
    return found[-1]


class AfterBody:
    """The model's own forward after its body: hidden states (n, width) to logits."""

    def __init__(self, model: Any, kind: type) -> None:
        self._model = base_of(model)
        self._kind = kind

    def __call__(self, hidden: Tensor) -> Tensor:
        """Logits of (n, vocabulary)."""
        made = self._kind(last_hidden_state=hidden.unsqueeze(0))
        ids = torch.zeros((1, len(hidden)), dtype=torch.int64, device=hidden.device)
        with _answering(self._model.base_model, made):
            return torch.as_tensor(self._model(input_ids=ids, use_cache=False).logits[0])


@contextmanager
def _answering(body: Any, output: Any) -> Iterator[None]:
    """The body returns this output, whatever it is given."""
    own = vars(body).get("forward")
    body.forward = lambda *given, **named: output
    try:
        yield
    finally:
        if own is None:
            del body.forward
        else:
            body.forward = own


class _ChunkedNll(torch.autograd.Function):
    """NLL of labels whose logits are made some rows at a time, and dropped.

    Gradients are made with the values, since logits that are made twice cost a third of a step
    where the vocabulary is large: those of a hidden state belong to one label, and wait for its
    weight in the loss. Those of learned weights are sums over labels, so that all must weigh alike;
    else they are made in the backward pass, from logits that are made again.
    """

    @staticmethod
    def forward(
        ctx: Any,
        after: AfterBody,
        targets: Tensor,
        chunk: int,
        alike: bool,
        hidden: Tensor,
        *learned: torch.nn.Parameter,
    ) -> Tensor:
        """NLL in nats, float32 of (n,)."""
        nll = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        needed = ctx.needs_input_grad[4] or bool(learned)
        ctx.after, ctx.chunk, ctx.count = after, chunk, len(learned)
        ctx.again = needed and bool(learned) and not alike
        states = torch.empty_like(hidden) if needed and not ctx.again else None
        sums = [torch.zeros_like(one) for one in learned] if states is not None else []
        for start in range(0, len(hidden), chunk):
            part = slice(start, start + chunk)
            if states is None:
                nll[part] = token_nll(after(hidden[part]), targets[part])
                continue
            one, made = _with_gradients(after, hidden[part], targets[part], learned)
            nll[part], states[part] = one, made[0]
            for total, more in zip(sums, made[1:], strict=True):
                total += more
        if ctx.again:
            ctx.save_for_backward(hidden, targets, *learned)
        elif states is not None:
            ctx.save_for_backward(states, *sums)
        return nll

    @staticmethod
    def backward(ctx: Any, *weights: Tensor) -> Any:
        """The gradients of `forward`'s arguments, by the weight of each label in the loss."""
        (weight,) = weights
        if not ctx.again:
            states, *sums = ctx.saved_tensors
            scaled = [one * weight[0].to(one.dtype) for one in sums] if len(weight) else sums
            return (None,) * 4 + (states * weight.to(states.dtype).unsqueeze(1), *scaled)
        hidden, targets, *learned = ctx.saved_tensors
        states, sums = torch.empty_like(hidden), [torch.zeros_like(one) for one in learned]
        for start in range(0, len(hidden), ctx.chunk):
            part = slice(start, start + ctx.chunk)
            _, made = _with_gradients(ctx.after, hidden[part], targets[part], learned, weight[part])
            states[part] = made[0]
            for total, more in zip(sums, made[1:], strict=True):
                total += more
        return (None,) * 4 + (states, *sums)


def _with_gradients(
    after: AfterBody,
    hidden: Tensor,
    targets: Tensor,
    learned: Any,
    weight: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """NLL of some labels, and the gradients of its weighted sum by hidden states and weights."""
    with torch.enable_grad():
        piece = hidden.detach().requires_grad_()
        nll = token_nll(after(piece), targets)
    weight = torch.ones_like(nll) if weight is None else weight
    return nll.detach(), torch.autograd.grad(nll, [piece, *learned], weight)


def _uncached(inputs: Inputs) -> dict[str, Any]:
    return {**inputs, "use_cache": False}
