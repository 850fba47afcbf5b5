"""Whether what is shipped answers as the run does."""

from pathlib import Path

from engine.release.proof import Check
from engine.worker.release.proof_spec import ProofSpec
from engine.worker.release.prove import Tick


def check_answers(spec: ProofSpec, scratch: Path, tick: Tick) -> list[Check]:
    """The checks of answers of one target."""
    raise NotImplementedError
