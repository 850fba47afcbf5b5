"""A slice of the mutants of event files, and that the harness finds a reader that errs."""

from collections.abc import Callable

import numpy as np
import pytest

from engine.events import log_dir
from engine.events.event_file import EventFile
from engine.events.scalars import Decoder, Points
from engine.events.tfrecord import Records, split
from tests.faults import event_mutants, event_sources
from tests.faults.event_damage import DAMAGES
from tests.faults.event_oracle import read_truth
from tests.faults.verdict import (
    HungError,
    LostError,
    Verdict,
    WrongError,
    judge_error,
    render,
    time_limit,
)

SEED = 7


def test_a_slice_survives() -> None:
    """Two of each kind, and a few of them a third time."""
    results = list(event_mutants.run(SEED, range(60)))
    assert {result.verdict for result in results} == {Verdict.SURVIVED}, render(results)


def test_a_mutant_follows_from_seed_and_number() -> None:
    one, other = event_mutants.make(SEED, 5), event_mutants.make(SEED, 5)
    assert one.states == other.states
    assert one.states != event_mutants.make(SEED + 1, 5).states


def test_every_damage_changes_the_file() -> None:
    for number in range(3 * len(DAMAGES)):
        mutant = event_mutants.make(SEED, number)
        if mutant.kind in DAMAGES:
            whole = [event_sources.source(name) for name in event_sources.SOURCES]
            assert mutant.final not in whole, mutant.kind


@pytest.mark.parametrize("name", event_sources.SOURCES)
def test_the_oracle_reads_what_the_writers_wrote(name: str) -> None:
    files = event_sources.source(name)
    truth = read_truth(files)
    assert not truth.damaged
    assert not truth.undecoded
    assert truth.curves
    if name == "finetop":
        loss = truth.curves["train/loss"]
        assert [point[0] for point in loss.points] == list(range(60))
        assert [step for step, _ in loss.branches] == [21, 41]
        assert loss.points[59][2] == np.float32(3 / 60 + 0.03)
    if name == "torch":
        assert truth.curves["double"].points[3][::2] == (3, 3 / 7)


def lose_last_record(data: bytes) -> Records:
    records = split(data)
    return Records(
        data, records.starts[:-1], records.lengths[:-1], records.consumed, records.fault,
        records.needed,
    )  # fmt: skip


def shift_steps(self: Decoder, records: Records) -> Points:
    points = DECODE(self, records)
    points.steps[:] += points.values == 2.0
    return points


def name_no_problem(self: EventFile) -> None:
    return None


DECODE = Decoder.decode


@pytest.mark.parametrize(
    ("owner", "name", "defect", "verdict"),
    [
        ("engine.events.tfrecord", "split", lose_last_record, Verdict.LOST),
        (Decoder, "decode", shift_steps, Verdict.WRONG),
        (EventFile, "problem", name_no_problem, Verdict.LOST),
    ],
)
def test_a_reader_that_errs_is_found(
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    defect: Callable[..., object],
    verdict: Verdict,
) -> None:
    if isinstance(owner, str):
        monkeypatch.setattr(f"{owner}.{name}", defect)
    else:
        monkeypatch.setattr(owner, name, defect)
    results = list(event_mutants.run(SEED, range(len(DAMAGES))))
    assert verdict in {result.verdict for result in results}


def test_a_reader_that_hangs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(self: log_dir.LogDir, budget_seconds: float | None = None) -> bool:
        while True:
            pass

    monkeypatch.setattr(log_dir.LogDir, "poll", hang)
    monkeypatch.setattr(event_mutants, "HANG_SECONDS", 0.2)
    (result,) = event_mutants.run(SEED, [0])
    assert result.verdict is Verdict.HUNG


def test_a_limit_ends_what_catches_every_exception() -> None:
    def stubborn() -> None:
        while True:
            try:
                while True:
                    pass
            except Exception:
                continue

    with pytest.raises(HungError), time_limit(0.1):
        stubborn()


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (LostError(""), Verdict.LOST),
        (WrongError(""), Verdict.WRONG),
        (HungError(""), Verdict.HUNG),
        (MemoryError(), Verdict.LOST),
    ],
)
def test_errors_are_judged(error: BaseException, verdict: Verdict) -> None:
    assert judge_error(error) is verdict
