"""A line to type in, one row high, whose letters lay nothing out anew."""

from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input


class TextField(Input):
    """What is typed here is text: keys of the screen rest meanwhile."""

    # Of its text, which may be longer than the field: nothing around it moves for that.
    virtual_size = Reactive(Size(0, 0))

    def __init__(
        self,
        value: str = "",
        *,
        hint: str = "",
        max_length: int = 0,
        spaces: bool = True,
        id: str | None = None,
    ) -> None:
        """Without `spaces`, the space bar is left to the keys of the screen."""
        super().__init__(
            value,
            placeholder=hint,
            compact=True,
            max_length=max_length,
            id=id,
            classes="text-field",
        )
        self.cursor_blink = False
        self._spaces = spaces

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return (self._spaces or key != "space") and super().check_consume_key(key, character)
