"""Search paths of checkpoints and data: the environment, else the user's config, else the current
folder.

1. `FINETOP_MODELS` and `FINETOP_DATA`: folders, separated as in PATH.
2. `models = [...]` and `data = [...]` in `config.toml` in the user's config folder.
3. The current folder, with its `models`, `outputs` and `data`; of a home folder or `/` only those.

The first that names folders wins, for each of the two alone.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

import platformdirs

from engine.errors import EngineError
from engine.safe_open import read_bounded

_LARGEST = 1 << 20


def model_folders() -> list[Path]:
    """Folders to search for checkpoints; they need not exist. Raises EngineError (config.toml)."""
    return _find("FINETOP_MODELS", "models", ("models", "outputs"))


def data_folders() -> list[Path]:
    """Folders to search for data files; they need not exist. Raises EngineError (config.toml)."""
    return _find("FINETOP_DATA", "data", ("data",))


def config_file() -> Path:
    """The user's `config.toml`; it need not exist."""
    return platformdirs.user_config_path("finetop") / "config.toml"


def _find(variable: str, key: str, usual: tuple[str, ...]) -> list[Path]:
    named = [part for part in os.environ.get(variable, "").split(os.pathsep) if part]
    named = named or _read_config(key)
    if named:
        return [Path(part).expanduser().absolute() for part in named]
    here = Path.cwd()
    below = [here / name for name in usual]
    # A home folder or / holds too much to be searched without being asked for.
    return below if here in (Path.home(), Path(here.anchor)) else [*below, here]


def _read_config(key: str) -> list[str]:
    path = config_file()
    if not os.path.isfile(path):
        return []
    try:
        table: dict[str, Any] = tomllib.loads(read_bounded(path, _LARGEST).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EngineError("config.toml is not valid TOML", f"{path}: {error}") from error
    folders = table.get(key, [])
    if not isinstance(folders, list) or not all(isinstance(one, str) for one in folders):
        raise EngineError(
            f"config.toml: {key} must be a list of folders", str(path), f'{key} = ["/data/llms"]'
        )
    return folders
