"""Logs with an entry a line: LLaMA-Factory's and Lightning's, as they are written and as they are
damaged."""

import csv
import io
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.events import line_log
from engine.events.line_log import LineLog
from engine.events.watched_folder import CSV_LOG, TRAINER_LOG

PER_FUNCTION = [HealthCheck.function_scoped_fixture]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def points(log: LineLog, tag: str) -> list[tuple[int, float]]:
    series = log.series[tag]
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def follow(folder: Path, name: str, text: str) -> LineLog:
    (folder / name).write_text(text, newline="")
    log = LineLog(folder, name)
    log.poll()
    return log


def test_llama_factory(tmp_path: Path) -> None:
    lines = [
        {"current_steps": 5, "total_steps": 20, "loss": 2.0, "lr": 1e-4, "epoch": 0.5,
         "percentage": 25.0, "elapsed_time": "0:00:05", "remaining_time": "0:00:15"},
        {"current_steps": 10, "total_steps": 20, "eval_loss": 1.5, "epoch": 1.0},
        {"current_steps": 10, "total_steps": 20, "loss": math.nan, "predict_loss": math.inf},
        {"current_steps": 20, "total_steps": 20, "elapsed_time": "0:00:20"},
    ]  # fmt: skip
    log = follow(tmp_path, TRAINER_LOG, "".join(json.dumps(one) + "\n" for one in lines))
    assert points(log, "train/learning_rate") == [(5, 1e-4)]
    assert points(log, "eval/loss") == [(10, 1.5)]
    assert points(log, "predict/loss") == [(10, math.inf)]
    assert math.isnan(points(log, "train/loss")[1][1])
    assert np.isnan(log.series["train/loss"].wall_times).all()
    assert (log.settings, log.problems) == ({"total_steps": 20}, ())
    assert set(log.series) == {"train/loss", "train/learning_rate", "train/epoch",
                               "train/percentage", "eval/loss", "predict/loss"}  # fmt: skip
    assert log.modified == pytest.approx((tmp_path / TRAINER_LOG).stat().st_mtime)


def test_lightning(tmp_path: Path) -> None:
    (tmp_path / "hparams.yaml").write_text("lr: 0.001\n")
    text = "epoch,step,train_loss,val_acc,note\r\n0,9,2.5,,\r\n0,19,,0.5,words\r\n1,29,nan,-inf\r\n"
    log = follow(tmp_path, CSV_LOG, text)
    assert points(log, "val_acc") == [(19, 0.5), (29, -math.inf)]
    assert points(log, "epoch") == [(9, 0.0), (19, 0.0), (29, 1.0)]
    assert math.isnan(points(log, "train_loss")[1][1])
    assert (log.settings, log.problems) == ({"lr": 0.001}, ())
    assert log.others == {"text cells": 1}


def test_a_header_that_comes_again_names_other_columns(tmp_path: Path) -> None:
    text = "step,loss\n1,3.0\n2,2.0\nloss,acc,step\n1.0,0.5,3\n0.5,0.75,4\n"
    log = follow(tmp_path, CSV_LOG, text)
    assert points(log, "loss") == [(1, 3.0), (2, 2.0), (3, 1.0), (4, 0.5)]
    assert points(log, "acc") == [(3, 0.5), (4, 0.75)]


def test_a_file_that_is_written_anew_with_a_longer_header(tmp_path: Path) -> None:
    row = "1,0.5,\n" * 40
    log = follow(tmp_path, CSV_LOG, "step,loss,a\n" + row)
    (tmp_path / CSV_LOG).write_text("step,loss,b\n" + row + row)
    assert log.poll()
    assert set(log.series) == {"loss"}
    assert len(log.series["loss"]) == 80
    (tmp_path / CSV_LOG).write_text("step,acc\n1,0.25\n")
    assert log.poll()
    assert {tag: points(log, tag) for tag in log.series} == {"acc": [(1, 0.25)]}
    (tmp_path / CSV_LOG).unlink()
    assert log.poll()
    assert (log.series, log.modified) == ({}, 0.0)


