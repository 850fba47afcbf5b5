"""Real job directories and event files for the screens' tests, written without torch."""

import dataclasses
import json
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import google_crc32c

from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.status import Failure, State, Status
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Data, Method, Model


def write_run(
    root: Path,
    name: str,
    *,
    state: State = State.DONE,
    points: int = 0,
    total: int = 100,
    created: float = 0.0,
    parents: Sequence[str] = ("bundled:demo-base",),
    method: str = "lora",
    checkpoint: str = "bundled:demo-base",
    error: Failure | None = None,
    log: str = "",
    host: str = "gpu-box",
    directory: str = "",
    **values: object,
) -> JobDirectory:
    """A job directory as a worker on another, living host would have left it by now."""
    job = JobDirectory(root / (directory or name))
    job.attempt(1).path.mkdir(parents=True)
    job.events.mkdir()
    record = JobRecord(job.path.name, "train", name, created or time.time(), list(parents))
    job.record_file.write_text(json.dumps(dataclasses.asdict(record)))
    recipe = TrainRecipe(
        name=name, model=Model(checkpoint), data=Data(), method=Method(kind=method)
    )
    job.recipe_file.write_text(recipes.to_toml(recipe))
    if points:
        write_curves(job, range(1, points + 1))
    job.attempt(1).log.write_text(log)
    now = Status(
        state, step=points, total=total, epoch=3 * points / total, epochs=3.0,
        tokens_per_second=9812.0, eta_seconds=41.0, started=time.time() - 60,
        heartbeat=time.time(), host=host, device="cpu", error=error,
    )  # fmt: skip
    statuses.write(job, dataclasses.replace(now, **values))  # type: ignore[arg-type]
    return job


def write_curves(job: JobDirectory, steps: Sequence[int]) -> None:
    """Append a falling loss and all that goes with it; every tenth step is evaluated."""
    for step in steps:
        loss = 0.4 + 2.0 * 0.97**step + 0.03 * ((step * 7919) % 11 - 5) / 5
        values = {
            "train/loss": loss,
            "train/perplexity": 2.718281828**loss,
            "train/learning_rate": 1e-3 * (1 - step / 1000),
            "train/grad_norm": 0.9,
            "train/tokens_per_second": 9800.0 + step,
            "train/epoch": step / 33,
            "machine/device_memory_bytes": 1.2e9,
        }
        if step % 10 == 0:
            values |= {"eval/loss": loss + 0.05, "eval/perplexity": 2.718281828 ** (loss + 0.05)}
        write_event(job.events, step, values)


def write_event(events: Path, step: int, values: Mapping[str, float]) -> None:
    """Append one event of scalars, as TensorBoard's writer would."""
    events.mkdir(exist_ok=True)
    path = events / "events.out.tfevents.1700000000.box.1"
    with path.open("ab") as file:
        if not file.tell():
            file.write(_record(_double(1, 1.7e9) + _bytes(3, b"brain.Event:2")))
        body = b"".join(
            _bytes(1, _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
            for tag, value in values.items()
        )
        file.write(_record(_double(1, 1.7e9 + step) + b"\x10" + _varint(step) + _bytes(5, body)))


def _record(payload: bytes) -> bytes:
    header = struct.pack("<Q", len(payload))
    return header + _crc(header) + payload + _crc(payload)


def _crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
