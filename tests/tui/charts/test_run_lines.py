"""What Watch says in words beside its charts."""

from pathlib import Path

import pytest

from engine.jobs.summary import view
from tests.charts.curves import series
from tests.tui.building import write_run
from tui.charts.run_lines import sparks, standing
from tui.glyphs import UNICODE
from tui.snapshots import RunRow, Spark
from tui.styled_text import length


def test_both_bases_of_a_stage_are_named(tmp_path: Path) -> None:
    curve = {"forget/nll_shift_parent": series("forget/nll_shift_parent", [0.0, 0.054])}

    def told(base: str = "", parent: str = "") -> str:
        job = write_run(tmp_path, f"on-{base}-{parent}", points=3, base=base, parent=parent)
        found = view(job)
        assert found is not None
        row = RunRow(found, forgot=Spark((), 0.0614))
        return "".join(text for text, _ in standing(row, curve, "·"))

    assert told() == " forgetting +0.06"
    assert told("demo-base") == " forgetting +0.06 vs demo-base"
    both = told("demo-base", "emotion-lora")
    assert both == " forgetting +0.06 vs demo-base, +0.05 vs emotion-lora"


@pytest.mark.parametrize(
    ("width", "cells", "of_eval", "best"),
    [(140, 18, 9, True), (120, 12, 6, True), (104, 8, 4, True), (80, 8, 4, False),
     (79, 8, 0, False), (20, 8, 0, False)],
)  # fmt: skip
def test_held_out_curves_are_drawn_where_they_fit(
    width: int, cells: int, of_eval: int, best: bool
) -> None:
    falling = [2.0 - at / 50 for at in range(60)]
    tags = ("train/loss", "eval/loss", "train/perplexity", "eval/perplexity")
    drawn = sparks({tag: series(tag, falling) for tag in tags}, width, UNICODE)
    curves = ["".join(one for one in text if one in UNICODE.spark) for text, _ in drawn]
    assert [len(one) for one in curves if one] == [
        one for one in (cells, of_eval, cells, of_eval) if one
    ]
    assert any("best" in text for text, _ in drawn) is best
    assert length(drawn) <= width or width < 70
