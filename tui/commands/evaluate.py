"""`finetop evaluate`: what several arms score on skills, and what changed against the first one."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import output_file
from engine.errors import EngineError, JobFailed
from engine.jobs import launch
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.status import State
from engine.jobs.store import open_store
from engine.number_format import write_number
from engine.recipes import recipe
from engine.recipes.recipe import EvaluateRecipe
from engine.text import escape_json, one_line
from tui.cli_options import FORCE_HINT, add_force
from tui.commands.follow import follow
from tui.commands.recipe_options import add_changes

if TYPE_CHECKING:
    from engine.impact.skill_table import SkillChange, SkillResult, SkillTable

_RUN = "run:"
_NAME, _SCORE = 26, 20


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "evaluate",
        help="measure several arms on skills, and what was lost and gained",
        epilog="Each verdict is that of one test, named beside it, at a delta of 5 points; the "
        "last arm against the first is corrected by Holm over all skills, the others are "
        "exploratory and unadjusted.",
    )
    parser.add_argument(
        "--arm", action="append", required=True, dest="arms", metavar="NAME=CHECKPOINT[+ADAPTER]",
        help="a model (with or without adapter) or a run, the base first; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--suite", action="append", default=[], dest="suites", metavar="SUITE",
        help="a file of items, bundled:NAME, or run:ID (the labels of the rows that a training "
             "run held out, once); repeatable (default: every bundled one)",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="items of each suite")
    parser.add_argument("--name", default="evaluate", help="name of the job")
    parser.add_argument("--detach", action="store_true", help="print the job's id and return")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the table to this file as JSON"
    )
    add_force(parser)
    add_changes(parser, "decode.max_new_tokens=64")
    parser.set_defaults(handler=_evaluate)
    return [parser]


def _evaluate(options: argparse.Namespace) -> int:
    from engine.launching import evaluation

    if options.json is not None and options.detach:
        raise EngineError("--detach and --json cannot be combined.", "", "Remove --json.")
    if options.json is not None:
        output_file.check(options.json, force=options.force, hint=FORCE_HINT)
    held_out = [name for name in options.suites if name.startswith(_RUN)]
    if len(held_out) > 1:
        raise EngineError("Only one --suite can be run:ID.", ", ".join(map(one_line, held_out)))
    table = {
        "kind": "evaluate", "name": options.name, "arms": options.arms, "limit": options.limit,
        "suites": [name for name in options.suites if name not in held_out],
        "choices": held_out[0] if held_out else "",
    }  # fmt: skip
    wanted = recipe.parse(recipe.with_changes(table, options.changes))
    assert isinstance(wanted, EvaluateRecipe)
    job = evaluation.launch_evaluation(wanted, open_store(options.runs, remember=True).root)
    if options.detach:
        print(job.path.name)
        return 0
    try:
        last = follow(job, "evaluating")
    except KeyboardInterrupt:
        launch.stop(job, grace=5)
        raise
    if last.state is not State.DONE:
        raise JobFailed(
            "The evaluation was stopped.", str(job.path), f"finetop resume {job.path.name}"
        )
    found = _read_table(job, wanted)
    if options.json is not None:
        text = escape_json(json.dumps(found.to_json(), indent=1, ensure_ascii=False)) + "\n"
        output_file.write(options.json, [text.encode()], force=options.force, hint=FORCE_HINT)
    for line in as_lines(found):
        print(line.rstrip())
    print(job.path, file=sys.stderr)
    return 0


def _read_table(job: JobDirectory, wanted: EvaluateRecipe) -> "SkillTable":
    from engine.compare.arms import parse_arms
    from engine.impact.skill_table import build_table

    results: Any = read_json(job.results)
    if not isinstance(results, dict) or "arms" not in results:
        raise JobFailed("The job has no results.", str(job.results))
    return build_table(results, [arm.name for arm in parse_arms(wanted.arms)])


def as_lines(table: "SkillTable") -> Iterator[str]:
    """The table as a terminal shows it: a line a skill, and a line a change under it."""
    first = table.arms[0]
    yield f"{'skill':{_NAME}}{'n':>6}" + "".join(f"{one_line(arm):>{_SCORE}}" for arm in table.arms)
    for row in table.skills:
        cells = (
            _score(row.results[arm]) if arm in row.results else "not measured" for arm in table.arms
        )
        name = one_line(row.name)[: _NAME - 1]
        yield f"{name:{_NAME}}{row.items:>6,}" + "".join(f"{cell:>{_SCORE}}" for cell in cells)
        for arm, change in row.changes.items():
            yield f"  {one_line(arm)} - {one_line(first)}: {_describe(change, table.delta)}"
        if row.unpaired:
            yield f"  {row.unpaired:,} items are not in all arms and not compared"
    yield ""
    yield (
        f"Scores with 95% Wilson intervals; delta {write_number(100 * table.delta, 0)} points. "
        f"{one_line(table.arms[-1])} against {one_line(first)} is corrected by Holm over all "
        "skills; all else is exploratory, unadjusted."
    )
    yield "Perplexity: the change is in nats per token, above 0 is worse."


def _score(result: "SkillResult") -> str:
    if result.is_perplexity:
        return f"ppl {write_number(result.score, 2)}"
    text = write_number(result.score, 3)
    if result.interval is not None:
        text += " [{}, {}]".format(*(write_number(one, 2) for one in result.interval))
    return text


def _describe(change: "SkillChange", delta: float) -> str:
    verdict, test = change.verdict, change.test
    low, high = (verdict.low, verdict.high) if verdict else test.interval()
    confidence = verdict.confidence if verdict else 0.95
    text = (
        f"{write_number(test.difference, 3, signed=True)} "
        f"[{write_number(low, 3, signed=True)}, {write_number(high, 3, signed=True)}] "
        f"at {confidence:.3%}".replace(".000%", "%")
    )
    if verdict is None:
        return f"{text} nats/token ({test.name})"
    words: str = verdict.word
    points = f"{write_number(100 * delta, 0)} points"
    if verdict.word in ("changed within", "the same within") or verdict.is_beyond:
        words += f" beyond {points}" if verdict.is_beyond else f" {points}"
    if verdict.word == "not enough evidence" and verdict.items_needed is not None:
        words += f", about {verdict.items_needed:,} items would do"
    flips = f"lost {len(change.lost):,}, gained {len(change.gained):,}"
    family = "" if verdict.is_primary or verdict.word == "items only" else "; exploratory"
    return f"{text} {words}; {flips} ({test.name}{family})"
