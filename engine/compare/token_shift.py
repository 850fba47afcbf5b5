"""Token shift: how far each token of a tuned answer lies from what the base would have said.

Lin et al. 2023 (URIAL, arXiv 2312.01552): a token that the base ranks first, given the same prefix,
is unshifted; second or third, marginal; lower, shifted. Owns the values; workers compute them.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["unshifted", "marginal", "shifted"]
KINDS: tuple[Kind, ...] = ("unshifted", "marginal", "shifted")
TOP = 5
NO_EFFECT = 1e-4
"""Nats per token. Below it two distributions are the same, up to rounding."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that a model might have said."""

    id: int
    piece: str
    probability: float


@dataclass(frozen=True, slots=True)
class ShiftedToken:
    id: int
    piece: str
    """Its text as the tokenizer writes it, special tokens by name. Untrusted."""
    rank: int
    """Of the token under the base, 1 for its first choice; ties count as better."""
    base_probability: float
    tuned_probability: float
    kl: float
    """KL(base‖tuned) of the next-token distributions at this place, in nats."""
    base_top: tuple[Candidate, ...] = ()
    tuned_top: tuple[Candidate, ...] = ()
    tuned_rank: int = 1
    """Of the token under the tuned model: 1 throughout a greedy answer."""
    special: bool = False
    """One that marks, such as the end token, and is no part of the text."""

    @property
    def kind(self) -> Kind:
        return "unshifted" if self.rank == 1 else "marginal" if self.rank <= 3 else "shifted"


@dataclass(frozen=True, slots=True)
class Shift:
    """One answer, token by token."""

    base: str
    """The arms, in the grammar of `engine.compare.arms`."""
    tuned: str
    prompt_id: str
    greedy: bool
    """Whether the answer is greedy, as the measure's definition wants it."""
    tokens: tuple[ShiftedToken, ...] = field(default=())

    @property
    def shares(self) -> Mapping[Kind, float]:
        """Of the tokens, by kind; zeros for an empty answer."""
        counts = Counter(token.kind for token in self.tokens)
        return {kind: counts[kind] / max(1, len(self.tokens)) for kind in KINDS}

    @property
    def kl(self) -> float:
        """Mean KL(base‖tuned) per token, in nats; 0 for an empty answer."""
        return sum(token.kl for token in self.tokens) / max(1, len(self.tokens))

    @property
    def shows_no_effect(self) -> bool:
        """Whether both would say this, a greedy answer, and their distributions agree all along."""
        return (
            bool(self.tokens)
            and self.greedy
            and all(token.kind == "unshifted" and token.kl < NO_EFFECT for token in self.tokens)
        )


def by_position(shifts: Sequence[Shift], bins: int) -> list[tuple[int, float | None]]:
    """Tokens and the share of them that is shifted, in `bins` equal parts of the answers' length.

    Relative positions, so that short and long answers count alike; a part without tokens has none.
    """
    counts, shifted = [0] * bins, [0] * bins
    for one in shifts:
        for at, token in enumerate(one.tokens):
            place = part_of(at, len(one.tokens), bins)
            counts[place] += 1
            shifted[place] += token.kind == "shifted"
    return [
        (count, part / count if count else None)
        for count, part in zip(counts, shifted, strict=True)
    ]


def part_of(at: int, tokens: int, bins: int) -> int:
    """The part, from 0, in which a token of an answer of so many lies.

    An answer of fewer tokens than parts is stretched: its first token is in the first part, its
    last one, an only one too, in the last.
    """
    if tokens >= bins:
        return at * bins // tokens
    return round(at * (bins - 1) / (tokens - 1)) if tokens > 1 else bins - 1


def to_table(shift: Shift) -> dict[str, Any]:
    """The shift as a JSON object, its tokens' kinds and its means with it."""
    table = dataclasses.asdict(shift)
    for one, token in zip(table["tokens"], shift.tokens, strict=True):
        one["kind"] = token.kind
    return table | {"shares": dict(shift.shares), "kl": shift.kl}


def from_table(table: Mapping[str, Any]) -> Shift:
    """The shift of a JSON object that `to_table` made. Raises ValueError."""
    try:
        tokens = []
        for row in table["tokens"]:
            one = {key: value for key, value in row.items() if key != "kind"}
            tops = {
                side: tuple(Candidate(**candidate) for candidate in one[side])
                for side in ("base_top", "tuned_top")
            }
            tokens.append(ShiftedToken(**{**one, **tops}))
        own = {key: value for key, value in table.items() if key not in ("shares", "kl")}
        return Shift(**{**own, "tokens": tuple(tokens)})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a token shift: {error!r}") from error
