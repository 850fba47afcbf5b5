"""Which runs the Trainer's states in one output directory are of, by their histories.

Each state holds the whole history of its run so far, so one whose history is the beginning of
another's is an earlier state of the same run; where none is, several runs wrote into the folder.
Reads each state once for each of its changes.
"""

from pathlib import Path

from engine.events.trainer_state import load_state
from engine.events.watched_folder import Signature

_History = tuple[int, ...]
"""A hash of each entry of a log_history."""


class HistoryReader:
    """Remembers the histories of the states of one directory. For one thread."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Signature, _History | None]] = {}

    def runs(self, folder: Path, states: dict[str, Signature]) -> tuple[str, ...]:
        """The newest state of each run, the run that was written last first.

        `states` are files below `folder` by relative name; a single one is not read. One that
        cannot be read, as while it is written, counts only where no other can be.
        """
        if len(states) < 2:
            self._known.clear()
            return tuple(states)
        self._known = {
            name: self._history(folder / name, name, signature)
            for name, signature in states.items()
        }
        histories = {name: known[1] for name, known in self._known.items() if known[1] is not None}
        # Of equal histories the one that was written last stays.
        by_time = sorted(histories or states, key=lambda name: -states[name][3])
        kept: list[str] = []
        for name in by_time:
            mine = histories.get(name)
            others = [histories[one] for one in by_time if one != name and one in histories]
            if mine is not None and any(_is_beginning(mine, other) for other in others):
                continue
            if mine is None or mine not in [histories.get(one) for one in kept]:
                kept.append(name)
        return tuple(kept)

    def _history(
        self, path: Path, name: str, signature: Signature
    ) -> tuple[Signature, _History | None]:
        known = self._known.get(name)
        if known is not None and known[0] == signature:
            return known
        try:
            entries = load_state(path)["log_history"]
        except (OSError, ValueError, RecursionError):
            return signature, known[1] if known else None  # written in place: not whole yet
        if not isinstance(entries, list):
            return signature, ()
        return signature, tuple(hash(repr(entry)) for entry in entries)


def _is_beginning(history: _History, other: _History) -> bool:
    """Whether a history is another one's beginning, and shorter."""
    return len(history) < len(other) and other[: len(history)] == history
