"""Other looks of the same pages: light colours, ASCII, and no colours."""

from tests.snapshots.directories import write_runs
from tests.snapshots.of_answers import open_answers
from tests.snapshots.of_compare import open_compare
from tests.snapshots.of_runs import open_runs
from tests.snapshots.of_tokens import open_tokens
from tests.snapshots.of_watch import open_watch
from tests.snapshots.scenes import scene
from tests.snapshots.stage import Stage
from tui.browse.page import BrowsePage
from tui.compare.page import ComparePage
from tui.glyphs import ASCII
from tui.launch.page import LaunchPage
from tui.runs.jobs_page import RunsPage
from tui.screens.hardware import HardwarePage
from tui.screens.help import HelpPage
from tui.tokens.page import TokensPage
from tui.watch.page import WatchPage


@scene(
    {
        "runs-light": RunsPage,
        "help-light": HelpPage,
        "watch-light": WatchPage,
        "compare-light": ComparePage,
        "tokens-light": TokensPage,
    }
)
async def light(stage: Stage) -> None:
    await open_tokens(stage)
    async with stage.finetop(look="light"):
        await open_runs(stage)
        await stage.shoot("runs-light")
        await stage.reach(HelpPage, "question_mark")
        await stage.shoot("help-light", "Watch the chosen run.")
        await stage.reach(RunsPage, "escape")
        await open_watch(stage)
        await stage.shoot("watch-light", "◆", "now, step 40")
        await stage.reach(RunsPage, "1")
        await open_compare(stage)
        await stage.press("ctrl+s", "t")
        await stage.shoot("compare-light", "unshifted", "token 1/9", without="esc cancels")
        await stage.reach(TokensPage, "6")
        await stage.shoot("tokens-light", "The│·old│", "1/29 The  id 100")


@scene(
    {
        "runs-ascii": RunsPage,
        "watch-ascii": WatchPage,
        "machine-ascii": HardwarePage,
        "launch-ascii": LaunchPage,
        "compare-ascii": ComparePage,
        "tokens-ascii": TokensPage,
        "browse-ascii": BrowsePage,
    }
)
async def ascii_only(stage: Stage) -> None:
    await open_tokens(stage)
    async with stage.finetop(glyphs=ASCII):
        await open_runs(stage)
        await stage.shoot("runs-ascii")
        await stage.reach(HardwarePage, "g")
        await stage.shoot("machine-ascii", "This machine")
        await stage.reach(RunsPage, "escape")
        await open_watch(stage)
        await stage.shoot("watch-ascii", "now, step 40")
        await stage.reach(LaunchPage, "2")
        await stage.shoot("launch-ascii", "{sadness<|end|>}", " fits", "1,234 tokens learned")
        await stage.reach(RunsPage, "1")
        await open_compare(stage)
        await stage.press("ctrl+s", "d")
        await stage.shoot("compare-ascii", "only base", "{", without="esc cancels")
        await stage.reach(TokensPage, "6")
        await stage.shoot("tokens-ascii", "1/29 The  id 100")
        await stage.reach(RunsPage, "1")
        await open_answers(stage)
        await stage.press("right_square_bracket")
        await stage.shoot("browse-ascii", "{joy}")


@scene({"runs-colourless": RunsPage, "compare-colourless": ComparePage})
async def colourless(stage: Stage) -> None:
    write_runs()
    stage.monkeypatch.setenv("NO_COLOR", "1")
    async with stage.finetop():
        await open_runs(stage)
        await stage.shoot("runs-colourless")
        await open_compare(stage)
        await stage.press("ctrl+s", "t")
        await stage.shoot("compare-colourless", "unshifted", "token 1/9", without="esc cancels")


@scene({"runs-turned": RunsPage})
async def turned(stage: Stage) -> None:
    """By keys, while it is open: to ASCII and to light colours."""
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await stage.press("a", "ctrl+t")
        await stage.shoot("runs-turned", "* live")
