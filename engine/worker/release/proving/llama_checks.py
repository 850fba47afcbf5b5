"""What an installed llama.cpp makes of a GGUF file: its greedy answers, and what it says of a text
at each place, beside the run itself.

llama.cpp rounds what is computed to the type of the weights, as torch does in that type: its
tolerances are those of `answer_checks`. A program that is missing, crashes, takes too long or lacks
an option proves nothing; it fails no export.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.number_format import write_count
from engine.release.gguf_targets import COMPLETIONS, PERPLEXITY, find_program
from engine.release.proof import Check, CheckStatus
from engine.text import one_line
from engine.worker.release.proving import kept_logs
from engine.worker.release.proving.answer_checks import judge_rows
from engine.worker.release.proving.llama_answers import (
    AnswerDifference,
    TextPrompt,
    choose_prompts,
    compare_answers,
    find_completion,
)
from engine.worker.release.proving.llama_text import read_text
from engine.worker.release.proving.open_shipped import keeps_weights, own_type
from engine.worker.release.proving.proof_spec import ProofSpec, Tick
from engine.worker.release.proving.reference import RunReference
from engine.worker.release.proving.type_noise import (
    FLOOR,
    USUAL,
    Tolerance,
    kept_noise,
    measured_tolerances,
)

ANSWERS = "greedy answers in llama.cpp"
TEXT = "a text read by llama.cpp"


_ARITHMETIC = "float16"
"""By which a file in float32 is judged: llama.cpp computes parts of it in that type, as attention
and the table of GELU. Of tiny models in float32 it moved margins by 0.003 nats."""
NOT_INSTALLED = Check(
    ANSWERS,
    "not proven",
    f"Not proven by llama.cpp: neither {COMPLETIONS[0]} nor {PERPLEXITY} is installed here.",
)


def is_installed() -> bool:
    """Whether there is a program that can tell anything."""
    return find_completion() is not None or find_program(PERPLEXITY) is not None


def check_llamacpp(
    spec: ProofSpec, reference: RunReference, tokenizer: Any, scratch: Path, tick: Tick
) -> list[Check]:
    """Both checks of a GGUF file; "not proven" with the reason where a program cannot tell. Raises
    what `tick` raises, OSError as of a full disk."""
    return [
        _check_answers(spec, reference, tokenizer, scratch, tick),
        _check_text(spec, reference, scratch, tick),
    ]


def _check_answers(
    spec: ProofSpec, reference: RunReference, tokenizer: Any, scratch: Path, tick: Tick
) -> Check:
    name = find_completion()
    if name is None:
        return _not_proven(ANSWERS, f"{COMPLETIONS[0]} is not installed here")
    prompts = choose_prompts(reference.greedy, tokenizer)
    if not prompts:
        return _not_proven(ANSWERS, "no prompt is read again from its text")

    def advance(done: int) -> None:
        tick("answering prompts with llama.cpp", done, len(prompts))

    try:
        differences = compare_answers(name, spec.shipped, prompts, scratch, advance)
    except EngineError as error:
        return _not_proven(ANSWERS, error.line)
    exact, dtype = _judged(spec)
    return judge_answers(prompts, differences, _allow(dtype, reference).margin, exact=exact)


def _check_text(spec: ProofSpec, reference: RunReference, scratch: Path, tick: Tick) -> Check:
    rows = reference.text
    if not rows:
        reason = f"{PERPLEXITY} is not installed here, or the model reads no such rows"
        return _not_proven(TEXT, reason)
    activity = "reading text with llama.cpp"
    kept = kept_logs.read_kept(rows, reference.text_file)
    logs = read_text(
        spec.shipped, rows, kept_logs.read_kept(rows, reference.text_file), scratch,
        lambda: tick(activity, 0, len(rows)),
    )  # fmt: skip
    found = []
    try:
        for at, (row, one) in enumerate(zip(rows, logs, strict=True)):
            found.append(kept_logs.compare_row(at, row, next(kept), one))
            tick(activity, at + 1, len(rows))
    except EngineError as error:
        return _not_proven(TEXT, error.line)
    exact, dtype = _judged(spec)
    allowed = _allow(dtype, reference)
    return judge_rows(TEXT, found, allowed, dtype, exact=exact, bundled=len(rows))


def judge_answers(
    prompts: Sequence[TextPrompt],
    differences: Sequence[AnswerDifference],
    tolerance: float,
    *,
    exact: bool,
) -> Check:
    """`differences` against the largest margin, in nats, that may give way; stated where it is not
    `exact`, for a type that is quantised in blocks."""
    beyond = [one for one in differences if one.margin > tolerance]
    largest = max((one.margin for one in differences), default=0.0)
    equal = len(prompts) - len(differences)
    tokens = sum(len(one.answers) for one in prompts)
    facts: dict[str, Any] = {
        "prompts": len(prompts),
        "tokens": tokens,
        "equal": equal,
        "differing within the tolerance": len(differences) - len(beyond) if exact else None,
        "tolerance": tolerance if exact else None,
        "largest margin": largest,
    }
    text = f"{equal} of {write_count(len(prompts), 'answer')} equal, of "
    text += f"{write_count(tokens, 'token')} in all"
    if differences and exact:
        text += f"; in {len(differences) - len(beyond)} the first token that differs has a margin "
        text += f"within {tolerance:g} nats in the run (at most {largest:.3g})"
    elif differences:
        text += f"; the first tokens that differ have margins of up to {largest:.2f} nats"
    status: CheckStatus = ("failed" if beyond else "passed") if exact else "stated"
    return Check(ANSWERS, status, text, facts, tuple(_name(one) for one in beyond if exact))


def _name(one: AnswerDifference) -> str:
    written, expected = (repr(one_line(text))[:80] for text in (one.written, one.expected))
    return (
        f"answer {one.prompt + 1}, token {one.token + 1}: llama.cpp writes {written}, not "
        f"{expected}, which the run chooses by {one.margin:.2f} nats"
    )


def _judged(spec: ProofSpec) -> tuple[bool, str]:
    """Whether the type keeps weights as they are, and the type by which it is judged."""
    if not keeps_weights(spec.dtype):
        return False, spec.dtype
    dtype = str(own_type(spec.dtype)).removeprefix("torch.")
    return True, _ARITHMETIC if dtype == "float32" else dtype


def _allow(dtype: str, reference: RunReference) -> Tolerance:
    """What is usual in that type, or what the run itself moved in it where that is more: llama.cpp
    adds in another order, so a measured noise alone would be too strict."""
    usual, noise = USUAL.get(dtype, FLOOR), kept_noise(dtype, reference)
    if noise is None:
        return usual
    measured = measured_tolerances(noise).rows
    return Tolerance(max(usual.margin, measured.margin), max(usual.divergence, measured.divergence))


def _not_proven(name: str, reason: str) -> Check:
    return Check(name, "not proven", f"Not proven by llama.cpp: {one_line(reason).rstrip('.')}.")
