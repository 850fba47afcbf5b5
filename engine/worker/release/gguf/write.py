"""A GGUF file of a checkpoint: header first, then one tensor after another.

Owns the order of writing, the file's name, and which way a quantisation is made: our own types
here, k-quants and other families by programs of `llamacpp`. At most one tensor is held
in memory, in its own type and in the file's. A file is written aside and renamed when it is whole;
the same checkpoint gives the same bytes. Which tensors and keys: `families`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from engine.errors import EngineError
from engine.release.gguf_targets import QUANTIZED_TYPES, check_type, find_checkout
from engine.release.targets import WRITTEN_TYPES
from engine.text import one_line
from engine.worker.model.stored_tensors import StoredTensor, folder_tensors
from engine.worker.release.gguf import llamacpp
from engine.worker.release.gguf.encode import (
    FILE_TYPES,
    choose_type,
    count_bytes,
    encode,
)
from engine.worker.release.gguf.families import (
    FAMILIES,
    TensorPlan,
    check_expressible,
    describe,
    family_of,
    plan_tensors,
)
from engine.worker.release.gguf.llamacpp import Tick
from engine.worker.release.gguf.rope import rope_tensors
from engine.worker.release.gguf.vocabulary import GgufVocabulary, vocabulary_of
from engine.worker.release.gguf.whole_file import aside, publish

Array = np.ndarray[Any, Any]
ReadVocabulary = Callable[[Path, Sequence[int]], GgufVocabulary]
"""As `vocabulary_of`, of a checkpoint and the ids that end an answer."""
_OWN_TYPES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}


def write_gguf(
    checkpoint: Path,
    file: Path,
    quantization: str,
    ends: Sequence[int],
    tick: Tick,
    read_vocabulary: ReadVocabulary = vocabulary_of,
) -> tuple[str, ...]:
    """The GGUF file of a Hugging Face folder with safetensors; what llama.cpp does otherwise with
    its texts, a sentence each.

    `quantization`: "" for the weights' own type, else as `Target.quantization`; `ends`: the ids of
    every token that ends an answer; `tick(done, total)`: bytes of weights; `read_vocabulary` may
    remember: of 262,144 tokens it takes 13 s. The model's name in it is that of the file without
    its type. Raises EngineError, and OSError where the disk refuses.
    """
    config = read_config(checkpoint)
    if quantization and quantization not in WRITTEN_TYPES:
        return _write_quantized(checkpoint, file, quantization, ends, tick, read_vocabulary)
    if config.model_type not in FAMILIES and find_checkout():
        llamacpp.convert(
            checkpoint, file, quantization or own_type(checkpoint), name_model(file), tick
        )
        return ()
    kind = quantization or own_type(checkpoint)
    return _write(config, checkpoint, file, kind, ends, tick, read_vocabulary)


def _write_quantized(
    checkpoint: Path,
    file: Path,
    quantization: str,
    ends: Sequence[int],
    tick: Tick,
    read_vocabulary: ReadVocabulary,
) -> tuple[str, ...]:
    """Of the file in the weights' own type, where that was written beside it; else of one that is
    written for this and removed."""
    check_type(quantization)
    own = file.with_name(name_gguf(name_model(file), "", checkpoint))
    if own.is_file():
        llamacpp.quantize(own, file, quantization, tick)
        return ()  # they were told of that file
    with aside(own) as beside:
        notes = write_gguf(
            checkpoint,
            beside,
            "",
            ends,
            lambda done, size: tick(done, 2 * size),
            read_vocabulary,
        )
        llamacpp.quantize(
            beside, file, quantization, lambda done, size: tick(size + done, 2 * size)
        )
    return notes


def name_gguf(name: str, quantization: str, checkpoint: Path) -> str:
    """The file's name, as in "NAME-BF16.gguf"; `quantization` as in `write_gguf`."""
    return f"{name}-{(quantization or own_type(checkpoint)).upper()}.gguf"


