"""Impact: what each arm of an evaluation gained and lost, skill by skill; and which there are."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize

from engine.text import one_line
from tui.background import run_in_background
from tui.impact.arm_paths import Against, find_reference, has_stages
from tui.impact.cell_lines import cell_lines, clip, summary_lines
from tui.impact.chosen_cell import ChosenCell
from tui.impact.evaluation_reader import EvaluationSnapshot, read_evaluation
from tui.impact.evaluations import (
    COLUMNS,
    evaluation_row,
    find_evaluation,
    find_run,
    list_evaluations,
)
from tui.impact.headlines import (
    arms_title,
    list_headline,
    matrix_headline,
    recipe_facts,
    trouble_lines,
    waiting_words,
)
from tui.impact.item_preview import ItemPreview
from tui.impact.matrix import MatrixView
from tui.impact.report_writing import ReportProgressed, ReportWriting
from tui.keymap import Key
from tui.screens.judge_lines import fit_judge_lines
from tui.screens.page import bindings_of
from tui.screens.run_actions import RunActions
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager
from tui.widgets.table import Table

if TYPE_CHECKING:
    from engine.impact.changes.skill_rows import SkillTable

FRAMED_FROM = 30
"""Rows of a terminal from which the matrix stands in a frame."""
WIDE = 110
_CELL_LINES, _MOST_SUMMARY, _MOST_JUDGED = 4, 6, 4
NONE_YET = "No evaluations yet. Press I to evaluate the run that is chosen in Runs."


class ImpactPage(RunActions):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("impact")
    name_in_keymap = "impact"
    filter_hint = "text in the name of a skill"

    def __init__(self) -> None:
        super().__init__()
        self._shown: str | None = None
        """Key of the evaluation that is shown; None: they are listed."""
        self._followed: str | None = None
        """The app's chosen run when it was last decided which evaluation is shown."""
        self._evaluation: EvaluationSnapshot | None = None
        self._row: RunRow | None = None
        """The shown job as it was when its results were last read."""
        self._against: Against = "parent"
        self._wanted_arm = ""
        """The arm that the cursor is put on once the evaluation is read."""
        self._report = ReportWriting(self)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(id="trouble")
        yield Table(COLUMNS, empty=NONE_YET, id="evaluations")
        yield MatrixView(id="matrix")
        yield Rule(id="cell-rule")
        yield Lines(id="cell")
        yield ItemPreview(id="items-of-cell")
        yield Rule(id="summary-rule")
        yield Lines(id="summary")
        yield keys

    def open(self) -> None:
        self._follow()
        self._read()  # votes may have been cast meanwhile
        super().open()
        self._draw()

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def focus_initial(self) -> None:
        self.query_one("#matrix" if self._shown else "#evaluations").focus()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        self._follow()
        row = snapshot.row(self._shown)
        if row is not None and row != self._row:
            self._row = row
            self._read()
        self._draw()

    def on_table_row_highlighted(self) -> None:
        self._draw()

    def on_matrix_view_cell_highlighted(self) -> None:
        self._update_cell()
        self._update_preview()
        self.show_keys()

    def apply_filter(self, text: str) -> None:
        self._draw()

    def go_back(self) -> bool:
        if super().go_back():
            return True
        if self._shown is None:
            return False
        self.action_choose_evaluation()
        return True

    @property
    def chosen(self) -> RunRow | None:
        """The evaluation that is shown, or the one under the cursor of the list."""
        key = self._shown or (self.query_one(Table).chosen if self.ready else None)
        return self.services.runs.row(key)

    @property
    def table(self) -> "SkillTable | None":
        """The matrix that is shown."""
        return self._current.table if self._current is not None else None

    @property
    def _current(self) -> EvaluationSnapshot | None:
        """The shown evaluation, once it is read."""
        evaluation = self._evaluation
        is_shown = evaluation is not None and str(evaluation.path) == self._shown
        return evaluation if is_shown else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "evaluate":
            return True  # it says what is missing
        table = self.table
        if action == "open_items":
            return self._is_measured if self._shown else self.ready and self.chosen is not None
        if action == "open_lost":
            return self._is_measured
        if action == "classification":
            return self._cell is not None and self._cell.has_labels
        if action == "format":
            return self._cell is not None and self._cell.has_formats
        if action == "notes":
            return self._cell is not None
        if action in ("move_column", "browse", "tradeoff"):
            return table is not None
        if action == "remedies":
            return self._cell is not None and self._cell.change is not None
        if action == "write_report":
            return table is not None and not self._report.words
        if action == "turn_reference":
            return table is not None and has_stages(table.results)
        if action == "choose_evaluation":
            return self._shown is not None
        if action == "filter":
            return table is not None
        return super().check_action(action, parameters)

    def label_of(self, key: Key) -> str:
        if key.action == "open_items" and self._shown is None:
            return "open"
        if key.action == "remedies":
            return key.label if self._cell is not None and self._cell.is_worse else ""
        if key.action == "turn_reference":
            return f"against {'base' if self._against == 'parent' else 'parent'}"
        return super().label_of(key)

    def action_open_items(self) -> None:
        if self._shown is None:
            if self.chosen is not None:
                self._show_evaluation(self.chosen.key)
        elif self._cell is not None:
            self._cell.open_items(self, "")

    def action_open_lost(self) -> None:
        if self._cell is not None:
            self._cell.open_items(self, "lost")

    def action_classification(self) -> None:
        if self._cell is not None:
            self._cell.open_classification(self)

    def action_format(self) -> None:
        if self._cell is not None:
            self._cell.open_format(self)

    def action_notes(self) -> None:
        if self._cell is not None:
            self._cell.open_notes(self)

    def action_remedies(self) -> None:
        if self._cell is not None and self.chosen is not None:
            self._cell.open_remedies(self, self.chosen)

    def action_tradeoff(self) -> None:
        from tui.impact.tradeoff_page import open_tradeoff

        row = self.chosen
        if row is not None and self.table is not None:
            open_tradeoff(self, row, self._matrix.arm, self._open_column)

    def action_move_column(self, by: int) -> None:
        self._matrix.move_column(by)

    def action_move_row(self, by: int) -> None:
        if self._shown is None:
            self.query_one(Table).action_move(by)
        else:
            self._matrix.action_move(by)

    def action_turn_reference(self) -> None:
        self._against = "base" if self._against == "parent" else "parent"
        self._draw()

    def action_choose_evaluation(self) -> None:
        """List the evaluations, the shown one under the cursor."""
        shown, self._shown = self._shown, None
        self._draw()
        self.query_one(Table).choose(shown)
        self.focus_initial()

    def action_browse(self) -> None:
        table, arm = self.table, self._matrix.arm
        if self._evaluation is None or table is None:
            return
        # The arm of the cursor beside what its cell is held against.
        every, arms = table.results.arms, None
        if arm is not None and (before := find_reference(table.results, arm, self._against)):
            arms = (every[before].spec, every[arm].spec)
        self.services.show_browse(self._evaluation.path, arms=arms)

    def action_write_report(self) -> None:
        if self._evaluation is not None and self.table is not None:
            self._report.choose_folder(self._evaluation.path, self.table)

    def on_report_progressed(self, event: ReportProgressed) -> None:
        self._report.words = event.words
        if self.ready:
            self._update_headline()
            self.show_keys()

    def action_evaluate(self) -> None:
        rows = self.services.runs.rows
        row = find_run(rows, self.services.runs.row(self.services.selected), self.chosen)
        if row is None:
            self.services.notify_user("Choose a run with a saved model in Runs first.", "warning")
        else:
            self.commands.evaluate(row)

    @property
    def _matrix(self) -> MatrixView:
        return self.query_one(MatrixView)

    @property
    def _cell(self) -> ChosenCell | None:
        """The cell under the cursor."""
        evaluation, table = self._current, self.table
        if not self.ready or evaluation is None or table is None:
            return None
        skill, arm = self._matrix.skill, self._matrix.arm
        if skill is None or arm is None:
            return None
        return ChosenCell(evaluation, table, skill, arm, self._against)

    @property
    def _is_measured(self) -> bool:
        return self._cell is not None and self._cell.is_measured

    def _follow(self) -> None:
        """Show the evaluation of the run that another page has chosen since."""
        key = self.services.selected
        chosen = self.services.runs.row(key)
        if key == self._followed or chosen is None:
            return
        self._followed = key
        found = find_evaluation(self.services.runs.rows, chosen)
        if found is not None and found.key != self._shown:
            self._show_evaluation(found.key)
        elif found is None:
            self._shown = None

    def _open_column(self, path: Path, arm: str) -> None:
        """Put the cursor on an arm, of another evaluation too."""
        if str(path) != self._shown:
            self._show_evaluation(str(path))
        if not self._matrix.choose_arm(arm):
            self._wanted_arm = arm

    def _show_evaluation(self, key: str) -> None:
        self._shown, self._row = key, self.services.runs.row(key)
        if self._evaluation is not None and str(self._evaluation.path) != key:
            self._evaluation = None
        self._read()
        if self.ready:
            self._draw()
            self.focus_initial()

    def _read(self) -> None:
        """Read what is new of the shown evaluation, on a thread."""
        row, known, separator = self._row, self._evaluation, self.glyphs.separator
        if row is None or self._shown is None:
            return
        run_in_background(
            self, lambda: read_evaluation(row.path, known, separator), self._take,
            group="evaluation", exclusive=True,
        )  # fmt: skip

    def _take(self, evaluation: EvaluationSnapshot | None) -> None:
        if evaluation is not None and str(evaluation.path) == self._shown:
            self._evaluation = evaluation
            self._draw()
            if self.ready and self._wanted_arm and self._matrix.choose_arm(self._wanted_arm):
                self._wanted_arm = ""

    def _draw(self) -> None:
        if not self.ready:
            return
        is_listed = self._shown is None
        list_of_jobs = self.query_one(Table)
        rows = list_evaluations(self.services.runs.rows)
        list_of_jobs.show([evaluation_row(row, self.glyphs) for row in rows])
        list_of_jobs.display = is_listed
        self._matrix.display = not is_listed
        for part in ("#cell-rule", "#cell", "#summary-rule", "#summary"):
            self.query_one(part).display = not is_listed and self.table is not None
        if is_listed != list_of_jobs.has_focus and not self.in_field:
            self.focus_initial()
        self._update_headline()
        self._update_trouble()
        self._update_matrix()
        self._update_cell()
        self._update_summary()
        self._update_preview()
        self.show_keys()

    def _update_headline(self) -> None:
        headline, separator = self.query_one("#headline", Lines), self.glyphs.separator
        if self._shown is None:
            run = self.services.runs.row(self.services.selected)
            headline.show(list_headline(self.services.runs.rows, run, separator))
            return
        table, between = self.table, (f" {separator} ", "dim")
        line = matrix_headline(self.chosen, table, self._against, self.glyphs)
        if table is not None and not self._is_framed:
            line += [between, *arms_title(table, self.glyphs)]
        if self._report.words:
            line[1:1] = [between, (f"report: {self._report.words}", "warn")]
        if self.filter_text:
            line += [between, (f"skills with “{one_line(self.filter_text)}”", "warn")]
        headline.show(line)

    @property
    def _is_framed(self) -> bool:
        return self.size.height >= FRAMED_FROM

    def _update_trouble(self) -> None:
        lines = trouble_lines(self.chosen, self._current) if self._shown is not None else []
        pager = self.query_one("#trouble", Pager)
        pager.styles.height = min(len(lines), max(1, self.size.height // 4))
        pager.display = bool(lines)
        pager.show([[(" ", ""), *line] for line in lines])

    def _update_matrix(self) -> None:
        table, evaluation = self.table, self._evaluation
        if table is None:
            self._matrix.styles.height = "1fr"
            words, facts = waiting_words(self.chosen, self._current), recipe_facts(self.chosen)
            self._matrix.show(None, below=facts, empty=words)
            return
        word = self.filter_text.casefold()
        rows = [row for row in table.skills if word in row.name.casefold()]
        empty = "No skill has this text in its name." if word else "No suite was measured."
        below = self._lines_below(evaluation)
        lines = len(rows) + 3 + (len(below) + 1 if below else 0)
        # The room that is left shows the items of the cell.
        self._matrix.styles.height = min(lines, self.size.height // 2) if self._is_framed else "1fr"
        skills: Line = [("skills", "strong"), (f" {self.glyphs.line} ", "dim")]
        title = [*skills, *arms_title(table, self.glyphs)]
        self._matrix.show(
            table, rows, self._against, below, empty, title if self._is_framed else ()
        )

    def _lines_below(self, evaluation: EvaluationSnapshot | None) -> list[str]:
        """Votes of people, then what models judged."""
        if evaluation is None:
            return []
        most = _MOST_JUDGED if self._is_framed else 1
        return [
            *evaluation.votes,
            *fit_judge_lines(evaluation.judges, most, evaluation.path.name),
        ]

    def _update_cell(self) -> None:
        chosen, lines, width = self._cell, list[Line](), self.size.width
        if chosen is not None:
            skill, arm, separator = chosen.skill, chosen.arm, self.glyphs.separator
            lines = cell_lines(chosen.table, skill, arm, self._against, separator, width)
        cell = self.query_one("#cell", Lines)
        most = _CELL_LINES - (width >= WIDE)
        cell.styles.height = most
        cell.show(*clip(lines, most, width, self.glyphs))

    def _update_preview(self) -> None:
        chosen, preview = self._cell, self.query_one(ItemPreview)
        preview.display = self.table is not None and self._is_framed
        if chosen is not None and chosen.is_measured:
            preview.show(chosen.table.results, chosen.skill.name, chosen.arm, self._against)
        else:
            preview.show(None, "", "", self._against)

    def _update_summary(self) -> None:
        evaluation, table, lines = self._evaluation, self.table, list[Line]()
        if table is not None and evaluation is not None and evaluation.summary is not None:
            lines = summary_lines(evaluation.summary, table, self.glyphs.separator, self.size.width)
        summary = self.query_one("#summary", Lines)
        summary.styles.height = max(1, min(len(lines), _MOST_SUMMARY))
        summary.show(*clip(lines, _MOST_SUMMARY, self.size.width, self.glyphs))
