"""A run's logs as they grow: nothing twice, nothing lost, bounded and clean."""

import random
import tracemalloc
from pathlib import Path

from engine.jobs import logs
from engine.jobs.directory import JobDirectory
from engine.jobs.logs import LONGEST_LINE, MOST_BYTES, MOST_LINES, Journal, LogText
from engine.text import clean


def begin(path: Path, number: int = 1) -> JobDirectory:
    job = JobDirectory(path)
    job.attempt(number).path.mkdir(parents=True)
    return job


def append(job: JobDirectory, text: bytes, number: int = 1) -> None:
    with job.attempt(number).log.open("ab") as file:
        file.write(text)


def test_it_follows_what_is_appended(tmp_path: Path) -> None:
    job = begin(tmp_path)
    log = Journal(job)
    assert not log.poll()
    append(job, b"one\ntwo\nthr")
    assert log.poll()
    assert list(log.lines) == ["one", "two", "thr"]
    assert not log.poll()
    append(job, b"ee\nfour\n")
    assert log.poll()
    assert list(log.lines) == ["one", "two", "three", "four"]


def test_any_cut_gives_the_same_lines(tmp_path: Path) -> None:
    text = "".join(f"line {at} é \x1b[31m\r\n" for at in range(200)).encode()
    chance = random.Random(3)
    whole = begin(tmp_path / "whole")
    append(whole, text)
    expected = Journal(whole)
    expected.poll()
    for trial in range(5):
        job = begin(tmp_path / str(trial))
        log, rest = Journal(job), text
        while rest:
            cut = chance.randint(1, 60)
            append(job, rest[:cut])
            rest = rest[cut:]
            log.poll()
        assert list(log.lines) == list(expected.lines)
    assert expected.lines[7] == "line 7 é ␛[31m"


def test_attempts_follow_each_other(tmp_path: Path) -> None:
    job = begin(tmp_path)
    append(job, b"killed in mid-")
    log = Journal(job)
    log.poll()
    begin(tmp_path, 2)
    append(job, b"going on\n", 2)
    begin(tmp_path, 3)
    assert log.poll()
    append(job, b"again\n", 3)
    assert log.poll()
    assert list(log.lines) == [
        "killed in mid-", "--- attempt 2 ---", "going on", "--- attempt 3 ---", "again",
    ]  # fmt: skip


def test_a_worker_that_did_not_come_up_is_heard_too(tmp_path: Path) -> None:
    job = JobDirectory(tmp_path)
    job.launch_log.write_text("ImportError: no torch\n")
    log = Journal(job)
    log.poll()
    begin(tmp_path)
    append(job, b"better\n")
    log.poll()
    assert list(log.lines) == ["ImportError: no torch", "better"]


def test_it_is_bounded(tmp_path: Path) -> None:
    job = begin(tmp_path)
    log = Journal(job)
    append(job, b"".join(b"%d\n" % at for at in range(MOST_LINES + 10)))
    log.poll()
    assert (len(log.lines), log.lines[0], log.dropped) == (MOST_LINES, "10", 10)
    append(job, b"x" * 100_000)
    log.poll()
    append(job, b"y" * 100_000)
    log.poll()
    assert len(log.lines[-1]) == LONGEST_LINE
    assert len(log.lines) == MOST_LINES


def test_of_a_huge_log_only_the_end_is_read(tmp_path: Path) -> None:
    job = begin(tmp_path)
    append(job, b"a" * 100 + b"\n" + b"b\n" * MOST_BYTES)
    log = Journal(job)
    log.poll()
    assert log.passed == 101 + MOST_BYTES
    assert log.lines[-1] == "b"


def test_a_file_that_shrank_is_read_anew(tmp_path: Path) -> None:
    job = begin(tmp_path)
    append(job, b"one\ntwo\n")
    log = Journal(job)
    log.poll()
    job.attempt(1).log.write_text("3\n")
    assert log.poll()
    assert list(log.lines) == ["one", "two", "3"]


def test_of_a_line_that_was_written_over_the_end_is_shown(tmp_path: Path) -> None:
    job = begin(tmp_path)
    append(job, b"loading:  10%\rloading: 100%\nnext\r\n")
    log = Journal(job)
    log.poll()
    assert list(log.lines) == ["loading: 100%", "next"]
    assert logs._said(b"\xff\x9b") == "��"


def test_a_log_is_given_whole_in_pieces_of_any_cut(tmp_path: Path) -> None:
    text = "".join(f"line {at} é 漢 \x1b[31m\r\n\rhalf\0" for at in range(9)).encode()
    path = tmp_path / "log"
    expected = clean(text.decode())
    for cut in range(len(text)):
        path.write_bytes(text[:cut])
        log = LogText(path)
        said = "".join(log.pieces())
        path.write_bytes(text)
        assert said + "".join(log.pieces()) + log.rest() == expected
    path.write_bytes(b"cut in a letter \xe6\xbc")
    log = LogText(path)
    assert "".join(log.pieces()) + log.rest() == "cut in a letter \ufffd"


def test_a_line_without_an_end_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(64 << 20)  # all of it NUL
    tracemalloc.start()
    try:
        assert sum(map(len, LogText(path).pieces())) == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_what_a_log_gains_at_once_is_read_from_near_its_end(tmp_path: Path) -> None:
    job = begin(tmp_path)
    append(job, b"first\nhalf a li")
    log = Journal(job)
    assert log.poll()
    with job.attempt(1).log.open("ab") as file:
        file.truncate(1 << 30)
        file.seek(0, 2)
        file.write(b"\nlast\n")
    tracemalloc.start()
    try:
        assert log.poll()
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert log.lines[0] == "first"
    assert log.lines[-1] == "last"
    assert log.passed == (1 << 30) + 6 - MOST_BYTES - len(b"first\nhalf a li")
