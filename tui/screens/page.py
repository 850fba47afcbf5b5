"""What every full screen has: header, keys, focus on a list, one step back."""

import asyncio
from typing import TYPE_CHECKING, ClassVar, cast

from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from tui.glyphs import Glyphs
from tui.keymap import Key, keys_of
from tui.snapshots import Machine, RunDetail, RunsSnapshot
from tui.styled_text import ROLE_CLASSES
from tui.widgets.cells import Cells
from tui.widgets.header import Header
from tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from textual.widgets import Input

    from engine.jobs.hardware import HardwareSample
    from tui.services import Services


def bindings_of(*screens: str) -> list[BindingType]:
    """Bindings from the keymap that are the screen's own; of several, each key once."""
    bindings: dict[str, BindingType] = {}
    for key in (key for screen in screens for key in keys_of(screen) if key.screen == screen):
        # The field must be there before the next key comes, however fast one types.
        priority = key.priority or key.action == "filter"
        bindings[key.key] = Binding(
            key.key, key.action, key.label or key.help, show=False, priority=priority
        )
    return [*bindings.values()]


class Page(Screen[None]):
    """Subclasses name themselves as the keymap does, and compose a body."""

    AUTO_FOCUS: ClassVar[str | None] = None
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    name_in_keymap: str = ""
    is_sub_page: ClassVar[bool] = False
    """Whether it lies over another page, and closes before another is shown."""
    initial_focus: ClassVar[str] = ""
    """Selector of the list that has the focus at first, and after `esc`."""
    filter_hint: ClassVar[str] = "text to find"
    filter_name: ClassVar[str] = "filter"
    """What the field that `/` opens is called."""
    """What can be typed after `/`."""

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        """What the list is narrowed to."""
        self._composed = False

    @property
    def ready(self) -> bool:
        """Whether there is something to fill: it is composed, and not being taken down."""
        return self._composed and self.is_attached and self.app.is_running

    @property
    def services(self) -> "Services":
        # A cast: to test the app's class here, pages would import the app, which imports pages.
        return cast("Services", self.app)

    @property
    def glyphs(self) -> Glyphs:
        return self.services.glyphs

    def frame(self) -> tuple[Header, KeyBar]:
        """Header and keys, for `compose`."""
        return Header(self.name_in_keymap), KeyBar()

    def on_mount(self) -> None:
        # Textual calls the handlers of all classes, subclasses' first: they do not call this one.
        self._composed = True
        self.focus_initial()
        self.open()

    def on_screen_resume(self) -> None:
        if self.ready:
            self.open()

    def open(self) -> None:
        """The screen is shown, composed: bring it up to date with what came meanwhile."""
        self.query_one(Header).show(self.services.machine)
        self.show_runs(self.services.runs)
        self.show_keys()

    def on_descendant_focus(self) -> None:
        self.show_keys()

    def on_descendant_blur(self) -> None:
        self.show_keys()

    def focus_initial(self) -> None:
        """Focus the list that this screen is about."""
        if self.initial_focus:
            self.query_one(self.initial_focus, Widget).focus()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        """The list of runs is another one; screens that show it take it."""

    def show_detail(self, detail: RunDetail) -> None:
        """The watched run has news; screens that show it take them."""

    def show_machine(self, machine: Machine) -> None:
        self.query_one(Header).show(machine)

    def show_readings(self, readings: "tuple[HardwareSample, ...]") -> None:
        """The machine was looked at once more; screens that show it take it."""

    def redraw(self) -> None:
        """Draw everything again, with other glyphs."""
        for widget in self.walk_children():
            if isinstance(widget, Cells):
                widget.redraw()
        self.show_keys()

    def show_keys(self) -> None:
        """Name the keys that work right now."""
        if not self.ready:
            return
        works = []
        for key in keys_of(self.name_in_keymap):
            if key.bar and key.label and (not self.in_field or key.priority):
                name, _, rest = key.action.partition("(")
                parameters = (rest.rstrip(")"),) if rest else ()
                if self.check_action(name, parameters) and (label := self.label_of(key)):
                    works.append((key.face, label))
        if self.in_field:
            works += self.field_keys
        self.query_one(KeyBar).show(works)

    @property
    def field_keys(self) -> "list[tuple[str, str]]":
        """What the keys of a field do, while it has the focus."""
        if self.focused is not None and self.focused.id == "filter":
            return [("enter", "apply"), ("tab", "next field"), ("esc", f"clear {self.filter_name}")]
        return [("tab", "next field"), ("esc", "leave field")]

    def label_of(self, key: Key) -> str:
        """What the line at the bottom calls a key now; empty for one that only says why not."""
        return key.label

    @property
    def in_field(self) -> bool:
        """Whether letters are text now."""
        return self.focused is not None and self.focused.has_class("text-field")

    async def action_filter(self) -> None:
        from tui.widgets.text_field import TextField

        if self.in_field:
            raise SkipAction  # a letter like any other there
        if not self.query("#filter"):
            await self.mount(TextField(hint=self.filter_hint, id="filter"))
        self.set_focus(self.query_one("#filter"))

    def apply_filter(self, text: str) -> None:
        """List only what holds `text`."""

    async def on_input_changed(self, event: "Input.Changed") -> None:
        if event.input.id == "filter":
            self.filter_text = event.value
            self.apply_filter(event.value)
            # What was narrowed says so before the letter is drawn: one frame shows both.
            await asyncio.sleep(0)

    def on_input_submitted(self, event: "Input.Submitted") -> None:
        if event.input.id == "filter":
            self.focus_initial()

    def _drop_filter(self) -> None:
        self.query("#filter").remove()
        self.filter_text = ""
        self.apply_filter("")
        self.focus_initial()

    def go_back(self) -> bool:
        """Undo the last step into something; False where this screen is at its beginning."""
        if self.filter_text or (self.focused is not None and self.focused.id == "filter"):
            self._drop_filter()
            return True
        if self.in_field:
            self.focus_initial()
            return True
        return False


class SubPage(Page):
    is_sub_page = True

    def go_back(self) -> bool:
        if not super().go_back():
            self.dismiss()
        return True
