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
    """The same results, with an arm `NAME K-shot` for each that was asked all of its scored skills
    with K examples too, after all others. Suites that are then those of such arms alone go."""
    arms = dict(results.arms)
    moved: set[tuple[str, str]] = set()
    """Arms and suites that now stand as arms of their own."""
    for arm in results.arms.values():
        for count in sorted({_count(suite) for suite in arm.suites.values()} - {0}):
            made = _make_arm(results, arm, count)
            if made is not None and made.name not in arms:
                arms[made.name] = made
                moved |= {(arm.name, name_with_examples(suite, count)) for suite in made.suites}
    suites = {
        name: facts
        for name, facts in results.suites.items()
        if any(name in arm.suites and (arm.name, name) not in moved for arm in arms.values())
        or not any(name in arm.suites for arm in arms.values())
    }
    return EvaluationResults(arms, suites)


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
    # Without a comma, which stands between the names of arms.
    return replace(arm, name=f"{arm.name} {count}-shot", suites=suites) if suites else None


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
