"""The cell under the cursor of Impact's matrix, and the pages and windows that open from it.

Owns what each of them is given, and for which cells there is one. Where the cursor is, is for
`tui.impact.page`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.impact.arm_paths import Against
from tui.impact.evaluation_reader import EvaluationSnapshot
from tui.impact.verdict_words import change_of, is_worse, loss_words
from tui.screens.page import Page
from tui.snapshots import RunRow

if TYPE_CHECKING:
    from engine.impact.changes.skill_changes import SkillChange
    from engine.impact.changes.skill_rows import SkillRow, SkillTable


@dataclass(frozen=True, slots=True)
class ChosenCell:
    """A skill under an arm, which may not have been measured on it."""

    evaluation: EvaluationSnapshot
    table: "SkillTable"
    skill: "SkillRow"
    arm: str
    against: Against

    @property
    def is_measured(self) -> bool:
        return self.arm in self.skill.results

    @property
    def change(self) -> "SkillChange | None":
        """What the arm changed; None of one that has nothing before it."""
        return change_of(self.skill, self.arm, self.against) if self.is_measured else None

    @property
    def is_worse(self) -> bool:
        """Whether something was lost here: what remedies are for."""
        return self.change is not None and is_worse(self.skill, self.change)

    @property
    def has_labels(self) -> bool:
        return self.skill.name in self.evaluation.label_suites

    @property
    def has_formats(self) -> bool:
        """Whether the measures of the skill tell its format from its knowledge."""
        return self.skill.name in self.evaluation.format_suites

    def open_items(self, page: Page, wanted: str) -> None:
        """The items, those of one class first where it is named."""
        from tui.impact.items_page import ItemsPage

        if self.is_measured:
            page.app.push_screen(
                ItemsPage(self.evaluation, self.skill.name, self.arm, self.against, wanted)
            )

    def open_classification(self, page: Page) -> None:
        from tui.impact.classification_page import ClassificationPage

        page.app.push_screen(ClassificationPage(self.table.results, self.skill.name))

    def open_format(self, page: Page) -> None:
        from tui.impact.format_page import FormatPage

        page.app.push_screen(
            FormatPage(self.table.results, self.skill.name, delta=self.table.delta)
        )

    def open_notes(self, page: Page) -> None:
        from tui.impact.notes_page import NotesPage

        summary = self.evaluation.summary
        page.app.push_screen(NotesPage(self.table, summary, self.skill, self.arm, self.against))

    def open_remedies(self, page: Page, row: RunRow) -> None:
        """What can be done about a loss; `row` is the evaluation's."""
        from tui.impact.remedy_window import open_remedies

        if self.change is None:
            return
        if self.is_worse:
            title = loss_words(self.skill, self.change)
            open_remedies(page, row, self.table.results, self.change.after, title)
        else:
            page.services.notify_user("Nothing was lost here: x is for a cell that lost items.")