def read_config(checkpoint: Path) -> Any:
    """transformers' configuration of the checkpoint. Raises EngineError."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            "The configuration of the checkpoint cannot be read.", one_line(str(error))
        ) from error


def own_type(checkpoint: Path) -> str:
    """The type of its matrices, one of f32, f16, bf16; f32 where they have several.

    Of the weights and not of config.json, which need not tell the truth.
    """
    tensors = folder_tensors(checkpoint).tensors.values()
    kinds = {tensor.kind for tensor in tensors if len(tensor.shape) > 1}
    if kinds <= _OWN_TYPES.keys():
        return _OWN_TYPES[kinds.pop()] if len(kinds) == 1 else "f32"
    raise EngineError(
        f"Weights of the type {one_line(', '.join(sorted(kinds)))} cannot become a GGUF file.",
        "",
        "Export --as merged first: its weights are float32, float16 or bfloat16.",
    )


def _write(
    config: Any,
    checkpoint: Path,
    file: Path,
    quantization: str,
    ends: Sequence[int],
    tick: Tick,
    read_vocabulary: ReadVocabulary,
) -> tuple[str, ...]:
    family = family_of(config)
    check_expressible(config, family)
    stored = folder_tensors(checkpoint).tensors
    plans = plan_tensors(config, family, stored)
    vocabulary = read_vocabulary(checkpoint, ends)
    _check_rows(vocabulary, plans, stored)

    with aside(file) as beside:
        writer = gguf.GGUFWriter(beside, family.architecture)
        try:
            _add_keys(writer, describe(config, family), family.architecture)
            writer.add_type(gguf.GGUFType.MODEL)
            writer.add_name(_safe_name(name_model(file), vocabulary))
            writer.add_file_type(FILE_TYPES[quantization])
            writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
            vocabulary.add_to(writer)
            _add_tensors(writer, plans, stored, rope_tensors(config), quantization, tick)
        finally:
            writer.close()
        publish(beside, file)
    return vocabulary.notes


def _safe_name(name: str, vocabulary: GgufVocabulary) -> str:
    """A name that llama.cpp reads no more into than is true: of one with "phi-3" or "phi3" in it,
    control tokens swallow the white space after them, or where it lacks them, it ends."""
    if re.search("phi-?3", name, re.IGNORECASE):
        name = name if vocabulary.strips_right else re.sub("(?i)(phi)-?3", r"\1 3", name)
    elif vocabulary.strips_right:
        name = f"Phi-3 {name}"
    return one_line(name)


def name_model(file: Path) -> str:
    """The model's name, of the name of its file."""
    name, dash, kind = file.stem.rpartition("-")
    known = {*WRITTEN_TYPES, *QUANTIZED_TYPES}
    return name if dash and kind.lower() in known else file.stem


def _add_keys(writer: gguf.GGUFWriter, keys: Mapping[str, Any], architecture: str) -> None:
    for key, value in keys.items():
        full = f"{architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(full, value)
        elif isinstance(value, str):
            writer.add_string(full, value)
        elif isinstance(value, float):
            writer.add_float32(full, value)
        else:
            writer.add_uint32(full, value)


def _add_tensors(
    writer: gguf.GGUFWriter,
    plans: Sequence[TensorPlan],
    stored: Mapping[str, StoredTensor],
    factors: Mapping[str, Array],
    quantization: str,
    tick: Tick,
) -> None:
    """All that is known of the tensors, then the tensors, in one order."""
    kinds = {}
    for name, array in factors.items():
        writer.add_tensor_info(name, array.shape, array.dtype, array.nbytes)
    for plan in plans:
        shape = stored[plan.source].shape
        kinds[plan.name] = kind = choose_type(plan.name, shape, quantization)
        writer.add_tensor_info(
            plan.name, shape, np.dtype(np.float32), count_bytes(shape, kind), raw_dtype=kind
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for array in factors.values():
        writer.write_tensor_data(array)
    sizes = [count_bytes(stored[plan.source].shape, kinds[plan.name]) for plan in plans]
    done, total = 0, sum(sizes)
    for plan, size in zip(plans, sizes, strict=True):
        writer.write_tensor_data(encode(stored[plan.source].read(), plan, kinds[plan.name]))
        done += size
        tick(done, total)


def _check_rows(
    vocabulary: GgufVocabulary,
    plans: Sequence[TensorPlan],
    stored: Mapping[str, StoredTensor],
) -> None:
    """llama.cpp takes the number of tokens for that of the embedding's rows."""
    for plan in plans:
        if plan.name in ("token_embd.weight", "output.weight"):
            rows = stored[plan.source].shape[0]
            if rows != len(vocabulary.tokens):
                raise EngineError(
                    f"{one_line(plan.source)} has {rows} rows, the vocabulary "
                    f"{len(vocabulary.tokens)} tokens.",
                    "llama.cpp reads only a file in which they are equal.",
                )
