"""The folder of a report: written whole, replaced only where it is a report's own, checked again.

Owns what makes a folder a report's own, and what is compared. A folder is written aside and
renamed: a full disk or a kill leaves the old one or none.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.impact.changes.verdicts import DELTA
from engine.jobs.directory import JobDirectory
from engine.jobs.write_errors import remedy
from engine.report.collect import collect_inputs
from engine.report.render import SUMS, read_sums, render_report, write_sums
from engine.report.report_inputs import INPUTS, RESULTS, decode_inputs, encode_inputs
from engine.safe_open import read_bounded
from engine.text import one_line

MOST_BYTES = 1 << 29
"""Of one file of a report."""
MOST_FILES = 1000
FORCE_HINT = "Choose another folder, or add --force."
_LONGEST_LINE = 160
Progress = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file of a report that is not as it should be."""

    name: str
    reason: str
    """In one line, clean: missing, not part of it, or the first line that differs."""


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """What became of checking a report."""

    files: int
    """Compared."""
    differences: tuple[FileDifference, ...]
    jobs: tuple[str, ...]
    """Ids of the jobs from which the inputs were collected again; empty: not possible."""
    not_collected: str = ""
    """Why not; empty where it was."""


def write_report(
    jobs: Sequence[JobDirectory],
    out: Path,
    arms: Sequence[str] = (),
    delta: float = DELTA,
    *,
    runs: Iterable[JobDirectory] = (),
    force: bool = False,
    hint: str = FORCE_HINT,
    progress: Progress = lambda _: None,
) -> Path:
    """Write the report of these evaluate jobs into the folder `out`; its path.

    All arms where none are named, the first one the base; `delta` is a share. `runs` are sought by
    id where they do not lie beside the jobs. `force` replaces a folder that holds a report and
    nothing else. `progress` is told in a word what is done. Raises EngineError.
    """
    out = out.absolute()
    check_folder(out, force=force, hint=hint)
    _check_is_apart(out, jobs)
    progress("reading")
    inputs = encode_inputs(collect_inputs(jobs, arms, delta, runs))
    progress("rendering")
    files = render_report(inputs)
    progress("writing")
    _publish(out, files, force=force, hint=hint)
    return out


def check_folder(out: Path, *, force: bool = False, hint: str = FORCE_HINT) -> None:
    """Raise EngineError where `write_report` would not write, as far as can be seen before."""
    parent = out.absolute().parent
    if not parent.is_dir():
        raise EngineError(
            "The folder does not exist.", str(parent), "Make it, or choose another one."
        )
    if not os.access(parent, os.W_OK | os.X_OK):  # also to replace: by renaming
        raise EngineError(
            "The folder above the report cannot be written to.", str(parent),
            "Name another one with --out.",
        )  # fmt: skip
    if os.path.lexists(out) and (out.is_symlink() or not out.is_dir()):
        raise EngineError("The path is not a folder.", str(out), "Choose another name.")
    if not out.is_dir():
        return
    if not any(out.iterdir()):
        _check_can_be_replaced(out)
        return
    if not force:
        raise EngineError("The folder is not empty.", str(out), hint)
    if foreign := _find_foreign(out):
        raise EngineError(
            "The folder holds more than a report, and is not replaced.",
            f"{out}: {one_line(foreign)}",
            "Choose another folder.",
        )
    _check_can_be_replaced(out)


def _check_can_be_replaced(out: Path) -> None:
    """A folder is replaced by renaming: a mount point stays, and a shell would stay in the old one
    and see nothing."""
    is_cwd = os.path.isdir(os.curdir) and os.path.samefile(out, os.curdir)
    if is_cwd or os.path.ismount(out):
        what = "the working directory" if is_cwd else "a mount point"
        raise EngineError(
            f"The folder is {what}, and cannot be replaced.",
            str(out),
            f"Name a new folder in it: {out / 'report'}.",
        )


def _check_is_apart(out: Path, jobs: Sequence[JobDirectory]) -> None:
    """A report outlives its jobs, and a job's directory holds what its worker wrote."""
    parents = (out.parent.resolve(), *out.parent.resolve().parents)
    inside = next((job for job in jobs if job.path.resolve() in parents), None)
    if inside is not None:
        raise EngineError(
            "The folder lies in a job, and would be deleted with it.",
            f"{out}: in {inside.path.name}",
            "Choose another folder.",
        )


def verify_report(
    folder: Path,
    known: Mapping[str, JobDirectory] | None = None,
    progress: Progress = lambda _: None,
) -> ReportCheck:
    """Render the report again from its own inputs, and these from their jobs where all are known
    by id, and compare every byte. Raises EngineError where the folder is no report or its inputs
    are damaged beyond reading."""
    names = _list_files(folder)
    if not all(name in names and (folder / name).is_file() for name in (INPUTS, RESULTS)):
        raise EngineError(
            "This folder is no report.", f"{folder}: {INPUTS} or {RESULTS} is missing",
            "Name a folder that finetop report wrote.",
        )  # fmt: skip
    regular = [name for name in sorted(names) if (folder / name).is_file()]
    found = {name: read_bounded(folder / name, MOST_BYTES) for name in regular}
    differences = _check_sums(found)
    progress("rendering")
    expected = _render_again({name: found[name] for name in (INPUTS, RESULTS)})
    differences |= _compare(found, expected, "rendered")
    differences |= dict.fromkeys(set(names) - found.keys(), "not a regular file")
    jobs: tuple[str, ...] = ()
    reason = "the jobs were not sought"
    if known is not None:
        progress("collecting")
        jobs, reason, again = _collect_again(found, known)
        own = {name: found[name] for name in again}
        differences |= _compare(own, again, "collected from the jobs")
    return ReportCheck(
        len(expected.keys() | set(names)),
        tuple(FileDifference(name, why) for name, why in sorted(differences.items())),
        jobs,
        reason,
    )


