"""Compare: what two to four arms answer to the same prompt, side by side, and how they differ."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import TextArea

from engine.compare.arms import Arm
from engine.jobs.summary import short_ref
from engine.recipes.recipe import TrainRecipe
from engine.text import one_line
from tui.background import run_in_background
from tui.compare.difference_strip import settings_text, strip_lines
from tui.compare.panes import ComparePanes
from tui.compare.pick_run import pick_run
from tui.compare.prompt import PromptSettings
from tui.compare.session import CompareSession
from tui.compare.views import View
from tui.formatting import name_of
from tui.keymap import Key
from tui.screens.answer_side import Side, label_of, tell_revisions_apart
from tui.screens.page import Page, bindings_of
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Piece
from tui.widgets.lines import Lines, Rule

if TYPE_CHECKING:
    from engine.compare.items import Item
    from engine.compare.samples import Sample

FRAME_SECONDS = 0.1
BUNDLED = "bundled:demo-base"
LEAST_TALL = 20
"""Lines of a screen that has two of them for what differs between the arms."""


class ComparePage(Page):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("compare")
    name_in_keymap = "compare"

    def __init__(self) -> None:
        super().__init__()
        self._prompt_settings = PromptSettings()
        self._run: str | None = None
        self._written = False
        """Whether the arms were chosen one by one: another run that is passed over leaves them."""
        self._session = CompareSession(lambda: self.services.companion(), self._soon)
        self._session.set_sides([_bundled()])
        self._following = self._stale = False
        self._kept: tuple[list[Sample], Path] | None = None
        """The round that was kept last, and the job that holds it."""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="asked")
        yield Lines(id="strip")
        yield ComparePanes(id="comparison")
        yield Lines(id="writing")
        field = TextArea(id="prompt", classes="text-field", soft_wrap=True, tab_behavior="focus")
        field.cursor_blink = False
        yield field
        yield keys

    def on_mount(self) -> None:
        self._load_prompts()

    def open(self) -> None:
        super().open()
        key, self.services.compared = self.services.compared, None
        chosen = self.services.runs.row(key if self._written else self.services.selected)
        if chosen is not None and chosen.output and (self._written or chosen.key != self._run):
            self._set_run(chosen)
        elif self._run is None:
            self._set_first(self.services.runs)
        self._show()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        if self._run is None and not self._session.busy:
            self._set_first(snapshot)
            self._show()

    def on_unmount(self) -> None:
        self._session.close()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._show_lines)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        busy, sides = self._session.busy, self._session.sides
        if action == "send":
            return self.in_field or not busy
        if action in ("turn_prompt", "edit", "warm", "lengthen", "reseed", "pick_run", "arms"):
            return not busy and (action != "turn_prompt" or len(self._prompt_settings.prompts) > 1)
        if action == "follow_up":
            return not busy and any(side.answered for side in sides)
        if action in ("turn_panes", "diff", "shift", "strength"):
            return len(sides) > 1
        if action == "tokens":
            return any(side.answered for side in sides)
        if action in ("note", "vote"):
            return not busy and any(side.sample is not None for side in sides)
        if action in ("step", "jump"):
            return self._view == "shift" or (self._view == "strength" and action == "step")
        return action != "filter"

    def label_of(self, key: Key) -> str:
        if key.action == "step(1)":
            return "strength" if self._view == "strength" else "token"
        return key.label

    def go_back(self) -> bool:
        if self._session.busy or self._session.sweep.busy:
            self._session.cancel()
            self._show()
            return True
        if self.in_field:
            self._close_field()
            return True
        if self._view != "text":
            self._turn(self._view)
            return True
        return super().go_back()

    def focus_initial(self) -> None:
        self._panes.enter()

    def action_edit(self) -> None:
        self._open_field(self._prompt_settings.text, following=False)

    def action_follow_up(self) -> None:
        self._open_field("", following=True)

    def action_send(self) -> None:
        if self.in_field:
            text = self.query_one(TextArea).text.strip()
            if not text:
                return
            following = self._following
            self._close_field()
            if following:
                self._session.follow(text, self._prompt_settings.decode)
            else:
                self._prompt_settings.write(text)
                self._ask()
        elif self._prompt_settings.messages and not self._session.busy:
            self._ask()
        self._panes.views.cursor = 0
        self._make_more()
        self._show()

    def _ask(self) -> None:
        asked = self._prompt_settings
        self._session.ask(asked.messages, asked.decode, asked.tools)

    def action_turn_prompt(self, by: int) -> None:
        self._prompt_settings.turn(by)
        self._take_prompt()

    def action_turn_panes(self) -> None:
        self._panes.turn_panes()
        self._show_lines()

    def action_diff(self) -> None:
        self._panes.views.turn_pair(len(self._session.sides))
        self._show()

    def action_shift(self) -> None:
        self._turn("shift")

    def action_tokens(self) -> None:
        self._turn("tokens")

    def action_strength(self) -> None:
        self._turn("strength")

    def action_step(self, by: int) -> None:
        self._panes.views.step(self._session.sides, by)
        self._show()

    def action_jump(self, by: int) -> None:
        self._panes.views.jump(self._session.sides, by)
        self._show()

    def action_warm(self, by: int) -> None:
        self._prompt_settings.warm(by)
        self._show()

    def action_lengthen(self, by: int) -> None:
        self._prompt_settings.lengthen(by)
        self._show()

    def action_reseed(self) -> None:
        self._prompt_settings.reseed()
        self._show()

    def action_pick_run(self) -> None:
        rows = [row for row in self.services.runs.rows if row.output]

        def take(key: str) -> None:
            row = self.services.runs.row(key)
            if row is not None:
                self.services.selected = key
                self._set_run(row)
                self._show()

        pick_run(self.app, rows, self._run, take)

    def action_arms(self) -> None:
        from tui.compare.arms_window import ArmsWindow

        def take(arms: tuple[Arm, ...] | None) -> None:
            if arms:
                self._written = True
                self._seat([Side(arm, label_of(arm)) for arm in arms])
                self._show()

        arms = tuple(side.arm for side in self._session.sides)
        self.app.push_screen(ArmsWindow(arms, self.services.runs, self.services.actions), take)

    def action_answers(self) -> None:
        from tui.compare.batch_window import offer_answers

        arms = [side.arm for side in self._session.sides]
        offer_answers(self, arms, self._prompt_settings.decode)

    def action_note(self) -> None:
        self._keep("note")

    def action_vote(self) -> None:
        self._keep("vote")

    def redraw(self) -> None:
        self._show()
        super().redraw()

    @property
    def _panes(self) -> ComparePanes:
        return self.query_one(ComparePanes)

    @property
    def _view(self) -> View:
        return self._panes.views.view

    def _turn(self, view: View) -> None:
        self._panes.turn(view)
        if self._view == "shift":
            self._session.measure()
        if self._view in ("shift", "tokens"):
            self._session.spell()
        self._make_more()
        self._show()

    def _make_more(self) -> None:
        """What the view wants of the model beside the answers."""
        if self._view == "strength":
            self._session.rate(self._panes.views.subject, self._prompt_settings.decode)

    def _keep(self, then: str) -> None:
        """Keep this round as a job, once, and browse it; `then` is what is done there first."""
        from tui.compare.session import round_of

        prompt, decode = self._prompt_settings.prompt, self._prompt_settings.decode
        name = prompt.id if prompt else "own"
        samples = round_of(self._session.sides, self._session.sweep, name)
        if self._kept is not None and self._kept[0] == samples:
            self.services.show_browse(self._kept[1], then)
            return

        def keep() -> Path:
            prompts = "bundled:all" if prompt else ""
            return self.services.actions.keep(samples, f"kept-{name}", prompts, decode)

        def browse(path: Path) -> None:
            self._kept = samples, path
            self.services.feed.wake()
            self.services.notify_user(f"Saved as {one_line(path.name)}")
            self.services.show_browse(path, then)

        run_in_background(self, keep, browse)

    def _load_prompts(self) -> None:
        def offer(prompts: "list[Item]") -> None:
            if self._prompt_settings.offer(prompts):
                self._take_prompt()

        run_in_background(self, self.services.actions.prompts, offer)

    def _take_prompt(self) -> None:
        self._session.clear()
        self._show()

    def _set_first(self, snapshot: RunsSnapshot) -> None:
        """Where nobody has chosen, the newest tuned model answers beside its base."""
        newest = next((row for row in snapshot.rows if row.output and not row.shipped), None)
        if newest is not None:
            self._set_run(newest)

    def _set_run(self, row: RunRow) -> None:
        """Base and tuned are what this run started from and what came of it."""
        self._run, self._written = row.key, False
        recipe = row.view.recipe
        base = recipe.model.checkpoint if isinstance(recipe, TrainRecipe) else ""
        sides = [_bundled()]
        if base and not row.shipped:
            tuned = Side(Arm("tuned", f"run:{row.view.record.id}"), name_of(row))
            sides = [Side(Arm("base", base), one_line(short_ref(base))), tuned]
        self._seat(sides)

    def _seat(self, sides: list[Side]) -> None:
        self._session.set_sides(sides)
        if self.ready:
            self._panes.clear()

    def _open_field(self, text: str, *, following: bool) -> None:
        self._following = following
        field = self.query_one(TextArea)
        field.text = text
        field.add_class("open")
        field.focus()
        field.select_all()  # typing replaces it, an arrow keeps it
        title = " next message" if following else " prompt"
        self.query_one("#writing").add_class("open")
        self.query_one("#writing", Lines).show([(title, "strong"), ("  ctrl+s send", "dim")])

    def _close_field(self) -> None:
        self.query_one(TextArea).remove_class("open")
        self.query_one("#writing").remove_class("open")
        self.focus_initial()

    def _soon(self) -> None:
        """Show what has come, a few times a second at most."""
        if not self._stale:
            self._stale = True
            self.set_timer(FRAME_SECONDS, self._show)

    def _show(self) -> None:
        self._stale = False
        if self.ready:
            self._panes.show(tell_revisions_apart(self._session.sides), self._session.sweep)
            self._show_lines()
            self.show_keys()

    def _show_lines(self) -> None:
        width, glyphs, session = self.size.width, self.glyphs, self._session
        self.query_one("#asked", Lines).show(self._prompt_settings.line(width, glyphs))
        before: list[Piece] = []
        if session.busy:
            before.append(("generating, esc cancel", "tuned"))
        if self.services.companion_device.reason:
            before.append((self.services.companion_device.reason, "warn"))
        if not self._prompt_settings.has_room(width, glyphs):
            before.append((settings_text(self._prompt_settings.decode, glyphs), "dim"))
        shown, several = self._panes.shown, len(session.sides) > 2
        if several and len(shown) < len(session.sides):
            arms = ", ".join(session.sides[at].name for at in shown)
            before.append((f"{arms} of {len(session.sides)} arms shown", "dim"))
        most = 2 + several if self.size.height >= LEAST_TALL else 1
        lines = strip_lines(session.sides, session.facts, glyphs, width, most, before)
        strip = self.query_one("#strip", Lines)
        strip.styles.height = len(lines)
        strip.show(*lines)


def _bundled() -> Side:
    return Side(Arm("base", BUNDLED), short_ref(BUNDLED))
