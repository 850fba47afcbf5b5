"""Reading the difference: words, token shift, tokens and strengths, by keys, at any size."""

from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from engine.compare import annotations, samples
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from tests.tui.conftest import FakeCompanion, screen_text, see, until
from tui.app import FinetopApp
from tui.glyphs import ASCII

HOSTILE = {
    "base": ["\x1b]0;pwn\x07 [/red] \u202e شب بخیر ", "👩‍👩‍👧‍👦 e\u0301 "],
    "tuned": ["x" * 10_000, " \x9b2J", "好" * 300],
}
KINDS = ("d", "t", "x", "w")


async def answer(pilot: Pilot[Any], word: str = "tuned says") -> None:
    """Ask the first prompt, and wait until all have answered."""
    await pilot.press("4")
    await see(pilot, "prompt 1/")
    await pilot.press("ctrl+s")
    await see(pilot, word)
    await until(pilot, lambda: "esc cancel" not in screen_text(pilot.app))


async def test_word_difference_is_marked_in_both_and_turns_off(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await answer(pilot)
        await pilot.press("d")
        await see(pilot, "⟦base⟧ says so.")
        await see(pilot, "⟦tuned⟧ says so.")
        await see(pilot, "67% overlap")
        await see(pilot, "1 only in base")
        await pilot.press("d")
        await until(pilot, lambda: "⟦" not in screen_text(app))


async def test_the_cursor_walks_tokens_and_shows_what_both_would_say(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await answer(pilot)
        await see(pilot, "KL vs base 0.50 nats/token")
        await pilot.press("t")
        await see(pilot, "tuned ‹says› ⟦so.⟧")
        await see(pilot, "unshifted 33%")
        await see(pilot, 'token 1/3  "tuned"')
        await pilot.press("l", "right")
        await see(pilot, "shifted: rank 9 under base")
        await see(pilot, '"Dear" .41')
        await see(pilot, '"so." .90')
        await pilot.press("[")
        await see(pilot, 'token 2/3  " says"')
        await pilot.press("h", "h", "]")
        await see(pilot, 'token 2/3  " says"')
        await pilot.press("escape")
        await until(pilot, lambda: "⟦" not in screen_text(app))
        assert "token shift" in screen_text(app), "the key is still named"
    assert companion.shifted == [("base=run:emotion-lora", "tuned=run:child")]


async def test_what_cannot_be_measured_says_why(app: FinetopApp, companion: FakeCompanion) -> None:
    companion.ranks = ()
    async with app.run_test(size=(120, 40)) as pilot:
        await answer(pilot)
        await pilot.press("t")
        await see(pilot, "base and tuned have different tokenizers.")


async def test_tokens_show_ids_and_special_ones(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await answer(pilot)
        await pilot.press("x")
        await see(pilot, "prompt, 2 tokens")
        await see(pilot, "⟦·t1⟧t1 1")
        await see(pilot, "answer, 3 tokens")


async def test_strengths_are_made_once_and_scrubbed(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await answer(pilot)
        await pilot.press("w")
        await see(pilot, "said at 1")
        await see(pilot, "answers differ")
        await pilot.press("h", "h")
        await see(pilot, "said at 0.5")
        await see(pilot, "[0.5]")
        await pilot.press("w", "w")
        await see(pilot, "said at 0.5")
        assert len(companion.scaled) == 1
        companion.held = True
        await pilot.press("w", "n", "w")
        await see(pilot, "send first: ctrl+s")
        companion.held = False
        await pilot.press("ctrl+s")
        await see(pilot, "answers differ")
        await pilot.press("p", "w", "ctrl+s")
        await until(pilot, lambda: "esc cancel" not in screen_text(app))
        companion.held = True
        await pilot.press("w")
        await see(pilot, "1 of 5 generated, esc cancel")
        await pilot.press("escape")
        await see(pilot, "  cancelled")
        companion.held = False
        await pilot.press("w", "w")
        await see(pilot, "answers differ")
    arm, messages, decoding = companion.scaled[0]
    assert arm == "tuned=run:child"
    assert [one["role"] for one in messages] == ["user"]
    assert decoding["temperature"] == 0


async def test_a_round_is_kept_as_a_job_to_note_and_to_vote_on(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("m")  # nothing to keep yet
        await answer(pilot)
        await pilot.press("f")
        field = app.screen.query_one(TextArea)
        field.text = "And then?"
        await pilot.press("ctrl+s")
        await see(pilot, "> And then?")
        await until(pilot, lambda: "esc cancel" not in screen_text(app))
        await pilot.press("w")
        await see(pilot, "answers differ")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert isinstance(app.focused, Input)
        app.focused.value = "look here"
        await pilot.press("enter")
        await see(pilot, "note: look here")
        await see(pilot, "assistant, tuned: tuned says so.")
        (job,) = (path for path in app.store.root.iterdir() if path.name.startswith("kept-"))
        await until(
            pilot, lambda: [one.note for one in annotations.read(job).values()] == ["look here"]
        )
        await pilot.press("escape", "v")
        await see(pilot, "0 of 1 votes given")
        await see(pilot, "assistant, left:")
    assert [path for path in app.store.root.iterdir() if path.name.startswith("kept-")] == [job]
    arms = [one.arm for one in samples.read(JobDirectory(job).samples)]
    assert arms[:2] == ["base=run:emotion-lora", "tuned=run:child"]
    assert arms[2:4] == ["tuned at 0=run:child@0.0", "tuned at 0.25=run:child@0.25"]


async def test_warnings_and_differences_stand_above_the_panes(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    companion.ranks = (1,)
    companion.differing = {
        "warnings": [
            {
                "kind": "same weights",
                "arms": [0, 1],
                "text": "base and tuned have the same weights",
            },
            {"kind": "error", "arms": [0], "text": "never twice"},
        ],
        "differences": [{"what": "template", "values": [], "text": "template: chat | \x1b[2Jraw"}],
    }
    async with app.run_test(size=(160, 50)) as pilot:
        await answer(pilot)
        await see(pilot, "! base and tuned have the same weights")
        await see(pilot, "! template: chat | ␛[2Jraw")
        await see(pilot, "same tokenizer, decoding, dtype, batching")
        assert "never twice" not in screen_text(app)


async def test_an_adapter_without_effect_is_told(app: FinetopApp, companion: FakeCompanion) -> None:
    companion.answers = {"base": ["so"], "tuned": ["so"]}  # a first token has no divergence here
    async with app.run_test(size=(120, 40)) as pilot:
        await answer(pilot, "so")
        await see(pilot, "! no effect: tuned answers like base (KL 0.0000)")


async def test_cancelling_is_at_once_whatever_the_companion_does(
    app: FinetopApp, companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    companion.held = True
    # A model in the middle of a step hears nothing yet.
    monkeypatch.setattr("tests.tui.conftest.FakeStream.cancel", lambda self: None)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("ctrl+s")
        await see(pilot, "esc cancel")
        await pilot.press("escape")
        assert "esc cancel" not in screen_text(app)
        assert "cancelled" in screen_text(app)
        await pilot.press("e")
        await see(pilot, "ctrl+s send")  # the next question need not wait
        companion.held = False
        await pilot.press("ctrl+s")
        await see(pilot, "tuned says so.")
        await until(pilot, lambda: screen_text(app).count("base says so.") == 1)


@pytest.mark.parametrize("size", [(20, 5), (80, 24), (300, 100)])
async def test_every_view_holds_any_text_at_any_size(
    app: FinetopApp, companion: FakeCompanion, size: tuple[int, int]
) -> None:
    companion.answers = HOSTILE
    async with app.run_test(size=size) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "prompt 1/" in screen_text(app) or size[1] < 8)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(companion.shifted) == 1)
        for key in KINDS:
            await pilot.press(key, "l", "o", "o", "o")
            text = screen_text(app)
            assert not set(text) & set("\x1b\x07\x9b\u202e")
            assert all(cell_len(line) <= size[0] for line in text.splitlines())
        await pilot.resize_terminal(60, 15)
        await pilot.resize_terminal(*size)
        await pilot.press("d")


async def test_ascii_is_enough_for_every_view(root: Path, companion: FakeCompanion) -> None:
    app = FinetopApp(Store(root), glyphs=ASCII, companion=lambda: companion)  # type: ignore[arg-type, return-value]
    async with app.run_test(size=(120, 40)) as pilot:
        await answer(pilot)
        for key, word in (("d", "{tuned} says"), ("t", "tuned <says> {so.}"), ("x", "{_t1}t1 1"),
                          ("w", "[1]")):  # fmt: skip
            await pilot.press(key)
            await see(pilot, word)
            assert screen_text(app).isascii()


async def test_without_colour_the_cursor_is_still_seen(
    app: FinetopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    plain = FinetopApp(app.store, companion=app.companion)
    async with plain.run_test(size=(120, 40)) as pilot:
        await answer(pilot)
        await pilot.press("t")
        await see(pilot, 'token 1/3  "tuned"')
        styles = [
            segment.style
            for strip in plain.screen._compositor.render_strips()
            for segment in strip
            if segment.text.strip() == "tuned" and segment.style and segment.style.reverse
        ]
        assert styles
