"""From the directories of jobs to the inputs of a report.

Owns what is taken from where: results of all jobs as one, the runs behind the arms, answers, votes,
judges. Refuses to compute a table: that is rendering.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from engine.compare.arms import parse_arm
from engine.compare.votes import Vote, judges_of, tally_all
from engine.errors import EngineError
from engine.impact.results.evaluation_results import ArmResults, ArmSuite, EvaluationResults
from engine.impact.results.job_results import read_job_results
from engine.impact.results.merged_results import choose_arms, merge_results
from engine.impact.suites.suite_specs import parse_suite
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import EvaluateRecipe
from engine.report.job_answers import read_job_answers
from engine.report.json_values import round_numbers
from engine.report.judge_facts import read_judges
from engine.report.report_inputs import (
    VERSION,
    CollectedFacts,
    MeasuredJob,
    ReportInputs,
    VoteResult,
)
from engine.report.run_facts import list_runs, read_packages, read_run
from engine.report.short_names import ShortNames, find_run_id, name_endpoint
from engine.report.telling_items import choose_items


def collect_inputs(
    jobs: Sequence[JobDirectory],
    arms: Sequence[str],
    delta: float,
    runs: Iterable[JobDirectory] = (),
) -> ReportInputs:
    """The inputs of a report on these evaluate jobs; all their arms where none is named.

    `runs` are sought by the ids that arms name, after those that lie beside the jobs. Raises
    EngineError where results are missing or cannot be read, and for arms that they lack.
    """
    if not jobs:
        raise EngineError(
            "No evaluation to report on.", "", "Name one: finetop report JOB --out DIR"
        )
    by_id = {job.path.name: job for job in jobs}
    each = [read_job_results(job) for job in by_id.values()]
    merged = merge_results(each)
    renamed = _rename_arms(merged)
    own = {after: before for before, after in renamed.items()}
    shown = choose_arms(merged, [arm if arm in merged.arms else own.get(arm, arm) for arm in arms])
    if delta <= 0:
        raise EngineError("Delta must be above 0.", f"{delta}")
    names = ShortNames()
    results = _clear_results(_choose_arms(merged, shown), renamed, names)
    shown = tuple(renamed[arm] for arm in shown)
    by_text = [
        {one.spec: renamed[_find_name(merged, one)] for one in own.arms.values()} for own in each
    ]
    telling = choose_items(results, shown)
    answers, aspects = read_job_answers(
        [*by_id.values()], by_text, results, shown, [(one.skill, one.item) for one in telling]
    )
    refs = {renamed[arm.name]: _list_refs(arm) for arm in merged.arms.values()}
    known = _index_runs([*by_id.values()], runs)
    found, missing = list_runs([ref for arm in shown for ref in refs[arm]], known)
    arm_runs = {
        arm: run for arm in shown if (run := next(filter(None, map(find_run_id, refs[arm])), ""))
    }
    votes = [
        _list_votes(job, texts, shown) for job, texts in zip(by_id.values(), by_text, strict=True)
    ]
    places = [job.path for job in known.values()]
    judges = [
        [*read_judges(job, texts, shown, names, places)]
        for job, texts in zip(by_id.values(), by_text, strict=True)
    ]
    facts = CollectedFacts(
        VERSION,
        tuple(_describe_job(job, names) for job in by_id.values()),
        shown,
        delta,
        tuple(read_run(job, names) for job in found),
        tuple(missing),
        arm_runs,
        tuple(answers),
        tuple(aspects),
        tuple(vote for of_job in votes for vote in of_job),
        tuple(judge for of_job in judges for judge in of_job),
    )
    return ReportInputs(facts, results)


def _rename_arms(results: EvaluationResults) -> dict[str, str]:
    """By arm its name in the report, which is no host."""
    names: dict[str, str] = {}
    for name, arm in results.arms.items():
        try:
            parsed = parse_arm(arm.spec)
        except EngineError:
            names[name] = name
            continue
        is_own = name == parsed.name and parsed.is_endpoint
        names[name] = name_endpoint(parsed, {*names.values(), *results.arms}) if is_own else name
    return names


def _find_name(merged: EvaluationResults, arm: ArmResults) -> str:
    """What the merged results call an arm of one job."""
    return next(one.name for one in merged.arms.values() if one.spec == arm.spec)


def _choose_arms(results: EvaluationResults, shown: Sequence[str]) -> EvaluationResults:
    """The arms that are shown with their controls, and of those between them the parents alone; the
    suites that one of them was measured on."""
    kept: dict[str, ArmResults] = {arm: results.arms[arm] for arm in shown}
    for name in shown:
        parent = results.arms[name].parent
        while parent in results.arms and parent not in kept:
            kept[parent] = replace(results.arms[parent], suites={}, notes=())
            parent = results.arms[parent].parent
    measured = {suite for arm in kept.values() for suite in arm.suites}
    return EvaluationResults(
        kept,
        {name: facts for name, facts in results.suites.items() if name in measured},
        {name: arm for name, arm in results.controls.items() if arm.of in shown},
    )


def _clear_results(
    results: EvaluationResults, renamed: Mapping[str, str], names: ShortNames
) -> EvaluationResults:
    """The same without paths, hosts and addresses."""
    specs = {
        name: names.name_arm(arm.spec, renamed[name] if renamed[name] != name else "")
        for name, arm in results.arms.items()
    }

    def rename(control: ArmResults) -> str:
        own, of = control.name, control.of
        name = f"{renamed[of]}{own.removeprefix(of)}" if own.startswith(of) else own
        while name in renamed.values():
            name += "'"
        return name

    def clear(text: str) -> str:
        text = names.clear_text(text)
        for before, after in renamed.items():
            text = text.replace(before, after) if before != after else text
        return text

    arms = {}
    for name, arm in results.arms.items():
        arms[renamed[name]] = replace(
            arm,
            name=renamed[name],
            spec=specs[name],
            parent=renamed.get(arm.parent, arm.parent),
            notes=tuple(map(clear, arm.notes)),
            suites={suite: _clear_suite(each, clear) for suite, each in arm.suites.items()},
        )
    controls = {
        name: replace(
            arm,
            name=name,
            spec=arms[renamed[arm.of]].spec,  # what it is made of is that of its arm
            of=renamed[arm.of],
            parent="",
            notes=tuple(map(clear, arm.notes)),
            suites={suite: _clear_suite(each, clear) for suite, each in arm.suites.items()},
        )
        for arm in results.controls.values()
        for name in [rename(arm)]
    }
    suites = {
        name: replace(facts, notes=tuple(map(clear, facts.notes)))
        for name, facts in results.suites.items()
    }
    return EvaluationResults(arms, suites, controls)


def _clear_suite(suite: ArmSuite, clear: Callable[[str], str]) -> ArmSuite:
    own = ("system", "prefix")  # what was asked, word by word
    asked = {
        key: clear(value) if isinstance(value, str) and key not in own else round_numbers(value)
        for key, value in suite.asked.items()
    }
    return replace(suite, asked=asked, notes=tuple(map(clear, suite.notes)))


def _list_refs(arm: ArmResults) -> list[str]:
    """What an arm is made of: the adapter first, which a run made."""
    try:
        parsed = parse_arm(arm.spec)
    except EngineError:
        return []
    return [ref for ref in (parsed.adapter, parsed.checkpoint) if ref]


def _index_runs(
    jobs: Sequence[JobDirectory], runs: Iterable[JobDirectory]
) -> dict[str, JobDirectory]:
    known: dict[str, JobDirectory] = {}
    for folder in dict.fromkeys(job.path.parent for job in jobs):
        for record in sorted(folder.glob("*/job.json")):
            known.setdefault(record.parent.name, JobDirectory(record.parent))
    for job in runs:
        known.setdefault(job.path.name, job)
    return known


def _describe_job(job: JobDirectory, names: ShortNames) -> MeasuredJob:
    recipe = job.recipe()
    assert isinstance(recipe, EvaluateRecipe), "its results were read"
    suites = tuple(_name_suite(text, names) for text in recipe.suites)
    return MeasuredJob(job.path.name, suites, recipe.limit, read_packages(job))


def _name_suite(text: str, names: ShortNames) -> str:
    """A suite as a recipe names it, without paths."""
    head, mark, query = text.partition("?")
    try:
        ref = parse_suite(text).ref
    except EngineError:
        return names.clear_text(text)
    name, equals, _ = head.partition("=")
    return f"{name + equals if equals else ''}{names.name_ref(ref)}{mark}{query}"


def _list_votes(
    job: JobDirectory, by_text: Mapping[str, str], shown: Sequence[str]
) -> list[VoteResult]:
    """The votes of a job between arms that are shown, in their order."""
    judges = judges_of(job.path)
    texts = {by_text[text]: text for text in by_text if by_text[text] in shown}
    arms = [arm for arm in shown if arm in texts]
    return [
        _count_votes(judges, (arm, texts[arm]), (other, texts[other]))
        for at, other in enumerate(arms)
        for arm in arms[at + 1 :]
        if any(
            {vote.left, vote.right} == {texts[arm], texts[other]}
            for votes in judges.values()
            for vote in votes
        )
    ]


def _count_votes(
    judges: Mapping[str, Sequence[Vote]], arm: tuple[str, str], other: tuple[str, str]
) -> VoteResult:
    counts = tally_all(judges, arm[1], other[1])
    voters = sum(
        any({vote.left, vote.right} == {arm[1], other[1]} for vote in votes)
        for votes in judges.values()
    )
    return VoteResult(arm[0], other[0], voters, counts.wins, counts.losses, counts.ties,
                      counts.both_bad, counts.low, counts.high)  # fmt: skip
