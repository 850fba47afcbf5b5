"""The curves of a run as CSV, as `finetop metrics --csv` writes them, without the host's clock.

Owns which curves leave: all that was logged of training and evaluations, none of the machine.
`wall_time` is seconds since the first point of the run: when somebody worked is theirs.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from engine.charts.export import Selected, csv_lines
from engine.events.log_dir import LogDir
from engine.events.tag_names import in_order
from engine.jobs.directory import JobDirectory

_OF_THE_MACHINE = "machine/"


def list_csv_lines(run: JobDirectory) -> Iterator[str]:
    """Every point of a run's curves, a line each after the header; the header alone where it
    logged none."""
    log = LogDir(run.events)
    log.poll()
    curves = [
        log.series[tag] for tag in in_order(log.series)
        if not tag.startswith(_OF_THE_MACHINE) and len(log.series[tag])
    ]  # fmt: skip
    starts = [np.nanmin(one.wall_times) for one in curves if np.isfinite(one.wall_times).any()]
    start = min(starts, default=0.0)
    relative = (replace(one, wall_times=np.round(one.wall_times - start, 3)) for one in curves)
    return csv_lines(Selected(run.path.name, series) for series in relative)
