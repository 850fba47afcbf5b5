"""What Watch says in words beside its charts."""

from pathlib import Path

from engine.jobs.views import view
from tests.tui.building import write_run
from tests.viewing.curves import series
from tui.curves.readings import standing
from tui.snapshots import RunRow, Spark


def test_both_bases_of_a_stage_are_named(tmp_path: Path) -> None:
    curve = {"forget/nll_shift_parent": series("forget/nll_shift_parent", [0.0, 0.054])}

    def told(base: str = "", parent: str = "") -> str:
        job = write_run(tmp_path, f"on-{base}-{parent}", points=3, base=base, parent=parent)
        found = view(job)
        assert found is not None
        row = RunRow(found, forgot=Spark((), 0.0614))
        return "".join(text for text, _ in standing(row, curve, "·"))

    assert told() == " forgot +0.06"
    assert told("demo-base") == " forgot +0.06 against demo-base"
    both = told("demo-base", "emotion-lora")
    assert both == " forgot +0.06 against demo-base, +0.05 against emotion-lora"
