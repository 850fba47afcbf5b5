"""A window over a screen."""

import asyncio
from typing import ClassVar, Generic, TypeVar

from textual.screen import ModalScreen
from textual.widget import Widget

from tui.styled_text import ROLE_CLASSES

T = TypeVar("T")


class Window(ModalScreen[T], Generic[T]):
    """`esc` closes it, with nothing."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()
        """Set once what keys are meant for has the focus."""

    def on_mount(self) -> None:
        if isinstance(self.AUTO_FOCUS, str) and (found := self.query(self.AUTO_FOCUS)):
            self.set_focus(found.first(Widget))
        self.opened.set()

    def go_back(self) -> None:
        """What `esc` does."""
        self.dismiss(None)
