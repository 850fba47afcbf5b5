"""Answers of a local model held to a grammar by llguidance: which tokens may come next.

Only the choice of a token is narrowed; the model's own log-probabilities stay what they are. An end
token is open exactly where the text so far is whole, so an answer that ends by itself fits, and one
that is cut by length does not. Refuses a tokenizer whose tokens llguidance reads otherwise than
they are decoded. The one place that imports llguidance.
"""

import json
import random
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import EngineError
from engine.worker.inference.models import LoadedArm
from engine.worker.tokenizers.detokenize import decode_ids

TITLE = "The answers of a local model cannot be held to a grammar."
HINT = "Install finetop[grammar], or set asking.grammar to auto or off."
_JSON_FORM = {
    # Without a bound a weak model writes white space until it is cut.
    "whitespace_pattern": r"[\x20\x0A]{0,5}",
    # With \u half of a surrogate pair could be written.
    "json_allowed_escapes": '"\\bfnrt',
}
_PROBES = (
    '{"name": "a \\"b\\" c", "n": -12.5, "list": ["x", null, true]}\n',
    "Ärger, naïve café, 日本語, Привет 👍🏽 and so on.",
    "  two  spaces\tand a tab\n\n- agree\n- disagree",
)
_DRAWN_SEQUENCES, _DRAWN_LENGTH = 64, 32


@dataclass(slots=True)
class MaskCost:
    """What choosing tokens by the grammar took, of all answers."""

    masks: int = 0
    seconds: float = 0.0
    released: int = 0
    """Answers that went on without the grammar, since llguidance could not follow them."""


class GrammarCompiler:
    """llguidance for one arm; made by `open_grammars`. Grammars are texts in its own form."""

    def __init__(self, tokenizer: Any, ends: Collection[int]) -> None:
        """`tokenizer`: llguidance's own. `ends`: the tokens that end an answer."""
        import llguidance

        self.version = str(getattr(llguidance, "__version__", llguidance.get_version()))
        self.cost = MaskCost()
        self.ends = frozenset(ends)
        self._tokenizer = tokenizer
        self._matcher = llguidance.LLMatcher

    def compile_schema(self, schema: Mapping[str, Any]) -> str:
        """JSON of a schema. Raises EngineError where llguidance knows a part of it not."""
        table = {**schema, "x-guidance": _JSON_FORM}
        return self._check(self._matcher.grammar_from_json_schema(json.dumps(table)))

    def compile_choices(self, choices: Collection[str]) -> str:
        """One of these texts, after a space or none."""
        lark = " | ".join(json.dumps(one, ensure_ascii=False) for one in choices)
        return self._check(self._matcher.grammar_from_lark(f'start: " "? ({lark})'))

    def compile_pattern(self, pattern: str) -> str:
        """A text that a regular expression (of Rust) describes as a whole."""
        return self._check(self._matcher.grammar_from_regex(pattern))

    def begin(self, grammar: str) -> "AnswerMask":
        """The mask of one answer, which has no token yet."""
        return AnswerMask(self, self._matcher(self._tokenizer, grammar, log_level=0))

    def _check(self, grammar: str) -> str:
        problem: str = self._matcher.validate_grammar(grammar, self._tokenizer)
        if problem:
            raise EngineError(
                TITLE, f"llguidance: {problem[:200]}", "Set asking.grammar to auto or off."
            )
        return grammar


class AnswerMask:
    """The tokens that may come next in one answer."""

    def __init__(self, compiler: GrammarCompiler, matcher: Any) -> None:
        self._compiler = compiler
        self._matcher = matcher
        self._is_held = True

    def find_allowed(self, width: int) -> Tensor | None:
        """Bool of (width), one for each logit, on the CPU; None where every token is allowed."""
        if not self._is_held:
            return None
        began = time.perf_counter()
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        known = np.unpackbits(bits, bitorder="little")[:width]
        allowed = np.zeros(width, bool)
        allowed[: len(known)] = known
        # A tokenizer may not know all ends of its model.
        allowed[[end for end in self._compiler.ends if end < width]] = self._matcher.is_accepting()
        cost = self._compiler.cost
        cost.masks += 1
        cost.seconds += time.perf_counter() - began
        if self._matcher.is_error() or not allowed.any():
            self._release()
            return None
        return torch.from_numpy(allowed)

    def take(self, token: int) -> None:
        """Go on by the token that was chosen."""
        if not self._is_held or token in self._compiler.ends:
            return
        began = time.perf_counter()
        if not self._matcher.consume_token(token):
            self._release()
        self._compiler.cost.seconds += time.perf_counter() - began

    def _release(self) -> None:
        self._is_held = False
        self._compiler.cost.released += 1


def open_grammars(loaded_arm: LoadedArm) -> GrammarCompiler:
    """llguidance made ready for an arm. Raises EngineError where it is not installed, or does not
    understand the arm's tokenizer."""
    try:
        import llguidance.hf
    except ImportError as error:
        raise EngineError(TITLE, "llguidance is not installed", HINT) from error
    tokenizer, ends = loaded_arm.tokenizer, sorted(loaded_arm.ends)
    try:
        own = llguidance.hf.from_tokenizer(
            tokenizer,
            n_vocab=max(loaded_arm.model.vocabulary, len(tokenizer)),
            eos_token=ends,
        )
    except (ValueError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise EngineError(TITLE, f"its tokenizer is not understood: {reason}", HINT) from error
    if not ends or not reads_alike(tokenizer, own):
        reason = (
            "it names no token that ends an answer" if not ends else "its tokens read otherwise"
        )
        raise EngineError(
            TITLE,
            f"its tokenizer is not understood: {reason}",
            "Set asking.grammar to auto or off.",
        )
    return GrammarCompiler(own, ends)


def reads_alike(tokenizer: Any, own: Any) -> bool:
    """Whether llguidance's tokenizer reads token ids as they are decoded: of texts, and of random
    tokens, but for white space around it all and how a broken character is marked."""
    special = {int(one) for one in tokenizer.all_special_ids} | set(tokenizer.added_tokens_decoder)
    plain = [one for one in range(len(tokenizer)) if one not in special]
    if not plain:
        return False
    drawn = random.Random(1)
    sequences = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in _PROBES]
    # What llguidance takes for no text it never allows: special tokens, the byte that no text has.
    sequences += [
        [one for one in drawn.choices(plain, k=_DRAWN_LENGTH) if own.decode_bytes([one])]
        for _ in range(_DRAWN_SEQUENCES)
    ]
    return all(
        _fold(decode_ids(tokenizer, ids)) == _fold(own.decode_bytes(ids).decode(errors="replace"))
        for ids in sequences
    )


def _fold(text: str) -> str:
    return re.sub("�+", "�", text).strip()