def test_appended_lines_are_read_once_and_a_cut_line_later(tmp_path: Path) -> None:
    path = tmp_path / CSV_LOG
    log = follow(tmp_path, CSV_LOG, "step,loss\n1,0.5\n2,0.2")
    assert points(log, "loss") == [(1, 0.5)]
    assert not log.problems, "the rest may be on its way"
    os.utime(path, (1_700_000_000, 1_700_000_000))
    log.poll()
    (problem,) = log.problems
    assert (problem.reason, problem.is_error) == ("line 3 is cut off", False)
    assert not log.poll()
    with path.open("a") as file:
        file.write("5\n")
    assert log.poll()
    assert (points(log, "loss"), log.problems) == ([(1, 0.5), (2, 0.25)], ())


def test_a_last_json_line_needs_no_newline(tmp_path: Path) -> None:
    path = tmp_path / TRAINER_LOG
    log = follow(tmp_path, TRAINER_LOG, '{"current_steps": 1, "loss": 0.5}')
    assert points(log, "train/loss") == [(1, 0.5)]
    with path.open("a") as file:
        file.write('\n{"current_steps": 2, "los')
    os.utime(path, (1_700_000_000, 1_700_000_000))
    log.poll()
    assert [problem.reason for problem in log.problems] == ["line 3 is cut off"]
    with path.open("a") as file:
        file.write('s": 0.25}\n')
    log.poll()
    assert (points(log, "train/loss"), log.problems) == ([(1, 0.5), (2, 0.25)], ())


def test_a_resumed_log_rewinds(tmp_path: Path) -> None:
    steps = [*range(10), *range(5, 15)]
    lines = [json.dumps({"current_steps": step, "loss": at}) for at, step in enumerate(steps)]
    log = follow(tmp_path, TRAINER_LOG, "\n".join(lines) + "\n")
    series = log.series["train/loss"]
    assert series.steps.tolist() == [*range(15)]
    assert series.restarts == (5,)
    assert series.abandoned[0].steps.tolist() == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (TRAINER_LOG, "words\n", "1 entry skipped, from line 1 on: no JSON"),
        (TRAINER_LOG, '{"a": 1}\n[]\n', "2 entries skipped, from line 1 on: no object with"),
        (TRAINER_LOG, '{"current_steps": true}\n', "current_steps is no number"),
        (TRAINER_LOG, f'{{"current_steps": {10**30}}}\n', "current_steps is no number"),
        (TRAINER_LOG, "[" * 100_000 + "\n", "nested too deeply"),
        (CSV_LOG, "a,b\n1,2\n", "no header with a column named step"),
        (CSV_LOG, "step,a\n1,2,3\n", "from line 2 on: more cells than columns"),
        (CSV_LOG, "step,a\nnan,2\n,3\n1e300,4\nx,5\n", "4 entries skipped, from line 2 on: no st"),
        (CSV_LOG, 'step,a\n"1,2\n', "no CSV"),
        (CSV_LOG, "step,a\n", "no values yet"),
        (CSV_LOG, "", "no values yet"),
    ],
)  # fmt: skip
def test_what_is_skipped_is_counted_and_named(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    log = follow(tmp_path, name, text)
    assert [reason in problem.reason for problem in log.problems] == [True], log.problems
    assert not log.series


def test_lines_and_tags_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_log, "CHUNK", 1 << 10)
    monkeypatch.setattr(line_log, "LONGEST_LINE", 1 << 12)
    monkeypatch.setattr(line_log, "MOST_TAGS", 3)
    many = {f"k{at}": 1.0 for at in range(9)}
    long = json.dumps({"current_steps": 2, "loss": 1.0, "text": "x" * 2000})
    first = json.dumps({"current_steps": 1, **many})
    log = follow(tmp_path, TRAINER_LOG, f"{first}\n{long}\n" + "x" * 10_000 + f"\n{long}\n")
    assert len(log.series) == 3
    reasons = [problem.reason for problem in log.problems]
    assert reasons[0].startswith("line 3 is longer than")
    assert "more than 3 tags" in reasons[1]
    assert not log.pending
    assert not log.poll()


