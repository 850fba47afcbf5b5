"""Compare: answers side by side, every way to read them, and who answers."""

from tests.snapshots.directories import write_runs
from tests.snapshots.of_runs import choose, open_runs
from tests.snapshots.scenes import scene
from tests.snapshots.stage import Stage
from tui.compare.arm_form import ArmForm
from tui.compare.arm_sets_window import PickSet
from tui.compare.arms_window import ArmsWindow
from tui.compare.page import ComparePage
from tui.compare.pick_run import PickRun
from tui.screens.prompts import Ask, Choose
from tui.widgets.form import Form
from tui.widgets.table import Table

ANSWERS = {
    "base": ("The ", "sea ", "is ", "wide, ", "and ", "it ", "is ", "blue."),
    "tuned": ("The ", "sea ", "is ", "calm, ", "my ", "friend: ", "look ", "at ", "it."),
    "half": ("The ", "sea ", "is ", "calm ", "and ", "blue."),
}


def write(stage: Stage, **values: str) -> None:
    """Put texts into fields of the arm's form."""
    stage.app.screen.query_one(Form).fill(values)
    stage.app.screen.query_one(Form).post_message(Form.Edited("strength"))


async def draw_again(stage: Stage) -> None:
    """What stands below an answer is as long as the pane was wide when it was written: at the
    width that the pane has now, or had before, as it happens."""
    await stage.settle()
    page = stage.app.page
    assert page is not None
    page.redraw()


async def open_compare(stage: Stage) -> None:
    """The tuned model sits beside its base, a prompt is there, nothing was asked."""
    stage.companion.answers = ANSWERS
    await open_runs(stage)
    await choose(stage, "emotion-lora")
    await stage.reach(ComparePage, "4")
    await stage.see("prompt 1/", "tuned: emotion-lora")


@scene(
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
async def compare(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_compare(stage)
        await stage.shoot("compare-unasked")
        stage.companion.held = True
        await stage.press("ctrl+s")
        await stage.shoot("compare-answering", "answering, esc cancels")
        stage.companion.held = False
        await stage.shoot("compare", "look at it.", "and it is blue.", without="esc cancels")
        await stage.press("d")
        await stage.shoot("compare-words", "⟦", "only base")
        await stage.press("d", "t")
        await stage.shoot("compare-shift", "unshifted", "token 1/9")
        await stage.press("right_square_bracket")
        await stage.shoot("compare-shifted-token", "token 2/9")
        await stage.press("t", "x")
        await stage.shoot("compare-tokens", "answer, ", "prompt, ")
        await stage.press("x", "w")
        await stage.shoot("compare-strength", "said at", "[1]", without="esc cancels")
        await stage.press("h", "h")
        await stage.see("[0.5]")
        await stage.press("w", "o")
        await draw_again(stage)
        await stage.shoot("compare-one-pane", "look at it." if not stage.wide else "tuned")
        await stage.press("o", "o", "plus", "greater_than_sign", "s")
        await draw_again(stage)
        await stage.shoot("compare-settings", "temp")


@scene(
    {
        "compare-writing": ComparePage,
        "compare-follow-up": ComparePage,
        "compare-second-turn": ComparePage,
        "compare-pick-run": PickRun,
        "compare-answers": Choose,
        "compare-answers-file": Ask,
    }
)
async def compare_asked(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_compare(stage)
        await stage.press("e")
        await stage.shoot("compare-writing", "ctrl+s sends")
        await stage.press(*"What is the sea?", "ctrl+s")
        await stage.see("look at it.", "What is the sea?")
        await stage.press("f", *"And now?")
        await stage.shoot("compare-follow-up", "next turn", "And now?", without="esc cancels")
        await stage.press("ctrl+s")
        await stage.shoot("compare-second-turn", "And now?", without="esc cancels")
        await stage.reach(PickRun, "r")
        await stage.shoot("compare-pick-run", "child")
        await stage.press("escape")
        await stage.reach(Choose, "b")
        await stage.shoot("compare-answers", "answer a file", "browse answers")
        stage.app.screen.query_one(Table).choose("file")
        await stage.reach(Ask, "enter")
        await stage.shoot("compare-answers-file", "A file of prompts")


@scene(
    {
        "arms": ArmsWindow,
        "arms-refused": ArmsWindow,
        "arms-name": ArmsWindow,
        "arms-saved": ArmsWindow,
        "arm-form": ArmForm,
        "arm-form-field": ArmForm,
        "arm-form-wrong": ArmForm,
        "arm-sets": PickSet,
        "compare-three-arms": ComparePage,
    }
)
async def arms(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_compare(stage)
        await stage.reach(ArmsWindow, "c")
        await stage.shoot("arms", "a add", "emotion-lora")
        await stage.press("D", "D")
        await stage.shoot("arms-refused", "One arm has to stay")
        await stage.press("escape")
        await stage.reach(ArmsWindow, "c")
        await stage.reach(ArmForm, "a")
        await stage.shoot("arm-form", "pick what answers", "emotion-lora", "model, bundled")
        await stage.press("down", "enter")
        await stage.shoot("arm-form-field", without="looking for models")
        write(stage, name="half", strength="7")
        await stage.shoot("arm-form-wrong", "not between 0 and 1.5")
        write(stage, strength="0.5")
        await stage.reach(ArmsWindow, "ctrl+s")
        await stage.press("s", *"strict or free")
        await stage.shoot("arms-name", "strict or free")
        await stage.press("enter")
        await stage.shoot("arms-saved", "Saved as strict or free.")
        await stage.reach(PickSet, "l")
        await stage.shoot("arm-sets", "base, tuned, half")
        await stage.reach(ArmsWindow, "enter")
        await stage.reach(ComparePage, "ctrl+s")
        await stage.press("ctrl+s")
        await stage.shoot("compare-three-arms", "my friend", without="esc cancels")
