"""What Watch says in words beside its charts."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.jobs.status import State
from engine.jobs.summary import view
from tests.charts.curves import series
from tests.tui.building import write_run
from tui.charts.run_lines import charts_of, headline, sparks, standing
from tui.commands.follow import progress_line
from tui.commands.runs import _took, as_table
from tui.formatting import clock
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


@pytest.mark.parametrize(
    ("tags", "titles"),
    [
        (["train/loss", "eval/loss", "train/learning_rate", "train/grad_norm", "eval/accuracy"],
         ["loss", "eval/accuracy", "learning rate", "gradient norm"]),
        (["train/loss", "train/reward", "train/kl", "train/epoch"],
         ["train/reward", "loss", "train/kl", "train/epoch"]),
        (["train/loss", "forget/nll_shift", "train/perplexity", "train/learning_rate",
          "train/grad_norm", "train/epoch", "machine/power"],
         ["loss", "forgetting, nats/token", "perplexity", "learning rate", "gradient norm",
          "train/epoch", "machine/power"]),
        (["hp_metric", "loss", "pinned"], ["pinned", "loss", "hp_metric"]),
    ],
)  # fmt: skip
def test_charts_stand_in_the_order_in_which_a_reader_wants_them(
    tags: list[str], titles: list[str]
) -> None:
    curves = {tag: series(tag, [3.0, 2.0]) for tag in tags}
    assert [spec.title for spec in charts_of(curves, None, ["pinned"])] == titles


def test_a_skill_is_a_few_points_under_its_own_name() -> None:
    tags = ("eval/skill/held-out of a/b", "eval/skill_nll/prose", "train/loss")
    curves = {tag: series(tag, [3.0, 2.0]) for tag in tags}
    specs = {spec.title: spec for spec in charts_of(curves)}
    assert list(specs) == ["loss", "skill held-out of a/b", "skill prose, nats/token"]
    assert specs["skill held-out of a/b"].traces[0].as_points
    assert not specs["skill prose, nats/token"].smoothed


def test_a_run_that_is_trained_on_rewards_shows_them_in_small() -> None:
    tags = ("train/loss", "train/reward", "train/epoch")
    drawn = sparks({tag: series(tag, [1.0, 2.0]) for tag in tags}, 120, UNICODE)
    text = "".join(piece for piece, _ in drawn)
    assert text.index("train/reward") < text.index("train/loss")


def test_took_is_the_time_of_all_attempts_and_an_average_is_named(tmp_path: Path) -> None:
    path = write_run(tmp_path, "resumed", state=State.DONE, points=3)
    found = view(path)
    assert found is not None
    assert found.status is not None
    status = replace(found.status, started=1000.0, heartbeat=1060.0, earlier_seconds=120.0)
    ended = replace(found, status=status)
    text = "".join(piece for piece, _ in headline(RunRow(ended), UNICODE))
    assert "took 3 min  " in text
    assert f"started {clock(1000.0)}" in text
    again = RunRow(replace(ended, status=replace(status, attempt=2)))
    assert f"resumed {clock(1000.0)}" in "".join(piece for piece, _ in headline(again, UNICODE))
    assert _took(ended) == "took 3:00"
    assert as_table(ended)["running_seconds"] == 180.0
    going = replace(status, state=State.RUNNING, total=9, tokens_per_second=1234.0)
    alive = RunRow(replace(found, state=State.RUNNING, status=going))
    again = RunRow(replace(alive.view, status=replace(going, attempt=2)))
    assert f"resumed {clock(1000.0)}" in "".join(piece for piece, _ in headline(again, UNICODE))
    assert "  avg 1,234 tok/s" in "".join(piece for piece, _ in headline(alive, UNICODE))
    assert "  avg 1,234 tok/s" in progress_line("train", State.RUNNING, going)
