"""The panes of tokens in an app that has nothing else: no page, no companion."""

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.screen import Screen

from engine.errors import EngineError
from engine.tokenizers.sample_texts import CONVERSATION, LINES
from engine.tokenizers.tokenizer_output import TokenizerOutput
from tests.tui.tokens.readings import reading_of
from tui.glyphs import UNICODE
from tui.styled_text import ROLE_CLASSES
from tui.tokens.block_pane import BlockPane
from tui.tokens.panes import YOURS, TokenData, TokenPanes
from tui.tokens.requests import TokenizeRequest

TEXTS = {line.name: line.text for line in LINES} | {YOURS: "my own Zoo"}


class Roles(Screen[None]):
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)


class PanesApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.updates = 0

    def get_default_screen(self) -> Screen[None]:
        return Roles()

    def compose(self) -> ComposeResult:
        yield TokenPanes(UNICODE)

    def on_token_panes_updated(self) -> None:
        self.updates += 1

    @property
    def panes(self) -> TokenPanes:
        return self.query_one(TokenPanes)

    def text(self, selector: str) -> str:
        widget = self.query(selector).first()
        return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))

    @property
    def heads(self) -> list[str]:
        return [self.text(f"#{pane.id} .line").strip() for pane in self.query(BlockPane)
                if pane.display]  # fmt: skip


def data(*refs: str, **values: object) -> TokenData:
    request = TokenizeRequest(refs, tuple(TEXTS.items()), CONVERSATION).fields
    outputs = tuple(reading_of(ref, request) for ref in refs)
    return TokenData(outputs, TEXTS, CONVERSATION, **values)  # type: ignore[arg-type]


async def test_as_many_panes_as_there_are_tokenizers_and_room() -> None:
    app = PanesApp()
    async with app.run_test(size=(120, 30)) as pilot:
        app.panes.show(data("first", "second"))
        await pilot.pause()
        assert app.heads == ["1 first  29 tokens", "2 second  29 tokens"]
        assert not app.panes.has_more
        await pilot.resize_terminal(60, 24)
        assert app.panes.has_more
        assert app.heads == ["1 first  29 tokens"]
        app.panes.turn_panes(1)
        await pilot.pause()
        assert app.heads == ["2 second  29 tokens"]
        app.panes.begin()
        app.panes.show(data("third", "fourth"))
        await pilot.pause()
        assert app.heads == ["1 third  29 tokens"]


async def test_texts_and_faces_take_turns() -> None:
    app = PanesApp()
    async with app.run_test(size=(120, 30)) as pilot:
        app.panes.show(data("first", left_out=7))
        app.panes.turn_text(-1)
        await pilot.pause()
        assert app.panes.text_name == YOURS
        assert "yours  10 chars, 10 bytes  +7 truncated" in app.text("#token-status")
        assert app.text("Blocks").startswith("my│·own│·Zoo│")
        app.panes.turn_face()
        await pilot.pause()
        assert app.text("Blocks").startswith("100│101│102│")


async def test_each_pane_has_a_template_of_its_own() -> None:
    app = PanesApp()
    async with app.run_test(size=(150, 30)) as pilot:
        app.panes.show(data("first", "second"))
        app.panes.show_view("templates")
        app.panes.turn_form()
        await pilot.pause()
        assert [head.split("  ")[0] for head in app.heads] == [
            "1 first · chatml", "1 first · chat", "2 second · chat",
        ]  # fmt: skip


async def test_templates_that_differ_are_shown_in_one_text() -> None:
    app = PanesApp()
    async with app.run_test(size=(120, 30)) as pilot:
        app.panes.show(data("first"))
        app.panes.show_view("difference")
        await pilot.pause()
        assert "[-<raw>-]{+<s>+}" in app.text("#token-sheet")
        assert app.focused is app.query_one("#token-sheet")


async def test_what_is_not_there_yet_and_what_went_wrong_is_said() -> None:
    app = PanesApp()
    async with app.run_test(size=(120, 30)) as pilot:
        app.panes.show(TokenData((TokenizerOutput("a", "a"),), TEXTS, is_busy=True))
        await pilot.pause()
        assert "loading..." in app.text("#token-status")
        assert app.text("Blocks").startswith("loading...")
        trouble = EngineError("It died.", "as it was asked to", "")
        app.panes.show(TokenData((TokenizerOutput("a", "a"),), TEXTS, trouble=trouble))
        await pilot.pause()
        assert "It died. as it was asked to" in app.text("#token-status")
        assert "It died." in app.text("Blocks")


async def test_each_change_is_told() -> None:
    app = PanesApp()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert app.updates == 0, "nothing is there"
        app.panes.show(data("first"))
        await pilot.pause()
        assert app.updates == 1
        app.panes.turn_view(1)
        await pilot.pause()
        assert app.updates == 2
