"""The input files of a run: hashed when it begins, and compared before it is resumed."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, sha256


def check(inputs: Mapping[str, str], *, force: bool = False) -> None:
    """Raise EngineError where an input file is missing, or has changed since the run began, which
    `force` accepts.

    Rows already seen are known by their order: with other rows, some would be trained twice and
    others never, without any error.
    """
    gone = [path for path in inputs if not os.path.exists(path)]
    if gone:
        raise EngineError(
            "The training data of this run is missing.",
            "\n".join(gone),
            "Restore the files, then resume.",
        )
    if force:
        return
    changed = [path for path, known in inputs.items() if sha256(Path(path)) != known]
    if changed:
        raise EngineError(
            "The training data of this run has changed since the start.",
            "\n".join(changed),
            "Restore the old content, or start a new run from this one; "
            "--force resumes with the new content.",
        )


def renew(job: JobDirectory, files: tuple[Path, ...]) -> None:
    """Record the inputs again, of a run that starts from the beginning. Raises OSError."""
    record = job.record()
    assert record is not None, "a job that is resumed has its record"
    hashes = {str(path): sha256(path) for path in files}
    if hashes != record.inputs:
        atomic.write_json(job.record_file, dataclasses.asdict(replace(record, inputs=hashes)))
