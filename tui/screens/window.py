"""A window over a screen."""

from typing import ClassVar, Generic, TypeVar

from textual.screen import ModalScreen

from tui.widgets.cells import ROLE_CLASSES

T = TypeVar("T")


class Window(ModalScreen[T], Generic[T]):
    """`esc` closes it, with nothing."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
