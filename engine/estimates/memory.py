"""How much memory a training run needs at its most, from `config.json` and the recipe alone.

Weights, gradients and AdamW's two moments are counted (Rajbhandari et al. 2020, "ZeRO",
arXiv 1910.02054, section 3); what the backward pass needs is in `engine.estimates.activations`;
logits in `engine.estimates.logits`. Two coefficients were fitted, see `SLACK` and `RUNTIME`; their
error on other configurations is in `tests/benchmarks/RESULTS.md`. Reads no disk.

Kept by design: `accelerate estimate-memory` builds the model by torch, and counts no activations,
no logits, no adapters and nothing of a recipe.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import EngineError
from engine.estimates.activations import Passes, Precision, block_bytes, boundary_bytes
from engine.estimates.architectures import ModelDims, read_dims
from engine.estimates.logits import chunk_states, logits_bytes
from engine.estimates.parameters import Counted, adapted, count_adapter, count_model
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Training

SLACK = {"cpu": 0.02, "cuda": 0.05, "mps": 0.10}
"""Share of what a step makes and drops that the allocator cannot use again at once. The CPU's is
measured; the others are reckoned."""
SLACK_OF_SMALL = 0.5
"""The same on a CPU where glibc is left to itself, see `engine.worker.model.malloc`."""
LARGE_MODEL = 50_000_000
"""Parameters, from which on it is not."""
RUNTIME = {"cpu": 55 << 20, "cuda": 600 << 20, "mps": 300 << 20}
"""Bytes: what libraries take when they begin to work; on a GPU the context, kernels, workspaces."""
LIBRARIES = 550 << 20
"""Bytes of the machine's memory that a worker holds once everything is imported."""
PROBE_ROW = 128
"""Tokens; the alarm's probe is measured in passes of `PROBE_BYTES` of logits, a row at least."""
PROBE_BYTES = 1 << 26
_UNKNOWN = "The memory of this model cannot be estimated."
_STORED = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes, of the device unless it says so."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    """Kept for the backward pass."""
    logits: int
    """With their log-probabilities and gradients."""
    overhead: int
    """Work space, the alarm's measuring, the runtime, what the allocator cannot use again."""
    total: int
    """At the worst moment. Less than the sum: gradients come while activations go."""
    parameters: int
    """Of the model."""
    trained: int
    """Parameters that are learned."""
    rough: bool = False
    """Whether the family is not known, and was reckoned as if it were Llama."""
    counted: bool = False
    """Whether the worker counted the parameters."""
    at_peak: Mapping[str, int] = field(default_factory=dict)
    """What lies in memory at the worst moment, by name; the sum is `total`. The other parts are
    the most that each takes at any moment."""
    moment: str = ""
    """Which moment that is, in words."""


