"""Whether the files beside the weights are the run's: settings, tokenizer, template, and no others.

No answer shows what they do: where a batch is padded, at which token generation ends too early, how
ids become text again, which class a server makes. They are compared as files, with those that
transformers writes of the run's own tokenizer, and with the settings of the run and its base.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from engine.errors import EngineError
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.model import loading
from engine.worker.model.stored_tensors import folder_tensors
from engine.worker.release.proving.open_shipped import keeps_weights, own_type
from engine.worker.release.proving.proof_spec import ProofSpec

FILES = "files beside the weights"
_MODEL, _GENERATION, _ADAPTER = "config.json", "generation_config.json", "adapter_config.json"
_TOKENIZER = "tokenizer_config.json"
_PLACES = frozenset(
    {
        "name_or_path", "tokenizer_file", "vocab_file", "merges_file", "special_tokens_map_file",
        "added_tokens_file", "_commit_hash", "is_local", "local_files_only", "auto_map",
    }
)  # fmt: skip
"""Settings of a tokenizer that say where it was read, or ask for code."""
_NAMES = frozenset({"base_model_name_or_path", "revision", "inference_mode", "peft_version"})
"""Settings of an adapter that say what it was made on and by."""
_CODE = frozenset(
    {".bin", ".ckpt", ".h5", ".msgpack", ".pkl", ".pt", ".pth", ".py", ".safetensors"}
)
"""Ends of the names of files with weights or code: a loader may prefer one to what is proven."""
_MOST_NAMED = 8


def check_files(spec: ProofSpec, tokenizer: Any) -> Check:
    """All of a folder, an adapter's or a whole model's; `tokenizer` is the run's own."""
    try:
        lines = list(_compare(spec, tokenizer))
    except (OSError, ValueError, AttributeError) as error:
        # No path of this machine: a proof is read elsewhere.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        lines = [f"a file of settings cannot be read: {reason}"]
    if lines:
        shown = tuple(one_line(line)[:300] for line in lines[:_MOST_NAMED])
        summary = f"{len(lines)} settings or files are not the run's."
        return Check(FILES, "failed", summary, {"differing": len(lines)}, shown)
    return Check(FILES, "passed", "Settings, tokenizer and templates are the run's, and no others.")


def _compare(spec: ProofSpec, tokenizer: Any) -> Iterator[str]:
    yield from _compare_tokenizer(spec, tokenizer)
    yield from _compare_generation(spec, tokenizer)
    for name in (_MODEL, _TOKENIZER):
        if "auto_map" in _read(spec.shipped / name):
            yield f"{name}: auto_map asks for code, and none was proven"
    if spec.shipped_base is None:
        yield from _compare_model(spec, tokenizer)
        yield from _find_strays(spec.shipped, "model.safetensors", _ADAPTER)
        return
    yield from _find_strays(spec.shipped, "adapter_model.safetensors", _MODEL)
    if spec.adapter is not None and spec.shipped_base == spec.base:  # else of several stages
        own, shipped = _read(spec.adapter / _ADAPTER), _read(spec.shipped / _ADAPTER)
        yield from _differing(_ADAPTER, shipped, own, _NAMES)


def _compare_tokenizer(spec: ProofSpec, tokenizer: Any) -> Iterator[str]:
    """With each file that transformers writes of the run's own."""
    with tempfile.TemporaryDirectory() as name:
        written = Path(name)
        tokenizer.save_pretrained(name)
        for path in sorted(one for one in written.rglob("*") if one.is_file()):
            relative = path.relative_to(written)
            other = spec.shipped / relative
            if not other.is_file():
                yield f"{relative} is missing"
            elif path.name == _TOKENIZER:
                yield from _differing(_TOKENIZER, _read(other), _read(path), _PLACES)
            elif path.suffix == ".json":
                yield from _differing(str(relative), _read(other), _read(path))
            elif path.read_bytes() != other.read_bytes():
                yield f"{relative} is another file than that of the run"


