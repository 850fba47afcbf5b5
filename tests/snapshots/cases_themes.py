"""Other looks of the same pages: light colours, ASCII, and no colours."""

from tests.snapshots.cases import case
from tests.snapshots.cases_answers import open_answers
from tests.snapshots.cases_compare import open_compare
from tests.snapshots.cases_runs import open_runs
from tests.snapshots.cases_tokens import open_tokens
from tests.snapshots.cases_watch import open_watch
from tests.snapshots.directories import write_runs
from tests.snapshots.recorder import Recorder
from tui.browse.page import BrowsePage
from tui.compare.page import ComparePage
from tui.glyphs import ASCII
from tui.launch.page import LaunchPage
from tui.runs.list_page import RunListPage
from tui.screens.hardware import HardwarePage
from tui.screens.help import HelpPage
from tui.tokens.page import TokensPage
from tui.watch.page import WatchPage


@case(
    {
        "runs-light": RunListPage,
        "help-light": HelpPage,
        "watch-light": WatchPage,
        "compare-light": ComparePage,
        "tokens-light": TokensPage,
    }
)
async def light(recorder: Recorder) -> None:
    await open_tokens(recorder)
    async with recorder.finetop(look="light"):
        await open_runs(recorder)
        await recorder.shoot("runs-light")
        await recorder.reach(HelpPage, "question_mark")
        await recorder.shoot("help-light", "Watch the selected run.")
        await recorder.reach(RunListPage, "escape")
        await open_watch(recorder)
        await recorder.shoot("watch-light", "◆", "newest, step 40")
        await recorder.reach(RunListPage, "1")
        await open_compare(recorder)
        await recorder.press("ctrl+s", "t")
        await recorder.shoot("compare-light", "unshifted", "token 1/9", without="esc cancel")
        await recorder.reach(TokensPage, "6")
        await recorder.shoot("tokens-light", "The│·old│", "token 1/29 The  id 100")


@case(
    {
        "runs-ascii": RunListPage,
        "watch-ascii": WatchPage,
        "machine-ascii": HardwarePage,
        "launch-ascii": LaunchPage,
        "compare-ascii": ComparePage,
        "tokens-ascii": TokensPage,
        "browse-ascii": BrowsePage,
    }
)
async def ascii_only(recorder: Recorder) -> None:
    await open_tokens(recorder)
    async with recorder.finetop(glyphs=ASCII):
        await open_runs(recorder)
        await recorder.shoot("runs-ascii")
        await recorder.reach(HardwarePage, "g")
        await recorder.shoot("machine-ascii", "Machine")
        await recorder.reach(RunListPage, "escape")
        await open_watch(recorder)
        await recorder.shoot("watch-ascii", "newest, step 40")
        await recorder.reach(LaunchPage, "2")
        await recorder.shoot("launch-ascii", "{sadness<|end|>}", " fits", "1,234 trained tokens")
        await recorder.reach(RunListPage, "1")
        await open_compare(recorder)
        await recorder.press("ctrl+s", "d")
        await recorder.shoot("compare-ascii", "only in base", "{", without="esc cancel")
        await recorder.reach(TokensPage, "6")
        await recorder.shoot("tokens-ascii", "token 1/29 The  id 100")
        await recorder.reach(RunListPage, "1")
        await open_answers(recorder)
        await recorder.press("right_square_bracket")
        await recorder.shoot("browse-ascii", "{joy}")


@case({"runs-colourless": RunListPage, "compare-colourless": ComparePage})
async def colourless(recorder: Recorder) -> None:
    write_runs()
    recorder.monkeypatch.setenv("NO_COLOR", "1")
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.shoot("runs-colourless")
        await open_compare(recorder)
        await recorder.press("ctrl+s", "t")
        await recorder.shoot("compare-colourless", "unshifted", "token 1/9", without="esc cancel")


@case({"runs-turned": RunListPage})
async def turned(recorder: Recorder) -> None:
    """By keys, while it is open: to ASCII and to light colours."""
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.press("ctrl+g", "ctrl+t")
        await recorder.shoot("runs-turned", "* live")
