"""The jobs of `finetop demo`, one after another: started, taken over or resumed, and followed.

Owns what happens on Ctrl-C and after a failure: the running job is stopped with its state saved,
nothing is lost, and one command goes on where it ended. What is trained and measured is in
`tui.commands.demo_plan`.
"""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from engine.errors import EngineError, JobFailed
from engine.jobs import launch, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.launching import resume
from engine.text import one_line
from tui.commands.follow import follow

STOP_SECONDS = 20.0
"""How long a job may take to save its state and end."""


class DemoJobs:
    """Does one job after another, and knows those that are done or can be resumed, by name."""

    def __init__(self, kinds: Mapping[str, str], given: Sequence[str], store: Store) -> None:
        """`kinds` are those of the jobs by name, in their order; `given` are NAME=JOB, jobs of an
        earlier start of the demo to take over.

        Raises EngineError for a name that the demo does not have, and a job that is not there or of
        another kind.
        """
        self._names = list(kinds)
        self.known: dict[str, JobDirectory] = {}
        for words in given:
            name, _, job = words.partition("=")
            if name not in kinds or not job:
                raise EngineError(
                    f"--job {one_line(words)!r} is not NAME=JOB.",
                    f"Names of this demo: {', '.join(kinds)}.",
                )
            found = store.find(job)
            if (kind := found.recipe().kind) != kinds[name]:
                raise EngineError(
                    f"--job {one_line(words)!r} is of another kind.",
                    f"{found.path}: {kind}, not {kinds[name]}",
                )
            self.known[name] = found

    def do(self, name: str, start: Callable[[], JobDirectory], doing: str) -> JobDirectory:
        """Do this job to its end, which may be there already.

        Raises EngineError where it cannot start, JobFailed where it fails or is stopped by someone
        else, KeyboardInterrupt once it has stopped on Ctrl-C.
        """
        what = f"{self._names.index(name) + 1}/{len(self._names)} {doing}"
        try:
            with _hold_interrupts():  # a job that is being started cannot be stopped yet
                if (job := self.known.get(name)) is None:
                    job = self.known[name] = start()
                elif not _is_done_or_alive(job):
                    resume.resume_job(job)
            last = follow(job, f"{what} {job.path.name}")
        except KeyboardInterrupt:
            self._stop(name)
            raise
        except JobFailed:
            self.known.pop(name, None)
            raise
        if last.state is not State.DONE:
            raise JobFailed(f"{job.path.name} was stopped.", str(job.path))
        return job

    def list_options(self) -> list[str]:
        """The options that take these jobs over."""
        named = (["--job", f"{name}={job.path.name}"] for name, job in self.known.items())
        return [word for words in named for word in words]

    def _stop(self, name: str) -> None:
        job = self.known.get(name)
        if job is None:
            return
        begin = "\r\x1b[2K" if sys.stderr.isatty() else ""  # over the line of progress
        print(f"{begin}Stopping; saving its state.", file=sys.stderr)
        with contextlib.suppress(EngineError):  # it has ended by itself
            launch.stop(job, grace=STOP_SECONDS)


def _is_done_or_alive(job: JobDirectory) -> bool:
    state = status.derive(job, status.read(job))
    return state is State.DONE or state.alive


@contextlib.contextmanager
def _hold_interrupts() -> Iterator[None]:
    """Ctrl-C in here is raised at the end."""
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
