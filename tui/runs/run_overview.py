"""Overview: a run's recipe, inputs, parents, versions, and what it takes on disk.

Of a log of another writer: its settings and texts, as far as its files hold any.
"""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.overview import Overview, gather
from engine.recipes.diff import flatten
from engine.recipes.recipe import ExportRecipe, TrainRecipe
from engine.text import clean, one_line
from tui.background import run_in_background
from tui.formatting import LOG_KINDS, clock, duration, error_lines, name_of, size, state_words
from tui.runs.export_commands import ExportCommand, command_lines, list_commands, open_commands
from tui.screens.page import SubPage, bindings_of
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import MOST_LINES, Pager

if TYPE_CHECKING:
    from engine.events.log_set import RunLog

_HIDDEN_FACTS = frozenset({"launch", "argv"})
"""Of a start, what tells a person nothing."""
_PROOF_WIDTH = 78
"""Cells of a line of the proof: the narrowest terminal shows it whole."""


class OverviewPage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("overview")
    name_in_keymap = "overview"
    initial_focus = "#overview"

    def __init__(self, row: RunRow) -> None:
        super().__init__()
        self._row = row
        self._commands: tuple[ExportCommand, ...] = ()
        """What can be done with the export that this is; empty for anything else."""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(hang=4, id="overview")
        yield keys

    def on_mount(self) -> None:
        self._update()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        """An export at work is read again as it goes on: here one waits for its proof."""
        row = snapshot.row(self._row.key)
        if row is None or row.view.record.kind != "export" or row.view == self._row.view:
            return
        self._row = row
        self._update()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "copy_command":
            return bool(self._commands)
        return super().check_action(action, parameters)

    def action_copy_command(self) -> None:
        open_commands(self, self._commands)

    def _update(self) -> None:
        log = self._log
        state = LOG_KINDS[log.kind] if log else state_words(self._row.view)
        self.query_one("#headline", Lines).show(
            [(f" {name_of(self._row)} {self.glyphs.separator} ", "strong"), (state, "")]
        )
        failed = self.query_one(Pager).show
        run_in_background(
            self, self._read, self._show, failed=lambda error: failed(error_lines(error)),
            exclusive=True,
        )  # fmt: skip

    def _show(self, found: "tuple[list[Line], tuple[ExportCommand, ...]]") -> None:
        lines, self._commands = found
        self.query_one(Pager).show(lines)
        self.show_keys()

    @property
    def _log(self) -> "RunLog | None":
        """The log, where that is all there is: no job of ours wrote it."""
        return self._row.log if self._row.view.recipe is None else None

    def _read(self) -> "tuple[list[Line], tuple[ExportCommand, ...]]":
        """Slow: it lists the whole directory, or cleans all texts of a log."""
        if self._log is not None:
            return log_lines(self._log), ()
        store = self.services.store
        job = store.at(self._row.path)
        overview = gather(job)
        if overview.record.kind != "export":
            return overview_lines(overview), ()
        commands = list_commands(overview, store)
        proof = read_proof_lines(job, overview, commands)
        return proof + overview_lines(overview), commands


def read_proof_lines(
    job: JobDirectory, overview: Overview, commands: Sequence[ExportCommand]
) -> list[Line]:
    """What an export made and what was checked of it, or what it does; with its error and what
    can be done with it. Blocks."""
    from engine.release.proof import read_proofs
    from tui.screens.proof_lines import count_lines, proof_lines

    recipe, status = overview.recipe, overview.view.status
    lines: list[Line] = [_title("Proof")]
    if isinstance(recipe, ExportRecipe):
        lines.append(_fact("folder", recipe.out))
    if status is not None and overview.view.state.alive:
        left = "" if status.eta_seconds is None else f", about {duration(status.eta_seconds)} left"
        lines.append(_fact("done", f"{status.step} of {status.total} steps{left}"))
        lines.append(_fact("now", status.message))
    if status is not None and status.error is not None:
        error = status.error
        parts = [error.title, *error.detail.splitlines(), error.hint]
        lines += [[(f"  {one_line(part)}", "bad")] for part in parts if part]
    try:
        proofs = read_proofs(job.proof)
    except EngineError as error:
        missing = not job.proof.exists()
        why = "nothing was checked yet" if missing else f"{error.title} {error.detail}"
        return [*lines, [(f"  {one_line(why)}", "dim" if missing else "warn")], []]
    if commands:
        lines += [[], *count_lines(proofs, _PROOF_WIDTH), *_list_remarks(job), [],
                  *command_lines(commands)]  # fmt: skip
    return [*lines, [], *proof_lines(proofs, _PROOF_WIDTH), []]


