"""Nothing unsafe reaches the terminal, whoever forgot to clean it before."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from textual.color import Color
from textual.strip import Strip
from textual.widget import Widget

from engine.text import clean, is_safe, one_line
from tests.events.encoding import event, event_file, simple
from tests.tui.terminal import Terminal
from tui.app import FinetopApp
from tui.text_guard import TextGuard

HOSTILE = "a\x1b]0;title\x07b\x9b31m\u202ec"


class Careless(Widget):
    """Draws what it was given."""

    DEFAULT_CSS = "Careless { border: round; width: 30; height: 3; layer: top; }"

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(HOSTILE)])


async def test_a_widget_that_cleans_nothing_passes_nothing(app: FinetopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        careless = Careless()
        careless.border_title = careless.border_subtitle = HOSTILE
        await app.screen.mount(careless)
        await pilot.pause()
        lines = app.screen._compositor.render_strips()
        texts = [segment.text for line in lines for segment in line if not segment.control]
        assert any("␛]0;title" in text for text in texts)
        assert all(is_safe(text) for text in texts)


def test_the_names_of_settings_of_others_drive_no_terminal(tmp_path: Path) -> None:
    for name in ("a", "b"):
        event_file(tmp_path / name, *[event(at, at, simple("loss", at)) for at in range(5)])
        (tmp_path / name / "hparams.yaml").write_text(f'"lr\\e]0;PWNED\\a": {ord(name)}\n')
    runs = tmp_path / "runs"
    runs.mkdir()
    with Terminal(runs, "watch", str(tmp_path), columns=100, lines=30) as terminal:
        terminal.see("2 runs")
        terminal.press(" ")
        terminal.see("1 marked")
        terminal.press("\x1b[Bd")
        terminal.see("PWNED")
        assert b"PWNED\x07" not in terminal.written
        assert b"\x1b]0;" not in terminal.written


@given(st.text())
def test_a_guarded_line_is_safe_and_as_wide(text: str) -> None:
    segment = Segment(text)
    (guarded,) = TextGuard().apply([segment], Color(0, 0, 0))
    assert is_safe(guarded.text)
    assert guarded.cell_length == segment.cell_length or is_safe(text)


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1))
def test_controls_and_what_takes_no_cell_are_seen(text: str) -> None:
    shown = one_line(text)
    assert is_safe(shown)
    assert len(shown) == len(text.replace("\r\n", "\n"))
    assert all(unicodedata.category(sign) not in ("Cc", "Cs", "Zl", "Zp") for sign in shown)


@pytest.mark.parametrize("text", ["👨‍👩‍👧", "می‌خواهم", "क्‍ष", "naïve", "日本", "é"])
def test_joiners_stay_where_they_join(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "text", ["a\u200bb", "a\u200db", "x\ufeff", "soft\xadhyphen", "a\U000e0041b"]
)
def test_what_takes_no_cell_is_made_visible(text: str) -> None:
    assert "�" in clean(text)
