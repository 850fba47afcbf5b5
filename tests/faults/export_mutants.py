"""Mutants of an export's files: its recipe, its record, what it checked.

A damaged file is refused in words, or what it says is read as it stands there.
"""

import json
import shutil
from pathlib import Path
from random import Random

from engine import atomic
from engine.errors import EngineError
from engine.jobs import directory, summary
from engine.jobs.store import Store
from engine.launching.in_use import find_users
from engine.recipes.recipe import ExportRecipe
from engine.release.proof import encode_proofs, read_proofs
from tests.faults.json_damage import damage
from tests.faults.verdict import LostError, WrongError
from tests.release.made_proof import make_proofs
from tui.screens.proof_lines import proof_lines


def check_export(random: Random, folder: Path) -> None:
    """One file of an export is damaged. Raises LostError, WrongError."""
    job = directory.create(folder, ExportRecipe(source="x=/m", targets=["gguf"], out="/out"))
    atomic.write_json(job.proof, encode_proofs(make_proofs(failed=random.random() < 0.5)))
    path = random.choice((job.proof, job.proof, job.recipe_file, job.record_file))
    whole = path.read_bytes()
    path.write_bytes(damage(random, whole))
    try:
        summary.view(job)
        find_users(Store(folder))
        if path == job.proof:
            _check_proof(path, whole)
    finally:
        shutil.rmtree(job.path)


def _check_proof(path: Path, whole: bytes) -> None:
    try:
        proofs = read_proofs(path)
    except EngineError:
        if path.read_bytes() == whole:
            raise LostError("a whole proof is refused") from None
        return
    proof_lines(proofs, 78)
    table = json.loads(path.read_bytes())
    written = [
        (one["target"], [(check["name"], check["status"]) for check in one["checks"]])
        for one in table["targets"]
    ]
    read = [(one.target, [(check.name, check.status) for check in one.checks]) for one in proofs]
    if [(str(name), [(str(a), b) for a, b in checks]) for name, checks in written] != read:
        raise WrongError("another check is read than is written")
