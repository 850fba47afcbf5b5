"""The kinds of faults under a run, and how many of 300 trials are of each.

Which fault, at which operation and after how long follows from the trial's random numbers; what it
meets then is the machine's doing.
"""

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import EngineError
from engine.jobs import launch, lock
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store
from tests.faults.injection import Fault
from tests.faults.programs import REFUSED, let_go, run_at_once, start_program
from tests.faults.trial import Trial, send_signal, state_of
from tests.faults.verdict import LostError, WrongError

DISK = 1_000_000
"""Bytes of a disk that a run fills, at most."""


def kill_at_any_moment(trial: Trial) -> None:
    job = trial.launch()
    trial.pause()
    send_signal(job, signal.SIGKILL)
    trial.wait_for_end(job)
    trial.finish(job)


def kill_twice(trial: Trial) -> None:
    """The second time while it resumes."""
    job = trial.launch(trial.fault("SIGKILL"))
    trial.wait_for_end(job)
    if state_of(job) is not State.DONE:
        trial.resume(job, trial.fault("SIGKILL"))
        trial.wait_for_end(job)
    trial.finish(job)


def kill_in(place: str) -> Callable[[Trial], None]:
    """SIGKILL at one of the operations on such a file."""

    def act(trial: Trial) -> None:
        _disturb(trial, trial.fault("SIGKILL", place))

    return act


def terminate(trial: Trial) -> None:
    """SIGTERM asks to save and stop."""
    job = trial.launch()
    trial.pause()
    send_signal(job, signal.SIGTERM)
    state = trial.wait_for_end(job)
    if state not in (State.STOPPED, State.DONE):
        raise LostError(f"{state} after SIGTERM")
    trial.finish(job)


def terminate_in_a_write(trial: Trial) -> None:
    _disturb(trial, trial.fault("SIGTERM"))


def hang_up(trial: Trial) -> None:
    """SIGHUP changes nothing."""
    job = trial.launch(trial.fault("SIGHUP"))
    trial.pause()
    send_signal(job, signal.SIGHUP)
    if trial.wait_for_end(job) is not State.DONE:
        raise LostError("ended by SIGHUP")
    trial.finish(job)


def halt_and_continue(trial: Trial) -> None:
    """SIGSTOP for a while: it lives, and goes on as if nothing had been."""
    job = trial.launch(trial.fault("SIGSTOP"))
    is_over = False

    def halted() -> bool:
        nonlocal is_over
        pid = lock.holder(job.lock_file)
        is_over = not state_of(job).alive
        return is_over or bool(pid and _is_halted(pid))

    trial.wait(halted, "it halts")
    if not is_over:
        time.sleep(trial.random.uniform(0, 1))
        if not state_of(job).alive:
            raise WrongError(f"a halted worker is {state_of(job)}")
        send_signal(job, signal.SIGCONT)
    if trial.wait_for_end(job) is not State.DONE:
        raise LostError("a worker that was halted did not come to its end")
    trial.finish(job)


def fail_with(number: int) -> Callable[[Trial], None]:
    """One operation, a few in a row or all from one on fail with this error."""

    def act(trial: Trial) -> None:
        kind = trial.random.choice(("any", "any", "open", "write", "fsync", "rename", "mkdir"))
        times = trial.random.choice((1, 1, 3, 1 << 30))
        _disturb(trial, trial.fault("raise", kind=kind, error=number, times=times))

    return act


def fill_disk(trial: Trial) -> None:
    """A real disk, small, that fills up, and is given more afterwards."""
    trial.root.mkdir(parents=True, exist_ok=True)
    size = trial.random.randrange(40_000, DISK)
    options = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(trial.root)]
    if subprocess.run(options, capture_output=True, check=False).returncode:
        limit_sizes(trial)  # no disk can be mounted here
        return
    try:
        try:
            job = trial.launch(Fault())
        except EngineError:
            if rest := list(trial.root.iterdir()):
                raise LostError(f"no run, and {rest[0].name} is left") from None
            return  # said at once, nothing begun
        trial.wait_for_end(job)
        more = ["mount", "-o", "remount,size=50m", str(trial.root)]
        subprocess.run(more, check=True, capture_output=True)
        trial.finish(job)
    finally:
        subprocess.run(["umount", "-l", str(trial.root)], check=False, capture_output=True)


