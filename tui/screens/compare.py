"""Compare: what the base says, on the left, beside what the tuned model says."""

import asyncio
import dataclasses
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import TextArea

from engine.catalog.schemas import Message
from engine.compare.arms import Arm, format_arm
from engine.errors import EngineError
from engine.jobs.recipe import TrainRecipe
from engine.jobs.settings import Decode
from engine.jobs.views import short_ref
from engine.text import clean, one_line
from tui.conversation import Side, preview, told
from tui.phrases import name_of
from tui.screens.dialogs import Trouble
from tui.screens.page import Page, bindings_of
from tui.screens.pick import PickRun
from tui.snapshots import RunRow, RunsSnapshot
from tui.widgets.answer import AnswerPane
from tui.widgets.cells import Line, Piece
from tui.widgets.line import Lines, Rule
from tui.widgets.pager import Pager

if TYPE_CHECKING:
    from engine.compare.prompts import Prompt
    from tui.companion import Stream

TEMPERATURES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0)
LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
FRAME_SECONDS = 0.1
BUNDLED = "bundled:demo-base"


class ComparePage(Page):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("compare")
    name_in_keymap = "compare"
    home = "#pane-base Pager"

    def __init__(self) -> None:
        super().__init__()
        self._prompts: list[Prompt] = []
        self._at = 0
        self._asked: tuple[Message, ...] = ()
        self._decode = Decode()
        self._run: str | None = None
        self._sides: dict[str, Side] = {"base": Side(Arm("base", BUNDLED), short_ref(BUNDLED))}
        self._alone = ""
        """The side that is shown alone; empty: both."""
        self._following = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: set[Stream] = set()
        self._stale = False

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="asked")
        yield Lines(id="strip")
        with Horizontal(id="panes"):
            yield AnswerPane("base")
            yield AnswerPane("tuned")
        yield Lines(id="writing")
        field = TextArea(id="prompt", classes="text-field", soft_wrap=True, tab_behavior="focus")
        field.cursor_blink = False
        yield field
        yield keys

    def on_mount(self) -> None:
        super().on_mount()
        self._load_prompts()

    def open(self) -> None:
        super().open()
        chosen = self.finetop.runs.row(self.finetop.selected)
        if self._run is None or (chosen and chosen.output and chosen.key != self._run):
            self._set_run(chosen if chosen and chosen.output else _first(self.finetop.runs))
        self._show()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        if self._run is None:
            self._set_run(_first(snapshot))
            self._show()

    async def on_unmount(self) -> None:
        for task in self._tasks:
            task.cancel()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "send":
            return self.in_field or not self._busy
        if action in ("turn_prompt", "edit", "warm", "lengthen", "reseed", "pick_run"):
            return not self._busy and (action != "turn_prompt" or len(self._prompts) > 1)
        if action == "follow_up":
            return not self._busy and any(side.answered for side in self._sides.values())
        if action == "turn_panes":
            return len(self._sides) > 1
        return action != "filter"

    def step_back(self) -> bool:
        if self._busy:
            self._cancel()
            return True
        if self.in_field:
            self._close_field()
            return True
        return super().step_back()

    def action_edit(self) -> None:
        self._open_field(preview_text(self._asked), following=False)

    def action_follow_up(self) -> None:
        self._open_field("", following=True)

    def action_send(self) -> None:
        if self.in_field:
            text = self.query_one(TextArea).text.strip()
            if not text:
                return
            following = self._following
            self._close_field()
            if not following:
                self._asked = (Message("user", text),)
            self._ask(text if following else None)
        elif self._asked and not self._busy:
            self._ask(None)

    def action_turn_prompt(self, by: int) -> None:
        if self._prompts:
            self._at = (self._at + by) % len(self._prompts)
            self._take_prompt()

    def action_turn_panes(self) -> None:
        order = ["", "tuned", "base"]
        self._alone = order[(order.index(self._alone) + 1) % 3]
        self._show()
        self.query_one(f"#pane-{self._alone or 'base'} Pager", Pager).focus()

    def action_warm(self, by: int) -> None:
        value = _turn(TEMPERATURES, self._decode.temperature, by)
        self._decode = replace(self._decode, temperature=value)
        self._show()

    def action_lengthen(self, by: int) -> None:
        value = _turn(LENGTHS, self._decode.max_new_tokens, by)
        self._decode = replace(self._decode, max_new_tokens=int(value))
        self._show()

    def action_reseed(self) -> None:
        self._decode = replace(self._decode, seed=self._decode.seed + 1)
        self._show()

    def action_pick_run(self) -> None:
        rows = [row for row in self.finetop.runs.rows if row.output]

        def take(key: str | None) -> None:
            row = self.finetop.runs.row(key)
            if row is not None:
                self.finetop.selected = key
                self._set_run(row)
                self._show()

        self.app.push_screen(PickRun(rows, self._run), take)

    @property
    def _busy(self) -> bool:
        return any(not task.done() for task in self._tasks)

    def _load_prompts(self) -> None:
        def load() -> None:
            try:
                prompts = self.finetop.actions.prompts()
            except EngineError as error:
                self.app.call_from_thread(self.app.push_screen, Trouble(error))
            else:
                self.app.call_from_thread(self._loaded, prompts)

        self.run_worker(load, thread=True)

    def _loaded(self, prompts: "list[Prompt]") -> None:
        self._prompts = prompts
        if prompts and not self._asked:
            self._take_prompt()

    def _take_prompt(self) -> None:
        self._asked = self._prompts[self._at].messages
        for name, side in self._sides.items():
            self._sides[name] = Side(side.arm, side.label)
        self._show()

    def _set_run(self, row: RunRow | None) -> None:
        """Base and tuned are what this run started from and what came of it."""
        self._cancel()
        if row is None:
            self._sides = {"base": Side(Arm("base", BUNDLED), short_ref(BUNDLED))}
            return
        self._run = row.key
        tuned = Side(Arm("tuned", f"run:{row.view.record.id}"), name_of(row))
        recipe = row.view.recipe
        base = recipe.model.checkpoint if isinstance(recipe, TrainRecipe) else ""
        if row.shipped or not base:
            self._sides = {"base": Side(Arm("base", BUNDLED), short_ref(BUNDLED))}
        else:
            label = one_line(short_ref(base))
            self._sides = {"base": Side(Arm("base", base), label), "tuned": tuned}

    def _ask(self, following: str | None) -> None:
        self._cancel()
        for name, side in self._sides.items():
            asked = side.followed(following) if following else side.asked(self._asked)
            self._sides[name] = asked
            task = asyncio.create_task(self._answer(name, asked))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        self._show()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self.ready:
            self._show()

    async def _answer(self, name: str, side: Side) -> None:
        """Stream one side's answer into its pane."""
        said = [{"role": one.role, "content": one.content} for one in side.said]
        decode = dataclasses.asdict(self._decode)
        stream = self.finetop.companion().generate(format_arm(side.arm), said, decode)
        self._streams.add(stream)
        try:
            async for event in stream:
                side = told(side, event)
                if self._sides.get(name, side).arm == side.arm:
                    self._sides[name] = side
                    self._soon()
        except EngineError as error:
            self._sides[name] = side.failed((error.title, error.detail, error.hint))
        finally:
            self._streams.discard(stream)

    def _cancel(self) -> None:
        """Ask for the end; what was said until then is kept."""
        for stream in self._streams:
            stream.cancel()

    def _open_field(self, text: str, *, following: bool) -> None:
        self._following = following
        field = self.query_one(TextArea)
        field.text = text
        field.add_class("open")
        field.focus()
        field.select_all()  # typing replaces it, an arrow keeps it
        said = " next turn" if following else " prompt"
        self.query_one("#writing").add_class("open")
        self.query_one("#writing", Lines).show([(said, "strong"), ("  ctrl+s sends", "dim")])

    def _close_field(self) -> None:
        self.query_one(TextArea).remove_class("open")
        self.query_one("#writing").remove_class("open")
        self.focus_home()

    def _soon(self) -> None:
        """Show what has come, a few times a second at most."""
        if not self._stale:
            self._stale = True
            self.set_timer(FRAME_SECONDS, self._show)

    def redraw(self) -> None:
        self._show()
        super().redraw()

    def _show(self) -> None:
        self._stale = False
        if not self.ready:
            return
        for name in ("base", "tuned"):
            pane = self.query_one(f"#pane-{name}", AnswerPane)
            pane.display = name in self._sides and self._alone in ("", name)
            if name in self._sides:
                pane.show(self._sides[name])
        self.query_one("#asked", Lines).show(self._asked_line())
        self.query_one("#strip", Lines).show(self._strip_line())
        self.show_keys()

    def _asked_line(self) -> Line:
        if not self._asked:
            return [(" no prompt yet: e writes one", "dim")]
        line: list[Piece] = []
        bundled = next((one for one in self._prompts if one.messages == self._asked), None)
        if bundled is None:
            line.append((" own prompt  ", "dim"))
        else:
            at = self._prompts.index(bundled) + 1
            line.append((f" prompt {at}/{len(self._prompts)}  ", "dim"))
            if bundled.skill:
                line.append((f"{one_line(bundled.skill)}  ", "warn"))
        return [*line, (preview(self._asked), "strong")]

    def _strip_line(self) -> Line:
        decode, between = self._decode, f" {self.glyphs.separator} "
        how = "greedy" if decode.temperature == 0 else "sampled"
        facts = [
            f"temp {decode.temperature:g}",
            how,
            f"seed {decode.seed}",
            f"{decode.max_new_tokens} new at most",
        ]
        answered = [side for side in self._sides.values() if side.template or side.dtype]
        if len(answered) == 2:
            same = answered[0].template == answered[1].template
            facts.insert(0, "same template" if same else "! templates differ")
        for dtype in {side.dtype for side in answered}:
            facts.append(dtype)
        facts += [remark for side in self._sides.values() for remark in side.remarks]
        if self._busy:
            facts.append("answering, esc cancels")
        return [((between if at else " ") + fact, "dim") for at, fact in enumerate(facts)]


def preview_text(messages: tuple[Message, ...]) -> str:
    """The last user turn, to be edited."""
    asked = [message.content for message in messages if message.role == "user"]
    return clean(asked[-1]) if asked else ""


def _turn(values: tuple[float, ...] | tuple[int, ...], now: float, by: int) -> float:
    nearest = min(range(len(values)), key=lambda at: abs(values[at] - now))
    return values[max(0, min(nearest + by, len(values) - 1))]


def _first(snapshot: RunsSnapshot) -> RunRow | None:
    """The newest tuned model there is."""
    return next((row for row in snapshot.rows if row.output and not row.shipped), None)
