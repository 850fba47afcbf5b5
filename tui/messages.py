"""Every message that crosses from the feed's thread to the screens: past-tense facts."""

from typing import TYPE_CHECKING

from textual.message import Message

from tui.snapshots import Machine, RunDetail, RunsSnapshot

if TYPE_CHECKING:
    from engine.jobs.hardware import HardwareSample


class RunsChanged(Message):
    """The list of runs, or something in it, is another one now."""

    def __init__(self, snapshot: RunsSnapshot) -> None:
        super().__init__()
        self.snapshot = snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsChanged)


class RunChanged(Message):
    """The watched run has news. Each carries everything, so a coalesced one loses nothing."""

    def __init__(self, detail: RunDetail) -> None:
        super().__init__()
        self.detail = detail

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunChanged)


class MachineMeasured(Message):
    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine


class FeedFailed(Message):
    """An unexpected error in the feed; it keeps running."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class MachineRead(Message):
    """The machine was looked at once more; carries the last minutes, oldest first."""

    def __init__(self, readings: "tuple[HardwareSample, ...]") -> None:
        super().__init__()
        self.readings = readings

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, MachineRead)
