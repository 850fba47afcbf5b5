"""Finding a run by what its owner calls it."""

import json
from pathlib import Path

from engine.jobs import directory
from engine.jobs.recipe import TrainRecipe
from engine.jobs.store import Store


def test_a_run_of_a_newer_finetop_hides_no_other(root: Path) -> None:
    mine, newer = (directory.create(root, TrainRecipe(name=name)) for name in ("mine", "newer"))
    table = json.loads(newer.record_file.read_text()) | {"schema": 2}
    newer.record_file.write_text(json.dumps(table))
    assert Store(root).find("mine") == mine
