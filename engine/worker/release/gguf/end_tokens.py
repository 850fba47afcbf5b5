"""Where llama.cpp stops: the tokens that it knows by their text, and the three that keys may name.

Owns the list of texts (src/llama-vocab.cpp, `special_eog_ids`). What ends an answer and can be said
by neither is left over, for the caller to refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass

END_TEXTS = frozenset(
    {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|return|>",
        "<|call|>",
        "<|flush|>",
        "<|calls|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "</s>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "[EOS]",
        "<|end_of_text|>",
        "<end_of_utterance>",
        "<eos>",
        "<turn|>",
        "<|tool_response>",
        "<｜end▁of▁sentence｜>",
        "[e~[",
    }
)
"""Every token with such a text ends an answer, whatever its type."""
_HARMONY = tuple(
    {first, call} for first in ("<|return|>", "<|flush|>") for call in ("<|call|>", "<|calls|>")
)


@dataclass(frozen=True, slots=True)
class EndKeys:
    eos: int
    eot: int | None
    eom: int | None
    left: tuple[int, ...]
    """End tokens at which llama.cpp would not stop."""
    seen_as_ends: tuple[str, ...]
    """Texts of tokens at which it stops although no trained answer ends there."""


def end_keys(ends: Sequence[int], tokens: Sequence[str]) -> EndKeys:
    """The keys for the ids `ends`, at least one; the first becomes `eos`."""
    known = known_by_text(tokens)
    barred = _barred(tokens)
    left = [at for at in ends if at in barred]
    named = [at for at in ends[1:] if at not in known and at not in barred]
    eot, eom = (*named[:2], None, None)[:2]
    return EndKeys(
        ends[0],
        eot,
        eom,
        (*left, *named[2:]),
        tuple(tokens[at] for at in sorted(known - set(ends))),
    )


def known_by_text(tokens: Sequence[str]) -> set[int]:
    """The ids at which llama.cpp stops because of their text, whatever the keys say."""
    return {at for at, text in enumerate(tokens) if text in END_TEXTS} - _barred(tokens)


def _barred(tokens: Sequence[str]) -> set[int]:
    """Tokens that llama.cpp takes off its list again, because of others beside them."""
    texts = set(tokens)
    barred = set()
    if any(marks <= texts for marks in _HARMONY):
        barred.add("<|end|>")
    if texts & {"<|tool_response>", "<|plamo:eos|>"}:
        barred.add("</s>")
    return {at for at, text in enumerate(tokens) if text in barred}
