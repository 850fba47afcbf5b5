"""Following a job from the command line: one line of progress, on a terminal only."""

import shutil
import sys
import time

from engine.errors import JobFailed
from engine.jobs import launch, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.text import one_line
from tui.commands.left_out import print_left_out
from tui.formatting import activity
from tui.styled_text import fit

POLL_SECONDS = 0.2
_STOP_SECONDS = 5
"""That a job is given to save before it is ended."""


def follow_or_stop(
    job: JobDirectory, what: str, stopped: str, *, names_left_out: bool = False
) -> Status:
    """Follow a job that Ctrl-C stops; its last status. Raises JobFailed unless it is done, with the
    title `stopped` where it was stopped; of one that failed, what it left out is named first."""
    try:
        last = follow(job, what)
    except KeyboardInterrupt:
        launch.stop(job, grace=_STOP_SECONDS)
        raise
    except JobFailed:
        if names_left_out:
            print_left_out(job)
        raise
    if last.state is not State.DONE:
        raise JobFailed(stopped, str(job.path), f"finetop resume {job.path.name}")
    return last


def follow(job: JobDirectory, what: str, *, with_message: bool = False) -> Status:
    """Wait for the end of a job; its last status. Raises JobFailed unless it is done or stopped.

    `with_message` is whether the worker's own words stand behind the progress as well.
    """
    terminal = sys.stderr.isatty()
    shown = ""
    while True:
        now = status.read(job)
        state = status.derive(job, now)
        if terminal:
            line = progress_line(what, state, now)
            if with_message and now is not None and state is State.RUNNING and now.message:
                line = one_line(f"{line}  {now.message}")
            # A line that the terminal wraps is not replaced by the next one, but stays above it.
            line = fit(line, shutil.get_terminal_size().columns - 1, "")
            if line != shown:
                print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)
                shown = line
        if not state.alive:
            break
        time.sleep(POLL_SECONDS)
    if terminal:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
    # The final status may have been written between our reading of status and lock.
    now = status.read(job)
    if now is None or state not in (State.DONE, State.STOPPED):
        raise failure(job, state, now)
    return now


def failure(job: JobDirectory, state: State, now: Status | None) -> JobFailed:
    """Why a job did not reach its end."""
    if now is not None and now.error is not None:
        return JobFailed(now.error.title, now.error.detail, now.error.hint)
    log = job.attempt(job.latest_attempt()).log
    return JobFailed(f"{job.path.name} {state}.", launch.log_tail(log, 8), f"Log: {log}.")


def progress_line(what: str, state: State, now: Status | None) -> str:
    """What a job does, in one line: what matters least comes last, where a narrow terminal cuts."""
    if now is None or state is not State.RUNNING or not now.total:
        said = activity(now) or now.message if now is not None else ""
        return one_line(f"{what}  {state}{f': {said}' if said else ''}")
    percent = min(100, 100 * now.step // now.total)
    bar = "#" * (percent // 10)
    left = "" if now.eta_seconds is None else f"  {duration(now.eta_seconds)} left"
    speed = f"  avg {now.tokens_per_second:,.0f} tok/s" if now.tokens_per_second else ""
    does = f"  {activity(now)}" if now.activity else ""
    return f"{what}  [{bar:<10}] {percent:3}%  {now.step}/{now.total}{left}{does}{speed}"


def duration(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