def limit_sizes(trial: Trial) -> None:
    """From one operation on no file may be larger than this (RLIMIT_FSIZE)."""
    size = trial.random.choice((0, 100, 1000, 5000, 20_000, 60_000))
    _disturb(trial, trial.fault("limit", size=size))


def fail_to_read(trial: Trial) -> None:
    """A killed run is resumed where a file cannot be read, and then where it can."""
    job = trial.launch()
    trial.pause()
    send_signal(job, signal.SIGKILL)
    if trial.wait_for_end(job) is not State.DONE:
        error = trial.random.choice((errno.EIO, errno.EACCES))
        fault = Fault("raise", trial.random.randint(1, 60), kind="read", error=error)
        trial.resume(job, fault)
        trial.wait_for_end(job)
    trial.finish(job)


def resume_twice_at_once(trial: Trial) -> None:
    """One of two starts the worker; the other one says so."""
    job = _killed(trial)
    ends = run_at_once(trial, [f"resume.resume_job(JobDirectory(Path({str(job.path)!r})))"] * 2)
    if sorted(ends.values()) not in ([0, REFUSED], [0, 0]):
        raise LostError(f"two resumes ended with {sorted(ends.values())}")
    trial.wait_for_end(job)
    trial.finish(job)


def resume_and_remove_at_once(trial: Trial) -> None:
    """Either it goes on, whole, or it is gone, whole."""
    job = _killed(trial)
    path = str(job.path)
    ends = run_at_once(trial, [
        f"resume.resume_job(JobDirectory(Path({path!r})))",
        f"delete.remove(JobDirectory(Path({path!r})), Store(Path({str(trial.root)!r})))",
    ])  # fmt: skip
    if any(code not in (0, REFUSED) for code in ends.values()):
        raise LostError(f"resume and rm ended with {list(ends.values())}")
    if job.record_file.exists():
        trial.wait_for_end(job)
        trial.finish(job)
        return
    rest = [entry.name for entry in trial.root.iterdir()]
    if rest:
        raise WrongError(f"removed, and {', '.join(rest)} is left")


def launch_twice_at_once(trial: Trial) -> None:
    """Two runs of one recipe, each whole, one after the other on the one device."""
    inputs = str(trial.world.inputs)
    action = f"launch.launch(reference.make_recipe(Path({inputs!r})), Path({str(trial.root)!r}))"
    ends = run_at_once(trial, [action] * 2)
    jobs = Store(trial.root).jobs()
    if sorted(ends.values()) != [0, 0] or len(jobs) != 2:
        raise LostError(f"two launches ended with {sorted(ends.values())}, {len(jobs)} runs")
    for job in jobs:
        trial.wait_for_end(job)
        trial.finish(job)


def set_clock_back(trial: Trial) -> None:
    """The first attempt's clock is ahead by hours or weeks, the second one's is not."""
    ahead = trial.random.choice((3600.0, 90_000.0, 2e6))
    job = trial.launch(trial.fault("SIGKILL", clock=ahead))
    state = trial.wait_for_end(job)
    if state not in (State.CRASHED, State.DONE):
        raise LostError(f"a dead run with a heartbeat in the future is {state}")
    trial.finish(job)


