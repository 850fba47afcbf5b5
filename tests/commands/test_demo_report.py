"""The demo's table: what it says of made-up results, whose numbers are known by hand."""

import re
from pathlib import Path
from typing import Any

from engine.compare import prompts
from engine.data import dataset_list, rows
from engine.jobs.directory import JobDirectory, create
from engine.recipes.recipe import TrainRecipe
from engine.statistics import wilson
from tui.commands.demo_report import OPEN, as_text, summarise


def share(right: int, items: int) -> dict[str, Any]:
    return {"right": right, "accuracy": right / items, "interval": list(wilson(right, items))}


def arm(scores: list[float], perplexity: float | None, said: str) -> dict[str, Any]:
    held_out = dataset_list.resolve("bundled:emotion").eval_path
    assert held_out is not None
    row, outside = rows.preview(held_out, 1).examples[0], prompts.read(prompts.find(OPEN))[0]
    right = int(sum(scores))
    suite = {"items": len(scores), **share(right, len(scores))}
    suite["scores"] = {f"facts-{at}": score for at, score in enumerate(scores)}
    return {
        "suites": {
            "facts": suite,
            "prose": {"perplexity": perplexity, "tokens": 1234},
        },
        "choices": {
            "majority": 0.25,
            "likelihood": {"items": 600, **share(300, 600)},
            "generated": {
                "items": 600,
                **share(240, 600),
                "answers": {row.source: said},
                "prompts": {row.source: row.messages[-2].content},
            },
        },
        "answers": {outside.id: f"{said} song"},
    }


def made(tmp_path: Path, *names: str) -> tuple[dict[str, Any], dict[str, JobDirectory]]:
    results = {
        "arms": {
            "base": arm([1, 1, 1, 0], 1.5, "before"),
            "tuned": arm([0, 0, 1, 1], 2.5, "after \x1b[31m"),
            "replay": arm([1, 1, 1, 1], 1.75, "mixed"),
        }
    }
    return results, {name: create(tmp_path, TrainRecipe(name=name)) for name in names}


def test_flips_are_counted_for_each_arm(tmp_path: Path) -> None:
    results, jobs = made(tmp_path, "tuned", "replay")
    table = summarise(results, jobs, 90.0, 200.0)
    facts = table["skills"]["facts"]
    assert facts["lost"] == {"tuned": 2, "replay": 0}
    assert facts["gained"] == {"tuned": 1, "replay": 1}
    assert facts["base"]["right"] == 3
    assert table["prose"]["replay"]["perplexity"] == 1.75
    assert set(table["runs"]) == {"tuned", "replay"}


def test_the_text_has_a_column_for_each_arm_and_no_control_characters(tmp_path: Path) -> None:
    results, jobs = made(tmp_path, "tuned", "replay")
    text = as_text(summarise(results, jobs, 90.0, 200.0))
    lines = text.splitlines()
    assert lines[0].split()[-3:] == ["base", "tuned", "replay"]
    assert "-/+ tuned" in text
    assert "-/+ replay" in text
    facts = next(line for line in lines if line.startswith("  facts"))
    assert facts.split()[-2:] == ["2/1", "0/1"]
    assert "\x1b" not in text
    assert "before song" in text


def test_two_arms_fit_a_hundred_columns(tmp_path: Path) -> None:
    results, jobs = made(tmp_path, "tuned")
    results["arms"]["tuned"]["suites"]["prose"]["perplexity"] = None
    text = as_text(summarise(results, jobs, 90.0, 200.0))
    assert max(map(len, text.splitlines()[:8])) <= 100
    assert "replay" not in text
    prose = next(line for line in text.splitlines() if "plain prose" in line)
    assert re.search(r"perplexity of plain prose +1\.500 +not finite +over 1,234 tokens", prose)
