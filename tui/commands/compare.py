"""`finetop compare`: results of a generate job, for scripts: export, numbers, votes, shift."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.json_output import format_json, replace_not_finite
from engine.recipes.recipe import AnswersRecipe
from engine.statistics import COVERAGE
from engine.text import one_line
from tui.cli_options import FORCE_HINT, add_force

if TYPE_CHECKING:
    from engine.compare.answer_pairs import Collection


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    group = commands.add_parser(
        "compare", help="answers of a generate or evaluate job: export, numbers, votes, shift"
    )
    parts = group.add_subparsers(metavar="WHAT", required=True)
    export = parts.add_parser(
        "export", help="write the answers as Markdown, CSV, JSONL, HTML, JSON"
    )
    _add_job(export, "in order (default: all)")
    export.add_argument(
        "--to", type=Path, required=True, metavar="FILE",
        help="format by suffix: .md .csv .jsonl .html, or .json for LLM Comparator",
    )  # fmt: skip
    add_force(export)
    export.set_defaults(handler=_export)
    numbers = parts.add_parser(
        "numbers",
        help="metrics of two arms, with paired differences",
        epilog=f"95% intervals: {' '.join(COVERAGE)}",
    )
    numbers.add_argument("--prompt", metavar="ID", help="only answers to this prompt id")
    votes = parts.add_parser("votes", help="results of the blind votes on two arms")
    shift = parts.add_parser(
        "shift", help="token shift: ranks of one arm's tokens under the other arm"
    )
    shift.add_argument(
        "--bins", type=int, default=10, help="number of position bins in an answer (default 10)"
    )
    for parser, handler in ((numbers, _numbers), (votes, _votes), (shift, _shift)):
        _add_job(parser, "two, in order (default: the first two)")
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.set_defaults(handler=handler)
    return [export, numbers, votes, shift]


def _add_job(parser: argparse.ArgumentParser, which: str) -> None:
    parser.add_argument("job", help="id, name or path of a generate or evaluate job")
    parser.add_argument("--arms", metavar="A,B", help=f"names of arms: {which}")


def _export(options: argparse.Namespace) -> int:
    from engine.compare import export, votes
    from engine.compare.answer_pairs import of_job

    export.check(options.to, force=options.force, hint=FORCE_HINT)
    job = _job(options)
    collection = of_job(job)
    collection.poll()
    if collection.passed_over:
        print(f"{collection.passed_over} lines without an answer were skipped", file=sys.stderr)
    found = [one for arm in collection.arms for one in collection.of(arm)]
    if options.arms:
        found = export.only(found, options.arms.split(","))
    scores = {}
    if options.to.suffix == ".json":
        first, second = [*dict.fromkeys(one.arm for one in found), "", ""][:2]
        judges = votes.judges_of(job.path)
        scores = votes.scores([one for each in judges.values() for one in each], first, second)
    skills = {one.prompt_id: collection.prompt(one).skill for one in found}
    export.write(options.to, found, scores, skills, force=options.force, hint=FORCE_HINT)
    print(options.to)
    return 0


def _numbers(options: argparse.Namespace) -> int:
    from engine.compare import paired_stats
    from engine.compare.metrics import REPEATED, call_outcome
    from tui.browse.result_lines import SPOKEN_ONLY, kinds_line, span, value

    job = _job(options)
    collection, left, right = _two(job, options.arms)
    pairs = collection.pairs(left, right)
    if options.prompt is not None:
        pairs = [pair for pair in pairs if pair.id == options.prompt]
        if not pairs:
            raise EngineError(
                "No prompt with this id has answers from both arms.",
                one_line(options.prompt),
                "finetop compare export writes the answers with their prompt ids.",
            )
    found = paired_stats.compare(
        [pair.left for pair in pairs],
        [pair.right for pair in pairs],
        collection.numbers,
        lambda sample: call_outcome(sample, collection.prompt(sample)),
    )
    if options.json:
        table = dataclasses.asdict(found)
        for row, told in zip(found.rows, table["rows"], strict=True):
            told |= {"difference": row.difference, "detectable": row.detectable}
        print(format_json(replace_not_finite(table)))
        return 0
    from engine.compare.answer_pairs import names

    one, other = (one_line(name) for name in names([left, right]).values())
    print(f"{found.prompts} prompts answered by both arms, {found.same} identical")
    print(
        f"{'':22}{one:>10.9}{other:>10.9}{'change':>9}  {'95% interval':18}{'detects':>9}{'n':>5}"
    )
    group = ""
    for row in found.rows:
        if row.group != group:
            group = row.group
            print(group)
        sign = "*" if row.differs else " "
        print(
            f"  {row.name:20}{value(row.left):>10}{value(row.right):>10}"
            f"{value(row.difference, signed=True):>9}{sign} {span(row):18}"
            f"{value(row.detectable):>9}{row.prompts:>5}"
        )
    for kind in found.kinds:
        print(f"{kind.name:22}{kinds_line(kind, '->', '...', 120)}")
    print("* the interval excludes 0. Expect 1 in 20 intervals to do so by chance.")
    print("detects: smallest change found with 80% power at this n and variance.")
    if found.has_parts:
        print(f"{SPOKEN_ONLY[:1].upper()}{SPOKEN_ONLY[1:]}, without reasoning and calls.")
    if found.repetition_basis == "characters":
        print(f"{REPEATED}: counted on characters, for not all answers have token ids.")
    return 0


def _votes(options: argparse.Namespace) -> int:
    from engine.compare import votes
    from engine.compare.answer_pairs import names
    from tui.browse.result_lines import outcome
    from tui.screens.judge_lines import JUDGED_APART, read_judge_lines

    job = _job(options)
    _, left, right = _two(job, options.arms)
    known = names([left, right])
    judges = {
        judge: [
            votes.named(vote, known) for vote in cast if {vote.left, vote.right} == {left, right}
        ]
        for judge, cast in votes.judges_of(job.path).items()
    }
    one, other = known[right], known[left]
    if options.json:
        table = {
            "all": dataclasses.asdict(votes.tally_all(judges, one, other)),
            "judges": {
                judge: dataclasses.asdict(votes.tally(cast, one, other))
                for judge, cast in judges.items()
            },
            "agreement": votes.agreement(judges),
        }
        print(format_json(replace_not_finite(table)))
    else:
        print("\n".join(outcome(judges, one, other)))
        if by_models := read_judge_lines(job, "·", (left, right)):
            print("\n".join([JUDGED_APART, *(f"  {line}" for line in by_models)]))
    return 0


def _shift(options: argparse.Namespace) -> int:
    from engine.compare.answer_pairs import names
    from tui.commands import compare_shift

    if not 1 <= options.bins <= 1000:
        raise EngineError("The number of bins must be 1 to 1000.", f"--bins {options.bins}")
    job = _job(options)
    collection, left, right = _two(job, options.arms)
    table = compare_shift.run(collection.pairs(left, right), str(job.path.parent), options.bins)
    if options.json:
        print(format_json(replace_not_finite(table)))
    else:
        known = names([left, right])
        print("\n".join(compare_shift.lines(table, one_line(known[left]), one_line(known[right]))))
    return 0


def _job(options: argparse.Namespace) -> JobDirectory:
    job = open_store(options.runs).find(options.job)
    if not isinstance(job.recipe(), AnswersRecipe):
        raise EngineError(
            "This job has no answers to compare.", str(job.path), "Run finetop generate first."
        )
    return job


def _two(job: JobDirectory, arms: str | None) -> "tuple[Collection, str, str]":
    """The job's answers, and the two requested arms, or the first two."""
    from engine.compare.answer_pairs import of_job, pick_arms

    collection = of_job(job)
    collection.poll()
    return collection, *pick_arms(collection, arms.split(",") if arms else ())
