"""The Compare screen on real runs and prompts, with a companion that needs no model."""

from pathlib import Path

import pytest

from engine.compare.arms import Arm
from engine.jobs.store import Store
from tests.tui.conftest import FakeCompanion, screen_text, see, until
from tui.app import FinetopApp
from tui.compare.arms_window import ArmsWindow
from tui.compare.page import ComparePage
from tui.screens.answer_side import Side, label_of, tell_revisions_apart

SIZES = [(160, 50), (80, 24)]


@pytest.mark.parametrize("size", SIZES)
async def test_both_answers_stream_side_by_side(
    app: FinetopApp, companion: FakeCompanion, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await see(pilot, "live")
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("ctrl+s")
        await see(pilot, "base says so.")
        await see(pilot, "tuned says so.")
        answers = next(line for line in screen_text(app).splitlines() if "base says" in line)
        assert answers.index("base says") < answers.index("tuned says")
        await see(pilot, "3 words")
        await see(pilot, "complete")
        await see(pilot, "0.5 s")
        assert "base: run:emotion-lora" not in screen_text(app)
    arms = [arm for arm, _, _ in companion.asked]
    assert arms == ["base=run:emotion-lora", "tuned=run:child"]
    assert companion.closed


async def test_the_chosen_run_and_what_it_started_from_answer(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "emotion-lora")
        await pilot.press("down", "down", "c")
        await see(pilot, "prompt 1/")
        await pilot.press("ctrl+s")
        await see(pilot, "tuned says")
    arms = [arm for arm, _, _ in companion.asked]
    assert arms == ["base=bundled:demo-base", "tuned=run:emotion-lora"]


async def test_own_prompt_and_a_second_turn(app: FinetopApp, companion: FakeCompanion) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("e", *"hi4q", "ctrl+s")
        await see(pilot, "your prompt")
        await see(pilot, "tuned says so.")
        await until(pilot, lambda: "f follow up" in screen_text(app))
        await pilot.press("f", *"more", "ctrl+s")
        await see(pilot, "> more")
        await until(pilot, lambda: screen_text(app).count("tuned says so.") == 2)
    first, second = companion.asked[0], companion.asked[2]
    assert first[1] == [{"role": "user", "content": "hi4q"}]
    assert [one["role"] for one in second[1]] == ["user", "assistant", "user"]
    assert second[1][1]["content"] == "base says so."


async def test_settings_are_shown_and_sent(
    app: FinetopApp, companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.base_app.held", lambda runs: {"cuda:0"})
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "temp 0 · greedy · seed 7 · max 128 tokens")
        await pilot.press("plus", "plus", "greater_than_sign", "s")
        await see(pilot, "temp 0.5 · sampled · seed 8 · max 256 tokens")
        await pilot.press("minus", "minus", "less_than_sign", "less_than_sign")
        await see(pilot, "temp 0 · greedy · seed 8 · max 64 tokens")
        await pilot.press("ctrl+s")
        await see(pilot, "tuned says")
        await see(pilot, "on the CPU: runs use cuda:0")
    decoding = companion.asked[0][2]
    assert (decoding["temperature"], decoding["seed"], decoding["max_new_tokens"]) == (0.0, 8, 64)


async def test_esc_cancels_first_and_keeps_what_was_said(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    companion.held = True
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("ctrl+s")
        await see(pilot, "esc cancel")
        await pilot.press("escape")
        await see(pilot, "cancelled")
        assert isinstance(app.screen, ComparePage)
        await until(pilot, lambda: "esc cancel" not in screen_text(app))


async def test_one_pane_alone_and_both_again(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "tuned: ")
        await pilot.press("o")
        await until(pilot, lambda: "base: " not in screen_text(app))
        await pilot.press("o")
        await until(pilot, lambda: "tuned: " not in screen_text(app))
        await pilot.press("o")
        await until(
            pilot,
            lambda: (
                {"base: ", "tuned: "}
                <= {word for word in ("base: ", "tuned: ") if word in screen_text(app)}
            ),
        )


async def test_next_and_previous_prompt(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("n")
        await see(pilot, "prompt 2/")
        await pilot.press("p", "p")
        await until(pilot, lambda: "prompt 1/" not in screen_text(app))


async def test_two_revisions_of_one_model_are_told_apart(app: FinetopApp) -> None:
    cache = "/hub/models--org--one/snapshots"
    arms = (Arm("old", f"{cache}/{'a' * 40}"), Arm("new", f"{cache}/{'b' * 40}"))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ArmsWindow))
        app.screen.dismiss(arms)
        await see(pilot, "old: org/one@aaaaaaaa ")
        await see(pilot, "new: org/one@bbbbbbbb")
    one = Side(arms[0], label_of(arms[0]))
    assert [side.label for side in tell_revisions_apart([one, one])] == ["org/one", "org/one"]


async def test_another_run_can_be_picked(app: FinetopApp, companion: FakeCompanion) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "tuned: child")
        await pilot.press("r", "down", "enter")
        await see(pilot, "tuned: emotion-lora")


async def test_without_a_tuned_run_the_bundled_model_answers_alone(
    tmp_path: Path, companion: FakeCompanion
) -> None:
    app = FinetopApp(Store(tmp_path / "none"), companion=lambda: companion)  # type: ignore[arg-type, return-value]
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await see(pilot, "base: demo-base")
        assert "tuned: " not in screen_text(app)
        await see(pilot, "prompt 1/")
        await pilot.press("ctrl+s")
        await see(pilot, "base says so.")


async def test_hostile_and_endless_answers_are_cleaned_and_capped(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    companion.answers = {
        "base": ["\x1b]0;pwn\x07 [/red] \x9b31m \u202etxt"],
        "tuned": ["word " * 40_000],
    }
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("ctrl+s")
        await see(pilot, "␛]0;pwn␇ [/red] �31m �txt")
        await see(pilot, "(truncated: 200,000 characters in total)")


async def test_leaving_while_it_answers_ends_the_companion(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    companion.held = True
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await pilot.press("ctrl+s")
        await see(pilot, "waiting...")
        await pilot.press("q")
    assert companion.closed
