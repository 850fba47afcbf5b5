"""`samples.jsonl` of a job that makes data: every answer that came, good or bad, and what it took.

The rows are those of `engine.compare.samples`, with the tokens of each beside it, so that what was
spent is known after any death of the worker. The file only grows, and may end in a line that a
killed worker did not finish.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine import atomic
from engine.compare.samples import Sample, from_table, to_table
from engine.safe_open import read_lines
from engine.worker.inference.endpoint_replies import TokenUsage

JUDGE = "judge"
"""In place of a source, in the ids of questions on rows."""


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    sample: Sample
    usage: TokenUsage
    round: int = 0
    """How often a reviewer had its source asked again before."""
    grammar: str = ""
    """As `AnswerRecord.grammar`."""


class AnswerLog:
    """The answers of a job, by the ids of their questions."""

    def __init__(self, path: Path) -> None:
        """Raises EngineError where the file cannot be read."""
        self._path = path
        self._answers: dict[str, LoggedAnswer] = {}
        self._rounds: defaultdict[str, list[int]] = defaultdict(list)
        """By `SOURCE/FIELD`, the round of each answer."""
        self.spent = TokenUsage(0, 0)
        """Of all answers of the generator in the file."""
        for line in read_lines(path, "The answers"):
            try:
                table = json.loads(line)
                usage = table["usage"]
                answer = LoggedAnswer(
                    from_table(table),
                    TokenUsage(int(usage["read"]), int(usage["written"]), bool(usage["estimated"])),
                    int(table["round"]),
                    str(table.get("grammar", "")),
                )
            except (ValueError, RecursionError, KeyError, TypeError):
                continue  # cut by the death of its writer
            self._keep(answer)

    def find(self, question: str) -> LoggedAnswer | None:
        """The answer to the question of that id."""
        return self._answers.get(question)

    def count_before(self, source: str, field: str, round: int) -> int:
        """How many answers a question of a source had in the rounds before this one."""
        return sum(one < round for one in self._rounds.get(f"{source}/{field}", ()))

    def add(self, answers: Iterable[LoggedAnswer]) -> None:
        """Keep new answers, and flush them to disk. Raises OSError."""
        lines = []
        for answer in answers:
            usage = answer.usage
            counted = {
                "read": usage.read, "written": usage.written, "estimated": usage.is_estimated,
            }  # fmt: skip
            table = to_table(answer.sample) | {"usage": counted, "round": answer.round}
            if answer.grammar:
                table["grammar"] = answer.grammar
            lines.append(json.dumps(table, ensure_ascii=False, allow_nan=False) + "\n")
            self._keep(answer)
        if lines:
            atomic.append_lines(self._path, "".join(lines))

    def _keep(self, answer: LoggedAnswer) -> None:
        question = answer.sample.prompt_id
        self._answers[question] = answer
        self._rounds[question.rpartition("#")[0]].append(answer.round)
        if question.startswith(f"{JUDGE}/"):
            return
        self.spent += answer.usage
