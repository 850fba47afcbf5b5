"""What an endpoint gives as an arm of an evaluation: answers, no likelihoods and no token ids.

Owns which measures such an arm lacks and why, how it was not treated like the arms here, and what
is said before the start. Refuses an arm of which nothing at all could be measured.
"""

from collections.abc import Sequence

from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.compare.metrics import REPEATED
from engine.errors import EngineError
from engine.impact.results.evaluation_results import GOLD_NLL, LIKELIHOOD, LIKELIHOOD_NORM, NLL
from engine.impact.scores.wording import TOKENS
from engine.impact.suites.evaluation_plan import EvaluationPlan, Suite, choices_of

NO_LIKELIHOODS = "a server gives answers, no likelihoods"
NO_TOKEN_IDS = "a server gives answers, no token ids"
"""Repetition too is counted on them here, which runs of characters cannot be compared with."""


def find_unmeasured(items: Sequence[Item]) -> dict[str, str]:
    """By measure that these items have of a model here, why an endpoint has none of it."""
    lacking: dict[str, str] = {}
    for item in items:
        if item.score == "perplexity":
            lacking[NLL] = NO_LIKELIHOODS
        elif item.score == "open":
            lacking |= dict.fromkeys((TOKENS, REPEATED), NO_TOKEN_IDS)
        if choices_of(item):
            lacking[GOLD_NLL] = NO_LIKELIHOODS
        if item.score == "choices":
            lacking |= dict.fromkeys((LIKELIHOOD, LIKELIHOOD_NORM), NO_LIKELIHOODS)
    return lacking


def check_endpoints(plan: EvaluationPlan) -> None:
    """Raise EngineError for an endpoint that has nothing of any suite, and for null adapters of an
    endpoint. The plan must hold all suites."""
    for control in plan.controls:
        if control.kind == "null" and control.arm.is_endpoint:
            raise EngineError(
                "An endpoint has no null adapters.",
                f"{control.of}: they are made of the weights of the last arm",
                "Name an arm with an adapter last, or leave out --null-adapters.",
            )
    for arm in _list_endpoints(plan):
        has_scores = bool(plan.imported.arms.get(arm.name))
        if not has_scores and all(map(_is_read, plan.suites)):
            raise EngineError(
                "Nothing can be measured of an endpoint.",
                f"{arm.name}: all suites are texts that are read, and {NO_LIKELIHOODS}",
                "Add a suite of questions, or leave the arm out.",
            )


def describe_unmeasured(plan: EvaluationPlan) -> list[str]:
    """What the plan's endpoints will lack, a sentence each; none without endpoints."""
    whole = [suite.name for suite in plan.suites if _is_read(suite)]
    scores = [
        f"{suite.name} ({suite.measure})"
        for suite in plan.suites
        if suite.name not in whole and suite.measure in find_unmeasured(suite.items)
    ]
    parts = [f"anything of {', '.join(whole)}"] if whole else []
    parts += [f"the score of {', '.join(scores)}"] if scores else []
    if not parts:
        return []
    return [
        f"{arm.name}: {NO_LIKELIHOODS}. Not measured of it: {'; '.join(parts)}."
        for arm in _list_endpoints(plan)
    ]


def describe_treatment(arm: Arm, plan: EvaluationPlan) -> list[str]:
    """How an endpoint was not treated like an arm here, a sentence; none for other arms."""
    if not arm.is_endpoint:
        return []
    ways = "; ".join(
        dict.fromkeys(
            f"temperature {decode.temperature:g}, seed {decode.seed}"
            for suite in plan.suites
            for decode in [arm.decoding(suite.decode)]
        )
    )
    return [
        "a server answered, by its own chat template and decoding"
        + (f" ({ways} were asked for)" if ways else "")
        + ", not by the templates and the decoding here: a change may be that of how it answers, "
        "and what needs likelihoods or token ids is not measured"
    ]


def _list_endpoints(plan: EvaluationPlan) -> list[Arm]:
    return [arm for arm in plan.arms if arm.is_endpoint]


def _is_read(suite: Suite) -> bool:
    return all(item.score == "perplexity" for item in suite.items)
