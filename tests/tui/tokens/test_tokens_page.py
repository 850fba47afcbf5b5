"""The Tokens screen, with a companion that cuts at spaces."""

import random
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, TextArea

from engine.jobs.store import Store
from tests.tui.conftest import FakeCompanion, rests, screen_text, see, until
from tui.app import FinetopApp
from tui.glyphs import ASCII
from tui.tokens import last_choice
from tui.tokens.page import MOST_WRITTEN, TokensPage

ROMAN = "bundled:demo-base"


def page_of(app: FinetopApp) -> TokensPage:
    assert isinstance(app.page, TokensPage)
    return app.page


async def choose(app: FinetopApp, pilot: Any, *refs: str) -> None:
    """As if they had been picked."""
    await pilot.press("6")
    await see(pilot, "view 1/4: tokens  ")
    page_of(app)._refs = refs
    page_of(app)._ask()
    page_of(app)._show()


async def write(app: FinetopApp, pilot: Any, text: str) -> None:
    await pilot.press("e")
    app.screen.query_one(TextArea).text = text
    await pilot.press("ctrl+s")


async def test_pieces_counts_and_the_token_under_the_cursor(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6")
        await see(pilot, "The│·old│·lighthouse│")
        await see(pilot, "✓ exact")
        await see(pilot, "1/29 The  id 100")
        await pilot.press("l")
        await see(pilot, "token 2/29 ·old  id 101  raw Ġold  bytes 4")
        await pilot.press("end")
        await see(pilot, "29/29 ·sea.")
        await pilot.press("i")
        await see(pilot, "100│101│102│")
        await pilot.press("i")
        await see(pilot, "The│Ġold│Ġlighthouse│")


async def test_texts_are_turned_and_one_is_written(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6", "n")
        await see(pilot, "text 2/6 Persian")
        await see(pilot, "first letter leftmost")
        await pilot.press("p", "p")
        await see(pilot, "text 6/6 emoji")
        await write(app, pilot, "my own Zoo")
        await see(pilot, "text 7/7 yours  10 chars, 10 bytes")
        await see(pilot, "my│·own│·Zoo│")
        await see(pilot, "✗ loses letter case")


async def test_tokenizers_stand_side_by_side_and_a_bad_one_says_why(app: FinetopApp) -> None:
    async with app.run_test(size=(150, 30)) as pilot:
        await choose(app, pilot, ROMAN, "/not/there", "third")
        await see(pilot, "1 demo-base  29 tokens")
        await see(pilot, "3 third  29 tokens")
        assert screen_text(app).count("Tokenizer not found: /not/there") >= 2
        assert "Name one." in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "3 third  29 tokens" not in screen_text(app))
        await pilot.press("right_square_bracket")
        await see(pilot, "3 third  29 tokens")


async def test_all_texts_in_a_table_with_ratios(app: FinetopApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(app, pilot, ROMAN, "third")
        await pilot.press("v")
        await see(pilot, "relative to English")
        text = screen_text(app)
        row = next(line for line in text.split("\n") if line.startswith("  German"))
        assert row.split() == ["German", "29", "1.00", "6.28", "29", "1.00", "6.28"], row
        await pilot.press("escape")
        await see(pilot, "view 1/4: tokens")


async def test_templates_beside_raw_and_their_difference(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        await choose(app, pilot, ROMAN, "third")
        await pilot.press("v", "v")
        await see(pilot, "1 demo-base · raw")
        await see(pilot, "⟦<raw>⟧You│")
        await see(pilot, "⟦<s>⟧You│")
        await pilot.press("f")
        await see(pilot, "⟦<chatml>⟧You│")
        await pilot.press("f")
        await see(pilot, "Template error: no system")
        await pilot.press("f", "f", "o")
        await see(pilot, "⟦<answer>⟧")
        await pilot.press("v")
        await see(pilot, "The rendered texts are identical.")
        await pilot.press("t")
        await pilot.press("escape")
        page_of(app)._refs = (ROMAN,)
        page_of(app)._ask()
        page_of(app)._show()
        await see(pilot, "[-<raw>-]{+<s>+}")


async def test_a_conversation_of_ones_own(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("6", "v", "v")
        await see(pilot, "⟦<s>⟧You│")
        await write(app, pilot, "user: Ahoy\nassistant: Hello there")
        await see(pilot, "⟦<s>⟧Ahoy│·Hello│·there│")
        await write(app, pilot, "first\nuser: Ahoy")
        await see(pilot, "A conversation must start with a role.")


async def test_tokenizers_are_picked_and_named_by_path_and_remembered(
    app: FinetopApp, tmp_path: Path
) -> None:
    one = tmp_path / "models" / "one.gguf"
    one.parent.mkdir()
    one.write_bytes(b"GGUF")
    last_choice.save(["models/one.gguf", str(tmp_path / "gone.gguf")])
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6")
        await see(pilot, "view 1/4: tokens")
        await pilot.press("t")
        await see(pilot, "one.gguf")
        await see(pilot, "1 marked")
        app.screen.query_one(Input).focus()
        app.screen.query_one(Input).value = "/elsewhere/tokenizer.json"
        await pilot.press("enter")
        await see(pilot, "2 marked")
        await pilot.press("shift+tab", "enter")
        await see(pilot, "2 /elsewhere/tokenizer.json")
        assert page_of(app)._refs == (str(one), "/elsewhere/tokenizer.json")
        await until(pilot, lambda: "elsewhere" in last_choice.kept_file().read_text())
    assert last_choice.load() == (str(one),), "a file that is gone is not asked for"
    last_choice.kept_file().write_text('{"tokenizers": [7]}')
    assert last_choice.load() == ()


async def test_a_dead_companion_is_told_and_asked_again(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        await choose(app, pilot, "companion:dies")
        await see(pilot, "The companion process exited.")
        await choose(app, pilot, ROMAN)
        await see(pilot, "The│·old│")


HOSTILE = "a\x1b]0;pwn\x07[/red][bold]\x9b31m\u202eb\u2066\x7f\r\nc👨‍👩‍👧 ﷺ é\u0301"


async def test_hostile_huge_and_unbroken_texts_at_any_size(app: FinetopApp) -> None:
    chance = random.Random(3)
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(app, pilot, ROMAN, HOSTILE[:30])
        for text in (HOSTILE * 5, "x" * 10_000, "word " * 5_000):
            await write(app, pilot, text)
            await see(pilot, "yours")
            for _ in range(4):
                await pilot.press("v")
                if text[0] != "a" and page_of(app).panes.view != "texts":
                    continue
                for size in [(20, 5), (chance.randint(20, 300), chance.randint(5, 100)), (90, 30)]:
                    await pilot.resize_terminal(*size)
                    shown = screen_text(app)
                    unsafe = [
                        c for c in shown if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)
                    ]
                    assert unsafe == []
                    assert {"\u202e", "\u2066", "\u200d"} & set(shown) == set(), shown
        await see(pilot, f"+{25_000 - MOST_WRITTEN:,} truncated")
        await see(pilot, "1 not shown")


async def test_ascii_means_ascii_and_no_color_no_color(
    root: Path, companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = FinetopApp(Store(root), glyphs=ASCII, companion=lambda: companion)  # type: ignore[arg-type, return-value]
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(app, pilot, ROMAN, "third")
        await pilot.press("n")
        await see(pilot, "\\u0646")
        for key in ("v", "v", "v", "v", "n", "n", "n", "n"):
            await pilot.press(key)
            await pilot.pause(0.1)
            assert [c for c in screen_text(app) if not c.isascii()] == []
            for strip in app.screen._compositor.render_strips():
                for segment in strip:
                    style = segment.style
                    if style is not None:
                        assert style.color is None or style.color.is_default, segment
                        assert style.bgcolor is None or style.bgcolor.is_default, segment


async def test_it_draws_nothing_when_nothing_is_new(
    app: FinetopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6")
        await see(pilot, "The│·old│")
        display = app._display

        def count(*given: Any) -> None:
            drawn.append(given)
            display(*given)

        monkeypatch.setattr(app, "_display", count)
        await rests(pilot, drawn)
