"""An adapter as a part of its base: the one way in which the two become a plain model.

Each weight is raised to float32, changed by PEFT's own code, and rounded once, module by module, so
that a merge takes little more than the weights. Refuses a base that is stored quantised: the sum
would be rounded to the few values that its weights can have.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from engine.checkpoints import config_json
from engine.checkpoints.adapter_config import explain_no_strength, read_adapter_config
from engine.checkpoints.adapter_rows import read_rows
from engine.checkpoints.weights import read_weights
from engine.errors import EngineError
from engine.safe_open import list_files
from engine.worker.model import loading
from engine.worker.model.malloc import page_out

CONTINUE = "Continue the adapter (model.adapter = continue)."
_CPU = torch.device("cpu")
_TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
"""As safetensors calls them."""


def own_dtype(base: Path) -> torch.dtype:
    """The type that most of a model's weights are stored in, whatever its config names; float32
    for one that we do not write. Raises EngineError where the weights cannot be read."""
    elements = read_weights(base, list_files(base)).elements
    return _TYPES.get(max(elements, key=lambda name: elements[name], default=""), torch.float32)


def load_whole(base: Path, hint: str = "") -> Any:
    """A model on the CPU in the type of its weights, which are its mapped file until they change.

    Raises EngineError where they are stored quantised.
    """
    method = config_json.find_quantisation(config_json.read_json(base / "config.json"))
    if method is not None:
        raise EngineError(
            "The adapter cannot be merged: its base is stored quantised.",
            f"{base}: {method}",
            hint or "Use the unquantised base.",
        )
    return loading.load_base(base, _CPU, own_dtype(base))


def merge(
    base: Path, adapter: Path, dtype: torch.dtype = torch.float32, hint: str = CONTINUE
) -> Any:
    """The base with the adapter added to its weights: a plain model on the CPU.

    What the adapter changes is in `dtype`; the rest may still be in the type that it is stored in,
    but where `dtype` is float32. `hint` is what a user can do where it cannot be merged. Raises
    EngineError where the adapter does not fit, has no merging, or a sum is not finite in `dtype`.
    """
    model = load_whole(base, f"{hint[:-1]}, or use the unquantised base.")
    if dtype is torch.float32 or not _is_read_by_layer(adapter, dtype is own_dtype(base)):
        _convert(model, lambda weight, _: weight.float())
    tied = _has_tied_head(model)
    brings_rows, stays = read_rows(adapter).values > 0, _stays_in_file(model, adapter)
    if brings_rows and not stays:
        # They may be more exact than the base: rounded once, not before what is added to them.
        for end in _ends_of(model):
            _convert(end, lambda weight, _: weight.float())
    attached = _attach(model, adapter, mapped=stays)
    for weight in attached.parameters():
        page_out(weight.data)  # DoRA's initial norms read all of them
    method = attached.peft_config["default"].peft_type.value
    try:
        if tied:
            _separate_head(attached)
        merged = _merge_layers(attached, dtype)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        # Adaption prompts have no such method, Lily's refuses.
        raise EngineError(
            "The adapter cannot be merged.", f"{adapter}, of the method {method}: {error}", hint
        ) from error
    if brings_rows:
        for end in _ends_of(merged):
            _round_all(end, dtype, "a row of the embedding or the head")
    if tied:
        _settle_head(merged)
    return merged.eval()


def round_weight(weight: torch.Tensor, dtype: torch.dtype, name: str) -> torch.Tensor:
    """A weight in `dtype`. Raises EngineError, with its `name`, where a value is not finite there:
    a float16 ends at 65,504."""
    rounded = weight.detach().to(dtype)
    if rounded.numel() and not all(map(torch.isfinite, torch.aminmax(rounded))):
        if all(map(torch.isfinite, torch.aminmax(weight))):
            largest = float(weight.detach().abs().max())
            raise EngineError(
                f"A weight is too large for {str(dtype).removeprefix('torch.')}.",
                f"{name}: {largest:.4g}",
                "Use the type bfloat16 or float32.",
            )
        raise EngineError(
            "A weight has values that are not finite (NaN or infinity).",
            name,
            "Use another checkpoint of the run.",
        )
    return rounded


def _attach(model: Any, adapter: Path, *, mapped: bool) -> Any:
    if not mapped:
        return loading.attach_adapter(model, adapter)
    with _left_in_file(model):
        return loading.attach_adapter(model, adapter, mapped=True)


def _is_read_by_layer(folder: Path, same_type: bool) -> bool:
    """Whether PEFT needs no more of the base in float32 than the layer that it merges.

    Some initialisations compute with the base as the adapter is attached. Rows of an embedding take
    the type of those that they replace, which is right where that is the one asked for.
    """
    config = read_adapter_config(folder)
    added = {**config, "bias": "none", "trainable_token_indices": None}
    rows = bool(config.get("trainable_token_indices"))
    return explain_no_strength(added) is None and (same_type or not rows)


def _stays_in_file(model: Any, folder: Path) -> bool:
    """Whether the adapter's weights can be its mapped file, in the types there, until they are
    merged: nothing of the sum is computed of the base as it is attached, and no rows are added,
    with which the embedding would part from a head that is tied to it."""
    rows = int(model.get_input_embeddings().weight.shape[0])
    config = {**read_adapter_config(folder), "bias": "none"}
    return explain_no_strength(config) is None and read_rows(folder).count(rows) == rows


@contextmanager
def _left_in_file(model: Any) -> Iterator[None]:
    """Let PEFT attach a mapped adapter as it is: it would copy the values of each module that was
    trained whole, which that one's own replace, and round an adapter to the type of its base."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    kind: Any = BaseTunerLayer
    move = kind._move_adapter_to_device_of_base_layer
    weights = list(model.parameters())
    for weight in weights:
        weight.__deepcopy__ = partial(_share, weight)
    kind._move_adapter_to_device_of_base_layer = lambda *_, **__: None
    try:
        yield
    finally:
        kind._move_adapter_to_device_of_base_layer = move
        for weight in weights:
            del weight.__deepcopy__


