"""Point by point against TensorBoard's own EventAccumulator, on files of real writers."""

import os
from pathlib import Path

import numpy as np
import pytest

from engine.events.log_dir import LogDir
from engine.events.log_set import Fleet

DATA = Path(
    os.environ.get("FINETOP_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)
RUNS = sorted((DATA / "events-agnews" / "runs").glob("*/"))


def assert_equal_to_tensorboard(folder: Path) -> None:
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util.tensor_util import make_ndarray

    reference = event_accumulator.EventAccumulator(
        str(folder), {event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0}
    )
    reference.Reload()
    logs = LogDir(folder)
    logs.poll()
    curves = {
        tag: [(e.step, e.wall_time, e.value) for e in reference.Scalars(tag)]
        for tag in reference.Tags()["scalars"]
    }
    for tag in reference.Tags()["tensors"]:
        if reference.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
            events = reference.Tensors(tag)
            curves[tag] = [
                (e.step, e.wall_time, float(make_ndarray(e.tensor_proto).item())) for e in events
            ]
    assert set(logs.series) == set(curves)
    for tag, expected in curves.items():
        series = logs.series[tag]
        found = zip(
            series.steps.tolist(), series.wall_times.tolist(), series.values.tolist(), strict=True
        )
        np.testing.assert_array_equal(np.array(list(found)), np.array(expected, dtype=np.float64))


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_runs_of_others(folder: Path) -> None:
    assert_equal_to_tensorboard(folder)


@pytest.mark.skipif(not RUNS, reason="the runs are not here")
def test_runs_of_others_are_found_below_their_folder() -> None:
    before = {path: path.stat().st_mtime_ns for path in RUNS[0].parent.rglob("*")}
    fleet = Fleet([RUNS[0].parent])
    while fleet.pending:
        fleet.poll(0.0)
    found = {run.name: run for run in fleet.runs}
    for folder in RUNS:
        logs = LogDir(folder)
        logs.poll()
        assert found[folder.name].series.keys() == logs.series.keys()
        for tag, series in logs.series.items():
            again = found[folder.name].series[tag]
            np.testing.assert_array_equal(again.values, series.values)
            np.testing.assert_array_equal(again.steps, series.steps)
    assert {path: path.stat().st_mtime_ns for path in RUNS[0].parent.rglob("*")} == before


@pytest.mark.skipif(bool(RUNS), reason="the runs are here")
def test_runs_of_others_are_missing() -> None:
    pytest.skip(f"no event files below {DATA}; FINETOP_TEST_DATA may name another folder")


def test_torch_summary_writer(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path))
    for step in range(300):
        writer.add_scalar("train/loss", 1 / (step + 1), step * 7)
        writer.add_scalar("new", step / 3, step, new_style=True)
        writer.add_scalar("double", step / 3, step, new_style=True, double_precision=True)
        if step % 50 == 0:
            writer.add_scalar("eval/loss", float("nan") if step == 100 else step, step * 7)
            writer.add_text("sample", f"words {step}", step)
            writer.add_histogram("weights", np.arange(10.0), step)
    writer.close()
    assert_equal_to_tensorboard(tmp_path)
    logs = LogDir(tmp_path)
    logs.poll()
    assert logs.others == {"version": 1, "text": 6, "histogram": 6}
    assert not logs.problems


def test_torch_resume_with_purge_step(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    for number, steps, purge in ((1, range(100), None), (2, range(60, 130), 60)):
        writer = SummaryWriter(str(tmp_path), purge_step=purge, filename_suffix=f".{number}")
        for step in steps:
            writer.add_scalar("loss", number, step)
        writer.close()
    assert_equal_to_tensorboard(tmp_path)
    logs = LogDir(tmp_path)
    logs.poll()
    assert logs.series["loss"].abandoned[0].steps.tolist() == list(range(60, 100))