def _render_again(data: Mapping[str, bytes]) -> dict[str, bytes]:
    try:
        return render_report(data)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Each value is as it is declared, and they contradict each other: no report wrote them.
        raise EngineError(
            "The report's inputs contradict each other.",
            f"{INPUTS}, {RESULTS}: {error!r}"[:400],
            "Write the report again from its jobs.",
        ) from error


def _collect_again(
    found: Mapping[str, bytes], known: Mapping[str, JobDirectory]
) -> tuple[tuple[str, ...], str, Mapping[str, bytes]]:
    """The inputs anew: the jobs' ids, or why not, and the files."""
    facts = decode_inputs(found).facts
    ids = tuple(job.id for job in facts.jobs)
    needed = (*ids, *(run.id for run in facts.runs), *(judge.id for judge in facts.judges))
    missing = [name for name in needed if name not in known]
    if missing:
        return (), f"not here: {', '.join(map(one_line, missing))}", {}
    # A run that was not found then may be found by now: that is no fault of the report.
    runs = [job for name, job in known.items() if name not in facts.missing_runs]
    try:
        inputs = collect_inputs([known[name] for name in ids], facts.arms, facts.delta, runs)
    except EngineError as error:
        return (), one_line(f"the jobs cannot be read: {error.line}"), {}
    return ids, "", encode_inputs(inputs)


def _check_sums(found: Mapping[str, bytes]) -> dict[str, str]:
    """Where a file is not what `SHA256SUMS` says."""
    listed = dict(read_sums(found.get(SUMS, b"")))
    own = dict(read_sums(write_sums({name: found[name] for name in listed if name in found})))
    return {
        name: f"its SHA-256 is not the one in {SUMS}"
        for name, digest in listed.items()
        if name in own and own[name] != digest
    }


def _compare(found: Mapping[str, bytes], expected: Mapping[str, bytes], how: str) -> dict[str, str]:
    differences = {}
    for name in found.keys() | expected.keys():
        if name not in found:
            differences[name] = "missing"
        elif name not in expected:
            differences[name] = "not part of the report"
        elif found[name] != expected[name]:
            differences[name] = _say_difference(found[name], expected[name], how)
    return differences


def _say_difference(found: bytes, expected: bytes, how: str) -> str:
    """The first line that differs."""
    own, other = found.split(b"\n"), expected.split(b"\n")
    at = next(
        (at for at, (one, two) in enumerate(zip(own, other, strict=False)) if one != two),
        min(len(own), len(other)),
    )
    sides = [lines[at] if at < len(lines) else b"" for lines in (own, other)]
    shown = [
        _show_line(side, *sides) if at < len(lines) else "nothing"
        for side, lines in zip(sides, (own, other), strict=True)
    ]
    return f"line {at + 1} is {shown[0]}, {how} {shown[1]}"


def _show_line(line: bytes, own: bytes, other: bytes) -> str:
    """The part of a line around the first byte in which two differ."""
    first = next((at for at, (one, two) in enumerate(zip(own, other, strict=False)) if one != two),
                 min(len(own), len(other)))  # fmt: skip
    start = max(0, first - 40)
    part = line[start : start + _LONGEST_LINE].decode("utf-8", "replace")
    return repr(one_line(f"{'…' if start else ''}{part}"))


def _list_files(folder: Path) -> list[str]:
    """The names of all files below it, with a slash between folders; links to folders among them,
    which nobody follows."""
    names: list[str] = []
    try:
        for path, folders, files in os.walk(folder, onerror=_raise):
            folders.sort()
            files += [name for name in folders if os.path.islink(os.path.join(path, name))]
            names += [Path(path, name).relative_to(folder).as_posix() for name in sorted(files)]
            if len(names) > MOST_FILES:
                raise EngineError(
                    "This folder is no report.", f"{folder}: too many files",
                    "Name a folder that finetop report wrote.",
                )  # fmt: skip
    except OSError as error:
        raise EngineError(
            "The folder cannot be read.", f"{folder}: {error.strerror}", "Check the path."
        ) from error
    return names


def _raise(error: OSError) -> None:
    raise error


def _find_foreign(folder: Path) -> str:
    """A file in a folder that no report wrote there; empty where it is a report's own."""
    names = _list_files(folder)
    if SUMS not in names or INPUTS not in names:
        return "it is no report"
    listed = {name for name, _ in read_sums(read_bounded(folder / SUMS, 1 << 20))}
    return next((name for name in names if name != SUMS and name not in listed), "")


def _publish(out: Path, files: Mapping[str, bytes], *, force: bool, hint: str) -> None:
    """Give the folder its files, all or none."""
    beside = Path("")
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name[:100]}.", dir=out.parent))
        made, whole, old = (beside / name for name in ("made", "whole", "old"))
        for name, content in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        atomic.publish_directory(made, whole)  # it is on disk before the old one is touched
        check_folder(out, force=force, hint=hint)
        if out.is_dir():
            os.rename(out, old)
        try:
            os.rename(whole, out)
        except OSError:
            if old.exists():
                os.rename(old, out)
            raise
        atomic.flush_directory(out.parent)
    except OSError as error:
        raise EngineError(
            "The report cannot be written.",
            f"{out}: {error.strerror or error}",
            f"{remedy(error)}, or choose another folder.",
        ) from error
    finally:
        if beside.name and (out.exists() or not (beside / "old").exists()):
            shutil.rmtree(beside, ignore_errors=True)
