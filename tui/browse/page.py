"""Browse: all pairs of answers of a generate job, listed on one side and read on the other."""

import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from engine.compare import annotations as remark_files
from engine.compare.annotations import LONGEST, Remark
from engine.compare.answer_pairs import AnswerPair
from engine.compare.metrics import MEASURES
from engine.text import one_line
from tui.browse.answers_feed import (
    AnswersExported,
    AnswersFeed,
    AnswersRead,
    JobAnswers,
)
from tui.browse.choices import (
    arm_options,
    arms_key,
    arms_of,
    shown_options,
    skill_key,
    skill_of,
    skill_options,
    sort_options,
)
from tui.browse.export_answers import export_answers
from tui.browse.judge_window import open_judges
from tui.browse.pair_list import (
    COMMON,
    DIRECTIONS,
    PairSelection,
    alike,
    change_of,
    common_of,
    listed,
    shown_in_words,
    skills,
    titles,
    unlike,
)
from tui.browse.pair_pane import PairPane
from tui.feeds.write_queue import OperationFailed, WriteQueue
from tui.formatting import name_of, progress, state_words
from tui.keymap import Key
from tui.screens.dialogs import TextWindow
from tui.screens.judge_lines import fit_judge_lines, judge_lines
from tui.screens.page import SubPage, bindings_of
from tui.screens.pick_window import pick_option
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line, Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.table import Column, Table, TableRow

WIDE = 110
"""Cells from which the list stands beside the answers, and not above them."""
TALL = 30
"""Rows from which there is room for several lines of judges."""
_MOST_JUDGED = 4


