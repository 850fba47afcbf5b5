"""Tool calls and reasoning: as panes of Compare show them, in Browse, and in its numbers."""

from tests.snapshots.cases import case
from tests.snapshots.cases_compare import draw_again, open_compare
from tests.snapshots.cases_runs import choose
from tests.snapshots.directories import write_runs
from tests.snapshots.fixed_environment import NOW
from tests.snapshots.recorder import RUNS, Recorder
from tests.tui.browse.called import ANSWERS, write_call, write_called
from tui.browse.metrics_page import MetricsPage
from tui.browse.page import BrowsePage
from tui.browse.vote_page import VotePage
from tui.compare.page import ComparePage

THINKING = "<think>\nThe user wants the "


@case(
    {
        "calls-compare": ComparePage,
        "calls-compare-words": ComparePage,
        "calls-compare-thinking": ComparePage,
    }
)
async def calls_compared(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_compare(recorder)
        broken = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Os'
        recorder.companion.answers = {
            "base": ("I check the weather.\n", broken),
            "tuned": (ANSWERS["w1"][1], "\n", write_call("get_time", "Oslo")),
        }
        await recorder.press("ctrl+s")
        await recorder.see("ƒ get_weather(", "malformed call")
        await draw_again(recorder)
        await recorder.shoot("calls-compare", "words of text · 2 calls", without="esc cancel")
        await recorder.press("d")
        await recorder.shoot("calls-compare-words", "word diff of the text", "overlap")
        await recorder.press("d")
        recorder.companion.answers = {"base": ("It ",), "tuned": (THINKING,)}
        await recorder.press("ctrl+s")
        await recorder.shoot(
            "calls-compare-thinking", "no answer after the reasoning", without="esc cancel"
        )


@case(
    {
        "calls-browse": BrowsePage,
        "calls-browse-result": BrowsePage,
        "calls-browse-wrong": BrowsePage,
        "calls-numbers": MetricsPage,
        "calls-vote": VotePage,
    }
)
async def calls_browsed(recorder: Recorder) -> None:
    write_called(RUNS, created=NOW)
    async with recorder.finetop():
        await recorder.see("calls", "1 job")
        await choose(recorder, "calls")
        await recorder.reach(BrowsePage, "enter")
        await recorder.see("4 pairs, 0 identical")
        await draw_again_browse(recorder)
        await recorder.shoot("calls-browse", "lost call", "⟦")
        await recorder.press("down", "enter")
        await recorder.shoot("calls-browse-result", "assistant: I look.", "⟦", without="overlap")
        await recorder.press("escape", "down")
        await recorder.shoot("calls-browse-wrong", "malformed call", "unwanted call")
        await recorder.reach(MetricsPage, "t")
        await recorder.shoot("calls-numbers", "right calls", "text metrics: answer text only")
        await recorder.reach(BrowsePage, "escape")
        await recorder.reach(VotePage, "v")
        await recorder.shoot("calls-vote", "0 of", "voter")


async def draw_again_browse(recorder: Recorder) -> None:
    """As `draw_again`, of a page above the pages."""
    await recorder.settle()
    screen = recorder.app.screen
    assert isinstance(screen, BrowsePage)
    screen.redraw()
