"""What fine-tuning gained and what it lost, as a table: the numbers of `finetop demo`.

Measures nothing: it reads the results of one evaluation of base and tuned models.
"""

from collections.abc import Mapping
from typing import Any

from engine.compare import prompts
from engine.jobs.directory import JobDirectory
from engine.jobs.summary import short_ref
from engine.number_format import write_number
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.text import clean, one_line
from tui.commands.follow import duration

OPEN = "bundled:general"
"""Prompts outside of the task and of the base's training, to read."""

_CELL = 20


def summarise(
    results: Any, jobs: Mapping[str, JobDirectory], training_seconds: float, seconds: float
) -> dict[str, Any]:
    """The numbers of all arms, the base first: on labels, on each skill with flips, on prose."""
    arms = {name: results["arms"][name] for name in ("base", *jobs)}
    base = arms["base"]
    recipes = {name: job.recipe() for name, job in jobs.items()}
    first = next(iter(recipes.values()))
    assert isinstance(first, TrainRecipe)
    skills = {}
    for name, before in base["suites"].items():
        if "items" in before:
            after = {arm: one["suites"][name] for arm, one in arms.items()}
            skills[name] = {
                "items": before["items"],
                **{arm: _share(one) for arm, one in after.items()},
                "lost": {arm: _flips(before, after[arm]) for arm in jobs},
                "gained": {arm: _flips(after[arm], before) for arm in jobs},
            }
    return {
        "runs": {name: str(job.path) for name, job in jobs.items()},
        "recipes": {name: recipe.to_table(one) for name, one in recipes.items()},
        "training_seconds": round(training_seconds, 1),
        "seconds": round(seconds, 1),
        "labels": {
            "items": base["choices"]["likelihood"]["items"],
            "majority": base["choices"]["majority"],
            **{
                way: {arm: _share(one["choices"][way]) for arm, one in arms.items()}
                for way in ("likelihood", "generated")
            },
        },
        "skills": skills,
        "prose": {
            arm: {key: one["suites"]["prose"][key] for key in ("perplexity", "tokens")}
            for arm, one in arms.items()
        },
        "data": first.data.train,
        "answers": _answers(arms),
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
    for answer in table["answers"]:
        lines += ["", f"> {one_line(answer['prompt'])}"]
        lines += [f"  {arm:6}  {_short(answer[arm])}" for arm in arms]
    lines += [
        "",
        "Accuracy with 95% Wilson intervals; lost/gained (-/+): flipped items.",
        f"Training took {duration(table['training_seconds'])}, in total "
        f"{duration(table['seconds'])}.",
        *(f"{arm:6}  {one_line(path)}" for arm, path in table["runs"].items()),
    ]
    return "\n".join(lines)


def _share(counted: Mapping[str, Any]) -> dict[str, Any]:
    return {key: counted[key] for key in ("right", "accuracy", "interval")}


def _flips(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    """Items right before and wrong after."""
    return sum(
        score >= 1.0 and after["scores"][item] < 1.0 for item, score in before["scores"].items()
    )


def _answers(arms: Mapping[str, Any]) -> list[dict[str, str]]:
    """Two prompts with every answer: a held-out one of the task, and an open one outside of it."""
    name, question = next(iter(arms["base"]["choices"]["generated"]["prompts"].items()))
    outside = prompts.read(prompts.find(OPEN))[0]
    return [
        {
            "prompt": question,
            **{one: arm["choices"]["generated"]["answers"][name] for one, arm in arms.items()},
        },
        {
            "prompt": outside.messages[-1].content,
            **{name: arm["answers"][outside.id] for name, arm in arms.items()},
        },
    ]


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
