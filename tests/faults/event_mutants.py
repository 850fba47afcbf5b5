"""Mutants of event files, each read whole and while it grows, against `event_oracle`.

    python -m tests.faults.event_mutants [--seed N] [--count N] [--only NUMBER]

A mutant follows from the seed and its number alone. What is checked: every record before the first
damaged byte is read, with its step and value; nothing is read that is not there; damage is named;
growing in any pieces gives the same; the newest values from the end of a file are true.
"""

import argparse
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from google.protobuf.message import DecodeError

from engine.events.event import read_event
from engine.events.log_dir import LogDir
from engine.events.series import Series
from engine.events.tail import Glimpser
from engine.protowire import Malformed
from tests.faults import event_sources
from tests.faults.event_damage import DAMAGES, Damaged
from tests.faults.event_oracle import (
    FOOTER,
    HEADER,
    Curve,
    Point,
    Truth,
    points_of,
    read_records,
    read_truth,
    same_key,
)
from tests.faults.event_sources import Files
from tests.faults.verdict import (
    HANG_SECONDS,
    LostError,
    Result,
    Verdict,
    WrongError,
    judge_error,
    render,
    time_limit,
)

Contents = dict[str, bytes | None]
"""What each file holds at a moment; None where it is not there."""
TAIL = 4096
RETRY = 1.5
"""Seconds on the reader's clock after which what was damaged is read again."""


@dataclass(frozen=True, slots=True)
class Mutant:
    kind: str
    states: tuple[Contents, ...]
    """What the folder holds, one moment after the other; the last one is what must be read."""
    intact: Files
    """What each file of the last state holds of honest records before its first changed byte."""
    random: Random

    @property
    def final(self) -> Files:
        return {name: data for name, data in self.states[-1].items() if data is not None}


class Clock:
    """The reader's clock, which only this file moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def make(seed: int, number: int) -> Mutant:
    """The mutant of that number."""
    random = Random(f"{seed}/{number}")
    kinds = [*DAMAGES, *CHANGES]
    kind = kinds[number % len(kinds)]
    (name,) = random.choices(list(event_sources.SOURCES), event_sources.SHARES)
    files = event_sources.source(name)
    victim = random.choice(list(files))
    if kind in DAMAGES:
        other = event_sources.source(random.choice(list(event_sources.SOURCES)[:4]))
        damaged = DAMAGES[kind](random, files[victim], random.choice(list(other.values())))
        final = files | {victim: damaged.data}
        states: Sequence[Contents] = (dict(final),)
        intact = files | {victim: _whole_records(files[victim], damaged)}
    else:
        states = CHANGES[kind](random, files, victim)
        intact = {key: value for key, value in states[-1].items() if value is not None}
    return Mutant(kind, tuple(states), intact, random)


def replace(random: Random, files: Files, victim: str) -> list[Contents]:
    """Another file of that name takes its place while the first one is read."""
    name = random.choice(list(event_sources.SOURCES)[:4])
    other = random.choice(list(event_sources.source(name).values()))
    part = files[victim][: random.randrange(len(files[victim]) + 1)]
    return [{**files, victim: part}, {**files, victim: other}]


def shrink(random: Random, files: Files, victim: str) -> list[Contents]:
    """It is cut short, and goes on from there with the records of another file."""
    data = files[victim]
    ends = [0, *read_records(data).ends]
    start = data[: random.choice(ends[: len(ends) // 2 + 1])]
    other = random.choice(list(event_sources.source("by hand").values()))
    return [{**files}, {**files, victim: start}, {**files, victim: start + other}]


def remove(random: Random, files: Files, victim: str) -> list[Contents]:
    """It goes away, and perhaps comes back."""
    states: list[Contents] = [{**files}, {**files, victim: None}]
    return [*states, {**files}] if random.random() < 0.5 else states


def fill_zeros(random: Random, files: Files, victim: str) -> list[Contents]:
    """A block reads as zeros at first, as on a network's disk, and is there later."""
    data = files[victim]
    start = random.randrange(len(data))
    stop = min(len(data), start + random.choice((1, 100, 4096)))
    zeroed = data[:start] + bytes(stop - start) + data[stop:]
    return [{**files, victim: zeroed}, {**files}]


def grow_together(random: Random, files: Files, victim: str) -> list[Contents]:
    """All attempts grow at once: an earlier one is written on while a later one is read."""
    sizes = dict.fromkeys(files, 0)
    states: list[Contents] = []
    for _ in range(random.randint(3, 7)):
        for name, data in files.items():
            sizes[name] = random.randint(sizes[name], len(data))
        states.append({name: files[name][:size] for name, size in sizes.items() if size})
    return [*states, {**files}]


