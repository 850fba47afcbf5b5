"""Results of an evaluation on one set of items, made of its measures by arm and suite."""

from collections.abc import Mapping, Sequence

from engine.impact.results.evaluation_results import (
    STRICT,
    ArmResults,
    ArmSuite,
    EvaluationResults,
    SuiteFacts,
    SuiteItem,
)

Values = Mapping[str, Sequence[float]]
"""By measure, an item each, in their order."""


def measured(
    suites: Mapping[str, Mapping[str, Values]],
    fewshot: Mapping[str, int] | None = None,
    groups: Sequence[str] = (),
    choices: Sequence[str] = (),
) -> EvaluationResults:
    """`suites` by name, then by arm; `fewshot` by suite, 0 where it lacks; of `choices` the first
    one is right."""
    facts, arms = {}, dict[str, dict[str, ArmSuite]]()
    for name, by_arm in suites.items():
        count = max(len(one) for values in by_arm.values() for one in values.values())
        facts[name] = SuiteFacts(
            name,
            {
                f"i{at}": SuiteItem(
                    f"{at}?",
                    (choices[0] if choices else str(at),),
                    tuple(choices),
                    groups[at] if groups else "",
                )
                for at in range(count)
            },
            STRICT,
        )
        for arm, values in by_arm.items():
            measures = {
                measure: {f"i{at}": value for at, value in enumerate(each)}
                for measure, each in values.items()
            }
            asked = {"fewshot": (fewshot or {}).get(name, 0), "template": "own"}
            arms.setdefault(arm, {})[name] = ArmSuite(measures, asked)
    return EvaluationResults(
        {arm: ArmResults(arm, f"{arm}=bundled:demo-base", each) for arm, each in arms.items()},
        facts,
    )
