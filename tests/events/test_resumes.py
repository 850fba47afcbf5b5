"""At which step a resume is marked: that of the resume, once, whichever tags go on when."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from engine.events.log_dir import LogDir
from engine.events.series import Series
from tests.events.encoding import event, event_file, session_start, simple, version

NAMES = iter(range(1_700_000_000, 1_900_000_000, 100))


def write(folder: Path, tags: Mapping[str, Iterable[int]], *, head: int | None = None) -> None:
    """An event file in which each tag has a point at each of its steps, in order of the steps."""
    points = sorted((step, tag) for tag, steps in tags.items() for step in steps)
    start = [] if head is None else [session_start(1.0, head)]
    events = [event(step, step, simple(tag, step)) for step, tag in points]
    event_file(folder, version(0), *start, *events, time=next(NAMES))


def read(folder: Path) -> dict[str, Series]:
    logs = LogDir(folder)
    logs.poll()
    return logs.series


@pytest.mark.parametrize("head", [None, 61])
def test_every_tag_shows_the_step_of_the_resume(tmp_path: Path, head: int | None) -> None:
    write(tmp_path, {"train/loss": range(1, 106), "eval/loss": range(20, 106, 20)})
    write(tmp_path, {"train/loss": range(61, 150), "eval/loss": range(80, 150, 20)}, head=head)
    curves = read(tmp_path)
    assert {tag: one.restarts for tag, one in curves.items()} == {
        "train/loss": (61,),
        "eval/loss": (61,),
    }
    assert curves["eval/loss"].steps.tolist() == [20, 40, 60, 80, 100, 120, 140]


def test_a_session_start_names_the_step_where_points_are_rare(tmp_path: Path) -> None:
    write(tmp_path, {"loss": range(10, 101, 10)})
    write(tmp_path, {"loss": range(70, 120, 10)}, head=61)
    write(tmp_path, {"loss": range(120, 150, 10)})
    assert read(tmp_path)["loss"].restarts == (61, 120)


def test_tags_that_count_something_else_are_marked_by_their_own_steps(tmp_path: Path) -> None:
    write(tmp_path, {"train/loss": range(300), "val/loss": range(3)})
    write(tmp_path, {"train/loss": range(300, 400), "val/loss": [3, 4], "once": [0]})
    curves = read(tmp_path)
    assert curves["train/loss"].restarts == (300,)
    assert curves["val/loss"].restarts == (3,)
    assert curves["val/loss"].steps.tolist() == [0, 1, 2, 3, 4]
    assert curves["once"].restarts == ()


def test_tags_of_one_file_that_count_apart_stay_whole(tmp_path: Path) -> None:
    """Batches, epochs, one begun late, one written twice at each step."""
    events = []
    for batch in range(100):
        values = [simple("train", batch), simple("twice", 1), simple("twice", 2)]
        events.append(event(batch, batch, *values))
        if batch % 25 == 24:
            events.append(event(batch, batch // 25, simple("val", 1)))
        if batch > 60:
            events.append(event(batch, batch - 61, simple("late", 1)))
    event_file(tmp_path, *events)
    curves = read(tmp_path)
    assert {tag: len(one) for tag, one in curves.items()} == {
        "train": 100, "twice": 200, "val": 4, "late": 39,
    }  # fmt: skip
    assert not any(one.restarts or one.abandoned for one in curves.values())


def test_a_tag_that_begins_late_is_no_resume(tmp_path: Path) -> None:
    write(tmp_path, {"loss": range(50)})
    write(tmp_path, {"loss": range(50, 90), "late": range(70, 90)})
    curves = read(tmp_path)
    assert (curves["late"].restarts, curves["loss"].restarts) == ((), (50,))


def test_a_rewind_within_one_file_is_one_resume_for_all_its_tags(tmp_path: Path) -> None:
    turns = [(1, 51), (21, 61), (1, 41)]
    events = [
        event(
            turn, step, simple("train", step), *([simple("eval", step)] if step % 10 == 0 else [])
        )
        for turn, (first, last) in enumerate(turns)
        for step in range(first, last)
    ]
    event_file(tmp_path, *events)
    curves = read(tmp_path)
    assert curves["train"].restarts == (21, 1)
    assert curves["eval"].restarts == (21, 1)
    assert curves["eval"].steps.tolist() == [10, 20, 30, 40]


@pytest.mark.parametrize("within", [False, True], ids=["two files", "one file"])
def test_a_session_start_and_steps_that_begin_again_are_marked_once(
    tmp_path: Path, within: bool
) -> None:
    first = [event(at, at, simple("a", at)) for at in range(20)]
    second = [session_start(30, 5), *[event(30 + at, at, simple("a", at)) for at in range(5, 20)]]
    if within:
        event_file(tmp_path, *first, *second)
    else:
        event_file(tmp_path, *first)
        event_file(tmp_path, *second, time=1_700_000_500)
    series = read(tmp_path)["a"]
    assert series.restarts == (5,)
    assert len(series.abandoned) == 1


def test_a_tag_that_appears_later_moves_the_mark_of_the_others(tmp_path: Path) -> None:
    """However the polls fall, the mark is where reading all at once would put it."""
    write(tmp_path, {"eval": range(0, 60, 20), "train": range(50)})
    path = event_file(tmp_path, version(0), event(1, 60, simple("eval", 1)), time=next(NAMES))
    logs = LogDir(tmp_path)
    logs.poll()
    assert logs.series["eval"].restarts == (60,)
    other = event_file(tmp_path / "more", event(2, 50, simple("train", 1)))
    with path.open("ab") as file:
        file.write(other.read_bytes())
    logs.poll()
    assert logs.series["eval"].restarts == read(tmp_path)["eval"].restarts == (50,)
