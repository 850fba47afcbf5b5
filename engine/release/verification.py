"""An export as it lies on a disk, here or elsewhere, compared with what was written and proven.

Owns what is said of each of its folders, and of what lies beside them. Needs neither the run nor
its base. What is damaged is a difference: an error is only that there is no export at all.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import EngineError
from engine.release.checksums import check_sums
from engine.release.proof import PROOF_FILE, TargetProof, read_proofs
from engine.release.targets import FORMS
from engine.report.render import SUMS


@dataclass(frozen=True, slots=True)
class VerifiedFolder:
    name: str
    differences: tuple[str, ...]
    proofs: tuple[TargetProof, ...]

    @property
    def passed(self) -> bool:
        return (
            not self.differences
            and bool(self.proofs)
            and all(proof.passed for proof in self.proofs)
        )


def verify_export(out: Path) -> tuple[VerifiedFolder, ...]:
    """Every folder of an export, or of one of its folders itself; what lies beside them, and is
    none of them, under the name of the whole. Raises EngineError where there is no export."""
    if (out / SUMS).is_file():
        return (_verify(out),)
    beside = sorted(out.iterdir()) if out.is_dir() else []
    folders = [path for path in beside if path.name in FORMS and path.is_dir()]
    if not any((path / SUMS).is_file() for path in folders):
        raise EngineError(
            "This is no export.", f"{out}: no folder with {SUMS}", "Name the folder of --out."
        )
    verified = [_verify(path) for path in folders]
    strays = tuple(f"{path.name!r} is no part of the export" for path in beside
                   if path not in folders)  # fmt: skip
    return (*verified, *([VerifiedFolder(out.absolute().name, strays, ())] if strays else []))


def _verify(folder: Path) -> VerifiedFolder:
    differences = list(check_sums(folder))
    try:
        proofs = read_proofs(folder / PROOF_FILE)
    except EngineError as error:
        return VerifiedFolder(folder.name, (*differences, f"{PROOF_FILE}: {error.title}"), ())
    for proof in proofs:
        form, *names = PurePosixPath(proof.file).parts or ("",)
        elsewhere = folder.name in FORMS and folder.name != form
        if elsewhere or not folder.joinpath(*names).exists():
            differences.append(f"{PROOF_FILE}: it is of {proof.file!r}, which is not here")
    return VerifiedFolder(folder.name, tuple(differences), proofs)
