"""A pager: what it shows of its lines, how they are broken, and what is worked out again."""

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.screen import Screen

from tui.styled_text import ROLE_CLASSES, Line
from tui.widgets.flow import flow
from tui.widgets.pager import Pager


class Roles(Screen[None]):
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)


class PagerApp(App[None]):
    def __init__(self, pager: Pager) -> None:
        super().__init__()
        self.pager = pager

    def get_default_screen(self) -> Screen[None]:
        return Roles()

    def compose(self) -> ComposeResult:
        yield self.pager


def lines(pager: Pager) -> list[str]:
    return [pager.render_line(y).text.rstrip() for y in range(pager.size.height)]


def text(*words: str) -> list[Line]:
    return [[(word, "")] for word in words]


async def test_lines_are_broken_by_what_it_is_given() -> None:
    broken: list[int] = []

    def halves(line: Line, width: int) -> list[Line]:
        broken.append(width)
        return [[("one half", "")], [("other half", "")]]

    pager = Pager(break_line=halves)
    async with PagerApp(pager).run_test(size=(20, 3)) as pilot:
        pager.show(text("whole"))
        await pilot.pause()
        assert lines(pager) == ["one half", "other half", ""]
        broken.clear()
        pager.show(text("whole"))
        assert broken == [], "the same text is not broken again"
        pager.show(text("another"))
        await pilot.pause()
        assert broken == [20]


async def test_a_word_of_several_pieces_stays_whole() -> None:
    pager = Pager(break_line=flow)
    async with PagerApp(pager).run_test(size=(11, 3)) as pilot:
        pager.show([[("a ligh", ""), ("thouse", "")]])
        await pilot.pause()
        assert lines(pager) == ["a", "lighthouse", ""]


async def test_a_role_is_scrolled_to_and_only_where_it_is_out_of_sight() -> None:
    pager = Pager()
    async with PagerApp(pager).run_test(size=(20, 5)) as pilot:
        numbers = text(*map(str, range(50)))
        numbers[30] = [("30", "cursor")]
        pager.show(numbers)
        pager.reveal("cursor")
        await pilot.pause()
        assert lines(pager) == ["28", "29", "30", "31", "32"]
        numbers[30], numbers[32] = [("30", "")], [("32", "cursor")]
        pager.show(numbers)
        pager.reveal("cursor")
        await pilot.pause()
        assert lines(pager)[0] == "28", "it is in sight"
        pager.reveal("nowhere")
        assert lines(pager)[0] == "28"
