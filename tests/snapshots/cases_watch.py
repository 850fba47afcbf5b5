"""Watch: one run's curves, looked at in every way; and what opens over it."""

from tests.snapshots.cases import case
from tests.snapshots.cases_runs import choose, open_runs
from tests.snapshots.directories import write_runs
from tests.snapshots.recorder import Recorder
from tui.screens.dialogs import ConfirmDialog, Copied, TextWindow
from tui.screens.pick_window import PickWindow
from tui.watch.page import WatchPage


async def open_watch(recorder: Recorder, run: str = "live") -> None:
    """The curves of a run are drawn."""
    await open_runs(recorder)
    await choose(recorder, run)
    await recorder.reach(WatchPage, "enter")
    await recorder.see(f" {run} ")


@case(
    {
        "watch": WatchPage,
        "watch-cursor": WatchPage,
        "watch-earlier-answer": WatchPage,
        "watch-second-chart": WatchPage,
        "watch-log": WatchPage,
    }
)
async def watch(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_watch(recorder)
        await recorder.shoot("watch", "step 40/100", "◆", "newest, step 40")
        await recorder.press("H")
        await recorder.shoot("watch-cursor", "before", without=" step 40  train")
        await recorder.press("escape", "n", "less_than_sign")
        await recorder.shoot("watch-earlier-answer", "step 20  sad")
        await recorder.press("escape", "v")
        await recorder.shoot(
            "watch-second-chart", "machine/device_memory_bytes" if recorder.wide else "perplexity"
        )
        await recorder.press("t")
        await recorder.shoot(
            "watch-log", "saved checkpoint 20" if recorder.wide else "step 40  loss"
        )


@case(
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
async def watch_looks(recorder: Recorder) -> None:
    def wide(*texts: str) -> tuple[str, ...]:
        return texts if recorder.wide else ()

    write_runs()
    async with recorder.finetop():
        await open_watch(recorder)
        await recorder.see("◆")
        await recorder.press("enter")
        await recorder.shoot("watch-full-screen", "loss", without="newest, step 40")
        await recorder.press("plus", "y")
        await recorder.shoot("watch-smoothed-log", "log", *wide("smoothed 0.8"))
        await recorder.press("minus", "y", "x", "x")
        await recorder.shoot("watch-by-time", *wide("by relative time"), without="log scale ·")
        await recorder.press("x", "x", "x")
        await recorder.shoot("watch-by-epoch", "epoch 1.212 ")
        await recorder.press("x", "escape", "d", "d", "d", "d")
        await recorder.shoot("watch-grid", "loss", "step 40")
        await recorder.press("d", "d", "d")
        await recorder.see("◆")
        await recorder.settle()
        await recorder.press("z")
        await recorder.shoot("watch-zoomed", "zoomed")
        await recorder.press("left_curly_bracket")
        await recorder.shoot("watch-panned", "zoomed")


@case(
    {
        "watch-filter-wrong": WatchPage,
        "watch-filtered": WatchPage,
        "watch-pick-tags": PickWindow,
        "watch-pinned-tag": WatchPage,
        "watch-pick-runs": PickWindow,
        "watch-pick-runs-filtered": PickWindow,
        "watch-overlaid": WatchPage,
    }
)
async def watch_chosen(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_watch(recorder)
        await recorder.see("◆")
        await recorder.press("slash", *"(norm or")
        await recorder.shoot("watch-filter-wrong", "filter: a term is missing at the end")
        await recorder.press(*" epoch)", "enter")
        await recorder.shoot("watch-filtered", "gradient norm")
        await recorder.press("escape")
        await recorder.reach(PickWindow, "P")
        await recorder.press(*"memory", "space")
        await recorder.shoot("watch-pick-tags", "◆machine/device_memory_bytes")
        await recorder.reach(WatchPage, "enter")
        await recorder.shoot("watch-pinned-tag", "machine/device_memory_bytes")
        await recorder.reach(PickWindow, "o")
        await recorder.press("down", "space", "down", "space")
        await recorder.shoot("watch-pick-runs", "overlay")
        await recorder.press("slash", *"state:failed")
        await recorder.shoot("watch-pick-runs-filtered", "state:failed", "bad-lr")
        await recorder.press("escape")
        await recorder.reach(WatchPage, "enter")
        await recorder.shoot("watch-overlaid", "b child", "c emotion-lora")


@case(
    {
        "watch-failed": WatchPage,
        "watch-queued": WatchPage,
        "watch-lost": WatchPage,
        "watch-over-budget": WatchPage,
        "watch-of-answers": WatchPage,
    }
)
async def watch_states(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_watch(recorder, "bad-lr")
        await recorder.shoot("watch-failed", "failed at step 21", "Lower the learning rate.")
        for name, run, texts in (
            ("watch-queued", "waiting", ("queued #1",)),
            ("watch-lost", "lost", ("lost at step 30",)),
            ("watch-over-budget", "measured", ("> budget 0.1", "newest, step 60")),
        ):
            await recorder.press("1")
            await choose(recorder, run)
            await recorder.reach(WatchPage, "enter")
            await recorder.shoot(name, f" {run} ", *texts)
        await recorder.press("left_square_bracket", "left_square_bracket")
        await recorder.press(*["right_square_bracket"] * 3)
        await recorder.shoot("watch-of-answers", " answers ")


@case(
    {
        "watch-export": WatchPage,
        "watch-export-points": TextWindow,
        "watch-copied": Copied,
        "watch-stop-firmly": ConfirmDialog,
    }
)
async def watch_given(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_watch(recorder)
        await recorder.see("◆")
        await recorder.press("e")
        await recorder.shoot("watch-export", "name.svg")
        await recorder.press("escape")
        await recorder.reach(TextWindow, "E")
        await recorder.shoot("watch-export-points", "Export all points of all tags of live")
        await recorder.press("escape")
        await recorder.reach(Copied, "Y")
        await recorder.shoot("watch-copied", "copied, if the terminal")
        await recorder.press("escape")
        recorder.monkeypatch.setattr(recorder.app.actions, "stop", lambda path, how: None)
        await recorder.press("s")
        await recorder.reach(ConfirmDialog, "s")
        await recorder.shoot("watch-stop-firmly", "Send SIGTERM?")