def kill_dashboard(trial: Trial) -> None:
    """A dashboard that is open on the run is killed; the worker does not notice."""
    from tests.benchmarks.terminal import Terminal
    from tests.pseudo_terminal import dashboard

    job = trial.launch()
    with Terminal(dashboard(trial.root), trial.folder) as terminal:
        terminal.see("disturbed", trial.world.limit)
        terminal.press(trial.random.choice(("3", "j", "u", "")))
        time.sleep(trial.random.uniform(0, 0.5))
        os.kill(terminal.pid, trial.random.choice((signal.SIGKILL, signal.SIGHUP)))
        terminal.leave(trial.world.limit)
    if trial.wait_for_end(job) is not State.DONE:
        raise LostError("the worker ended with the dashboard")
    trial.finish(job)


def kill_launcher(trial: Trial) -> None:
    """The program that launches the run dies at any moment of it: no run, or one to resume."""
    inputs = str(trial.world.inputs)
    action = f"launch.launch(reference.make_recipe(Path({inputs!r})), Path({str(trial.root)!r}))"
    process = start_program(trial, action)
    let_go(process)
    time.sleep(trial.random.uniform(0, 0.4))
    process.kill()
    process.communicate()
    for job in Store(trial.root).jobs():
        # Its worker may be about to begin: a directory without a status is new for so long.
        deadline = time.monotonic() + min(5.0, trial.world.limit)
        while not job.status_file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        if not job.status_file.exists() and lock.holder(job.lock_file) is None:
            os.utime(job.path, (0, 0))
        trial.wait_for_end(job)
        trial.finish(job)


KINDS: dict[str, tuple[Callable[[Trial], None], int]] = {
    "kill -9 at any moment": (kill_at_any_moment, 30),
    "kill -9 while a checkpoint is saved": (kill_in("checkpoint"), 25),
    "kill -9 while the status is written": (kill_in("status"), 12),
    "kill -9 while events are appended": (kill_in("events"), 12),
    "kill -9 while the result is saved": (kill_in("result"), 18),
    "kill -9 in another write": (kill_in("other"), 13),
    "kill -9, and again while it resumes": (kill_twice, 12),
    "SIGTERM at any moment": (terminate, 15),
    "SIGTERM in a write": (terminate_in_a_write, 10),
    "SIGHUP": (hang_up, 6),
    "SIGSTOP, then SIGCONT": (halt_and_continue, 8),
    "no space (ENOSPC)": (fail_with(errno.ENOSPC), 25),
    "input/output error (EIO)": (fail_with(errno.EIO), 20),
    "permission lost (EACCES)": (fail_with(errno.EACCES), 12),
    "read-only disk (EROFS)": (fail_with(errno.EROFS), 6),
    "full disk": (fill_disk, 20),
    "limit on file sizes": (limit_sizes, 12),
    "file that cannot be read at a resume": (fail_to_read, 10),
    "two resumes at once": (resume_twice_at_once, 8),
    "resume and removal at once": (resume_and_remove_at_once, 8),
    "two launches at once": (launch_twice_at_once, 4),
    "clock set back": (set_clock_back, 8),
    "dashboard killed": (kill_dashboard, 3),
    "launcher killed": (kill_launcher, 3),
}
"""Each kind, and how many of 300 trials are of it."""


_NOT_STARTED = "launch: The worker did not start. "
"""What a launch says of a worker that could not even write its log, before the reason."""


def _disturb(trial: Trial, fault: Fault) -> None:
    """Launch with a fault, and finish what is left of the run."""
    job = trial.launch(fault)
    state = trial.wait_for_end(job)
    said = _last_words(job) or any(_NOT_STARTED in note for note in trial.notes)
    if state is State.CRASHED and fault.action in ("raise", "limit") and not said:
        raise LostError("ended without a word")
    trial.finish(job)


def _last_words(job: JobDirectory) -> str:
    """What a log holds of a worker that could not write its last status."""
    logs = [job.launch_log, *(job.attempt(n + 1).log for n in range(job.latest_attempt()))]
    return "".join(launch.log_tail(log) for log in logs)


def _killed(trial: Trial) -> JobDirectory:
    job = trial.launch(trial.fault("SIGKILL", "checkpoint"))
    trial.wait_for_end(job)
    return job


def _is_halted(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] == "T"
