"""Models in memory and the arms that answer with them.

One base model serves any number of arms: its adapters are switched for each forward pass, so that
no pane is answered by another's weights. Where switching off does not give the base back, it is
loaded apart.
"""

import gc
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from engine.chat import Message, Tools
from engine.checkpoints.adapter_rows import shares_base
from engine.checkpoints.context import find_context_length, has_position_table
from engine.checkpoints.hub_cache import name_folder
from engine.compare.arm_weights import ArmWeights, check_null, check_strength
from engine.compare.arms import Arm, PromptForm
from engine.errors import EngineError
from engine.worker.data.chat_template import Template, choose_template, render_prompt
from engine.worker.data.encode import end_token_ids
from engine.worker.data.token_ids import explain_unknown
from engine.worker.inference.adapter_scale import scaled
from engine.worker.inference.null_adapters import randomize_adapter
from engine.worker.inference.weight_files import (
    Stamped,
    detach,
    load_tokenizer,
    load_weights,
    size_on_device,
    stamped,
)
from engine.worker.model import loading
from engine.worker.model.label_head import LabelHead
from engine.worker.model.label_head_trial import try_label_head

Say = Callable[[str], None]
MOST_ADAPTERS = 16
"""On one model at a time: more than are used at once. Turning the pages of a run needs no more."""


class SharedModel:
    """A causal model and the adapters on it, which is only to be had through `with_adapter`."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._adapters: dict[tuple[Stamped, int | None], str] = {}
        self._attached = 0
        plain = loading.base_of(model)
        self._keeps_logits = "logits_to_keep" in inspect.signature(plain.forward).parameters
        self._head: LabelHead | None = None
        config = plain.config.get_text_config()
        self.context: int = _context_of(config)
        """Positions that the model knows; a great number where its config names none."""
        ends = getattr(plain.generation_config, "eos_token_id", None)
        self.ends: tuple[int, ...] = (ends,) if isinstance(ends, int) else tuple(ends or ())
        self._values_a_token = _kept_of_a_token(config)

    @property
    def device(self) -> torch.device:
        return torch.device(self._model.device)

    @property
    def dtype(self) -> str:
        """As in "float32"."""
        return str(self._model.dtype).removeprefix("torch.")

    @property
    def vocabulary(self) -> int:
        """Tokens that have an embedding; an adapter may bring more than the base has."""
        return loading.count_embeddings(self._model)

    @property
    def size(self) -> int:
        """Bytes that the weights take, adapters included."""
        return sum(one.numel() * one.element_size() for one in self._model.parameters())

    def answer_size(self, tokens: int) -> int:
        """Bytes that a row of so many tokens takes: its keys and values, and its logits."""
        size: int = self._model.dtype.itemsize
        return tokens * self._values_a_token * size + 12 * self.vocabulary

    def attach(self, path: Path, null: int | None = None) -> str:
        """The name of the adapter at `path` on this model, loaded if it is not yet.

        With a seed, that of a copy whose change is a random one. One that was written anew since is
        loaded anew. Raises EngineError; the model is then as it was before.
        """
        key = (stamped(path), null)
        name = self._adapters.pop(key, None)
        if name is None:
            name = f"adapter-{self._attached}"
            self._attached += 1
            try:
                self._model = loading.attach_adapter(self._model, path, name)
            except EngineError:
                detach(self._model, name)
                raise
            if null is not None:  # where it raises, the copy stays, and nobody has its name
                randomize_adapter(self._model, name, null)
        self._adapters[key] = name
        while len(self._adapters) > MOST_ADAPTERS:
            oldest = next(iter(self._adapters))
            self._model.delete_adapter(self._adapters.pop(oldest))
        return name

    def path_of(self, adapter: str | None) -> Path | None:
        """Where the adapter of that name was loaded from; None for none."""
        return next((at.path for (at, _), name in self._adapters.items() if name == adapter), None)

    @contextmanager
    def with_adapter(self, adapter: str | None, strength: float = 1.0) -> Iterator[Any]:
        """The model with just this adapter on, or none; for one forward pass."""
        if adapter is not None:
            if self._model.active_adapters != [adapter]:
                self._model.set_adapter(adapter)
            with scaled(self._model, adapter, strength) if strength != 1.0 else nullcontext():
                yield self._model
        elif hasattr(self._model, "peft_config"):
            with self._model.disable_adapter():
                yield self._model
        else:
            yield self._model

    def nll_by_row(
        self, model: Any, inputs: dict[str, Any], labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each row the sum of NLL in nats and of how many labels; `model` is of `with_adapter`.

        Asked without gradients.
        """
        if self._head is None:
            self._head = try_label_head(model)
        return self._head.nll_by_row(model, inputs, labels)

    def last_only(self, count: int = 1) -> dict[str, int]:
        """The argument that spares the logits of all positions but the last, if there is one."""
        return {"logits_to_keep": count} if self._keeps_logits else {}


