"""Compare: answers side by side, every way to read them, and who answers."""

from tests.snapshots.cases import case
from tests.snapshots.cases_runs import choose, open_runs
from tests.snapshots.directories import write_runs
from tests.snapshots.recorder import Recorder
from tui.compare.arm_form import ArmForm
from tui.compare.arms_window import ArmsWindow
from tui.compare.page import ComparePage
from tui.screens.dialogs import TextWindow
from tui.screens.pick_window import PickWindow
from tui.widgets.form import Form
from tui.widgets.table import Table

ANSWERS = {
    "base": ("The ", "sea ", "is ", "wide, ", "and ", "it ", "is ", "blue."),
    "tuned": ("The ", "sea ", "is ", "calm, ", "my ", "friend: ", "look ", "at ", "it."),
    "half": ("The ", "sea ", "is ", "calm ", "and ", "blue."),
}


def write(recorder: Recorder, **values: str) -> None:
    """Put texts into fields of the arm's form."""
    recorder.app.screen.query_one(Form).fill(values)
    recorder.app.screen.query_one(Form).post_message(Form.Edited("strength"))


async def draw_again(recorder: Recorder) -> None:
    """What stands below an answer is as long as the pane was wide when it was written: at the
    width that the pane has now, or had before, as it happens."""
    await recorder.settle()
    page = recorder.app.page
    assert page is not None
    page.redraw()


async def open_compare(recorder: Recorder) -> None:
    """The tuned model sits beside its base, a prompt is there, nothing was asked."""
    recorder.companion.answers = ANSWERS
    await open_runs(recorder)
    await choose(recorder, "emotion-lora")
    await recorder.reach(ComparePage, "4")
    await recorder.see("prompt 1/", "tuned: emotion-lora")


@case(
    {
        "compare-unasked": ComparePage,
        "compare-answering": ComparePage,
        "compare": ComparePage,
        "compare-words": ComparePage,
        "compare-shift": ComparePage,
        "compare-shifted-token": ComparePage,
        "compare-tokens": ComparePage,
        "compare-strength": ComparePage,
        "compare-one-pane": ComparePage,
        "compare-settings": ComparePage,
    }
)
async def compare(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_compare(recorder)
        await recorder.shoot("compare-unasked")
        recorder.companion.held = True
        await recorder.press("ctrl+s")
        await recorder.shoot("compare-answering", "generating, esc cancel")
        recorder.companion.held = False
        await recorder.shoot("compare", "look at it.", "and it is blue.", without="esc cancel")
        await recorder.press("d")
        await recorder.shoot("compare-words", "⟦", "only in base")
        await recorder.press("d", "t")
        await recorder.shoot("compare-shift", "unshifted", "token 1/9")
        await recorder.press("right_square_bracket")
        await recorder.shoot("compare-shifted-token", "token 2/9")
        await recorder.press("t", "x")
        await recorder.shoot("compare-tokens", "answer, ", "prompt, ")
        await recorder.press("x", "w")
        await recorder.shoot("compare-strength", "said at", "[1]", without="esc cancel")
        await recorder.press("h", "h")
        await recorder.see("[0.5]")
        await recorder.press("w", "o")
        await draw_again(recorder)
        await recorder.shoot("compare-one-pane", "look at it." if not recorder.wide else "tuned")
        await recorder.press("o", "o", "plus", "greater_than_sign", "s")
        await draw_again(recorder)
        await recorder.shoot("compare-settings", "temp")


@case(
    {
        "compare-writing": ComparePage,
        "compare-follow-up": ComparePage,
        "compare-second-turn": ComparePage,
        "compare-pick-run": PickWindow,
        "compare-answers": PickWindow,
        "compare-answers-file": TextWindow,
    }
)
async def compare_asked(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_compare(recorder)
        await recorder.press("e")
        await recorder.shoot("compare-writing", "ctrl+s send")
        await recorder.press(*"What is the sea?", "ctrl+s")
        await recorder.see("look at it.", "What is the sea?")
        await recorder.press("f", *"And now?")
        await recorder.shoot("compare-follow-up", "next message", "And now?", without="esc cancel")
        await recorder.press("ctrl+s")
        await recorder.shoot("compare-second-turn", "And now?", without="esc cancel")
        await recorder.reach(PickWindow, "r")
        await recorder.shoot("compare-pick-run", "child")
        await recorder.press("escape")
        await recorder.reach(PickWindow, "b")
        await recorder.shoot("compare-answers", "prompts: from a file", "browse job: answers")
        recorder.app.screen.query_one(Table).choose("file")
        await recorder.reach(TextWindow, "enter")
        await recorder.shoot("compare-answers-file", "Path of the prompt file")


@case(
    {
        "arms": ArmsWindow,
        "arms-refused": ArmsWindow,
        "arms-name": ArmsWindow,
        "arms-saved": ArmsWindow,
        "arm-form": ArmForm,
        "arm-form-field": ArmForm,
        "arm-form-wrong": ArmForm,
        "arm-sets": PickWindow,
        "compare-three-arms": ComparePage,
    }
)
async def arms(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_compare(recorder)
        await recorder.reach(ArmsWindow, "c")
        await recorder.shoot("arms", "a add", "emotion-lora")
        await recorder.press("D", "D")
        await recorder.shoot("arms-refused", "At least one arm is required")
        await recorder.press("escape")
        await recorder.reach(ArmsWindow, "c")
        await recorder.reach(ArmForm, "a")
        await recorder.shoot("arm-form", "model", "emotion-lora", "model, bundled")
        await recorder.press("down", "enter")
        await recorder.shoot("arm-form-field", without="searching for models")
        write(recorder, name="half", strength="7")
        await recorder.shoot("arm-form-wrong", "must be 0 to 1.5")
        write(recorder, strength="0.5")
        await recorder.reach(ArmsWindow, "ctrl+s")
        await recorder.press("s", *"strict or free")
        await recorder.shoot("arms-name", "strict or free")
        await recorder.press("enter")
        await recorder.shoot("arms-saved", "Saved as “strict or free”.")
        await recorder.reach(PickWindow, "l")
        await recorder.shoot("arm-sets", "base, tuned, half")
        await recorder.reach(ArmsWindow, "enter")
        await recorder.reach(ComparePage, "ctrl+s")
        await recorder.press("ctrl+s")
        await recorder.shoot("compare-three-arms", "my friend", without="esc cancel")
