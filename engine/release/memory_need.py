"""What an export takes of memory, before anything is loaded: bytes of its worker and of the process
that proves, which live at the same time.

From headers, config.json and the sizes of files, with coefficients of libraries and tokenizers that
were measured (`tests/release/test_memory_need.py`). It is meant as an upper bound, at most 1.3
times what is taken: whoever waits for so much never runs out of it. Loads nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import config_json
from engine.checkpoints.adapter_rows import WEIGHTS
from engine.checkpoints.weights import read_weights
from engine.errors import EngineError
from engine.estimates import fit
from engine.estimates.architectures import ModelDims, read_dims
from engine.number_format import write_size
from engine.release.source import ExportSource
from engine.release.targets import Target
from engine.safe_open import list_files

_WORKER = 420_000_000
"""Bytes of the libraries in the export's worker, once it has written something."""
_PROVER = 490_000_000
"""The same of a process that proves."""
_VOCABULARY = {"worker": 12, "gguf": 20, "prover": 15}
"""Bytes in memory for each of tokenizer.json: in the worker, there where GGUF files are written, in
a process that proves."""
_PLACES = 64
"""Of a row whose distributions are compared, at most."""
_COPIES = 5
"""Of such distributions, in float32."""
_PROMPTS = 20
"""That are answered at once, each with its keys and values in float32."""
_TOKENS = 128
"""Of a prompt and its answer, on average."""
_LAYER = 3
"""Copies in float32 of the layer at which a merge is: its weight, the change, and that scaled."""
_SLACK = 1.05
"""What the allocator cannot use again at once."""
_WIDTHS = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
_BLOCKS = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32}
"""Bytes a number of a GGUF file; other block types have fewer than q8_0."""
_STORED = {"F64": 8.0, "F32": 4.0, "F16": 2.0, "BF16": 2.0}


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes of the machine's memory, at most, of all processes of an export together."""

    steps: Mapping[str, int]
    """By what is done: "merging", and "proving " with each target."""

    @property
    def most(self) -> int:
        return max(self.steps.values())

    @property
    def step(self) -> str:
        """At which it takes the most."""
        return max(self.steps, key=lambda name: self.steps[name])

    @property
    def words(self) -> str:
        """As in "about 4.52 GB needed (proving gguf)"."""
        return f"about {write_size(self.most)} needed ({self.step})"


class ExportMemory:
    """What one model takes of memory in its other forms; read from the disk once."""

    def __init__(self, source: ExportSource) -> None:
        """Raises EngineError where the weights cannot be read."""
        elements = read_weights(source.base, list_files(source.base)).elements
        self._parameters = sum(elements.values())
        self._stored = sum(count * _STORED.get(kind, 1.0) for kind, count in elements.items())
        self._dims = read_dims(config_json.read_json(source.base / "config.json"))
        self._largest = _find_largest(self._dims, self._parameters)
        adapters = [one for one in (source.adapter, source.before_adapter) if one is not None]
        self._adapter = sum(_size(one / WEIGHTS) for one in adapters)
        self._tokenizer = _size(source.tokenizer / "tokenizer.json")

    def estimate(self, targets: Sequence[Target], dtype: str) -> MemoryNeed:
        """What these targets take, merged weights in `dtype` as recipes have it."""
        parameters, stored, dims = self._parameters, self._stored, self._dims
        width = _WIDTHS.get(dtype) or max(2.0, stored / parameters)
        converted = 0.0 if stored == 4.0 * parameters else stored
        writes_gguf = any(target.form == "gguf" for target in targets)
        worker = _WORKER + _VOCABULARY["gguf" if writes_gguf else "worker"] * self._tokenizer
        prover = _PROVER + _VOCABULARY["prover"] * self._tokenizer
        prover += 4 * parameters + 2 * self._adapter
        answers = 0
        if dims is not None:
            cached = _PROMPTS * _TOKENS * 2 * 4 * dims.layers * dims.keys
            answers = max(cached, _COPIES * _PLACES * 4 * dims.vocabulary)
        steps: dict[str, int] = {}
        if any(target.form != "adapter" for target in targets):
            merged = width * parameters + _LAYER * 4 * self._largest + self._adapter
            steps["merging"] = int(_SLACK * (worker + merged))
        for target in targets:
            compared = 0.0
            if target.form == "merged":
                compared = (width + stored / parameters) * self._largest
            elif target.form == "gguf":  # a mapped file, dequantised by way of a second copy
                compared = 8 * self._largest + _count_bytes(target, width) * parameters
            # Weights of another type are their mapped file while they are converted.
            more = max(converted, answers, compared)
            steps[f"proving {target.name}"] = int(_SLACK * (worker + prover + more))
        return MemoryNeed(steps)


def estimate_memory(source: ExportSource, targets: Sequence[Target], dtype: str) -> MemoryNeed:
    """What these targets take, merged weights in `dtype` as recipes have it. Raises EngineError
    where the weights cannot be read."""
    return ExportMemory(source).estimate(targets, dtype)


def check_machine(need: MemoryNeed, targets: Sequence[Target]) -> int:
    """The bytes of memory that are free now. Raises EngineError where the machine has less than is
    needed in all, so that waiting would not help."""
    machine = fit.machine_memory()
    if need.most > machine:
        smaller = [t.name for t in targets if need.steps[f"proving {t.name}"] <= machine]
        fewer = need.steps.get("merging", 0) <= machine or smaller == ["adapter"]
        advice = f"Ask for fewer targets (--as {' --as '.join(smaller)} would fit), or use"
        raise EngineError(
            "The export does not fit in the memory of this machine.",
            f"{need.words}; the machine has {write_size(machine)}",
            f"{advice if smaller and fewer else 'Use'} a machine with more memory.",
        )
    return fit.free_main_memory()


def _find_largest(dims: ModelDims | None, parameters: int) -> int:
    """The values of the largest tensor; of a config without sizes all of them."""
    if dims is None:
        return parameters
    largest = [dims.head_parameters, *(one.inputs * one.outputs for one in dims.linears)]
    if dims.mixture:
        largest.append(parameters // dims.layers)  # the experts of a block are one tensor
    return min(parameters, max(largest))


def _count_bytes(target: Target, width: float) -> float:
    """Of a number in a GGUF file, where the weights' own have `width`."""
    return _BLOCKS.get(target.quantization, _BLOCKS["q8_0"]) if target.quantization else width


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
