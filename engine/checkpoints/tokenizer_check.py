"""Whether a folder holds a tokenizer that loads without custom code, and a chat template.

Does not load the vocabulary: some are 30 MB of JSON. Its first and last bytes show whether it is
complete.
"""

import os
from collections.abc import Collection
from pathlib import Path

from engine.checkpoints.config_json import read_json
from engine.errors import EngineError
from engine.safe_open import open_regular, recognise_impostor

VOCABULARIES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)
_CONFIG = "tokenizer_config.json"


def check_tokenizer(folder: Path, names: Collection[str]) -> str | None:
    """Why the folder's tokenizer cannot be used; None where it can. `names` are its files."""
    found = [name for name in VOCABULARIES if name in names]
    found += [name for name in names if name.endswith(".tiktoken")]
    try:
        config = read_json(folder / _CONFIG) if _CONFIG in names else {}
        auto_map = config.get("auto_map")
        custom = isinstance(auto_map, dict) and "AutoTokenizer" in auto_map
        if custom and "tokenizer.json" not in names:
            return "its tokenizer needs custom code, which is not supported"
        if not found:
            return "missing tokenizer: no tokenizer.json, tokenizer.model or vocabulary"
        _check_vocabulary(folder / found[0])
    except EngineError as error:
        return error.title
    return None


def vocabulary_bytes(folder: Path) -> int:
    """The size of a folder's vocabulary as transformers saves it: of `tokenizer.json`, which holds
    all of it, else of the files that there are; 0 without any."""
    files = (folder / name for name in VOCABULARIES)
    sizes = {file.name: file.stat().st_size for file in files if file.is_file()}
    return sizes.get("tokenizer.json") or sum(sizes.values())


def has_chat_template(folder: Path, names: Collection[str]) -> bool:
    """In a file of its own, or in the tokenizer's config (a template, or a list of named ones)."""
    if "chat_template.jinja" in names:
        return True
    for name in (_CONFIG, "chat_template.json"):
        if name in names:
            try:
                template = read_json(folder / name).get("chat_template")
            except EngineError:
                continue
            if isinstance(template, str | list) and template:
                return True
    return False


def _check_vocabulary(path: Path) -> None:
    with open_regular(path) as file:
        head = file.read(512)
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - 64))
        tail = file.read(64).rstrip()
    impostor = recognise_impostor(head)
    if (
        impostor is None
        and path.suffix == ".json"
        and not (head.lstrip().startswith(b"{") and tail.endswith(b"}"))
    ):
        impostor = "is truncated or not JSON"
    if impostor:
        raise EngineError(f"{path.name} {impostor}", str(path))
