"""What pruning a run would free and keep, before it is done. Drops nothing itself."""

from typing import ClassVar

from textual.binding import Binding

from engine.jobs.prune import PrunePlan
from engine.text import one_line
from tui.formatting import size
from tui.screens.dialogs import Dialog
from tui.styled_text import Line

_MOST_LINES = 6
"""Of checkpoints that stay."""


class PruneWindow(Dialog[PrunePlan | None]):
    """Dismissed with the plan to carry out; None where nothing is to go."""

    BINDINGS: ClassVar = [
        Binding("y", "answer('all')", show=False),
        Binding("b", "answer('keep')", show=False),
        Binding("n,enter", "answer('')", show=False),
    ]

    def __init__(self, name: str, everything: PrunePlan, keeping: PrunePlan) -> None:
        """`everything` drops all that may go, `keeping` leaves the best and the last weights."""
        self._plans = {"all": everything, "keep": keeping}
        lines: list[Line] = [
            [(f"Free {size(everything.bytes)} of {name}?", "strong")],
            *(
                [[("After that it can no longer be resumed.", "warn")]]
                if everything.ends_resuming
                else []
            ),
            [],
            [("drops  ", "dim"), (everything.summary, "")],
            [("keeps  ", "dim"), (_kept_always(everything), "")],
        ]
        shown = list(everything.kept.items())
        lines += [
            [("       ", ""), (f"{one_line(name)}: {one_line(why)}", "")]
            for name, why in shown[:_MOST_LINES]
        ]
        if len(shown) > _MOST_LINES:
            lines.append([(f"       and {len(shown) - _MOST_LINES} more checkpoints", "")])
        keys = "y yes   n no"
        if keeping.bytes < everything.bytes:
            keys = f"y yes   b yes, but keep best and last (frees {size(keeping.bytes)})   n no"
        else:
            del self._plans["keep"]
        super().__init__(lines, keys)

    def action_answer(self, answer: str) -> None:
        if answer == "keep" and "keep" not in self._plans:
            return
        self.dismiss(self._plans.get(answer))


def _kept_always(planned: PrunePlan) -> str:
    parts = ([f"{planned.result}/"] if planned.result else []) + ["curves", "answers", "scores"]
    return ", ".join(parts)
