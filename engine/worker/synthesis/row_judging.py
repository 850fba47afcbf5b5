"""The gates of a job as its loop uses them: a finished row in, why it is held back out.

Owns the arm that is asked about rows: its answers stand in `samples.jsonl` as all others, so that a
job that is resumed asks about no row twice.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from engine.chat import Message
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.gates.candidate import (
    GateFindings,
    NotJudged,
    RowCandidate,
    make_candidate,
)
from engine.synthesis.gates.gate_set import GateSet
from engine.synthesis.questions import SourceQuestion
from engine.synthesis.source_rows import SourceRow
from engine.worker.attempt import Attempt, Stopped
from engine.worker.synthesis.answer_log import JUDGE, AnswerLog, LoggedAnswer
from engine.worker.synthesis.generator import Generator


class RowJudging:
    """Gates that know the rows which passed."""

    def __init__(self, recipe: SynthesizeRecipe, gates: GateSet) -> None:
        self._recipe = recipe
        self._gates = gates

    def judge(self, source: SourceRow, row: Mapping[str, Any], cut: int) -> GateFindings:
        """What the gates say of a row; one that passed is compared with from then on."""
        candidate: RowCandidate = make_candidate(self._recipe, source, row, cut)
        findings = self._gates.check(candidate)
        if findings.reasons:
            self._gates.remove(source.id)
        else:
            self._gates.add(candidate)
        return findings

    def forget(self, source: SourceRow) -> None:
        """No row could be made of a source."""
        self._gates.remove(source.id)


class JudgeArm:
    """The arm that is asked about rows, one at a time."""

    def __init__(self, attempt: Attempt, generator: Generator, log: AnswerLog) -> None:
        self._attempt = attempt
        self._generator = generator
        self._log = log

    def ask(self, messages: tuple[Message, ...], seed: int) -> str:
        """What it answers. Raises NotJudged where no answer comes, Stopped, and EngineError that
        ends the job."""
        text = "\n".join(f"{message.role}: {message.content}" for message in messages)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        question = SourceQuestion(
            f"{JUDGE}/{digest[:24]}#1", JUDGE, "", messages, seed, prompt_hash=digest
        )
        known = self._log.find(question.id)
        if known is not None:
            return known.sample.spoken
        if self._generator.find_excess(messages):
            raise NotJudged("the row is too long for its context")
        self._generator.ask(question)
        while True:
            if self._attempt.stop_requested():
                self._generator.cancel()
                raise Stopped
            for reply in self._generator.step():
                if reply.sample is None:
                    raise NotJudged(reply.detail or reply.trouble)
                self._log.add([LoggedAnswer(reply.sample, reply.usage)])
                return reply.sample.spoken
