"""The `export` job: a trained model in the forms that were asked for, each proven, then published.

All is written and proven under a hidden name beside the folder that was asked for, which appears by
one rename, or not at all: what a killed attempt left under that name the next one removes. What was
checked is kept in the job's directory, whatever came of it.
"""

import os
import shutil
from pathlib import Path

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine import atomic
from engine.errors import EngineError
from engine.jobs import write_errors
from engine.jobs.directory import name_partial
from engine.jobs.store import open_store
from engine.launching.export_leftovers import find_leftovers
from engine.launching.export_source import find_source
from engine.number_format import write_size
from engine.recipes.recipe import ExportRecipe
from engine.release.disk_need import check_room, measure_need
from engine.release.proof import TargetProof
from engine.release.targets import parse_targets
from engine.text import one_line
from engine.worker.attempt import Attempt, Stopped
from engine.worker.interruption import do_until_stopped


def run(attempt: Attempt) -> str:
    """Make the export, whole or not at all. Raises Stopped, EngineError.

    A stop ends it wherever it stands, for nothing of it is kept; not while it is renamed.
    """
    recipe = attempt.recipe
    assert isinstance(recipe, ExportRecipe)
    out = Path(recipe.out)
    partial = name_partial(out, attempt.record.id)
    try:
        message = do_until_stopped(attempt, lambda: _make(attempt, recipe, out, partial))
        _check_free(out)
        try:
            atomic.publish_directory(partial, out)
        except FileExistsError as error:  # since then, by another process
            raise _refuse(out) from error
        except OSError as error:
            raise _explain(error, out, "It was to be renamed.") or error from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return message


def _make(attempt: Attempt, recipe: ExportRecipe, out: Path, partial: Path) -> str:
    """The whole export under its hidden name, on disk; what came of it in words."""
    _check_free(out)
    store = open_store(attempt.directory.path.parent)
    for path in (partial, *find_leftovers(out, store)):  # of attempts that were killed
        if path.is_dir():
            shutil.rmtree(path)
            attempt.log(f"removed what a killed export left: {one_line(str(path))}")
    runs = [job.path for job in store.jobs()]
    source, targets = find_source(recipe.source, runs), parse_targets(recipe.targets)
    need = measure_need(source, targets, recipe.dtype, recipe.proof_rows)
    room = check_room(need, out.parent)
    attempt.log(f"on disk: {need.words}")
    from engine.worker.release.export_build import ExportBuild

    try:
        partial.mkdir()
        build = ExportBuild(attempt, recipe, source, targets, need, partial)
        proofs = build.make(runs)
        _check_free(out)
        _open_files(partial)
        atomic.flush_tree(partial)
    except (EngineError, Stopped):
        raise
    except Exception as error:
        words = (
            f"{write_size(need.most)} are needed in {out.parent}, {write_size(room)} were free "
            f"when it began: {need.words}"
        )
        raise _explain(error, out, words) or error from error
    build.progress.end()
    return f"{out}: {_count(proofs)}"


def _open_files(folder: Path) -> None:
    """Give every file the permissions that a new file of this user has: what libraries write aside
    first is for its owner alone."""
    allowed = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(allowed)


def _check_free(out: Path) -> None:
    if os.path.lexists(out):
        raise _refuse(out)


def _refuse(out: Path) -> EngineError:
    return EngineError(
        "The folder of the export already exists.",
        str(out),
        "Nothing in it was changed; export into another one with --out DIR.",
    )


def _explain(error: Exception, out: Path, need: str) -> EngineError | None:
    """A disk that refuses the export, in words, with what it was to take; None for any other
    error."""
    refusal = write_errors.find_refusal(error, out.parent)
    if refusal is None:
        return None
    where = refusal.filename if isinstance(refusal.filename, str) else str(out.parent)
    return EngineError(
        "The disk refused the export: nothing of it remains.",
        f"{where}: {refusal.strerror}\n{need}",
        f"{write_errors.remedy(refusal)}, then resume: it starts from the beginning.",
    )


def _count(proofs: tuple[TargetProof, ...]) -> str:
    checks = [check for proof in proofs for check in proof.checks]
    counts = [f"{len(proofs)} target{'s' * (len(proofs) != 1)}"]
    for status in ("passed", "stated", "not proven"):
        number = sum(check.status == status for check in checks)
        counts += [f"{number} checks {status}"] if number else []
    return ", ".join(counts)
