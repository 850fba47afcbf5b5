"""The question before an endpoint's key goes to an address for the first time.

Arms may come from a file that another person wrote: a saved set, a job's recipe. What the user
agrees to is remembered, so that it is asked once.
"""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from textual.dom import DOMNode

from engine.compare.arms import Arm
from engine.text import one_line
from tui.background import run_in_background
from tui.screens.dialogs import ConfirmDialog

if TYPE_CHECKING:
    from engine.compare.endpoint_keys import KeyUse
    from tui.actions import Actions


def ask_for_keys(
    node: DOMNode,
    actions: "Actions",
    arms: Sequence[Arm],
    then: Callable[[], object],
    typed: "Collection[KeyUse]" = (),
    run: str = "",
) -> None:
    """Call `then` once the user has agreed to all keys that these arms send; at once where none is
    sent. `typed` are those whose variable the user typed; `run` is the id of the run that these
    arms are of, if any. A no, and the key of an account that a file names, end it; the latter in
    an error."""
    if not any(arm.key for arm in arms):
        then()
        return

    def ask(uses: "list[KeyUse]", agreed: "tuple[KeyUse, ...]" = ()) -> None:
        if not uses:
            run_in_background(node, lambda: actions.allow_keys(agreed), lambda _: then())
            return
        use, rest = uses[0], uses[1:]
        if use in typed and not use.warning:
            ask(rest, (*agreed, use))
            return

        def answer(yes: bool | None) -> None:
            if yes:
                ask(rest, (*agreed, use))

        node.app.push_screen(_question(use), answer)

    run_in_background(node, lambda: actions.find_new_keys(arms, typed, run), ask)


def ask_for_hosts(
    node: DOMNode, actions: "Actions", arms: Sequence[Arm], then: Callable[[], object]
) -> None:
    """Call `then` once the user has agreed to all addresses beyond this machine that the texts of
    a data set go to; at once where they go to none. A no ends it."""
    if not any(arm.is_endpoint for arm in arms):
        then()
        return

    def ask(addresses: "list[str]") -> None:
        if not addresses:
            then()
            return

        def answer(yes: bool | None) -> None:
            if yes:
                run_in_background(node, lambda: actions.allow_hosts(addresses), lambda _: then())

        names = ", ".join(map(one_line, addresses))
        question = ConfirmDialog(
            f"Send texts of your data to {names}?", "They leave this machine. It is asked once."
        )
        node.app.push_screen(question, answer)

    run_in_background(node, lambda: actions.find_new_hosts(arms), ask)


def _question(use: "KeyUse") -> ConfirmDialog:
    detail = "It was not sent there before."
    return ConfirmDialog(
        f"Send the API key in {use.variable} to {use.address}?",
        f"{use.warning}\n{detail}" if use.warning else detail,
    )
