"""Whether the shipped weights are those that were trained, tensor by tensor; loads no model."""

from engine.release.proof import Check
from engine.worker.release.proof_spec import ProofSpec
from engine.worker.release.prove import Tick


def check_weights(spec: ProofSpec, tick: Tick) -> list[Check]:
    """The checks of weights of one target."""
    raise NotImplementedError
