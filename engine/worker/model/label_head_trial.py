"""Tries at load time what `label_head` does with a model, on a few tokens, against the whole.

Values and, where something is learned, gradients. What differs or raises is not used: all logits
are then made, which is right for every model.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from engine.estimates.logits import rows_at_once
from engine.worker.data.encode import IGNORE_INDEX
from engine.worker.model.label_head import AfterBody, LabelHead, body_output
from engine.worker.model.loading import base_of, count_embeddings

_SHAPE = (2, 5)
"""Rows and tokens of what is read."""
_ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Of the largest value; of formats that are not named it is a twentieth. Another position's logits
differ by far more."""
_REFUSALS = (RuntimeError, TypeError, ValueError, IndexError, AttributeError, KeyError)
"""What a model raises that does not take what it is given."""


def try_label_head(
    model: Any, log: Callable[[str], None] = lambda line: None, *, scaled: bool = False
) -> LabelHead:
    """How logits and the NLL of labels may be had from this model, which is in evaluation mode.

    Gradients are compared where they are enabled. `log` is told what is not used. `scaled` says
    that the loss is scaled before its gradients are made, since they underflow in float16: chunks
    make theirs before, and are not used.
    """
    trial = _Trial.of(model)
    keeping = LabelHead(keeps=True)
    if reason := trial.compare(keeping):
        log(f"all logits are made, also where nothing is learned: {reason}")
        return LabelHead()
    if scaled:
        return keeping
    try:
        chunked = replace(keeping, chunk=2, learned=trial.learned_after_body())
    except _REFUSALS as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        reason = trial.compare(chunked)
    if reason:
        log(f"logits are not made in chunks: {reason}")
        return keeping
    kind = torch.device(model.device).type
    return replace(chunked, chunk=rows_at_once(count_embeddings(model), kind))


@dataclass(frozen=True, slots=True)
class _Trial:
    model: Any
    inputs: dict[str, Tensor]
    labels: Tensor
    learned: tuple[torch.nn.Parameter, ...]

    @classmethod
    def of(cls, model: Any) -> "_Trial":
        rows, length = _SHAPE
        at = torch.arange(rows * length, device=model.device).view(_SHAPE)
        ids = (7 * at + 3) % count_embeddings(model)
        labels = ids.masked_fill(at % 3 == 1, IGNORE_INDEX)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        weights = model.parameters() if torch.is_grad_enabled() else ()
        return cls(model, inputs, labels, tuple(one for one in weights if one.requires_grad))

    def learned_after_body(self) -> tuple[torch.nn.Parameter, ...]:
        """Parameters with gradients that a loss has from the body's output on."""
        if not self.learned:
            return ()
        output = body_output(self.model, self.inputs)
        hidden = output.last_hidden_state.detach()[:, 0].requires_grad_()
        total = AfterBody(self.model, type(output))(hidden).float().sum()
        found = torch.autograd.grad(total, self.learned, allow_unused=True)
        pairs = zip(self.learned, found, strict=True)
        return tuple(one for one, gradient in pairs if gradient is not None)

    def compare(self, head: LabelHead) -> str:
        """Why this way is not to be used; empty where it does what the whole does."""
        try:
            found = self._measure(head, head.learned)
        except _REFUSALS as error:
            return f"{type(error).__name__}: {error}"
        for name, whole in self._measure(LabelHead(), head.learned).items():
            value = found[name]
            if value.shape != whole.shape:
                return f"{name} have the shape {tuple(value.shape)}, not {tuple(whole.shape)}"
            most = _ROUNDING.get(self.model.dtype, 0.05) * float(whole.abs().max())
            moved = float((value - whole).abs().max())
            if not moved <= most:
                return f"{name} differ by {moved:.2g} of {float(whole.abs().max()):.2g}"
        return ""

    def _measure(
        self, head: LabelHead, learned: tuple[torch.nn.Parameter, ...]
    ) -> dict[str, Tensor]:
        """NLL of the labels, and its gradients at the body's output and at what comes after it."""
        states: list[Tensor] = []
        body = base_of(self.model).base_model
        handle = body.register_forward_hook(lambda module, given, out: states.append(out[0]))
        try:
            nll, _ = head.nll_of_labels(self.model, self.inputs, self.labels)
            asked = [one for one in (states[0], *learned) if one.requires_grad]
            made = torch.autograd.grad(nll.sum(), asked) if asked and nll.requires_grad else ()
        finally:
            handle.remove()
        names = [f"gradients {at}" for at in range(len(made))]
        values = {"likelihoods": nll, **dict(zip(names, made, strict=True))}
        return {name: value.detach().float() for name, value in values.items()}