def _compare_generation(spec: ProofSpec, tokenizer: Any) -> Iterator[str]:
    shipped, own = _read(spec.shipped / _GENERATION), _read(spec.base / _GENERATION)
    own |= _read(spec.tokenizer / _GENERATION)
    pad = tokenizer.pad_token_id
    for key, value in shipped.items():
        if key == "eos_token_id":
            for end in sorted(set(_ids(value)) - set(spec.ends)):
                yield f"{_GENERATION}: generation ends at {end}, which ends no answer of the run"
        elif key == "pad_token_id":
            if value not in (own.get(key), pad):
                yield f"{_GENERATION}: {key} is {value!r}, in the run {own.get(key, pad)!r}"
        elif key not in ("transformers_version", "_from_model_config") and value != own.get(key):
            yield f"{_GENERATION}: {key} is {value!r}, in the run {own.get(key)!r}"


def _compare_model(spec: ProofSpec, tokenizer: Any) -> Iterator[str]:
    """Of config.json, what `open_shipped` leaves out: it says how the file is to be read."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    shipped, own = _read(spec.shipped / _MODEL), _read(spec.base / _MODEL)
    made = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(shipped.get("model_type", ""))
    if isinstance(made, str) and shipped.get("architectures") != [made]:
        yield f"{_MODEL}: architectures is {shipped.get('architectures')!r}, not {[made]!r}"
    if shipped.get("quantization_config") is not None:
        yield f"{_MODEL}: it asks for quantised weights, and these are not"
    stored, wanted = loading.stored_dtype(spec.shipped), own_type(spec.dtype)
    if keeps_weights(spec.dtype) and stored != wanted:
        yield f"{_MODEL}: dtype is {stored}, the weights are {wanted}"
    allowed: dict[str, set[int]] = {"eos_token_id": set(spec.ends), "bos_token_id": set(),
                                    "pad_token_id": set()}  # fmt: skip
    for key, ids in allowed.items():
        ids |= {*_ids(own.get(key)), *_ids(getattr(tokenizer, key))}
        for other in sorted(set(_ids(shipped.get(key))) - ids):
            yield f"{_MODEL}: {key} is {other}, which is not one of the run"
    if shipped.get("tie_word_embeddings"):
        yield from _compare_tied(spec.shipped)


def _compare_tied(folder: Path) -> Iterator[str]:
    """Of a model that says its head is its embedding: no other head is stored."""
    try:
        stored = folder_tensors(folder).tensors
    except EngineError:
        return  # told by the checks of weights
    head = stored.get("lm_head.weight")
    embedding = next((one for name, one in stored.items() if name.endswith("embed_tokens.weight")),
                     None)  # fmt: skip
    if (
        head is not None
        and embedding is not None
        and not torch.equal(head.read(), embedding.read())
    ):
        yield f"{_MODEL}: tie_word_embeddings is true, and the stored head is not the embedding"


def _find_strays(folder: Path, single: str, barred: str) -> Iterator[str]:
    """Files that hold weights or code and were not proven; `barred` makes a loader take the folder
    for another kind of one."""
    index = folder / f"{single}.index.json"
    known = {single}
    if not (folder / single).is_file() and index.is_file():
        known = {index.name, *_read(index).get("weight_map", {}).values()}
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        loadable = path.suffix in _CODE or path.name.endswith(".index.json")
        name = str(path.relative_to(folder))
        if path.name == barred or (loadable and name not in known):
            yield f"{name} is a file that was not proven"


def _differing(
    file: str, shipped: Mapping[str, Any], own: Mapping[str, Any], free: Iterable[str] = ()
) -> Iterator[str]:
    for key in sorted({*shipped, *own} - set(free)):
        value, wanted = shipped.get(key), own.get(key)
        if isinstance(wanted, str) and value is None and wanted.startswith(("/", "~")):
            continue  # a path of the machine, which no export holds
        if value != wanted and not _same_names(value, wanted):
            yield f"{file}: {key} is {_short(value)}, in the run {_short(wanted)}"


def _same_names(one: Any, other: Any) -> bool:
    """Whether both are lists of the same names: PEFT writes sets, in any order."""
    lists = isinstance(one, list) and isinstance(other, list)
    return lists and all(isinstance(name, str) for name in [*one, *other]) and (
        sorted(one) == sorted(other)
    )  # fmt: skip


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _ids(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, int))


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is not there."""
    if not path.exists():
        return {}
    body = json.loads(path.read_bytes())
    if not isinstance(body, dict):
        raise ValueError(f"{path.name} is no object")
    return body
