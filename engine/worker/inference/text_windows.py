"""How a text is divided where it is longer than what a model reads at once.

Two ways, which agree on a text of one window that begins with BOS. Our own, by which the evaluation
of training texts goes, and that of lm-evaluation-harness (`loglikelihood_rolling`), whose numbers
are published.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from engine.worker.data.chat_template import leading_ids, plain_ids
from engine.worker.data.encode import IGNORE_INDEX, Encoded


def own_windows(text: str, tokenizer: Any, window: int) -> Iterator[Encoded]:
    """At most `window` tokens each; two windows share one, the last of one and first of the next.

    The first token of the text is predicted from BOS, where the tokenizer puts one, or not at all:
    of a text in which nothing is predicted there is no window.
    """
    ids = leading_ids(tokenizer) + list(tokenizer(text, add_special_tokens=False)["input_ids"])
    for start in range(0, len(ids) - 1, window - 1):
        yield _window(ids[start : start + window], 1)


def rolling_windows(text: str, tokenizer: Any, window: int) -> Iterator[Encoded]:
    """As lm-evaluation-harness: `window` tokens are read and as many predicted, all but in the
    last window, which begins earlier, so that it is full too.

    Every token is predicted, the first one from BOS, or from EOS where there is no BOS. A BOS that
    the tokenizer puts before the text is a token as any other: it is predicted from a BOS as well.
    Run with `add_bos_token=False` the harness does without the second one.
    """
    lead = tokenizer.bos_token_id
    ids = [tokenizer.eos_token_id if lead is None else lead, *plain_ids(text, tokenizer)]
    for start in range(1, len(ids), window):
        end = min(start + window, len(ids))
        first = max(0, end - 1 - window)
        yield _window(ids[first:end], start - first)


def _window(ids: Sequence[int], start: int) -> Encoded:
    """Tokens of which those from `start` on are predicted."""
    labels = [IGNORE_INDEX] * start + list(ids[start:])
    return Encoded(list(ids), labels, 0, kept=True, reason="")
