"""How many items flipped in earlier evaluations of two arms."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.compare.arms import parse_arm
from engine.jobs.store import Store
from engine.launching.discordance import Discordance, find_discordance
from engine.recipes.recipe import EvaluateRecipe, to_toml
from tests.impact.made_results import measured, scores_of, suite_of, table_of
from tests.impact.made_results import write_evaluation as write_job
from tests.tui.building import write_run

ARMS = ["base=bundled:demo-base", "tuned=run:A"]
BASE, TUNED = map(parse_arm, ARMS)


def _write(
    root: Path, name: str, created: float, right: int, arms: list[str], items: int = 98
) -> None:
    table: dict[str, Any] = table_of(
        {"facts": suite_of(items), "wiki": suite_of(items, "nll")},
        {
            arm.partition("=")[0]: {
                "facts": measured(scores_of(right if at else items, items)),
                "wiki": measured(dict.fromkeys(scores_of(0, items), 2.0), "nll"),
            }
            for at, arm in enumerate(arms)
        },
    )
    job = write_job(root, name, table)
    job.recipe_file.write_text(to_toml(EvaluateRecipe(name=name, arms=arms)))
    record = job.record()
    assert record is not None
    text = job.record_file.read_text().replace(str(record.created), str(created))
    job.record_file.write_text(text)


def test_the_newest_evaluation_of_both_arms_tells(tmp_path: Path) -> None:
    write_run(tmp_path, "A")
    _write(tmp_path, "older", 1.0, 90, ARMS)
    _write(tmp_path, "newer", 2.0, 95, ["b=bundled:demo-base", "t=run:A"])
    _write(tmp_path, "of-others", 3.0, 50, ["base=bundled:demo-base", "tuned=run:A@0.5"])
    found = find_discordance(BASE, TUNED, Store(tmp_path))
    assert found == {"facts": Discordance(5 / 100, "newer")}
    assert find_discordance(BASE, replace(TUNED, strength=0.25), Store(tmp_path)) == {}


def test_what_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    _write(tmp_path, "few", 1.0, 5, ARMS, items=19)
    _write(tmp_path, "broken", 2.0, 90, ARMS)
    (tmp_path / "broken" / "results.json").write_text("{")
    _write(tmp_path, "unknown", 3.0, 90, ARMS)
    (tmp_path / "unknown" / "recipe.toml").write_text("kind = [")
    assert find_discordance(BASE, TUNED, Store(tmp_path)) == {}
