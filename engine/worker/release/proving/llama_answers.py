"""Greedy answers of an installed llama.cpp: by its program `llama-completion`, in older releases
`llama-cli`, of one prompt at a time.

It is given text and answers in text, so prompts are taken whose text is read as the same ids again.
Another program of the oldest releases, `main`, is not looked for: any program may be called so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.release.gguf_targets import COMPLETIONS, find_program
from engine.worker.release.gguf.bos import adds_bos, without_bos
from engine.worker.release.proving.llama_program import run_llama
from engine.worker.release.proving.reference import GreedyRow

PROMPTS = 5
_END = b" [end of text]\n"
_PART = "\ufffd"
"""What stands for bytes that are no whole character: also for one whose last token is missing."""
_NO_TEXT = (_PART, "\0")
"""Of these nothing is printed that could be compared."""
_LAST = b"\n\n"
"""Printed behind every answer; what is printed last the program loses at times, about once in ten
runs on a busy machine."""
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """A prompt of the run as text, and the run's answer token by token."""

    row: GreedyRow
    text: str
    answers: tuple[str, ...]
    """Its first token, its first two, ... as text: as far as they are text."""


@dataclass(frozen=True, slots=True)
class AnswerDifference:
    """The first token of an answer at which llama.cpp writes another text."""

    prompt: int
    token: int
    """Counted from 0."""
    margin: float
    """By how much the run's own token is more likely than its second, in nats."""
    expected: str
    written: str
    """What stands there, as much of it as of the run's answer."""


def find_completion() -> str | None:
    """The name of the program that answers; None where none is installed."""
    return next((name for name in COMPLETIONS if find_program(name) is not None), None)


def choose_prompts(rows: Sequence[GreedyRow], tokenizer: Any) -> tuple[TextPrompt, ...]:
    """The prompts with the longest answers, which show most, among those that can be given as
    text."""
    written = [_as_text(row, tokenizer) for row in rows]
    usable = [one for one in written if one is not None]
    return tuple(sorted(usable, key=lambda one: -len(one.answers))[:PROMPTS])


def compare_answers(
    name: str,
    model: Path,
    prompts: Sequence[TextPrompt],
    scratch: Path,
    advance: Callable[[int], None],
) -> tuple[AnswerDifference, ...]:
    """The first place of each answer at which llama.cpp writes other text than the run. `advance`
    is told of how many prompts are answered, several times a second. Raises what that raises, and
    EngineError where the program fails."""
    differences = []
    file = scratch / "llama-prompt.txt"
    for at, prompt in enumerate(prompts):
        file.write_bytes(prompt.text.encode())
        count = len(prompt.answers)
        options = ["-bf", str(file), "-n", str(count), "--temp", "0", "-no-cnv", "--special"]
        options += ["--no-display-prompt", "--no-escape"]
        options += ["-c", str(len(prompt.row.row.ids) + 8)]
        output = _run(name, model, options, partial(advance, at))
        difference = _compare(at, prompt, output)
        if difference is not None:
            differences.append(difference)
    file.unlink(missing_ok=True)
    return tuple(differences)


def _run(name: str, model: Path, options: Sequence[str], watch: Callable[[], None]) -> str:
    """The whole answer. Raises what `watch` raises, EngineError."""
    for _ in range(_ATTEMPTS):
        output = run_llama(name, model, options, watch).output
        if output.endswith(_LAST):
            answer = output.removesuffix(_LAST).removesuffix(_END)
            return answer.decode(errors="replace")
    raise EngineError(f"{name} printed no whole answer.")


def _as_text(row: GreedyRow, tokenizer: Any) -> TextPrompt | None:
    first, ids = row.row.places[0], list(row.row.ids)
    text = without_bos(tokenizer.decode(ids[:first]), tokenizer)
    prompt = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    if adds_bos(tokenizer):
        prompt.insert(0, tokenizer.bos_token_id)
    if prompt != ids[:first]:
        return None
    before = tokenizer.decode(ids[:first])
    texts = [tokenizer.decode(ids[: place + 1]) for place in row.row.places]
    if not all(one.startswith(before) for one in texts):
        return None
    answers = [one.removeprefix(before) for one in texts]
    # Bytes that are no text look alike: an answer is compared up to the first of them.
    readable = min(len(part) for part in (answers[-1].split(mark)[0] for mark in _NO_TEXT))
    kept = tuple(one for one in answers if len(one.rstrip(_PART)) <= readable)
    return TextPrompt(row, text, kept) if kept and kept[-1].rstrip(_PART) else None


def _compare(at: int, prompt: TextPrompt, written: str) -> AnswerDifference | None:
    start, length = 0, len(prompt.answers[-1])
    for token, text in enumerate(prompt.answers):
        expected = text.rstrip(_PART)
        if not written.startswith(expected):
            margin = prompt.row.margins[token]
            return AnswerDifference(at, token, margin, expected[start:], written[start:length])
        start = len(expected)
    return None
