"""The loop of a job that makes data: sources in, questions out, answers kept, outcomes written.

Every answer is on disk before anything follows from it, and an outcome is written once its source
is finished: whenever the worker dies, each source has its line or is still to be asked about, and
no answer that was paid for is asked for twice. Which source is finished first does not matter.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence

from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.gates.candidate import GateFindings
from engine.synthesis.gates.pause import must_pause
from engine.synthesis.outcomes import Outcome, Reason, append_outcomes
from engine.synthesis.questions import SourceQuestion
from engine.synthesis.remaining import NO_ANSWER, RemainingSource
from engine.synthesis.tally import TallyReader, list_used, measure_progress
from engine.text import one_line
from engine.worker.attempt import Attempt, Stopped
from engine.worker.synthesis.answer_log import AnswerLog, LoggedAnswer
from engine.worker.synthesis.generator import Generator, Reply
from engine.worker.synthesis.row_judging import RowJudging
from engine.worker.synthesis.source_work import SourceWork


class RowJob:
    """What is done of the sources that remain."""

    def __init__(
        self,
        attempt: Attempt,
        recipe: SynthesizeRecipe,
        generator: Generator,
        log: AnswerLog,
        judging: RowJudging,
        outcomes: dict[str, Outcome],
        total: int,
    ) -> None:
        """`outcomes`: those on disk that hold, by source; added to. `total`: of all sources."""
        self.reached = ""
        """The budget that ended it; empty where no source is left."""
        self._attempt = attempt
        self._recipe = recipe
        self._generator = generator
        self._log = log
        self._judging = judging
        self._outcomes = outcomes
        self._total = total
        self._asked: dict[str, SourceWork] = {}
        """By the id of a question that is not answered yet."""
        self._ready: deque[tuple[SourceWork, SourceQuestion]] = deque()
        """What is asked next, before new sources are begun."""
        self._tally = TallyReader(attempt.directory, recipe)
        self._first: list[Outcome] | None = []
        """Of this attempt; None once one has passed."""
        self._passed = sum(outcome.state == "passed" for outcome in outcomes.values())

    def run(
        self, remaining: Sequence[RemainingSource], begin: Callable[[RemainingSource], SourceWork]
    ) -> None:
        """Make what can be made of the sources. Raises Stopped, also where it pauses, EngineError
        where the generator cannot be asked any more, and OSError."""
        waiting = deque(remaining)
        self._show()
        try:
            while True:
                if self._attempt.stop_requested():
                    raise Stopped
                self._fill(waiting, begin)
                if not self._asked:
                    return
                self._take(self._generator.step())
        finally:
            self._generator.cancel()

    def _fill(
        self, waiting: deque[RemainingSource], begin: Callable[[RemainingSource], SourceWork]
    ) -> None:
        """Ask as much as there is room for."""
        while self._generator.room > 0:
            self.reached = self._find_reached()
            if self.reached or not (self._ready or (waiting and self._may_begin())):
                return
            if not self._ready:
                self._advance(begin(waiting.popleft()))
                continue
            work, question = self._ready.popleft()
            self._asked[question.id] = work
            self._generator.ask(question)

    def _find_reached(self) -> str:
        """The budget that is used up by all answers, also of sources that are not finished; empty
        where there is none."""
        minutes, spent = self._attempt.running_seconds / 60, self._log.spent
        used = list_used(self._recipe.budget, self._passed, spent.read, spent.written, minutes)
        return next((name for name, (now, limit) in used.items() if now >= limit), "")

    def _may_begin(self) -> bool:
        """Whether one more row is wanted beside those that are being made."""
        wanted = self._recipe.budget.rows
        return not wanted or self._passed + len(self._asked) + len(self._ready) < wanted

    def _advance(self, work: SourceWork) -> None:
        """Finish a source, or have its next question ready."""
        question = work.next_question()
        if question is None:
            self._finish(work)
        else:
            self._ready.append((work, question))

    def _take(self, replies: Sequence[Reply]) -> None:
        answers: dict[str, LoggedAnswer] = {}
        for reply in replies:
            if reply.sample is not None:
                round = self._asked[reply.question.id].round
                answers[reply.question.id] = LoggedAnswer(
                    reply.sample, reply.usage, round, reply.grammar
                )
        self._log.add(answers.values())
        for reply in replies:
            work = self._asked.pop(reply.question.id)
            if reply.sample is not None:
                work.take_answer(reply.question, answers[reply.question.id])
            elif reply.trouble == "too long for the context":
                work.shorten(reply.question, reply.share)
            else:
                work.waste(reply.usage)
                self._log.spent += reply.usage
                work.fail(Reason(reply.trouble or NO_ANSWER, reply.detail))
            self._advance(work)
        if replies:
            self._show()

    def _finish(self, work: SourceWork) -> None:
        if work.reasons:
            self._judging.forget(work.source)
            outcome = work.finish(GateFindings())
        else:
            outcome = work.finish(self._judging.judge(work.source, work.row, work.cut))
        append_outcomes(self._attempt.directory.outcomes, [outcome])
        self._outcomes[outcome.source] = outcome
        self._passed += outcome.state == "passed"
        self._show()
        if self._first is None:
            return
        if outcome.state == "passed":
            self._first = None
            return
        self._first.append(outcome)
        if must_pause(self._first, self._recipe.gates.pause_after):
            raise Stopped(self._explain_pause(self._first))

    def _explain_pause(self, first: Sequence[Outcome]) -> str:
        counts = Counter(reason.name for one in first for reason in one.reasons)
        common = ", ".join(f"{count} {name}" for name, count in counts.most_common(3))
        return (
            f"paused: none of the first {len(first)} rows can be used ({common}); "
            f"finetop resume {self._attempt.directory.path.name} continues anyway"
        )

    def _show(self) -> None:
        """Say how far it is, in the numbers that pages and commands read."""
        tally = self._tally.read()
        now = measure_progress(tally, self._attempt.running_seconds, self._recipe.budget)
        parts = [f"{count:,} {state}" for state, count in tally.states.items() if count]
        if tally.reasons:
            common = tally.reasons[0]
            parts.append(f"most often {common.name} ({common.sources:,})")
        if now.passed_per_minute:
            parts.append(f"{now.passed_per_minute:.3g} passed a minute")
        if now.price is not None:
            parts.append(f"price {now.price:.4g}")
        self._attempt.progress(
            tally.finished,
            self._total,
            message=one_line("; ".join(parts)),
            tokens=now.tokens,
            eta_seconds=now.seconds_left,
        )