def estimate(
    config: Mapping[str, Any],
    recipe: TrainRecipe,
    *,
    parameters: int | None = None,
    counted: Counted | None = None,
    device_kind: str = "cpu",
    length: int | None = None,
    target_share: float = 1.0,
    merges: bool = False,
) -> Estimate:
    """The memory of a run on a device of a kind (`cpu`, `cuda`, `mps`).

    `parameters` is the model's exact number where it is known, `counted` what the worker counted
    for this method; else both are reckoned. `length` is that of the longest row in tokens,
    `target_share` the share of tokens that the loss counts; without them every row is taken to be
    `max_length` long and learned whole. `merges` is whether an adapter first becomes a part of the
    model (`fit.merges`). Raises EngineError for a config without sizes.
    """
    dims = read_dims(config)
    counted = counted.of(recipe.method) if counted is not None else None
    parameters = counted.parameters if counted is not None else parameters
    full = recipe.method.kind == "full"
    if dims is None:
        raise EngineError(
            _UNKNOWN,
            "config.json has no dimensions.",
            "Measure it with a short run: training.max_steps=2.",
        )
    if dims.mixture and counted is None and not (full and parameters):
        raise EngineError(
            _UNKNOWN,
            "Parameters of a mixture of experts must be counted.",
            "finetop fit --measure counts them.",
        )
    parameters = parameters or count_model(dims)
    passes = _passes(recipe, length)
    precision = precision_of(recipe.training, recipe.method.kind, device_kind)
    if counted is not None:
        trained, linear = counted.trained, counted.linear
    else:
        trained = parameters if full else count_adapter(dims, recipe.method)
        linear = dims.linear_parameters
    weights = _weights(dims, recipe, precision, parameters, trained, linear)
    gradients, optimiser = 4 * trained, 8 * trained
    activations, working = _activations(dims, recipe, precision, passes, device_kind)
    labels = math.ceil(passes.tokens * min(max(target_share, 0.0), 1.0))
    logits = logits_bytes(dims, labels, device_kind)
    waiting = chunk_states(dims, labels, device_kind)
    head = 4 * dims.head_parameters if full else 0
    # Chunks add up the head's gradient as they go, beside that of a chunk.
    sums = 2 * head if waiting else 0
    # Backward begins with everything kept and the head's own gradient, and ends with all gradients;
    # those of a tied embedding, from both its uses, are held apart until their sum is made.
    accumulates = recipe.training.gradient_accumulation_steps > 1
    ends = (2 * head if dims.tied else 0) + (0 if accumulates else gradients)
    moments = {
        "as the backward pass begins": {
            "activations": activations + waiting,
            **_largest({"logits": logits, "gradients": sums}, {"work space": working},
                       {"logits": logits // 2, "gradients": head}),
        },
        "as the backward pass ends": {"gradients": ends},
        "while the forgetting alarm measures": {"forgetting alarm": _measuring(dims, recipe)},
    }  # fmt: skip
    moment = max(moments, key=lambda name: sum(moments[name].values()))
    moving = sum(moments[moment].values())
    rests = {"weights": weights, "optimizer": optimiser}
    rests |= {"gradients": gradients} if accumulates else {}
    resting = sum(rests.values())
    share = SLACK.get(device_kind, 0.1)
    if device_kind == "cpu" and parameters < LARGE_MODEL:
        share = SLACK_OF_SMALL
    runtime, slack = RUNTIME.get(device_kind, 0), int(share * moving)
    packed = weights if recipe.method.quantize != "none" else 0
    loading = _loading(config, precision, parameters, packed, merges)
    at_load = loading if device_kind == "cpu" else 0
    total = max(resting + moving + slack, at_load) + runtime
    at_peak = _sum_by_name(rests, moments[moment], {"overhead": slack + runtime})
    if at_load > resting + moving + slack:
        moment = "while weights are loaded and converted"
        held = min(weights, at_load)
        at_peak = {"weights": held, "loading": at_load - held, "overhead": runtime}
    parts = weights + gradients + optimiser + activations + logits
    overhead = max(runtime + slack, total - parts)
    return Estimate(
        weights, gradients, optimiser, activations, logits, overhead, total, parameters, trained,
        rough=not dims.known, counted=counted is not None, at_peak=at_peak, moment=moment,
    )  # fmt: skip


def _largest(*parts: Mapping[str, int]) -> Mapping[str, int]:
    """Those of these parts that take the most together."""
    return max(parts, key=lambda one: sum(one.values()))


def _sum_by_name(*parts: Mapping[str, int]) -> dict[str, int]:
    names = dict.fromkeys(name for one in parts for name in one)
    return {name: sum(one.get(name, 0) for one in parts) for name in names}


def precision_of(training: Training, kind: str, device_kind: str) -> Precision:
    """Bytes of weights and products, by the rule of `engine.worker.model.dtypes`."""
    compute = {"auto": 2 if device_kind == "cuda" else 4, "float32": 4}.get(training.dtype, 2)
    return Precision(4 if kind == "full" else compute, compute)


def formats_of(recipe: TrainRecipe, device_kind: str) -> str:
    """The rule's outcome in words, as far as it is known without asking the GPU itself."""
    training, method = recipe.training, recipe.method
    precision = precision_of(training, method.kind, device_kind)
    short = "bf16 (fp16 if unsupported)"
    names = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
    short = names.get(training.dtype, short)
    products = "fp32" if precision.compute == 4 else short
    weights = "fp32" if precision.weights == 4 else products
    weights = {"4bit": "4 bits", "8bit": "8 bits"}.get(method.quantize, weights)
    if weights == products:
        return f"compute and weights: {products}"
    return f"compute: {products}, weights: {weights}"


def _passes(recipe: TrainRecipe, length: int | None) -> Passes:
    """DPO passes the chosen and the rejected answer of each pair at once."""
    training = recipe.training
    longest = recipe.data.max_length
    if length is not None and not training.packing:
        longest = min(length, longest)
    return Passes(training.batch_size * (2 if training.objective == "dpo" else 1), longest)


def _weights(
    dims: ModelDims,
    recipe: TrainRecipe,
    precision: Precision,
    parameters: int,
    trained: int,
    linear: int,
) -> int:
    """The base as it is held, the adapter in float32, and 16-bit copies of what is learned."""
    copies = 2 * trained if precision.compute < 4 else 0
    if recipe.method.kind == "full":
        return 4 * parameters + copies
    linear = linear if recipe.method.quantize != "none" else 0
    # NF4 with quantised constants: 4 bits, 8 for each 64 weights, 32 for each 64 x 256 of those
    # (arXiv 2305.14314, section 3). int8 has one float32 for each output.
    packed = 0.5 + 1 / 64 + 4 / (64 * 256) if recipe.method.quantize == "4bit" else 1.0
    scales = 4 * dims.layers * sum(one.outputs for one in dims.linears)
    held = math.ceil(linear * packed) + (scales if recipe.method.quantize == "8bit" else 0)
    return held + (parameters - linear) * precision.weights + 4 * trained + copies


def _activations(
    dims: ModelDims, recipe: TrainRecipe, precision: Precision, passes: Passes, device_kind: str
) -> tuple[int, int]:
    """What is kept for the backward pass, and the work space of one block."""
    block = block_bytes(dims, recipe.method, precision, passes, device_kind)
    working = passes.tokens * (4 * dims.hidden + 3 * dims.intermediate) * precision.compute
    if recipe.method.kind == "lora":
        largest = max(one.inputs * one.outputs for one in dims.linears)
        if recipe.method.quantize == "4bit":  # made whole again for each product
            working += largest * precision.compute
        if recipe.method.variant == "dora":  # an identity through both halves, and their product
            wide = max(one.inputs for one in adapted(dims, recipe.method.target_modules))
            working += 4 * (wide * wide + 3 * largest)
    if recipe.training.gradient_checkpointing:
        return dims.layers * boundary_bytes(dims, precision, passes), block + working
    return dims.layers * block, working


def _measuring(dims: ModelDims, recipe: TrainRecipe) -> int:
    """The forgetting alarm: logits of a pass over the probe, those that count, and what is kept."""
    if not recipe.forgetting.tokens:
        return 0
    row = PROBE_ROW * dims.vocabulary * 4
    rows = max(1, PROBE_BYTES // row)
    return int(2.5 * row * min(rows, math.ceil(recipe.forgetting.tokens / PROBE_ROW)))


def _loading(
    config: Mapping[str, Any], precision: Precision, parameters: int, packed: int, merges: bool
) -> int:
    """Weights that are converted lie in memory twice for a moment: as stored, and as wanted.

    So do those that are quantised, beside the `packed` bytes of what they become. What is merged is
    made whole in float32 (`engine.worker.model.saving`).
    """
    named = str(config.get("dtype") or config.get("torch_dtype"))
    size = 4 if merges else precision.weights
    stored = _STORED.get(named, size)
    made = (size + (stored if stored != size else 0)) * parameters
    return max(made, stored * parameters + packed) if packed else made
