"""Where an export is built until it is whole."""

from pathlib import Path


def name_partial(out: Path, job: str) -> Path:
    """The hidden folder beside `out` in which the job of this id writes and proves it."""
    return out.with_name(f".{out.name}.partial-{job}")
