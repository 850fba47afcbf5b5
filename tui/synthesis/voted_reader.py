"""The pairs that blind votes will make, read on a thread when a recipe names other votes."""

from collections.abc import Callable

from textual.dom import DOMNode

from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import Pairs
from engine.synthesis.source_rows import SourceRow
from tui.background import run_in_background
from tui.formatting import error_lines
from tui.styled_text import Line
from tui.synthesis.voted_lines import voted_lines

Read = Callable[[SynthesizeRecipe], list[SourceRow]]
"""Reads the pairs; may block. Raises EngineError."""


class VotedReader:
    """Of one page: what it last read, and why there is nothing."""

    def __init__(self, page: DOMNode, read: Read, on_change: Callable[[], None]) -> None:
        self._page = page
        self._read = read
        self._on_change = on_change
        self._asked: Pairs | None = None
        """What was last read for."""
        self._found: list[SourceRow] | EngineError | None = None

    def lines(self, recipe: SynthesizeRecipe) -> list[Line]:
        """What there is to see now; `on_change` is called when there is more."""
        if self._asked != recipe.pairs:
            self._asked, self._found = recipe.pairs, None
            run_in_background(
                self._page, lambda: self._read(recipe), self._show, failed=self._show,
                group="votes", exclusive=True,
            )  # fmt: skip
        if self._found is None:
            return [[("reading the votes...", "dim")]]
        return (
            error_lines(self._found)
            if isinstance(self._found, EngineError)
            else voted_lines(self._found)
        )

    def _show(self, found: list[SourceRow] | EngineError) -> None:
        self._found = found
        self._on_change()
