"""The tokenizer, template and generation config of an export, as the run trained with them.

Refuses what cannot be read, and tokens that were added without a row for them: the model would
fail at the first of them. What a model asks and stops with is written as it is, and what would name
this machine, or ask for code, is left out.
"""

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import atomic
from engine.checkpoints.adapter_rows import count_rows
from engine.checkpoints.config_json import read_json
from engine.errors import EngineError
from engine.release.source import ExportSource
from engine.text import one_line
from engine.worker.data.chat_template import choose_template, own_template
from engine.worker.data.encode import end_token_ids
from engine.worker.model.loading import load_tokenizer

GENERATION = "generation_config.json"
_NAMED = 4
_LEFT_OUT = (
    "auto_map", "name_or_path", "tokenizer_file", "vocab_file", "merges_file",
    "special_tokens_map_file", "_commit_hash", "is_local", "local_files_only", "added_tokens_file",
)  # fmt: skip
"""What asks for code that is not written with it, and what says where a tokenizer lay."""


def write_tokenizer(source: ExportSource, folder: Path) -> tuple[int, ...]:
    """Write them into `folder`, which is there or made, and return every id that ends an answer.

    Ends are the one that a training answer closed with, which programs that know of a single one
    go by, then those of tokenizer and base, in order; an id that the model has no embedding for is
    none. Raises EngineError.
    """
    tokenizer = load_tokenizer(source.tokenizer)
    rows = count_rows(_read(source.base / "config.json"), source.adapter)
    if rows is not None and len(tokenizer) > rows:
        _check_added(tokenizer, rows, source)
    base = _read(source.base / GENERATION)
    trained = _read(source.tokenizer / GENERATION)
    template = choose_template(tokenizer, "chat") if own_template(tokenizer) else None
    named = (*_ids(base.get("eos_token_id")), *_ids(trained.get("eos_token_id")))
    own = end_token_ids(tokenizer, template)
    closing = own - {tokenizer.eos_token_id} or own
    ordered = dict.fromkeys((*sorted(closing), *sorted({*named, *own})))
    ends = [end for end in ordered if _has_row(end, rows)]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tokenizer.", dir=folder) as aside:
        tokenizer.save_pretrained(aside)
        _make_public(Path(aside) / "tokenizer_config.json")
        for path in sorted(Path(aside).rglob("*")):
            if path.is_file():
                target = folder / path.relative_to(aside)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
    settings = make_generation_config(base | trained, ends, rows)
    settings.setdefault("pad_token_id", tokenizer.pad_token_id)
    if not _has_row(settings["pad_token_id"], rows):
        del settings["pad_token_id"]
    atomic.write_json(folder / GENERATION, dict(sorted(settings.items())))
    return tuple(ends)


def _check_added(tokenizer: Any, rows: int, source: ExportSource) -> None:
    """Refuse tokens without a row, but for those that the root has so as well (Gemma 3 1B)."""
    texts = {at: text for text, at in tokenizer.get_vocab().items() if at >= rows}
    if source.tokenizer == source.root:
        return
    for text, at in load_tokenizer(source.root).get_vocab().items():
        if texts.get(at) == text:
            del texts[at]
    if texts:
        named = ", ".join(f"{one_line(texts[at])} ({at})" for at in sorted(texts)[:_NAMED])
        more = " …" if len(texts) > _NAMED else ""
        raise EngineError(
            "The tokenizer has tokens that the model has no embedding for.",
            f"{source.tokenizer}: {named}{more}; the model has {rows:,} rows",
            "Save the rows with the adapter where it was trained (save_embedding_layers=True), or "
            "take the tokens out of the tokenizer.",
        )


def make_generation_config(
    own: Mapping[str, Any], ends: list[int], rows: int | None
) -> dict[str, Any]:
    """A generation config that stops at `ends`, with what is sensible of the model's `own`.

    Settings of sampling are kept where it samples and transformers would take their values, limits
    of length where they are the model's own. `rows` is how many tokens have an embedding.
    """
    kept: dict[str, Any] = {
        name: own[name]
        for name in ("bos_token_id", "pad_token_id")
        if isinstance(own.get(name), int) and _has_row(own[name], rows)
    }
    names = ["max_new_tokens", "repetition_penalty"]
    if own.get("do_sample") is True:
        names += ["do_sample", "temperature", "top_p", "top_k", "min_p", "typical_p"]
    kept |= {name: own[name] for name in names if _is_sensible(name, own.get(name))}
    if ends:
        kept["eos_token_id"] = ends[0] if len(ends) == 1 else ends
    return kept


def _is_sensible(name: str, value: Any) -> bool:
    if name == "do_sample":
        return value is True
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    if name in ("top_p", "typical_p"):
        return 0 < value <= 1
    if name == "min_p":
        return 0 <= value <= 1
    if name == "top_k":
        return isinstance(value, int) and value >= 0
    return value > 0


def _has_row(token: Any, rows: int | None) -> bool:
    return isinstance(token, int) and token >= 0 and (rows is None or token < rows)


def _ids(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, int))


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is not there."""
    return read_json(path) if path.exists() else {}


def _make_public(path: Path) -> None:
    """Take out of `tokenizer_config.json` what others cannot have."""
    try:
        body: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EngineError("The tokenizer cannot be written.", f"{path.name}: {error}") from error
    for name in _LEFT_OUT:
        body.pop(name, None)
    path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
