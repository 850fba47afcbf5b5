"""A list of what this user has agreed to, in a file of the state folder.

Only processes of the user's write one (commands, dashboard, notebook), a worker only reads it. What
cannot be read allows nothing, and is set aside before another list takes its place.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import EngineError
from engine.recipes.validation import setting
from engine.state_files import StateFile, decode_record, encode_record, state_folder

_SCHEMA = 1
_MOST = 300
"""Entries that are remembered; of more the oldest are asked about again."""


@dataclass(frozen=True, slots=True)
class _Allowed:
    uses: list[str] = setting([])
    """The oldest first."""


@dataclass(frozen=True, slots=True)
class AllowedList:
    file_name: str
    name: str
    """What the list is, in a few words."""

    def read(self) -> list[str]:
        """The entries, the oldest first."""
        allowed, _ = self._file().load()
        return allowed.uses if allowed else []

    def add(self, entries: Iterable[str]) -> None:
        """Remember entries. Raises EngineError where the list cannot be written."""
        added = list(entries)
        known = self.read()
        if set(added) <= set(known):
            return
        merged = list(dict.fromkeys([*(one for one in known if one not in added), *added]))[-_MOST:]
        file = self._file()
        try:
            file.save(_Allowed(merged))
        except OSError as error:
            raise EngineError(
                f"The {self.name} cannot be saved.",
                f"{error.filename or file.path}: {error.strerror}",
                "Set FINETOP_STATE to a writable folder.",
            ) from error

    def _file(self) -> StateFile[_Allowed]:
        return StateFile(
            state_folder() / self.file_name,
            self.name,
            lambda content: decode_record(content, _Allowed, _SCHEMA, "allowed"),
            lambda allowed: encode_record(allowed, _SCHEMA, "allowed"),
            set_aside=True,
            durable=True,
        )