def _list_remarks(job: JobDirectory) -> list[Line]:
    """What the author should know before publishing. Blocks."""
    from engine.release.proof import read_remarks

    remarks = read_remarks(job.proof)
    lines: list[Line] = [[], _title("Before you publish")] if remarks else []
    for remark in remarks:
        wrapped = textwrap.wrap(one_line(remark), _PROOF_WIDTH - 4)
        lines += [[(f"  {'-' if not at else ' '} {line}", "")] for at, line in enumerate(wrapped)]
    return lines


def log_lines(run: "RunLog") -> list[Line]:
    """What the files of a log say beside curves, clean; of very much, the beginning."""
    from tui.feeds.log_summary import overview

    texts = overview(run)
    lines: list[Line] = [
        [(f" {line}", "" if line.startswith(" ") else "title")] for line in texts[: MOST_LINES - 1]
    ]
    if len(texts) > len(lines):
        lines.append([(f" and {len(texts) - len(lines):,} more lines", "warn")])
    return lines


def overview_lines(overview: Overview) -> list[Line]:
    """All of it, part by part, clean."""
    record, notes = overview.record, overview.view.notes
    lines: list[Line] = [
        _fact("id", record.id),
        _fact("path", str(overview.view.path)),
        _fact("created", clock(record.created)),
    ]
    lines += [
        _fact("parent" if parent.startswith(RUN) else "base", parent) for parent in record.parents
    ]
    if record.sweep:
        lines.append(_fact("sweep", record.sweep))
    if overview.view.pruned:
        lines.append(_fact("pruned", "yes: it cannot be resumed"))
    if notes.note:
        lines.append(_fact("note", notes.note))
    if notes.tags:
        lines.append(_fact("labels", ", ".join(notes.tags)))
    when = " during training" if isinstance(overview.recipe, TrainRecipe) else ""
    lines.append(_fact("answers", f"{overview.samples:,}{when}" if overview.samples else "none"))
    if overview.rejects:
        lines.append(_fact("invalid", f"{overview.rejects:,} rows, see rejects.jsonl"))
    lines += [[], _title("On disk"), _fact("total", size(overview.size))]
    lines += [_fact(part, size(bytes_)) for part, bytes_ in overview.sizes.items()]
    lines += [[], _title("Inputs")]
    for file in overview.inputs:
        missing = "" if file.there else "  (no longer exists)"
        lines.append([(f"  {one_line(file.path)}", ""), (missing, "warn")])
        lines.append([(f"    sha256 {one_line(file.sha256)}", "dim")])
    if not overview.inputs:
        lines.append([("  none", "dim")])
    for start in reversed(overview.starts):
        lines += [[], _title(f"Attempt {start.number}")]
        lines += [
            _fact(key, _moment(value) if key == "started" else value)
            for key, value in start.facts.items()
            if key not in _HIDDEN_FACTS
        ]
    lines += [
        [],
        [*_title("Recipe"), ("  (* = not the default)", "dim")],
    ]
    if overview.recipe is None:
        return [
            *lines,
            [(f"  {one_line(overview.view.problem) or 'The recipe cannot be read.'}", "warn")],
        ]
    return lines + toml_lines(overview.toml, changed(overview.recipe))


def changed(recipe: Any) -> set[str]:
    """Dotted names of the settings that are not as they are by default."""
    usual = flatten(type(recipe)())
    return {key for key, value in flatten(recipe).items() if usual.get(key) != value}


def toml_lines(toml: str, marked: set[str]) -> list[Line]:
    """TOML to be read; settings that are `marked` stand out, without colour too."""
    lines: list[Line] = []
    table = ""
    for line in clean(toml).split("\n"):
        if line.startswith("["):
            table = line.strip("[]") + "."
            lines.append([(f"  {line}", "title")])
            continue
        key = table + line.partition(" = ")[0]
        is_marked = key in marked
        lines.append([(f"{'*' if is_marked else ' '} {line}", "strong" if is_marked else "")])
    return lines


def _title(text: str) -> Line:
    return [(f" {text}", "title")]


def _fact(name: str, value: str) -> Line:
    return [(f"  {one_line(name):<14}", "dim"), (one_line(value), "")]


def _moment(value: str) -> str:
    try:
        return clock(float(value))
    except (ValueError, OverflowError, OSError):
        return value