CHANGES: dict[str, Callable[[Random, Files, str], list[Contents]]] = {
    "replaced while read": replace,
    "shrunk while read": shrink,
    "removed while read": remove,
    "zeros first, then written": fill_zeros,
    "several files grow at once": grow_together,
}


def check(mutant: Mutant, folder: Path, *, second_oracle: bool = False) -> None:
    """Read a mutant in every way. Raises LostError, WrongError, and what the reader raises."""
    truth = read_truth(mutant.final)
    _expect_all(read_truth(mutant.intact), truth)
    if len(mutant.states) == 1:
        compare(_read_whole(folder / "whole", mutant.final), truth)
    compare(_read_growing(folder / "growing", mutant), truth)
    for name in mutant.final:
        _check_newest(folder / "growing" / name, mutant)
    if second_oracle:
        for name, data in mutant.final.items():
            _ask_tensorboard(folder / "growing" / name, data)


def compare(logs: LogDir, truth: Truth) -> None:
    """What was read against what is there. Raises LostError, WrongError."""
    free = _points_of_undecoded(truth.undecoded)
    for tag in {*truth.curves, *logs.series}:
        series, curve = logs.series.get(tag), truth.curves.get(tag, Curve([], []))
        result = _curve_of(series) if series is not None else Curve([], [])
        actual, expected = result.counted(), curve.counted()
        if extra := actual - expected - free.get(tag, Counter()):
            raise WrongError(f"{tag!r}: {_count(extra)} not there, as {_first(extra)}")
        if missing := expected - actual:
            raise LostError(f"{tag!r}: {_count(missing)} not read, as {_first(missing)}")
        if tag not in free and (series is None or not _same_curve(result, curve)):
            raise WrongError(f"{tag!r}: other points are on the curve or on its branches")
    silent = truth.damaged - {problem.name for problem in logs.problems}
    if silent:
        raise LostError(f"damage is not named: {', '.join(sorted(silent))}")


def run(seed: int, numbers: Sequence[int]) -> Iterator[Result]:
    """Make and check these mutants; the second oracle reads every eighth of the shorter ones."""
    with tempfile.TemporaryDirectory() as name:
        for number in numbers:
            folder = Path(name, "mutant")
            kind, verdict, detail = "?", Verdict.SURVIVED, ""
            try:
                with time_limit(HANG_SECONDS):
                    mutant = make(seed, number)
                    kind = mutant.kind
                    size = sum(map(len, mutant.final.values()))
                    check(mutant, folder, second_oracle=size < 100_000 and number % 8 == 0)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                verdict, detail = judge_error(error), f"{type(error).__name__}: {error}"[:300]
            shutil.rmtree(folder, ignore_errors=True)
            yield Result(kind, number, verdict, detail)


def _whole_records(data: bytes, damaged: Damaged) -> bytes:
    ends = read_records(data).ends
    return data[: max((end for end in ends if end <= damaged.first), default=0)]


def _expect_all(intact: Truth, truth: Truth) -> None:
    """The oracle itself must have read what is known to be whole."""
    for tag, curve in intact.curves.items():
        lost = curve.counted() - truth.curves.get(tag, Curve([], [])).counted()
        assert not lost, f"the oracle does not read {tag!r}: {_first(lost)}"


def _read_whole(folder: Path, files: Files) -> LogDir:
    _write(folder, {}, dict(files), 1)
    logs = LogDir(folder, clock=Clock())
    _poll(logs)
    return logs


def _read_growing(folder: Path, mutant: Mutant) -> LogDir:
    """Poll while the folder goes from nothing through all states, each growing in pieces."""
    random, clock, moment = mutant.random, Clock(), 1
    logs = LogDir(folder, clock=clock)
    now: Contents = {}
    for state in mutant.states:
        for part in _pieces(random, now, state):
            moment += 1
            _write(folder, now, part, moment)
            now = part
            clock.now += random.choice((0.0, 0.1, RETRY))
            if random.random() < 0.3:
                logs.poll(0.0)
            else:
                _poll(logs)
                present = {name: data for name, data in now.items() if data is not None}
                if sum(map(len, present.values())) < 50_000:
                    clock.now += RETRY
                    _poll(logs)
                    compare(logs, read_truth(present))
    clock.now += RETRY
    _poll(logs)
    return logs


def _poll(logs: LogDir) -> None:
    logs.poll()
    while logs.poll() or logs.pending:
        pass


