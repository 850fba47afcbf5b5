"""The proof of all that is text: prompts, token ids and ends of what is shipped are the run's."""

from collections.abc import Callable

from engine.release.proof import Check
from engine.worker.release.proof_spec import ProofSpec

Tick = Callable[[int, int], None]
"""Told how much of how much is done."""


def check_texts(spec: ProofSpec, tick: Tick) -> list[Check]:
    """The checks of prompts, token ids, token types and ends of `spec.shipped`."""
    return []