def _context_of(config: Any) -> int:
    """Positions of a model; a great number where its config names none."""
    table = config.to_dict()
    if has_position_table(table) and (length := find_context_length(table)) is not None:
        return length
    return getattr(config, "max_position_embeddings", 0) or 1 << 30


def _kept_of_a_token(config: Any) -> int:
    """Keys and values of one token in all layers, as the config has it; 0 where it names none."""
    heads = getattr(config, "num_attention_heads", None) or 1
    wide = getattr(config, "head_dim", None) or getattr(config, "hidden_size", 0) // heads
    keys = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * getattr(config, "num_hidden_layers", 0) * keys * wide)


@dataclass(frozen=True, slots=True)
class LoadedArm:
    """An arm, ready to answer."""

    arm: Arm
    model: SharedModel
    tokenizer: Any
    template: Template | None
    """How its prompts are written; None: raw."""
    adapter: str | None = None
    notes: tuple[str, ...] = ()
    """What the user should know of how it was loaded."""

    @classmethod
    def of(
        cls,
        arm: Arm,
        model: SharedModel,
        tokenizer: Any,
        adapter: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> "LoadedArm":
        """An arm with the template that it asks for. Raises EngineError."""
        template = None if arm.form == "raw" else choose_template(tokenizer, arm.form)
        return cls(arm, model, tokenizer, template, adapter, notes)

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end an answer."""
        return frozenset(self.model.ends) | end_token_ids(self.tokenizer, self.template)

    def prompt(self, messages: Sequence[Message], name: str = "", tools: Tools = ()) -> list[int]:
        """Token ids to answer to; `name` is what an error calls the prompt, `tools` may be called.

        Raises EngineError where they leave no room in the context, or the model cannot read one.
        """
        arm = self.arm
        ids = render_prompt(messages, self.tokenizer, arm.form, arm.system, arm.prefix, tools)
        if len(ids) >= self.model.context:
            raise too_long(arm, len(ids), self.model.context, name)
        self.check_ids(ids, name)
        return ids

    def check_ids(self, ids: Sequence[int], name: str = "") -> None:
        """Raise EngineError where the model has no embedding for one of the tokens."""
        unknown = explain_unknown(ids, self.tokenizer, self.model.vocabulary)
        if unknown:
            raise unreadable(self.arm, unknown, name)

    def forward(self, **inputs: Any) -> Any:
        """One forward pass with this arm's weights."""
        with self.model.with_adapter(self.adapter, self.arm.strength) as model:
            return model(**inputs)

    def nll_by_row(
        self, inputs: dict[str, torch.Tensor], labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each row the sum of NLL in nats and of how many labels, as `LabelHead.nll_by_row`."""
        with self.model.with_adapter(self.adapter, self.arm.strength) as model:
            return self.model.nll_by_row(model, inputs, labels)


def too_long(arm: Arm, tokens: int, context: int, name: str = "") -> EngineError:
    """What is said of a prompt that leaves no room for an answer."""
    return EngineError(
        "The prompt is longer than the model's context.",
        f"{_of(name)}{tokens} tokens; the context of {arm.checkpoint} is {context}",
        "Shorten the prompt.",
    )


def unreadable(arm: Arm, unknown: str, name: str = "") -> EngineError:
    """What is said of a text with a token that `explain_unknown` found."""
    return EngineError(
        "The text has a token that the model does not know.",
        f"{_of(name)}{unknown} ({arm.checkpoint})",
        "Remove the token from the text, or use the model that this tokenizer belongs to.",
    )


def _of(name: str) -> str:
    return f"{name}: " if name else ""


def wrap_model(model: Any, tokenizer: Any, form: PromptForm | None = None) -> LoadedArm:
    """A loaded arm of a model that is in memory already, as it is: adapters that are on stay on."""
    shared = SharedModel(model)
    active = model.active_adapters if hasattr(model, "peft_config") else []
    return LoadedArm.of(
        Arm("model", "", form=form), shared, tokenizer, active[0] if active else None
    )


class ModelCache:
    """Models, kept least-recently-used within a budget of memory."""

    def __init__(
        self,
        device: torch.device,
        budget: int | None = None,
        tokenizers: dict[Path, Any] | None = None,
    ) -> None:
        self.device = device
        self.budget = budget
        """Bytes of weights; None: without limit."""
        self._kept: dict[tuple[Stamped, Stamped | None], SharedModel] = {}
        self._tokenizers = {} if tokenizers is None else tokenizers
        """Those that were read already, by their directory."""

    def load_arm(
        self, arm: Arm, weights: ArmWeights, say: Say, busy: Sequence[SharedModel] = ()
    ) -> LoadedArm | None:
        """`arm` made ready to answer, from its `weights`; `say` is told what takes time.

        None: the models that are `busy` must first be done, both do not fit. Raises EngineError.
        """
        check_strength(arm, weights)
        check_null(arm, weights)
        asked_at = weights.tokenizer
        if arm.strength == 0:  # nothing of the adapter: the base itself, whatever the method
            weights = ArmWeights(weights.base)
        key = self._key(weights)
        apart = key[1] is not None
        model = self._kept.pop(key, None)
        if model is None:
            if not self._make_room(size_on_device(weights.base, self.device), busy):
                return None
            say(f"loading {name_folder(weights.base)}")
            model = SharedModel(load_weights(weights.base, self.device))
        self._kept[key] = model
        try:
            own = weights.adapter
            adapter = None if own is None else model.attach(own, arm.null)
        except EngineError:
            if apart:  # it was loaded for this adapter alone
                del self._kept[key]
            raise
        notes: tuple[str, ...] = ()
        if apart:
            notes = (f"{name_folder(weights.base)} is loaded separately for {arm.name}",)
        loaded_arm = LoadedArm.of(arm, model, self._tokenizer(asked_at), adapter, notes)
        if asked_at != weights.base and self._has_own_template(loaded_arm, weights.base):
            note = f"{arm.name} uses the template of its training, not that of its base"
            return replace(loaded_arm, notes=(*notes, note))
        return loaded_arm

    def _has_own_template(self, loaded_arm: LoadedArm, base: Path) -> bool:
        """Whether an adapter brings another template, or system prompt, than its base has."""
        if loaded_arm.template is None:
            return False
        try:
            usual = choose_template(self._tokenizer(base), loaded_arm.arm.form)
        except EngineError:  # the base has none that can be used, and nobody asks for it
            return True
        return usual.hash != loaded_arm.template.hash

    def _tokenizer(self, path: Path) -> Any:
        if path not in self._tokenizers:
            self._tokenizers[path] = load_tokenizer(path)
        return self._tokenizers[path]

    def clear(self) -> None:
        """Forget every model, and give the memory back to the device."""
        self._kept.clear()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def holds(self, arm: Arm, weights: ArmWeights) -> bool:
        """Whether the model that `arm` answers with is in memory already."""
        return self._key(weights if arm.strength else ArmWeights(weights.base)) in self._kept

    def _key(self, weights: ArmWeights) -> tuple[Stamped, Stamped | None]:
        """A shared model is known by its base's path, one that is not shared by its adapter too."""
        base = stamped(weights.base)
        if weights.adapter is None or shares_base(weights.base, weights.adapter):
            return (base, None)
        return (base, stamped(weights.adapter))

    def _make_room(self, needed: int, busy: Sequence[SharedModel]) -> bool:
        """Drop the oldest idle models until `needed` bytes fit. One alone is always tried."""
        while self.budget is not None and self._kept:
            if sum(model.size for model in self._kept.values()) + needed <= self.budget:
                return True
            idle = [key for key, model in self._kept.items() if model not in busy]
            if not idle:
                return False
            del self._kept[idle[0]]
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        return True
