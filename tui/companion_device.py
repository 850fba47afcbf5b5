"""Where the companion's models run: on no GPU that a run of this machine holds.

Decides and says it in words; asks no device. Who starts the companion moves it.
"""

import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.jobs.status import State
from tui.snapshots import RunsSnapshot

if TYPE_CHECKING:
    from engine.jobs.devices import Device


@dataclass(frozen=True, slots=True)
class CompanionDevice:
    gpu: str = ""
    """The UUID of the one GPU that is left to the models; empty where all are."""
    device: str = "auto"
    reason: str = ""
    """Why it is not the usual one; empty where it is."""

    def same_as(self, other: "CompanionDevice") -> bool:
        """Whether models that are at one of them are at the other."""
        return (self.gpu, self.device) == (other.gpu, other.device)


def held(snapshot: RunsSnapshot) -> set[str]:
    """The GPUs that runs of this machine hold, as recipes name them."""
    here = socket.gethostname()
    statuses = [row.view.status for row in snapshot.rows if row.view.state.alive]
    return {
        name
        for status in statuses
        if status is not None and status.host == here and status.state is not State.QUEUED
        for name in status.device.split(",")
        if name.startswith("cuda")
    }


def choose(
    now: CompanionDevice, held: Collection[str], gpus: "Sequence[Device]"
) -> CompanionDevice:
    """Beside runs that hold GPUs a free one, else the CPU; where nobody holds any, the usual one.

    Models that are on a free GPU already stay there.
    """
    if not held:
        return replace(now, reason="") if now.gpu else CompanionDevice()
    runs = f"runs use {', '.join(sorted(held))}"
    free = [gpu for gpu in gpus if f"cuda:{gpu.index}" not in held]
    free.sort(key=lambda gpu: gpu.key != now.gpu)
    if free:
        return CompanionDevice(free[0].key, "cuda", f"on cuda:{free[0].index}: {runs}")
    return CompanionDevice("", "cpu", f"on the CPU: {runs}")
