"""The chart on a screen: its title and readout, its cursor, and how little of it is drawn again."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from tests.tui.charts.curves import NOISE, curve, first
from tui.charts.chart import Chart
from tui.charts.curve import Curve
from tui.charts.draw import ChartOptions, draw
from tui.glyphs import ASCII, UNICODE, Glyphs


class Charting(App[None]):
    CSS = "Screen { layout: vertical; }"

    def __init__(self, chart: Chart) -> None:
        super().__init__()
        self.chart = chart

    def compose(self) -> ComposeResult:
        yield self.chart


async def settle(pilot: Pilot[None], chart: Chart) -> None:
    for _ in range(500):
        await pilot.pause(0.01)
        if chart.settled:
            return
    raise AssertionError("the chart did not settle")


def lines(chart: Chart) -> list[str]:
    return [chart.render_line(y).text for y in range(chart.size.height)]


async def test_title_legend_and_readout() -> None:
    chart = Chart("loss [/red] \x1b]0;x")
    async with Charting(chart).run_test(size=(90, 20)) as pilot:
        await settle(pilot, chart)
        assert lines(chart)[-1].strip() == "no data"
        chart.smoothing = 0.6
        chart.show([curve(), curve(label="eval", accent=1, as_points=True)])
        await settle(pilot, chart)
        text = lines(chart)
        assert "loss [/red] ␛]0;x · smoothed 0.6 · by step" in text[0]
        assert "◆ eval" in text[0]
        assert text[-1].startswith(f" step 499  train {curve().values[-1]:.6g}  eval ")
        chart.by_time = True
        chart.log_scale = True
        await settle(pilot, chart)
        assert "by time · log" in lines(chart)[0]
        assert lines(chart)[-1].startswith(" 2m05  train ")


@pytest.mark.parametrize("width", range(12, 90, 6))
async def test_no_name_is_cut_in_its_middle(width: int) -> None:
    chart = Chart("loss")
    names = ["emotion-lora-r8", "emotion-full", "counsel"]
    async with Charting(chart).run_test(size=(width, 10)) as pilot:
        chart.smoothing = 0.6
        chart.show([curve(label=name, accent=at) for at, name in enumerate(names)])
        await settle(pilot, chart)
        for line in (lines(chart)[0], lines(chart)[-1]):
            words = [word for word in line.split() if word.startswith(("emo", "cou"))]
            assert words == names[: len(words)]
            assert len(words) == 3 or UNICODE.ellipsis in line
        if width >= 54:
            assert lines(chart)[0].split()[-6:] == ["a", names[0], "b", names[1], "c", names[2]]


async def test_the_cursor_reads_exact_values() -> None:
    chart = Chart("loss")
    whole = curve()
    async with Charting(chart).run_test(size=(90, 20)) as pilot:
        chart.show([whole, curve(label="eval", as_points=True)])
        await settle(pilot, chart)
        chart.move_cursor(-1)
        await settle(pilot, chart)
        assert chart.cursor is not None
        at = int(chart.cursor)
        assert 480 < at <= 499
        near = curve(as_points=True).values[-1]  # it has no point there
        assert lines(chart)[-1].strip() == (
            f"step {at}  train {whole.values[at]:.6g}  eval {near:.6g} at step 400"
        )
        picture = draw((whole,), ChartOptions(), 90, 18)
        column = picture.column_of(at)
        assert sum(line[column] == UNICODE.pipe for line in lines(chart)[1:-1]) > 10
        chart.move_cursor(-1000)
        assert chart.cursor == 0
        await settle(pilot, chart)
        assert f"eval {curve(as_points=True).values[0]:.6g}" in lines(chart)[-1]
        chart.move_cursor(1)
        assert chart.cursor > 0
        chart.clear_cursor()
        await settle(pilot, chart)
        assert "step 499" in lines(chart)[-1]


async def test_a_million_points_hold_up_no_key() -> None:
    count = 1_000_000
    steps = np.arange(count, dtype=np.int64)
    x = steps.astype(np.float64)
    values = 2 * np.exp(-x / 200_000) + np.tile(NOISE, count // len(NOISE))
    large = Curve("train", steps, 1000.0 + x, values, places=x)

    # All is told in passes over the points, measured here: a busy machine slows both.
    def least(work: Callable[[], object], clock: Callable[[], float], times: int = 4) -> float:
        """Processor seconds, whatever else the machine does meanwhile."""
        found = []
        for _ in range(times):
            begun = clock()
            work()
            found.append(clock() - begun)
        return min(found)

    options = ChartOptions(0.6)
    whole = least(lambda: np.cumsum(values), time.process_time)
    assert least(lambda: draw((large,), options, 160, 48), time.process_time) < 50 * whole
    chart = Chart("loss")
    async with Charting(chart).run_test(size=(160, 50)) as pilot:
        chart.smoothing = 0.6
        chart.show([large])
        await settle(pilot, chart)
        taken = []
        for _ in range(3):
            taken.append(least(lambda: chart.show([large]), time.thread_time, times=1))
            await settle(pilot, chart)
        assert min(taken) < 2 * whole, "what is drawn on a thread is not even put into words"
        assert least(lambda: chart.move_cursor(-1), time.thread_time) < 15 * whole


@pytest.mark.parametrize(("glyphs", "sign"), [(UNICODE, "≤"), (ASCII, "<=")])
async def test_what_is_not_drawn_is_said(glyphs: Glyphs, sign: str) -> None:
    chart = Chart("loss", glyphs=glyphs)
    whole = curve()
    whole.values[:3] = 0.0
    async with Charting(chart).run_test(size=(90, 20)) as pilot:
        chart.log_scale = True
        chart.show([whole], left_out=["two (no token count)"])
        await settle(pilot, chart)
        said = f"not drawn: two (no token count); 3 values {sign} 0"
        assert lines(chart)[-1].rstrip().endswith(said)
        assert "train" in lines(chart)[-1]
        await pilot.resize_terminal(60, 20)
        await settle(pilot, chart)
        assert "not drawn: two (no" in lines(chart)[-1]


async def test_a_title_tells_best_and_last_before_how_it_is_drawn() -> None:
    chart = Chart("loss")
    async with Charting(chart).run_test(size=(70, 12)) as pilot:
        chart.smoothing = 0.6
        facts = ("best 0.39 at 1,000", "last 0.4")
        for width, parts in [
            (90, ["loss", "smoothed 0.6", "by step", *facts]),
            (70, ["loss", "smoothed 0.6", *facts]),
            (60, ["loss", "smoothed 0.6", facts[0]]),
            (50, ["loss", facts[0]]),
            (40, ["loss", facts[0]]),
            (20, ["loss"]),
        ]:
            await pilot.resize_terminal(width, 12)
            chart.show([curve()], facts=facts)
            await settle(pilot, chart)
            assert lines(chart)[0].strip().startswith(" · ".join(parts) + "   ")


async def test_only_what_changed_is_refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = Chart("loss")
    whole = curve(2000)
    async with Charting(chart).run_test(size=(120, 40)) as pilot:
        chart.smoothing = 0.6
        chart.show([first(whole, 1100)])
        await settle(pilot, chart)
        refreshed: list[Region] = []
        monkeypatch.setattr(chart, "refresh", lambda *regions: refreshed.extend(regions))
        chart.show([first(whole, 1100)])
        await settle(pilot, chart)
        assert refreshed == []
        chart.show([first(whole, 1101)])
        await settle(pilot, chart)
        assert refreshed
        assert sum(region.area for region in refreshed) < 120


async def test_data_in_bursts_ends_with_the_newest() -> None:
    chart = Chart("loss")
    async with Charting(chart).run_test(size=(60, 12)) as pilot:
        for count in range(1, 60):
            chart.show([curve(count)])
        await settle(pilot, chart)
        assert "step 58 " in lines(chart)[-1]


@pytest.mark.parametrize("size", [(10, 3), (20, 5), (300, 100)])
async def test_sizes_and_quick_resizes(size: tuple[int, int]) -> None:
    chart = Chart("loss")
    async with Charting(chart).run_test(size=(40, 10)) as pilot:
        chart.show([curve(), curve(label="eval", as_points=True)])
        for step in range(5):
            await pilot.resize_terminal(size[0] + step, size[1])
        await pilot.resize_terminal(*size)
        await settle(pilot, chart)
        text = lines(chart)
        assert [len(line) for line in text] == [size[0]] * size[1]
        assert any(line.strip() for line in text)


async def test_wide_characters_do_not_shift_the_line() -> None:
    chart = Chart("損失")
    async with Charting(chart).run_test(size=(50, 10)) as pilot:
        chart.show([curve(label="訓練")])
        await settle(pilot, chart)
        assert all(chart.render_line(y).cell_length == 50 for y in range(10))


async def test_letters_of_any_width_are_shown_and_cut_by_cells() -> None:
    chart = Chart("train/损失 🔥")
    async with Charting(chart).run_test(size=(60, 10)) as pilot:
        chart.show([curve(label="訓練"), curve(label="評価", accent=1)])
        await settle(pilot, chart)
        text = lines(chart)
        assert "train/损失 🔥" in text[0]
        assert "訓練" in text[0]
        assert "評価" in text[0]
        assert "訓練" in text[-1]
        assert "?" not in text[0] + text[-1]
        for width in range(8, 60):
            await pilot.resize_terminal(width, 10)
            await settle(pilot, chart)
            assert [chart.render_line(y).cell_length for y in range(10)] == [width] * 10


async def test_a_wide_letter_is_never_half_drawn_again() -> None:
    chart = Chart("loss")
    drawn: list[Region] = []

    def note(*regions: Region, **options: bool) -> Chart:
        drawn.extend(regions)
        return chart

    async with Charting(chart).run_test(size=(60, 10)) as pilot:
        for title in ("a损损b", "a损b损", "a失损b", "损失"):
            chart.show([curve()], title=title)
            await settle(pilot, chart)
            before = chart._lines[0][0]
            refresh = chart.refresh
            chart.refresh = note  # type: ignore[method-assign]
            chart.show([curve()], title=title[::-1])
            await settle(pilot, chart)
            chart.refresh = refresh  # type: ignore[method-assign]
            for line in (before, chart._lines[0][0]):
                for region in (one for one in drawn if one.y == 0):
                    assert line[region.x], "begins within a letter"
                    assert region.right == 60 or line[region.right], "ends within a letter"
            drawn.clear()


async def test_a_terminal_of_ascii_alone_gets_no_wide_letters() -> None:
    chart = Chart("train/损失", glyphs=ASCII)
    async with Charting(chart).run_test(size=(60, 10)) as pilot:
        chart.show([curve(label="train")])
        await settle(pilot, chart)
        assert lines(chart)[0].startswith(" train/????")
