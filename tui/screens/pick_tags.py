"""A small window to find a tag in, and to pin tags so that they come before the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from textual.app import App

from engine.text import one_line
from tui.screens.pick_window import FilterField, Multi, Picked, PickWindow
from tui.widgets.table import Column, TableRow


def pick_tags(
    app: App[Any],
    names: Mapping[str, str],
    pinned: Sequence[str],
    chosen: str | None,
    take: Callable[[str | None, list[str]], None],
    *,
    space: str,
    enter: str,
) -> None:
    """Have one of the tags chosen, and others pinned; `take` is called with it, and with those.

    `names` is what each tag is shown as; `space` and `enter` are what these keys do.
    """

    def rows(text: str) -> list[TableRow]:
        words = text.casefold().split()
        return [
            TableRow(tag, (((one_line(name), ""),),))
            for tag, name in names.items()
            if all(word in f"{name} {tag}".casefold() for word in words)
        ]

    def receive(picked: Picked) -> None:
        take(picked.key, list(picked.marked))

    PickWindow(
        (Column("tag", 20, 70),),
        rows(""),
        chosen=chosen,
        multi=Multi(pinned),
        field=FilterField("filter", rows),
        keys=f"space {space}   enter {enter}   esc cancel",
        empty="No matching tags.",
        head=False,
    ).open(app, receive)