def _pieces(random: Random, before: Contents, after: Contents) -> Iterator[Contents]:
    """Moments on the way: files that only grow do so in pieces, all others change at once."""
    growing = {
        name: (old or b"", new)
        for name, new in after.items()
        if new is not None and new.startswith(old := before.get(name) or b"") and new != old
    }
    part = {name: data for name, data in after.items() if name not in growing}
    part |= {name: old for name, (old, _) in growing.items() if old}
    sizes = {name: len(old) for name, (old, _) in growing.items()}
    for _ in range(random.randint(1, 5) if growing else 0):
        for name, (_, new) in growing.items():
            sizes[name] = random.randint(sizes[name], len(new))
        yield part | {name: growing[name][1][:size] for name, size in sizes.items()}
    yield dict(after)


def _write(folder: Path, before: Contents, after: Contents, moment: int) -> None:
    """Bring the folder from one moment to the next as writers do: append, cut, replace, remove.

    Each change has a time of its own: two within a tick of the kernel's clock look like one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in before.keys() | after.keys():
        path, old, new = folder / name, before.get(name), after.get(name)
        if old == new:
            continue
        if new is None:
            path.unlink()
            continue
        if old is not None and new.startswith(old):
            with path.open("ab") as file:
                file.write(new[len(old) :])
        elif old is not None and old.startswith(new):
            os.truncate(path, len(new))
        elif old is not None and len(old) == len(new):
            with path.open("r+b") as file:
                file.write(new)
        else:
            beside = folder / f".{name}.new".replace("tfevents", "new")
            beside.write_bytes(new)
            beside.replace(path)
        os.utime(path, ns=(moment * 10**9, moment * 10**9))


def _check_newest(path: Path, mutant: Mutant) -> None:
    """The newest values from a file's end are of records that are there. Raises WrongError."""
    data = mutant.final[path.name]
    if mutant.kind == "a file within a record":
        payloads = read_records(data).payloads  # what is a record's content is no record
    else:
        payloads = _any_records(data[-TAIL:])
    expected = {
        (tag, *same_key((step, wall, value)))
        for payload in payloads
        for tag, step, wall, value in _tolerant_points(payload)
    }
    for tag, last in Glimpser().look(path, TAIL).items():
        if (tag, *same_key((last.step, last.wall_time, last.value))) not in expected:
            raise WrongError(f"{tag!r}: the newest value {last} is not there")


def _any_records(data: bytes) -> list[bytes]:
    """Every stretch that is framed as a record, wherever it begins."""
    payloads: list[bytes] = []
    for at in range(len(data) - HEADER - FOOTER + 1):
        if data[at + 4 : at + 8] == bytes(4) and (one := read_records(data[at:]).payloads):
            payloads += one
    return payloads


def _tolerant_points(payload: bytes) -> list[tuple[str, int, float, float]]:
    try:
        return points_of(payload, {})
    except DecodeError:
        return [*_own_points(payload)]


def _points_of_undecoded(payloads: Sequence[bytes]) -> dict[str, Counter[Point]]:
    """What our decoder makes of records that protobuf refuses, each read alone: allowed, by tag."""
    free: dict[str, Counter[Point]] = {}
    for payload in payloads:
        for tag, step, wall, value in _own_points(payload):
            free.setdefault(tag, Counter())[same_key((step, wall, value))] += 1
    return free


def _own_points(payload: bytes) -> Iterator[tuple[str, int, float, float]]:
    try:
        event = read_event(payload, 0, len(payload))
    except Malformed:
        return
    for value in event.values:
        if value.number is not None:
            yield value.tag, event.step, event.wall_time, value.number


def _ask_tensorboard(path: Path, data: bytes) -> None:
    """TensorBoard's own reader finds the records that the oracle finds. Raises AssertionError."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

    loader = RawEventFileLoader(str(path))
    assert list(loader.Load()) == read_records(data).payloads, "the oracles differ"


def _curve_of(series: Series) -> Curve:
    def points(part: object) -> list[Point]:
        return [
            *zip(part.steps.tolist(), part.wall_times.tolist(), part.values.tolist(), strict=True)  # type: ignore[attr-defined]
        ]

    branches = [(branch.rewound_to, points(branch)) for branch in series.abandoned]
    return Curve(points(series), branches)


def _same_curve(one: Curve, other: Curve) -> bool:
    def keys(curve: Curve) -> object:
        return (
            [same_key(point) for point in curve.points],
            [(step, [same_key(point) for point in part]) for step, part in curve.branches],
        )

    return keys(one) == keys(other)


def _count(points: Counter[Point]) -> str:
    return f"{points.total():,} points"


def _first(points: Counter[Point]) -> str:
    return f"step {next(iter(points))[0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--only", type=int, help="one mutant, with its traceback")
    options = parser.parse_args()
    if options.only is not None:
        with tempfile.TemporaryDirectory() as folder:
            check(make(options.seed, options.only), Path(folder), second_oracle=True)
        return
    print(render(list(run(options.seed, range(options.count)))))


if __name__ == "__main__":
    main()
