"""Jobs that make data against an endpoint on this machine, in this process or by real workers."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.jobs import devices, directory
from engine.jobs.directory import JobDirectory
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.recipes import recipe as recipes
from engine.recipes.recipe import Recipe, SynthesizeRecipe
from engine.worker import synthesize
from engine.worker.attempt import Attempt, Stopped
from tests.worker.inference.endpoints import Server, stream

Body = Any
_NUMBER = re.compile(r"review number (\d+)")


def write_reviews(folder: Path, count: int) -> Path:
    """Raw texts, each of which says which one it is and shares few words with the others."""
    path = folder / "reviews.jsonl"
    rows = [{"review": review(number), "stars": number % 5} for number in range(1, count + 1)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def review(number: int) -> str:
    odd = " ".join(f"{chr(97 + (number * step) % 26)}{number * step}" for step in (3, 7, 11))
    return f"review number {number} is of {odd}"


def make_recipe(data: Path, address: str, changes: dict[str, Any] | None = None) -> Recipe:
    """Two fields of each review by an endpoint, whose gates compare no rows."""
    table: dict[str, Any] = {
        "kind": "synthesize",
        "name": "made",
        "source": {"data": str(data)},
        "asking": {"generator": f"writer={address}?model=m", "instructions": "Read {review}"},
        "fields": {
            "text": {"take": "{review}"},
            "verdict": {"ask": "good or bad?", "type": "label", "choices": ["good", "bad"]},
            "summary": {"ask": "What does it say, as it is {verdict}?"},
        },
        "gates": {"near_duplicates": 0, "copy": 0, "openings": 0},
    }
    wanted = recipes.parse(recipes.with_changes(table, []))
    return recipes.changed(wanted, [f"{key}={value}" for key, value in (changes or {}).items()])


def job_at(folder: Path, server: Server, count: int = 12, **changes: object) -> JobDirectory:
    """A job on so many reviews, not started; `a__b` is the setting `a.b`."""
    named = {key.replace("__", "."): value for key, value in changes.items()}
    data = write_reviews(folder, count)
    return make_job(folder / "runs", make_recipe(data, server.address, named))


def number_of(body: Body) -> int:
    """Which review is asked about."""
    match = _NUMBER.search(json.dumps(body["messages"]))
    assert match is not None, body
    return int(match[1])


def right_row(number: int) -> dict[str, str]:
    verdict = "good" if number % 2 else "bad"
    return {
        "text": review(number), "verdict": verdict, "summary": f"it says {number * 31} {verdict}",
    }  # fmt: skip


def answer_rightly(body: Body) -> bytes:
    """What a good model says, to either question."""
    row = right_row(number_of(body))
    is_label = "one of these" in body["messages"][-1]["content"]
    return stream(row["verdict"] if is_label else row["summary"])


class Watched(Attempt):
    """An attempt that is asked to stop once it has finished so many sources."""

    stop_at = 10**9

    def stop_requested(self, wait: float = 0.0) -> bool:
        return super().stop_requested(wait) or self._status.step >= self.stop_at

    def log(self, line: str) -> None:
        with self.files.log.open("a") as file:
            file.write(line + "\n")


def make_job(root: Path, recipe: Recipe) -> JobDirectory:
    return directory.create(root, recipe)


def run_here(
    job: JobDirectory,
    stop_at: int = 10**9,
    changed: Callable[[SynthesizeRecipe], SynthesizeRecipe] = lambda recipe: recipe,
) -> tuple[State, str]:
    """An attempt at the job in this process: how it ended, and its last words."""
    attempt = Watched(job, Lock(job.lock_file))
    attempt.devices = devices.options("cpu")[0]
    attempt.stop_at = stop_at
    assert isinstance(attempt.recipe, SynthesizeRecipe)
    attempt.recipe = changed(attempt.recipe)
    attempt._writer.start()
    state, message = State.FAILED, ""
    try:
        message = synthesize.run(attempt)
        state = State.DONE
    except Stopped as stopped:
        state, message = State.STOPPED, str(stopped)
    finally:
        attempt.finish(state, message=message)
    return state, message


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file of JSON."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line.strip()]
