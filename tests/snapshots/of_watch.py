"""Watch: one run's curves, looked at in every way; and what opens over it."""

from tests.snapshots.directories import write_runs
from tests.snapshots.of_runs import choose, open_runs
from tests.snapshots.scenes import scene
from tests.snapshots.stage import Stage
from tui.screens.dialogs import ConfirmDialog, Copied
from tui.screens.pick_tags import PickTags
from tui.screens.prompts import Ask
from tui.watch.page import WatchPage
from tui.watch.pick_runs import PickRuns


async def open_watch(stage: Stage, run: str = "live") -> None:
    """The curves of a run are drawn."""
    await open_runs(stage)
    await choose(stage, run)
    await stage.reach(WatchPage, "enter")
    await stage.see(f" {run} ")


@scene(
    {
        "watch": WatchPage,
        "watch-cursor": WatchPage,
        "watch-earlier-answer": WatchPage,
        "watch-second-chart": WatchPage,
        "watch-log": WatchPage,
    }
)
async def watch(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_watch(stage)
        await stage.shoot("watch", "step 40/100", "◆", "now, step 40")
        await stage.press("H")
        await stage.shoot("watch-cursor", "before", without=" step 40  train")
        await stage.press("escape", "n", "less_than_sign")
        await stage.shoot("watch-earlier-answer", "step 20  sad")
        await stage.press("escape", "v")
        await stage.shoot(
            "watch-second-chart", "machine/device_memory_bytes" if stage.wide else "perplexity"
        )
        await stage.press("t")
        await stage.shoot("watch-log", "saved checkpoint 20" if stage.wide else "step 40  loss")


@scene(
    {
        "watch-full-screen": WatchPage,
        "watch-smoothed-log": WatchPage,
        "watch-by-time": WatchPage,
        "watch-by-epoch": WatchPage,
        "watch-grid": WatchPage,
        "watch-zoomed": WatchPage,
        "watch-panned": WatchPage,
    }
)
async def watch_looks(stage: Stage) -> None:
    def wide(*texts: str) -> tuple[str, ...]:
        return texts if stage.wide else ()

    write_runs()
    async with stage.finetop():
        await open_watch(stage)
        await stage.see("◆")
        await stage.press("enter")
        await stage.shoot("watch-full-screen", "loss", without="now, step 40")
        await stage.press("plus", "y")
        await stage.shoot("watch-smoothed-log", "log", *wide("smoothed 0.8"))
        await stage.press("minus", "y", "x", "x")
        await stage.shoot("watch-by-time", *wide("by relative time"), without=" · log")
        await stage.press("x", "x", "x")
        await stage.shoot("watch-by-epoch", "epoch 1.2121")
        await stage.press("x", "escape", "d", "d", "d", "d")
        await stage.shoot("watch-grid", "loss", "step 40")
        await stage.press("d", "d", "d")
        await stage.see("◆")
        await stage.settle()
        await stage.press("z")
        await stage.shoot("watch-zoomed", "zoomed")
        await stage.press("left_curly_bracket")
        await stage.shoot("watch-panned", "zoomed")


@scene(
    {
        "watch-filter-wrong": WatchPage,
        "watch-filtered": WatchPage,
        "watch-pick-tags": PickTags,
        "watch-pinned-tag": WatchPage,
        "watch-pick-runs": PickRuns,
        "watch-pick-runs-filtered": PickRuns,
        "watch-overlaid": WatchPage,
    }
)
async def watch_chosen(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_watch(stage)
        await stage.see("◆")
        await stage.press("slash", *"(norm or")
        await stage.shoot("watch-filter-wrong", "filter: something is missing here")
        await stage.press(*" epoch)", "enter")
        await stage.shoot("watch-filtered", "gradient norm")
        await stage.press("escape")
        await stage.reach(PickTags, "P")
        await stage.press(*"memory", "space")
        await stage.shoot("watch-pick-tags", "◆machine/device_memory_bytes")
        await stage.reach(WatchPage, "enter")
        await stage.shoot("watch-pinned-tag", "machine/device_memory_bytes")
        await stage.reach(PickRuns, "o")
        await stage.press("down", "space", "down", "space")
        await stage.shoot("watch-pick-runs", "draw beside it")
        await stage.press("slash", *"state:failed")
        await stage.shoot("watch-pick-runs-filtered", "state:failed", "bad-lr")
        await stage.press("escape")
        await stage.reach(WatchPage, "enter")
        await stage.shoot("watch-overlaid", "b child", "c emotion-lora")


@scene(
    {
        "watch-failed": WatchPage,
        "watch-queued": WatchPage,
        "watch-lost": WatchPage,
        "watch-over-budget": WatchPage,
        "watch-of-answers": WatchPage,
    }
)
async def watch_states(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_watch(stage, "bad-lr")
        await stage.shoot("watch-failed", "failed at 20", "Lower the learning rate.")
        for name, run, texts in (
            ("watch-queued", "waiting", ("queued #1",)),
            ("watch-lost", "lost", ("lost at 30",)),
            ("watch-over-budget", "measured", ("over the budget", "now, step 60")),
        ):
            await stage.press("1")
            await choose(stage, run)
            await stage.reach(WatchPage, "enter")
            await stage.shoot(name, f" {run} ", *texts)
        await stage.press("left_square_bracket", "left_square_bracket")
        await stage.press(*["right_square_bracket"] * 3)
        await stage.shoot("watch-of-answers", " answers ")


@scene(
    {
        "watch-export": WatchPage,
        "watch-export-points": Ask,
        "watch-copied": Copied,
        "watch-stop-firmly": ConfirmDialog,
    }
)
async def watch_given(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_watch(stage)
        await stage.see("◆")
        await stage.press("e")
        await stage.shoot("watch-export", "name.svg")
        await stage.press("escape")
        await stage.reach(Ask, "E")
        await stage.shoot("watch-export-points", "Every point of all tags of live")
        await stage.press("escape")
        await stage.reach(Copied, "Y")
        await stage.shoot("watch-copied", "copied, where the terminal")
        await stage.press("escape")
        stage.monkeypatch.setattr(stage.app.actions, "stop", lambda path, how: None)
        await stage.press("s")
        await stage.reach(ConfirmDialog, "s")
        await stage.shoot("watch-stop-firmly", "Send SIGTERM?")