def test_long_files_are_read_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_log, "CHUNK", 1 << 10)
    rows = "".join(f"{step},{step / 2}\n" for step in range(5_000))
    (tmp_path / CSV_LOG).write_text("step,loss\n" + rows)
    log = LineLog(tmp_path, CSV_LOG, clock=Clock())
    reads = 0
    while log.poll(0.5) or log.pending:
        reads += 1
    assert reads > 5
    assert points(log, "loss") == [(step, step / 2) for step in range(5_000)]


def test_a_file_that_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    clock = Clock()
    log = follow(tmp_path, CSV_LOG, "step,loss\n1,2\n")
    log = LineLog(tmp_path, CSV_LOG, clock=clock)
    log.folder.look(0.0)
    (tmp_path / CSV_LOG).unlink()
    os.mkfifo(tmp_path / CSV_LOG)  # after it was listed: it must not block
    log.read()
    assert "cannot be read: not a regular file" in log.problems[0].reason
    (tmp_path / CSV_LOG).unlink()
    (tmp_path / CSV_LOG).write_text("step,loss\n1,2\n")
    log.poll()
    assert (points(log, "loss"), log.problems) == ([(1, 2.0)], ())


VALUES = st.floats() | st.just(None)
ROWS = st.lists(st.tuples(st.integers(0, 1 << 62), VALUES, VALUES), max_size=20)


@settings(max_examples=60, deadline=None, suppress_health_check=PER_FUNCTION)
@given(ROWS.map(lambda rows: sorted(rows, key=lambda row: row[0])), st.data())
def test_every_value_comes_back_however_the_file_grew(
    tmp_path: Path, rows: list[tuple[int, float | None, float | None]], data: st.DataObject
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["step", 'a, "b"', "损失"])
    for step, *values in rows:
        writer.writerow([step, *("" if one is None else repr(one) for one in values)])
    content = text.getvalue().encode()
    path = tmp_path / CSV_LOG
    path.unlink(missing_ok=True)
    path.touch()
    log = LineLog(tmp_path, CSV_LOG)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    for stop in [*cuts, len(content)]:
        with path.open("ab") as file:
            file.write(content[path.stat().st_size : stop])
        log.poll()
    for column, tag in ((1, 'a, "b"'), (2, "损失")):
        expected = [(row[0], row[column]) for row in rows if row[column] is not None]
        found = points(log, tag) if tag in log.series else []
        np.testing.assert_equal(found, expected)


PIECES = [
    *(b"step,a,b\n", b"1,2,3\n", b"\xef\xbb\xbfstep,a\n", b"1,,\n", b'"', b"\r"),
    b'{"current_steps": 1, "loss": 1}\n',
    b'{"current_steps": 0, "a": NaN}\n',
    b'{"current_steps": 1, "a": 1e999, "b": ' + b"9" * 400 + b"}\n",
]


@settings(max_examples=150, deadline=None, suppress_health_check=PER_FUNCTION)
@given(
    st.sampled_from([TRAINER_LOG, CSV_LOG]),
    st.lists(st.binary(max_size=30) | st.sampled_from(PIECES), max_size=12),
)  # fmt: skip
def test_whatever_the_lines_hold_is_no_reason_to_fall(
    tmp_path: Path, name: str, parts: list[bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    log = LineLog(tmp_path, name)
    for part in parts:
        with path.open("ab") as file:
            file.write(part)
        log.poll()
    assert not log.pending
    whole = LineLog(tmp_path, name)
    whole.poll()
    assert set(whole.series) == set(log.series)
    for tag, series in whole.series.items():
        np.testing.assert_array_equal(series.values, log.series[tag].values)
        assert len(series.steps) == len(series.values) > 0
