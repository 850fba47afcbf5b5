"""One source on its way to an outcome: the steps of its row, its tries, what its answers came to.

It is a function of the source and of the answers to its questions alone, whichever attempt got them
and in whatever order: a resumed job gives it the answers on disk, and goes on with what is missing.
Owns the cutting of a source that is too long for the generator, which is said in the outcome.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence

from engine.chat import Message
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.field_values import Value
from engine.synthesis.gates.candidate import GateFindings
from engine.synthesis.outcomes import AnswerRecord, BadAnswer, Fault, Outcome, Reason, Repair, State
from engine.synthesis.questions import SourceQuestion, make_question
from engine.synthesis.remaining import RemainingSource
from engine.synthesis.repairs import ProposeRepair
from engine.synthesis.row_modes import RowMode
from engine.synthesis.row_schema import RowSchema
from engine.synthesis.source_rows import SourceRow
from engine.worker.inference.endpoint_replies import TokenUsage
from engine.worker.synthesis.answer_log import AnswerLog, LoggedAnswer
from engine.worker.synthesis.generator import Generator

NO_ROOM = "too long for the context"
_LEAST_CHARS = 16
"""A source of which no more can be shown is not asked about."""


class SourceWork:
    """What is made of one source."""

    def __init__(
        self,
        recipe: SynthesizeRecipe,
        schema: RowSchema,
        mode: RowMode,
        remaining: RemainingSource,
        generator: Generator,
        log: AnswerLog,
        propose: ProposeRepair | None,
    ) -> None:
        self.source = remaining.source
        self.values: dict[str, Value] = {}
        self.reasons: tuple[Reason, ...] = ()
        """Why no row can be made; empty while one may."""
        self.cut = 0
        """Of the source's text, at most, in a question; as `Generator.count` counts."""
        self._recipe = recipe
        self._schema = schema
        self._mode = mode
        self._generator = generator
        self._log = log
        self._propose = propose
        self.round = remaining.round
        self._steps = list(mode.plan(schema))
        self._tries = 0
        """At the question of the first step, in this round."""
        self._skipped = 0
        """Numbers of answers on disk that are to another question than this one."""
        self._fault: Fault | None = None
        self._shown = len(self.source.text)
        """Characters of the source's text that are shown."""
        earlier = remaining.before.answers if remaining.before is not None else ()
        self._counted = {answer.sample for answer in earlier}
        """Answers whose tokens stand in an outcome already."""
        self._repairs: list[Repair] = []
        self._answers: list[AnswerRecord] = []
        self._read = self._written = 0
        self._began = time.monotonic()

    def next_question(self) -> SourceQuestion | None:
        """What is to be asked next; None once it is finished. Answers that are on disk are used.

        Raises EngineError for a template that is wrong.
        """
        while self._steps and not self.reasons:
            step = self._steps[0]
            if not step.is_asked:
                self._take(step.field)
            elif self._tries >= self._recipe.asking.tries:
                return None  # `reasons` says why
            elif (question := self._fit(step.field)) is None:
                self.fail(Reason(NO_ROOM))
            elif (known := self._log.find(question.id)) is None:
                return question
            else:
                self._use_known(question, known)
        return None

    def take_answer(self, question: SourceQuestion, answer: LoggedAnswer) -> None:
        """Go on with an answer, be it of use or not."""
        if question.id not in self._counted:
            self._read += answer.usage.read
            self._written += answer.usage.written
        shown = self.source.text[: self._shown]
        self.cut = max(
            self.cut, self._generator.count(self.source.text) - self._generator.count(shown)
        )
        self._tries += 1
        bad: BadAnswer | None = None
        try:
            values, repairs = self._mode.read(
                self._schema, question.field, answer.sample, self._propose
            )
        except BadAnswer as error:
            bad = error
        else:
            self.values |= values
            self._repairs += repairs
            self._go_on()
        self._answers.append(
            AnswerRecord(
                question.id, answer.sample.arm, question.field, question.prompt_hash,
                question.seed, bad.fault if bad is not None else "", answer.grammar,
            )
        )  # fmt: skip
        if bad is not None:
            self._fault = bad.fault
            if self._tries >= self._recipe.asking.tries:
                self.fail(bad.reason)

    def shorten(self, question: SourceQuestion, share: float | None = None) -> None:
        """Show less of the source from now on, for a question that is too long.

        `share`: how much of its tokens would fit, where the server says so; else half is shown.
        """
        shown = self._shown // 2
        if share is not None:
            asked = _length(question.messages)
            # Characters are not tokens: a little less than their share.
            shown = self._shown - int(asked * (1 - share)) - self._shown // 20
        self._shown = min(shown, self._shown - 1)
        if self._shown < _LEAST_CHARS:
            self.fail(Reason(NO_ROOM))

    def waste(self, usage: TokenUsage) -> None:
        """Count tokens of answers that broke off, where none came in the end."""
        self._read += usage.read
        self._written += usage.written

    def fail(self, reason: Reason) -> None:
        """No row can be made of it."""
        self.reasons = (*self.reasons, reason)

    @property
    def row(self) -> dict[str, Value]:
        """The row, in the order of its fields."""
        return {name: self.values[name] for name in self._schema.fields if name in self.values}

    def finish(self, findings: GateFindings) -> Outcome:
        """The outcome of one that is finished; `findings`: of the gates, where there is a row."""
        state: State = "passed"
        if self.reasons or findings.reasons:
            state = "set aside" if self.reasons else "held back"
        return Outcome(
            source=self.source.id,
            state=state,
            row={} if self.reasons else dict(self.row),
            reasons=self.reasons or findings.reasons,
            unjudged=findings.unjudged,
            repairs=tuple(self._repairs),
            answers=tuple(self._answers),
            cut=self.cut,
            input_tokens=self._read,
            output_tokens=self._written,
            seconds=round(time.monotonic() - self._began, 3),
            round=self.round,
        )

    def _take(self, name: str) -> None:
        columns: Mapping[str, object] = {**self.source.columns, **self.values}
        field = self._schema.fields[name]
        try:
            self.values[name] = self._schema.take(name, columns)
        except BadAnswer as bad:
            if not (field.optional and bad.fault in ("empty", "too short")):
                self.fail(dataclasses.replace(bad.reason, detail=f"{name}: {bad.detail}"))
                return
        self._go_on()

    def _go_on(self) -> None:
        self._steps.pop(0)
        self._tries = self._skipped = 0
        self._fault = None

    def _use_known(self, question: SourceQuestion, known: LoggedAnswer) -> None:
        """An answer on disk, where it is to this very question: with as much of the source."""
        shown = self._find_shown(question, known)
        if shown is None:
            self._skipped += 1
            return
        self._shown = shown
        self.take_answer(self._question(question.field, self._cut_source()), known)

    def _find_shown(self, question: SourceQuestion, known: LoggedAnswer) -> int | None:
        """How much of the source the question of an answer showed; None where it is another one.

        A question is longer the more it shows, so that its length tells how much.
        """
        before, wanted = self._shown, _length(known.sample.messages)
        try:
            if question.messages == known.sample.messages:
                return before
            least, most = 0, before
            while least < most:
                self._shown = (least + most) // 2
                cut = self._question(question.field, self._cut_source())
                if _length(cut.messages) < wanted:
                    least = self._shown + 1
                else:
                    most = self._shown
            self._shown = least
            same = self._question(question.field, self._cut_source())
            return least if same.messages == known.sample.messages else None
        finally:
            self._shown = before

    def _fit(self, field: str) -> SourceQuestion | None:
        """The question, with as much of the source as the context takes; None where even nothing
        of it leaves room."""
        while True:
            question = self._question(field, self._cut_source())
            excess = self._generator.find_excess(question.messages)
            if not excess:
                return question
            shown = self._generator.count(self.source.text[: self._shown])
            # A little more than by the share of its tokens, which are not alike.
            kept = self._shown * max(0, shown - excess) // max(1, shown) - 8
            self._shown = min(self._shown - 1, kept)
            if self._shown < _LEAST_CHARS:
                return None

    def _question(self, field: str, source: SourceRow) -> SourceQuestion:
        before = self._log.count_before(source.id, field, self.round)
        tries = before + self._tries + self._skipped
        return make_question(
            self._recipe, self._schema, source, field, tries, self._fault, self.values
        )

    def _cut_source(self) -> SourceRow:
        """The source with as much of its text as is shown, wherever it stands in its columns."""
        text = self.source.text
        if self._shown >= len(text):
            return self.source
        cut = text[: self._shown]
        columns = {
            name: cut if value == text else value for name, value in self.source.columns.items()
        }
        return dataclasses.replace(self.source, text=cut, columns=columns)


def _length(messages: Sequence[Message]) -> int:
    return sum(len(message.content) for message in messages)
