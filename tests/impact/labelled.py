"""Results of an evaluation on a suite of labels, made of what each arm picked."""

from collections.abc import Mapping, Sequence

from engine.impact.results.evaluation_results import (
    LIKELIHOOD,
    STRICT,
    ArmResults,
    ArmSuite,
    EvaluationResults,
    SuiteFacts,
    SuiteItem,
)

Picks = Sequence[str] | None
"""By item, in their order; None: not measured."""


def labelled(
    truth: Sequence[str],
    picks: Mapping[str, tuple[Picks, Picks]],
    labels: Sequence[str] = (),
    *,
    suite: str = "emotion",
    groups: Sequence[str] = (),
) -> EvaluationResults:
    """`picks` by arm: the likeliest label of each item, and the generated one."""
    choices = tuple(labels) or tuple(sorted(set(truth)))
    ids = [f"r{at}" for at in range(len(truth))]
    items = {
        name: SuiteItem(f"text {at}?", (truth[at],) if truth[at] else (), choices,
                        groups[at] if groups else "", score="choices")
        for at, name in enumerate(ids)
    }  # fmt: skip
    arms = {}
    for arm, (likely, generated) in picks.items():
        measures, picked = {}, {}
        for measure, each in ((LIKELIHOOD, likely), (STRICT, generated)):
            if each is not None:
                picked[measure] = dict(zip(ids, each, strict=True))
                measures[measure] = {
                    name: float(one == true)
                    for name, one, true in zip(ids, each, truth, strict=True)
                }
        arms[arm] = ArmResults(
            arm, f"{arm}=bundled:demo-base", {suite: ArmSuite(measures, picked=picked)}
        )
    return EvaluationResults(arms, {suite: SuiteFacts(suite, items, LIKELIHOOD)})
