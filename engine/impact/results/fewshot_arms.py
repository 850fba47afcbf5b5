"""Arms that were asked with examples, as arms of their own beside those that were asked without.

A suite that is asked with examples is another skill (`facts, 5-shot`). Where a model was asked all
of its skills in both ways, on the same items, examples in the prompt are what can be done instead
of training, and are compared as one more arm. Owns when that is so; refuses a model that was asked
only some of its skills with examples, for the others would then count for nobody.
"""

from dataclasses import replace

from engine.impact.results.evaluation_results import (
    ArmResults,
    ArmSuite,
    EvaluationResults,
    SuiteFacts,
)


def add_fewshot_arms(results: EvaluationResults) -> EvaluationResults:
    """The same results, with an arm `NAME, K-shot` for each that was asked all of its scored skills
    with K examples too, after all others."""
    arms = dict(results.arms)
    for arm in results.arms.values():
        for count in sorted({_count(suite) for suite in arm.suites.values()} - {0}):
            made = _make_arm(results, arm, count)
            if made is not None and made.name not in arms:
                arms[made.name] = made
    return replace(results, arms=arms)


def name_with_examples(suite: str, count: int) -> str:
    """What a suite is called where it is asked with examples: `facts, 5-shot`."""
    return f"{suite}, {count}-shot"


def _make_arm(results: EvaluationResults, arm: ArmResults, count: int) -> ArmResults | None:
    suites: dict[str, ArmSuite] = {}
    for name, suite in arm.suites.items():
        facts = results.suites.get(name)
        if _count(suite) or facts is None or not suite.measures.get(facts.measure):
            continue  # asked with examples itself, or nothing is right or wrong
        if suite.is_perplexity or len(facts.items) <= count:
            continue  # a text is not asked, and examples are other items of the suite
        other = name_with_examples(name, count)
        with_examples = arm.suites.get(other)
        if with_examples is None or not _is_same(facts, results.suites.get(other)):
            return None
        suites[name] = with_examples
    return replace(arm, name=name_with_examples(arm.name, count), suites=suites) if suites else None


def _count(suite: ArmSuite) -> int:
    """Examples before each question."""
    count = suite.asked.get("fewshot", 0)
    return count if isinstance(count, int) else 0


def _is_same(facts: SuiteFacts, other: SuiteFacts | None) -> bool:
    """Whether two suites ask the same items, but for the examples before them."""
    if other is None or facts.measure != other.measure:
        return False
    shared = facts.items.keys() & other.items.keys()
    return bool(shared) and all(
        replace(facts.items[item], digest="") == replace(other.items[item], digest="")
        for item in shared
    )