def _share(weight: torch.nn.Parameter, memo: object) -> torch.nn.Parameter:
    return torch.nn.Parameter(weight.data, requires_grad=False)


def _convert(module: Any, change: Callable[[torch.Tensor, str], torch.Tensor]) -> None:
    """Replace each weight of a module, one after another."""
    for name, weight in module.named_parameters():
        before = weight.data
        weight.data = change(before, name)
        if weight.data.data_ptr() != before.data_ptr():
            page_out(before)


def _merge_layers(attached: Any, dtype: torch.dtype) -> Any:
    """The plain model, with all layers of the adapter merged and gone."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import ModulesToSaveWrapper

    tuner = attached.base_model
    if getattr(attached.peft_config["default"], "layer_replication", None):
        raise ValueError("it repeats layers of the base (layer_replication)")
    for name, module in tuner.model.named_modules():
        if isinstance(module, ModulesToSaveWrapper):
            _round_all(module.modules_to_save["default"], dtype, name)
    layers = [
        (name, layer)
        for name, layer in tuner.model.named_modules()
        if isinstance(layer, BaseTunerLayer)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tied heads, and inner layers that are merged already
        tuner._check_merge_allowed()
        # The largest first: what a merge takes besides is then not on top of all that is merged.
        for name, layer in sorted(layers, key=lambda one: -_size(one[1])):
            # A copy even of float32: a change in place would keep the mapped file's pages.
            _convert(layer.get_base_layer(), lambda weight, _: weight.to(torch.float32, copy=True))
            layer.merge()
            _round_all(layer.get_base_layer(), dtype, name)
        return tuner.unload()


def _round_all(module: Any, dtype: torch.dtype, name: str) -> None:
    _convert(module, lambda weight, part: round_weight(weight, dtype, f"{name}.{part}"))


def _size(layer: Any) -> int:
    return sum(weight.nbytes for weight in layer.get_base_layer().parameters())


def _ends_of(model: Any) -> list[Any]:
    """Embedding and head, where it has one."""
    ends = model.get_input_embeddings(), model.get_output_embeddings()
    return [end for end in ends if end is not None]


def _has_tied_head(model: Any) -> bool:
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    return head is not None and head.weight is embedding.weight


def _separate_head(attached: Any) -> None:
    """Give a head that is merged into, or whose embedding is, a weight of its own.

    Under an adapter the two look up different sums; merged in place, each would get both changes.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    plain = attached.get_base_model()
    embedding, head = plain.get_input_embeddings(), plain.get_output_embeddings()
    inner = [part for one in (embedding, head) for part in one.modules()]
    if not any(isinstance(part, BaseTunerLayer) for part in inner):
        return
    module = _base_of(head)
    # The values are still the same ones: a merge changes a copy, and has the weight be that.
    module.weight = torch.nn.Parameter(module.weight.detach(), requires_grad=False)


def _base_of(module: Any) -> Any:
    for wrapped in ("original_module", "base_layer"):
        module = getattr(module, wrapped, module)
    return module


def _settle_head(model: Any) -> None:
    """Tie the head again where it equals the embedding, else have the config say that it does not.

    Only a head whose weights are its own is stored.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head.weight is embedding.weight:
        return
    if torch.equal(head.weight, embedding.weight):
        head.weight = embedding.weight
        return
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False
