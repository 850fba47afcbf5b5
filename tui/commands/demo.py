"""`finetop demo`: the main job without a screen, on the bundled model, and what came of it.

Fine-tunes on emotions, measures base and tuned alike, and shows gain and loss as measured.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from engine import atomic
from engine.catalog import datasets, rows
from engine.compare import prompts
from engine.errors import EngineError
from engine.jobs import launch, recipe
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.recipe import TrainRecipe
from engine.jobs.status import State
from engine.jobs.store import open_store
from engine.text import clean, one_line
from tui.commands.follow import duration, follow
from tui.commands.generate import check_out

ITEMS = 100
"""Of each suite: enough to see a change, few enough for two cores."""
OPEN = "bundled:outside"
"""Prompts out of the task and out of the base's training, to be read."""


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("demo", help="tune the bundled model and see what changed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument("--items", type=int, default=ITEMS, help=f"items of each skill ({ITEMS})")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="change a setting of the training recipe",
    )  # fmt: skip
    parser.set_defaults(handler=_demo)
    return [parser]


def _demo(options: argparse.Namespace) -> int:
    from engine.demo import RECIPE

    if options.json:
        check_out(options.json)
    started = time.monotonic()
    root = open_store(options.runs, remember=True).root
    wanted = recipe.read(RECIPE, options.changes)
    assert isinstance(wanted, TrainRecipe), "the bundled recipe trains"
    job = launch.launch_training(wanted, root)
    wanted = job.recipe()
    assert isinstance(wanted, TrainRecipe), "it is the one that was launched"
    _wait(job, f"1/2 training {job.path.name}")
    trained = time.monotonic()
    measuring = _launch_evaluation(wanted, job, root, options.items)
    _wait(measuring, "2/2 measuring base and tuned")
    results = read_json(measuring.results)
    assert results is not None, "a job that is done has written its results"
    table = summarise(results, job, trained - started, time.monotonic() - started)
    if options.json:
        atomic.write_json(options.json, table)
    print(as_text(table))
    return 0


def _launch_evaluation(
    wanted: TrainRecipe, job: JobDirectory, root: Path, items: int
) -> JobDirectory:
    table = {
        "kind": "evaluate",
        "name": f"{wanted.name}-measured",
        "device": wanted.device,
        "arms": [f"base={wanted.model.checkpoint}", f"tuned=run:{job.path.name}"],
        "limit": items,
        "choices": wanted.data.train,
        "prompts": OPEN,
        "decode": {"max_new_tokens": 64},
    }
    return launch.launch(recipe.parse(table), root, parents=[f"run:{job.path.name}"])


def _wait(job: JobDirectory, what: str) -> None:
    try:
        last = follow(job, what)
    except KeyboardInterrupt:
        print("Stopping; what is trained so far is saved.", file=sys.stderr)
        launch.stop(job, grace=20)
        raise
    if last.state is not State.DONE:
        raise EngineError("The demo was stopped.", str(job.path), f"finetop resume {job.path.name}")


def summarise(
    results: Any, job: JobDirectory, training_seconds: float, seconds: float
) -> dict[str, Any]:
    """The numbers of the demo: both arms on labels, on each skill with flips, and on prose."""
    wanted = job.recipe()
    assert isinstance(wanted, TrainRecipe)
    base, tuned = results["arms"]["base"], results["arms"]["tuned"]
    skills = {}
    for name, before in base["suites"].items():
        after = tuned["suites"][name]
        if "items" in before:
            skills[name] = {
                "items": before["items"],
                "base": _share(before),
                "tuned": _share(after),
                "lost": _flips(before, after),
                "gained": _flips(after, before),
            }
    prose = {arm: suites["suites"]["prose"] for arm, suites in (("base", base), ("tuned", tuned))}
    return {
        "run": str(job.path),
        "recipe": recipe.to_table(wanted),
        "training_seconds": round(training_seconds, 1),
        "seconds": round(seconds, 1),
        "labels": {
            "items": base["choices"]["likelihood"]["items"],
            "majority": base["choices"]["majority"],
            "likelihood": {
                "base": _share(base["choices"]["likelihood"]),
                "tuned": _share(tuned["choices"]["likelihood"]),
            },
            "generated": {
                "base": _share(base["choices"]["generated"]),
                "tuned": _share(tuned["choices"]["generated"]),
            },
        },
        "skills": skills,
        "prose": {
            arm: {key: one[key] for key in ("perplexity", "tokens")} for arm, one in prose.items()
        },
        "answers": _answers(base, tuned, wanted.data.train),
    }


def _share(counted: dict[str, Any]) -> dict[str, Any]:
    return {key: counted[key] for key in ("right", "accuracy", "interval")}


def _flips(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Items right before and wrong after."""
    return sum(
        score >= 1.0 and after["scores"][item] < 1.0 for item, score in before["scores"].items()
    )


def _answers(base: dict[str, Any], tuned: dict[str, Any], data: str) -> list[dict[str, str]]:
    """Two prompts with both answers: a held-out one of the task, and an open one outside of it."""
    chosen = datasets.resolve(data)
    row = rows.preview(chosen.eval_path or chosen.path, 1).examples[0]
    outside = prompts.read(prompts.find(OPEN))[0]
    pairs = (
        (row.messages[-2].content, row.source, "choices", "generated"),
        (outside.messages[-1].content, outside.id, "answers", ""),
    )
    shown = []
    for prompt, identity, place, part in pairs:
        said = {}
        for name, arm in (("base", base), ("tuned", tuned)):
            answers = arm[place][part]["answers"] if part else arm[place]
            said[name] = answers[identity]
        shown.append({"prompt": prompt, **said})
    return shown


def as_text(table: dict[str, Any]) -> str:
    """The summary as a terminal shows it."""
    labels, prose = table["labels"], table["prose"]
    lines = [
        f"Emotion, {labels['items']} held-out rows      {'base':>20}  {'tuned':>20}",
        _row("by likelihood of the labels", labels["likelihood"]),
        _row("by generated answer", labels["generated"]),
        f"  always the commonest label   {labels['majority']:>20.3f}",
        "",
        f"Skills, held-out items         {'base':>20}  {'tuned':>20}      n  lost  gained",
    ]
    for name, skill in table["skills"].items():
        counts = f"  {skill['items']:>5}  {skill['lost']:>4}  {skill['gained']:>6}"
        lines.append(_row(name, skill) + counts)
    lines.append(
        f"  perplexity of plain prose    {prose['base']['perplexity']:>20.3f}"
        f"  {prose['tuned']['perplexity']:>20.3f}  over {prose['base']['tokens']:,} tokens"
    )
    for answer in table["answers"]:
        lines += ["", f"> {one_line(answer['prompt'])}"]
        lines += [f"  {arm:5}  {_short(answer[arm])}" for arm in ("base", "tuned")]
    lines += [
        "",
        "Accuracies with 95% Wilson intervals; lost and gained are items that flipped.",
        f"Trained in {duration(table['training_seconds'])}, all in {duration(table['seconds'])}. "
        f"The run: {one_line(table['run'])}",
    ]
    return "\n".join(lines)


def _row(name: str, arms: dict[str, Any]) -> str:
    cells = []
    for arm in (arms["base"], arms["tuned"]):
        low, high = arm["interval"]
        cells.append(f"{arm['accuracy']:.3f} [{low:.2f}, {high:.2f}]")
    return f"  {name:28} {cells[0]:>20}  {cells[1]:>20}"


def _short(text: str) -> str:
    words = " ".join(clean(text).split())
    return words if len(words) <= 300 else words[:299] + "…"
