"""Honest event files to make mutants of: by our writer, by torch's and TensorBoard's, by hand.

The same bytes in every process: the clock of the writers stands still.
"""

import functools
import math
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from tests.events.encoding import (
    bytes_field,
    event,
    float_field,
    number_field,
    record,
    session_start,
    simple,
    tensor,
    version,
)

WALL = 1_700_000_000.0
Files = dict[str, bytes]
"""The event files of one run, by name."""


class Clock:
    """A clock that stands still until it is set."""

    now = WALL

    def __call__(self) -> float:
        return self.now


def by_finetop() -> Files:
    """Three attempts by the worker's own writer, each going back to a checkpoint."""
    from engine.worker.training.event_writer import EventWriter

    def write(folder: Path, clock: Clock) -> None:
        for attempt, steps in ((1, range(34)), (2, range(21, 47)), (3, range(41, 60))):
            writer = EventWriter(folder, attempt, steps.start)
            for step in steps:
                values = {"train/loss": 3 / (step + 1) + attempt / 100, "train/tokens": 64.0 * step}
                if step % 10 == 0:
                    values |= {"eval/loss": 2 / (step + 1), "forgetting/kl": step / 1000}
                writer.log(step, values)
                clock.now += 0.5
            writer.close()

    return _written(write, lambda place: f".4242.0.{place + 1}")


def by_torch() -> Files:
    """A SummaryWriter's scalars, both styles, with texts, a histogram and hyper-parameters."""
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    def write(folder: Path, clock: Clock) -> None:
        writer = SummaryWriter(str(folder))
        for part in hparams(  # type: ignore[no-untyped-call]
            {"lr": 1e-3}, {"hparam/loss": 1.0}
        ):
            writer._get_file_writer().add_summary(part)  # type: ignore[no-untyped-call]
        for step in range(60):
            clock.now += 0.5
            writer.add_scalar("train/loss", 1 / (step + 1), step * 7)
            writer.add_scalar("new", step / 3, step, new_style=True)
            writer.add_scalar("double", step / 7, step, new_style=True, double_precision=True)
            if step % 20 == 0:
                writer.add_scalar("eval/loss", math.nan if step == 20 else step, step * 7)
                writer.add_text("sample", f"words {step} " * 40, step)
                writer.add_histogram("weights", np.arange(4.0), step)
        writer.close()

    return _written(write, lambda place: f".77.{place}")


def by_hand() -> Files:
    """Spellings that no writer here uses; steps beyond 32 bits, below zero, out of order."""
    double = number_field(1, 2) + bytes_field(6, struct.pack("<d", 0.1))
    half = number_field(1, 19) + number_field(13, 0x4100)
    whole = number_field(1, 9) + bytes_field(10, b"\xf9\xff\xff\xff\xff\xff\xff\xff\xff\x01")
    events = [version(WALL)]
    for at in range(24):
        wall = WALL + at + 0.125
        events += [
            event(wall, (1 << 40) + at, simple("large", at / 3), simple("other", -at)),
            event(wall, (1 << 62) + at, tensor("largest", double)),
            event(wall, at - 12, tensor("below zero", half)),
            event(wall, at, tensor("whole", whole), simple("日本/損失 🙂", at * 1e30)),
        ]
    events += [event(WALL + 90, None, simple("no step", 1.5))]
    events += [event(WALL + at, at % 9, simple("again", at)) for at in range(36)]
    events += [event(WALL + at, 30 - at, simple("down", math.inf)) for at in range(3)]
    events += [session_start(WALL + 99, (1 << 40) + 20)]
    events += [event(WALL + 99 + at, (1 << 40) + 20 + at, simple("large", -at)) for at in range(5)]
    return {f"events.out.tfevents.{WALL:.0f}.hand.1.0": b"".join(map(record, events))}


def of_one_kind() -> Files:
    """Thousands of records that are alike, more than are read at a time, one of them large."""
    events = [version(WALL)]
    for step in range(5200):
        events.append(event(WALL + step / 8, step, simple("train/loss", 1 / (step + 1))))
        if step % 50 == 0:
            events.append(event(WALL + step / 8, step, simple("eval/loss", step / 9)))
        if step == 2500:
            text = number_field(1, 7) + bytes_field(8, b"long words " * 30_000)
            events.append(event(WALL + step / 8, step, tensor("notes", text, "text")))
    return {f"events.out.tfevents.{WALL:.0f}.long.1.0": b"".join(map(record, events))}


def of_several_writers() -> Files:
    """Files of three attempts that only their times order; the last one is short."""
    files: Files = {}
    for place, steps in enumerate((range(40), range(25, 60), range(60, 63))):
        wall = WALL + 1000 * place
        events = [version(wall)]
        for step in steps:
            number = bytes_field(1, b"loss") + float_field(2, step + place / 10)
            events.append(event(wall + step, step, number))
            events.append(event(wall + step, step, simple(f"only/{place}", step)))
        name = f"events.out.tfevents.{wall:.0f}.host{place}.{place + 11}.0"
        files[name] = b"".join(map(record, events))
    return files


SOURCES: dict[str, Callable[[], Files]] = {
    "finetop": by_finetop,
    "torch": by_torch,
    "by hand": by_hand,
    "several writers": of_several_writers,
    "of one kind": of_one_kind,
}
SHARES = (6, 6, 5, 5, 2)
"""How often each is taken: the long one takes longest to read."""


@functools.cache
def source(name: str) -> Files:
    return SOURCES[name]()


def _written(write: Callable[[Path, Clock], object], ending: Callable[[int], str]) -> Files:
    """What `write` leaves in a folder, under names that no process and host are part of."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, mock.patch("time.time", clock):
        write(Path(folder), clock)
        paths = sorted(Path(folder).iterdir(), key=lambda path: path.name.rpartition(".")[2])
        names = [
            f"events.out.tfevents.{WALL + 100 * place:.0f}.host{ending(place)}"
            for place in range(len(paths))
        ]
        return {name: path.read_bytes() for name, path in zip(names, paths, strict=True)}
