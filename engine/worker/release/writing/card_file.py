"""`README.md` in the Hub's format: written with the Hub's own library, read back, checked.

Owns the head in YAML. Never asks the network: `ModelCard.validate` would.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from huggingface_hub import ModelCard, ModelCardData
from huggingface_hub.repocard import REGEX_YAML_BLOCK

from engine import atomic
from engine.errors import EngineError
from engine.release.card.hub_metadata import list_problems
from engine.release.export_folder import CARD
from engine.safe_open import read_bounded
from engine.text import one_line

_MOST_BYTES = 1 << 22


def write_card(
    folder: Path, metadata: Mapping[str, Any], page: Iterable[str], files: Collection[str]
) -> None:
    """Write the card of a folder, and read it back. `files` are the names of those beside it.

    Raises EngineError where the Hub would refuse it, and OSError.
    """
    head = ModelCardData(**metadata).to_yaml()
    text = f"---\n{head}\n---\n\n{''.join(page)}"
    atomic.write_text(folder / CARD, text)
    check_card(folder, metadata, files)


def check_card(folder: Path, metadata: Mapping[str, Any], files: Collection[str]) -> None:
    """Raise EngineError where the card in a folder breaks a rule of the Hub, or its head does not
    say what it should."""
    content = read_bounded(folder / CARD, _MOST_BYTES).decode()
    card: Any = ModelCard(content)
    written_head = card.data.to_dict()
    problems = list(list_problems(written_head, files))
    if written_head != dict(metadata):
        problems.append("its head does not read as it was written")
    if not card.text.strip():
        problems.append("its page is empty")
    if problems:
        raise EngineError(
            "The model card breaks the rules of the Hub.",
            "\n".join(f"{CARD}: {one_line(problem)}" for problem in problems),
            "Check --base-id and --license; else report this as a defect.",
        )


def read_metadata(folder: Path) -> dict[str, Any]:
    """The head of the card in a folder; empty where there is none that can be read."""
    try:
        content = read_bounded(folder / CARD, _MOST_BYTES).decode("utf-8-sig")
    except (EngineError, UnicodeDecodeError):
        return {}
    match = REGEX_YAML_BLOCK.search(content)
    try:
        table = yaml.safe_load(match[2]) if match else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return {key: value for key, value in table.items() if isinstance(key, str)} if isinstance(
        table, dict
    ) else {}  # fmt: skip
