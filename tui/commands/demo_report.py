"""What fine-tuning gained and what it lost, as a table: the numbers of `finetop demo`.

Measures nothing: it reads the results of one evaluation of base and tuned models. Of several ways
of fine-tuning, whose table is that of `finetop impact`, it says what stands below that table.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from engine.compare.arms import parse_arm
from engine.compare.samples import Sample
from engine.events.summary import perplexity
from engine.impact.changes.flips import find_flips
from engine.impact.results.evaluation_results import (
    LIKELIHOOD,
    NLL,
    STRICT,
    ArmSuite,
    EvaluationResults,
)
from engine.impact.suites.evaluation_plan import PROMPTS
from engine.jobs.directory import JobDirectory
from engine.jobs.summary import short_ref
from engine.number_format import write_number
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.statistics import wilson
from engine.text import clean, one_line
from tui.commands.follow import duration

_CELL = 20


def summarise(
    results: EvaluationResults,
    samples: Sequence[Sample],
    jobs: Mapping[str, JobDirectory],
    task: str,
    training_seconds: float,
    seconds: float,
) -> dict[str, Any]:
    """The numbers of all arms, the base first: on labels, on each skill with flips, on prose.

    `task` is the suite of labels that the first run held out.
    """
    arms = {name: results.arms[name] for name in ("base", *jobs)}
    base = arms["base"]
    recipes = {name: job.recipe() for name, job in jobs.items()}
    first = next(iter(recipes.values()))
    assert isinstance(first, TrainRecipe)
    skills = {}
    for name, suite in base.suites.items():
        if name not in (task, PROMPTS) and (before := suite.measures.get(STRICT)):
            after = {arm: one.suites[name].measures[STRICT] for arm, one in arms.items()}
            flips = {arm: find_flips(before, after[arm]) for arm in jobs}
            skills[name] = {
                "items": len(before),
                **{arm: _share(scores) for arm, scores in after.items()},
                "lost": {arm: len(one.lost) for arm, one in flips.items()},
                "gained": {arm: len(one.gained) for arm, one in flips.items()},
            }
    labels = {arm: one.suites[task].measures for arm, one in arms.items()}
    golds = Counter(item.gold for item in results.suites[task].items.values())
    return {
        "runs": {name: str(job.path) for name, job in jobs.items()},
        "recipes": {name: recipe.to_table(one) for name, one in recipes.items()},
        "training_seconds": round(training_seconds, 1),
        "seconds": round(seconds, 1),
        "labels": {
            "items": golds.total(),
            "majority": golds.most_common(1)[0][1] / golds.total(),
            **{
                way: {arm: _share(measures[measure]) for arm, measures in labels.items()}
                for way, measure in (("likelihood", LIKELIHOOD), ("generated", STRICT))
            },
        },
        "skills": skills,
        "prose": {arm: _read_prose(one.suites["prose"]) for arm, one in arms.items()},
        "data": first.data.train,
        "answers": _answers(samples, list(arms), task),
    }


def as_text(table: Mapping[str, Any]) -> str:
    """The summary as a terminal shows it."""
    labels, prose = table["labels"], table["prose"]
    arms = list(prose)
    tuned = arms[1:]
    title = f"{one_line(short_ref(table['data']))[:20]}, {labels['items']:,} held-out rows"
    heads = "".join(f"{name:>{_CELL + 2}}" for name in arms)
    flips = "".join(
        f"  {'lost/gained' if len(tuned) == 1 else f'-/+ {name}':>10}" for name in tuned
    )
    lines = [
        f"{title:30}{heads}",
        _row("by likelihood of the labels", labels["likelihood"], arms),
        _row("by generated answer", labels["generated"], arms),
        f"  {'majority class':28}{write_number(labels['majority'], 3):>{_CELL + 2}}",
        "",
        f"{'Skills, held-out items':30}{heads}      n{flips}",
    ]
    for name, skill in table["skills"].items():
        counts = "".join(f"  {skill['lost'][arm]:>5}/{skill['gained'][arm]:<4}" for arm in tuned)
        lines.append(f"{_row(name, skill, arms)}  {skill['items']:>5}{counts}".rstrip())
    found = (prose[arm]["perplexity"] for arm in arms)
    written = ("not finite" if value is None else write_number(value, 3) for value in found)
    cells = "".join(f"{cell:>{_CELL + 2}}" for cell in written)
    lines.append(
        f"  {'perplexity of plain prose':28}{cells}  over {prose['base']['tokens']:,} tokens"
    )
    lines += [
        *_list_answers(table),
        "",
        "Accuracy with 95% Wilson intervals; lost/gained (-/+): flipped items.",
        *_list_runs(table),
    ]
    return "\n".join(lines)


def as_ending(table: Mapping[str, Any]) -> str:
    """What stands below a table of all arms: answers to read, the runs, where the report is."""
    lines = [*_list_answers(table), "", *_list_runs(table)]
    lines += ["", f"The report of all this: {one_line(table['report'])}"]
    return "\n".join(lines)


def _list_answers(table: Mapping[str, Any]) -> Iterator[str]:
    for answer in table["answers"]:
        yield from ("", f"> {one_line(answer['prompt'])}")
        yield from (f"  {arm:6}  {_short(answer[arm])}" for arm in table["prose"])


def _list_runs(table: Mapping[str, Any]) -> Iterator[str]:
    training, whole = table["training_seconds"], table["seconds"]
    yield f"Training took {duration(training)}, in total {duration(whole)}."
    yield from (f"{arm:6}  {one_line(path)}" for arm, path in table["runs"].items())


def _share(scores: Mapping[str, float]) -> dict[str, Any]:
    right = sum(score >= 1 for score in scores.values())
    return {
        "right": right,
        "accuracy": right / len(scores),
        "interval": list(wilson(right, len(scores))),
    }


def _read_prose(suite: ArmSuite) -> dict[str, Any]:
    tokens = sum(suite.tokens.values())
    value = perplexity(sum(suite.measures[NLL].values()) / max(1, tokens))
    return {"perplexity": value if isfinite(value) else None, "tokens": tokens}


def _answers(samples: Sequence[Sample], arms: Sequence[str], task: str) -> list[dict[str, str]]:
    """Two prompts with every answer: a held-out one of the task, and an open one outside of it."""
    found: dict[str, dict[str, str]] = {}
    for sample in samples:
        answers = found.setdefault(sample.prompt_id, {"prompt": sample.messages[-1].content})
        answers[parse_arm(sample.arm).name] = sample.text
    whole = {name: one for name, one in sorted(found.items()) if all(arm in one for arm in arms)}
    first = (
        next((one for name, one in whole.items() if name.startswith(f"{suite}/")), None)
        for suite in (task, PROMPTS)
    )
    return [one for one in first if one is not None]


def _row(name: str, shares: Mapping[str, Any], arms: list[str]) -> str:
    cells = []
    for arm in arms:
        low, high = shares[arm]["interval"]
        share = write_number(shares[arm]["accuracy"], 3)
        cells.append(f"{share} [{write_number(low, 2)}, {write_number(high, 2)}]")
    return f"  {name:28}" + "".join(f"{cell:>{_CELL + 2}}" for cell in cells)


def _short(text: str) -> str:
    words = " ".join(clean(text).split())
    return words if len(words) <= 300 else words[:299] + "…"
