"""Whether a judge is one of the arms that it judges, or comes from the same base.

Judges prefer answers of their own model (Zheng et al. 2023, arXiv 2306.05685, section 3.3:
self-enhancement bias), so that it is said. Loads no weights.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from engine.checkpoints.ancestry import trace_runs
from engine.checkpoints.describe import locate
from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import RUN

OWN = "the judge judges its own"
"""How a sentence on a judge of its own answers, or its own family, begins."""


def describe_family(judge: str, arms: Sequence[str], runs: Sequence[Path]) -> list[str]:
    """A sentence for each arm that is the judge or of its family; names are untrusted.

    `runs` are those that `run:ID` may mean. Of an endpoint only its address and model are known.
    """
    try:
        own, others = parse_arm(judge), [parse_arm(arm) for arm in arms]
    except EngineError:
        return []
    roots = _roots(own, runs)
    lines = []
    for arm in others:
        shared = roots & _roots(arm, runs)
        if _weights(arm) == _weights(own):
            lines.append(f"{OWN} answers: it is the model of {arm.name}")
        elif shared:
            lines.append(f"{OWN} family: {arm.name} has the same base")
        elif own.is_endpoint != arm.is_endpoint:
            lines.append(f"whether the judge and {arm.name} have the same base is not known")
    return lines


def _weights(arm: Arm) -> tuple[object, ...]:
    """What answers, however it is asked."""
    adapter = arm.adapter and _place(arm.adapter)
    return (_place(arm.checkpoint), arm.model, adapter, arm.strength)


def _roots(arm: Arm, runs: Sequence[Path]) -> frozenset[str]:
    """The whole models at which the arm's chain of training ends, by their places."""
    if arm.is_endpoint:
        return frozenset()
    refs = [ref for ref in (arm.checkpoint, arm.adapter) if ref]
    return frozenset(map(_place, trace_runs(refs, runs).roots))


def _place(ref: str) -> str:
    """Where a model lies; of a run, an address, or what is gone, the ref itself."""
    place = None if ref.startswith(RUN) else locate(ref)
    return os.path.realpath(place) if place else ref
