"""The curves that leave: all of the training, none of the machine, on no clock of this host."""

import csv
from pathlib import Path

from engine.jobs.directory import JobDirectory
from engine.release.card.curves_csv import list_csv_lines
from tests.tui.building import write_run


def read(job: JobDirectory) -> list[dict[str, str]]:
    return list(csv.DictReader("".join(list_csv_lines(job)).splitlines()))


def test_every_point_of_the_training_is_there(tmp_path: Path) -> None:
    rows = read(write_run(tmp_path, "run", points=20))
    tags = {row["tag"] for row in rows}
    assert {"train/loss", "eval/loss", "train/learning_rate"} <= tags
    assert not [tag for tag in tags if tag.startswith("machine/")]
    assert [row["step"] for row in rows if row["tag"] == "train/loss"] == [
        str(step) for step in range(1, 21)
    ]


def test_times_begin_at_nought(tmp_path: Path) -> None:
    times = [float(row["wall_time"]) for row in read(write_run(tmp_path, "run", points=20))]
    assert min(times) == 0
    assert max(times) < 3600


def test_a_run_without_curves_is_a_head(tmp_path: Path) -> None:
    assert list(list_csv_lines(write_run(tmp_path, "run"))) == ["run,tag,step,wall_time,value\n"]