class BrowsePage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("browse")
    name_in_keymap = "browse"
    filter_name = "search"
    initial_focus = "#pairs"

    def __init__(self, path: Path, then: str = "", arms: tuple[str, str] | None = None) -> None:
        """`then` is an action that is done once there are pairs; `arms` are paired first."""
        super().__init__()
        self._path = path
        self._then = then
        self._answers = JobAnswers()
        self.selection = PairSelection()
        self._read = False
        self._pairs: list[AnswerPair] = []
        self._alone = False
        """Whether the list is put away."""
        self._feed = AnswersFeed(path, self.post_message)
        if arms is not None:
            self._feed.set_arms(*arms)
        self._write_queue = WriteQueue(self.post_message)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Lines(id="shown")
        yield Lines(id="judges")
        with Horizontal(id="browse"):
            yield Table((), empty="", id="pairs")
            yield PairPane(id="pair")
        yield keys

    def on_mount(self) -> None:
        self._arrange()
        self.run_worker(self._feed.run, thread=True)
        self.run_worker(self._write_queue.run, thread=True)

    def on_unmount(self) -> None:
        self._feed.stop()
        self._write_queue.stop()

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        self._update_status()

    def on_answers_read(self, event: AnswersRead) -> None:
        self._answers, self._read = event.answers, True
        self._draw()
        if self._then and self._pairs:
            then, self._then = self._then, ""
            if self.check_action(then, ()):
                self.call_after_refresh(self.run_action, then)
            else:
                self.services.notify_user("The answers are identical: nothing to vote on.")

    def on_answers_exported(self, event: AnswersExported) -> None:
        self.services.notify_user(event.text)

    def on_operation_failed(self, event: OperationFailed) -> None:
        self.services.show_error(event.error)
        self._feed.again()

    def on_table_row_highlighted(self, event: Table.RowHighlighted) -> None:
        self._update_status()
        self._show_pair()

    def apply_filter(self, text: str) -> None:
        self.select(replace(self.selection, filter_text=text))

    def go_back(self) -> bool:
        if self._alone and not self.in_field:
            self.action_read()
            return True
        if not self.in_field and not self.filter_text and self.selection.chosen is not None:
            self.select(replace(self.selection, chosen=None))
            return True
        return super().go_back()

    def label_of(self, key: Key) -> str:
        if key.action == "read":
            return "list" if self._alone else "open"
        return super().label_of(key)

    @property
    def _row(self) -> RunRow | None:
        """The job in the list of runs, once it is there."""
        return self.services.runs.row(str(self._path))

    @property
    def pair(self) -> AnswerPair | None:
        """The pair that is read."""
        prompt = self.query_one("#pairs", Table).chosen if self.ready else None
        return next((pair for pair in self._pairs if pair.id == prompt), None)

    def select(self, selection: PairSelection) -> None:
        """List other pairs, or in another order."""
        self.selection = selection
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("read", "mark", "note", "turn_marks", "turn_pair", "pair_numbers"):
            return self.ready and self.pair is not None
        if action in ("turn_difference", "choose_shown", "choose_sort", "numbers", "export"):
            return bool(self._answers.pairs)
        if action == "vote":
            return any(pair.differs for pair in self._answers.pairs)
        if action == "shift":
            return self.ready and self.pair is not None and len(self._answers.arms) > 1
        if action == "choose_arms":
            return len(self._answers.arms) > 1
        if action == "choose_skill":
            return len(skills(self._answers)) > 1 or self.selection.skill is not None
        if action == "turn_direction":
            return self.selection.sort not in ("", COMMON)
        return super().check_action(action, parameters)

    def action_read(self) -> None:
        self._alone = not self._alone
        self._arrange()
        if self._alone:
            self.query_one("#side-left Pager").focus()
        else:
            self.focus_initial()
        self.call_after_refresh(self._draw)

    def action_judges(self) -> None:
        """What models made of these pairs; a judge's row in Runs opens it."""
        open_judges(self, self._path, {self._answers.left, self._answers.right})

    def action_turn_pair(self, by: int) -> None:
        self.query_one("#pairs", Table).action_move(by)

    def action_turn_difference(self, by: int) -> None:
        """To the next pair whose texts are not the same, around the end too."""
        if not self._pairs:
            return
        at = self._pairs.index(self.pair) if self.pair in self._pairs else 0
        count = len(self._pairs)
        order = [self._pairs[(at + by * step) % count] for step in range(1, count + 1)]
        following = next((pair for pair in order if pair.differs), None)
        if following is None:
            self.services.notify_user("No pairs in this list differ.")
        else:
            self.query_one("#pairs", Table).choose(following.id)

    def action_turn_marks(self) -> None:
        self.query_one(PairPane).toggle_marks()

    def action_choose_shown(self) -> None:
        def take(key: str) -> None:
            self.select(replace(self.selection, shown=key))

        options = shown_options(self._answers, self.selection)
        pick_option(self.app, "filter", options, self.selection.shown, take)

    def action_choose_skill(self) -> None:
        def take(key: str) -> None:
            self.select(replace(self.selection, skill=skill_of(key)))

        options, chosen = skill_options(self._answers), skill_key(self.selection.skill)
        pick_option(self.app, "skill", options, chosen, take)

    def action_choose_sort(self) -> None:
        def take(key: str) -> None:
            self.select(replace(self.selection, sort=key))

        pick_option(self.app, "sort by", sort_options(self._answers), self.selection.sort, take)

    def action_turn_direction(self) -> None:
        direction = (self.selection.direction + 1) % len(DIRECTIONS)
        self.select(replace(self.selection, direction=direction))

    def action_choose_arms(self) -> None:
        answers = self._answers

        def take(key: str) -> None:
            self._feed.set_arms(*arms_of(answers, key))

        options = arm_options(answers, f" {self.glyphs.arrow} ")
        pick_option(
            self.app, "compare", options, arms_key(answers, answers.left, answers.right), take
        )

    def action_mark(self) -> None:
        if self.pair is not None:
            remark = self._answers.remarks.get(self.pair.id, Remark())
            self._keep_remark(self.pair.id, replace(remark, marked=not remark.marked))

    def action_note(self) -> None:
        pair = self.pair
        if pair is None:
            return
        remark = self._answers.remarks.get(pair.id, Remark())

        def take(text: str | None) -> None:
            if text is not None:
                self._keep_remark(pair.id, replace(remark, note=text))

        title = "Note on this pair; leave empty to remove the note"
        self.app.push_screen(TextWindow(title, remark.note, "note", LONGEST), take)

    def action_numbers(self) -> None:
        self._show_metrics(self._answers)

    def action_pair_numbers(self) -> None:
        if self.pair is not None:
            self._show_metrics(replace(self._answers, pairs=(self.pair,)))

    def action_shift(self) -> None:
        from tui.browse.shift_page import ShiftPage

        if self.pair is not None:
            names = self._answers.names
            arms = names[self._answers.left], names[self._answers.right]
            self.app.push_screen(ShiftPage(self.pair, arms))

    def action_vote(self) -> None:
        from tui.browse.vote_page import VotePage

        self.app.push_screen(VotePage(self._path, self._answers))

    def action_export(self) -> None:
        def take(text: str | None) -> None:
            if text:
                path = Path(os.path.expanduser(text)).absolute()
                folder, answers = self._path, self._answers
                self._write_queue.put(
                    lambda: AnswersExported(export_answers(folder, answers, path))
                )

        title = "File to export to (.md, .csv, .jsonl, .html or .json)"
        hint = "answers.html; .json is for LLM Comparator"
        self.app.push_screen(TextWindow(title, "", hint), take)

    def _show_metrics(self, answers: JobAnswers) -> None:
        from tui.browse.metrics_page import MetricsPage

        self.app.push_screen(MetricsPage(answers, self._show_drivers))

    def _show_drivers(self, measure: str, prompts: tuple[str, ...]) -> None:
        """List the pairs behind a row of the numbers, those that drive it most first."""
        sort = measure if any(known.name == measure for known in MEASURES) else ""
        self.select(
            replace(self.selection, sort=sort, direction=0, shown="", skill=None, chosen=prompts)
        )

    def _keep_remark(self, prompt: str, remark: Remark) -> None:
        """What a reader says of a pair; it shows at once."""
        remarks = {key: known for key, known in self._answers.remarks.items() if key != prompt}
        if not remark.empty:
            remarks[prompt] = remark
        self._answers = replace(self._answers, remarks=remarks)
        self._draw()

        def write() -> None:
            remark_files.write(self._path, prompt, remark)
            self._feed.again()

        self._write_queue.put(write)

    def _arrange(self) -> None:
        """The list beside the answers, above them, or put away."""
        wide = self.size.width >= WIDE
        self.set_class(not wide, "narrow")
        self.query_one("#pairs").display = not self._alone
        least = 16 if wide else 22
        columns = [Column("prompt", least, 70)]
        if self._answers.left != self._answers.right or not self._answers.pairs:
            columns.append(Column("overlap", 7, right=True))
        if self.selection.sort and self.selection.sort != COMMON:
            columns.insert(1, Column(self.selection.sort, 12, 16, right=True))
        if len({pair.prompt.skill for pair in self._answers.pairs}) > 1:
            columns.append(Column("skill", 12 if wide else 9, 13))
        self.query_one("#pairs", Table).columns = tuple(columns)

    def _draw(self) -> None:
        if not self.ready:
            return
        self._arrange()
        self._pairs = listed(self._answers, self.selection)
        table = self.query_one("#pairs", Table)
        table.empty = self._empty()
        table.sorted_by = "overlap" if self.selection.sort == COMMON else self.selection.sort
        table.descending = self.selection.direction != 2 and self.selection.sort != COMMON
        titles_of_pairs = titles(self._answers.pairs)
        table.show([self._list_row(pair, titles_of_pairs[pair.id]) for pair in self._pairs])
        table.repaint()
        self._update_status()
        self._show_pair()
        self.show_keys()

    def _list_row(self, pair: AnswerPair, title: str) -> TableRow:
        remark = self._answers.remarks.get(pair.id, Remark())
        prompt: tuple[Piece, ...] = ((title, ""),)
        if remark.note:
            prompt = ((f"{' ' * remark.marked}(note) ", "warn"), *prompt)
        cells: dict[str, tuple[Piece, ...]] = {
            "prompt": prompt,
            "overlap": ((common_of(pair), "dim" if not pair.differs else ""),),
            "skill": ((one_line(pair.prompt.skill), "dim"),),
        }
        columns = self.query_one("#pairs", Table).columns
        changed: tuple[Piece, ...] = (
            (change_of(pair, self.selection.sort, self.glyphs.arrow), ""),
        )
        return TableRow(
            pair.id,
            tuple(cells.get(column.title, changed) for column in columns),
            marked=remark.marked,
        )

    def _counts(self) -> str:
        """How many answers there are of each arm: arms answer one after the other."""
        names, counts = self._answers.names, self._answers.counts
        by_arm = [
            f"{names[arm]}: {counts[arm]:,} answer{'s' * (counts[arm] != 1)}"
            for arm in self._answers.arms
        ]
        return ", ".join(by_arm) or "no answers yet"

    def _empty(self) -> str:
        if not self._read:
            return "Loading answers..."
        if self._answers.pairs:
            return "No pairs match these filters."
        row = self._row
        if row is not None and row.view.state.alive:
            return "No prompt has answers from two arms yet."
        return "No prompt has answers from two arms."

    def _update_status(self) -> None:
        if not self.ready:
            return
        between: Piece = (f" {self.glyphs.separator} ", "dim")
        row, answers = self._row, self._answers
        name = name_of(row) if row else one_line(self._path.name)
        line: list[Piece] = [(f" {name}: ", "strong")]
        if row is not None and row.view.state.alive:
            line += [*progress(row.view, self.glyphs), between]
        elif row is not None:
            line += [(state_words(row.view), ""), between]
        if answers.left != answers.right:
            line += [(answers.names[answers.left], "base"), (f" {self.glyphs.arrow} ", "dim"),
                     (answers.names[answers.right], "tuned"), between]  # fmt: skip
        if answers.pairs and len(answers.arms) > 1:
            same = sum(not pair.differs for pair in answers.pairs)
            line.append((f"{len(answers.pairs)} pairs, {same} identical", ""))
        else:
            line.append((self._counts(), ""))
        line += [piece for problem in answers.problems for piece in (between, (problem, "warn"))]
        if answers.pairs:
            line += [between, (alike(self.pair or answers.pairs[0]), "dim")]
        self.query_one("#headline", Lines).show(line)
        self.query_one("#shown", Lines).show(self._shown_line())
        judges = self._judge_lines()
        lines = self.query_one("#judges", Lines)
        lines.display = bool(judges)
        lines.styles.height = max(1, len(judges))
        lines.show(*judges)

    def _judge_lines(self) -> list[Line]:
        """The first verdicts of models, as many as there is room for, and how many more."""
        lines = judge_lines(self._answers.judges, self.glyphs.separator)
        most = _MOST_JUDGED if self.size.height >= TALL else 1
        shown = fit_judge_lines(lines, most, self._path.name)
        return [[(f" {line}", "dim")] for line in shown]

    def _shown_line(self) -> Line:
        selection = self.selection
        facts = [shown_in_words(self._answers, selection.shown)] if selection.shown else []
        if selection.skill is not None:
            facts.append(f"skill {one_line(selection.skill) or 'none'}")
        if self.filter_text:
            facts.append(f"containing “{one_line(self.filter_text)}”")
        if selection.sort == COMMON:
            facts.append("lowest overlap first")
        elif selection.sort:
            what = "by {}" if selection.chosen is None else "where “{}” differs"
            order = f"{DIRECTIONS[selection.direction]} first"
            facts.append(f"{what.format(selection.sort)}, {order}")
        if selection.chosen is not None:
            order = "" if selection.sort else "largest contribution first, "
            facts.append(f"{order}esc show all")
        if not self._answers.pairs:
            return []
        between = f" {self.glyphs.separator} "
        whole = len(self._answers.pairs)
        what = "pair" if len(self._answers.arms) > 1 else "answer"
        count = f"{len(self._pairs)} of {whole} {what}{'s' * (whole != 1)}"
        warnings = [(f"{between}! {difference}", "warn") for difference in unlike(self.pair)]
        return [(f" {count}", ""), *((between + fact, "dim") for fact in facts), *warnings]

    def _show_pair(self) -> None:
        if self.ready:
            self.query_one(PairPane).show(self._answers, self.pair, self.selection.sort)
