"""One arm's side of a comparison: what was said so far, and what it is saying now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.answer_parts import AnswerParts, parts_from_table, split_growing, split_text
from engine.chat import Message
from engine.compare.answer_length import Behaviour
from engine.compare.arms import Arm, parse_arm
from engine.compare.token_shift import Shift
from engine.jobs.summary import hub_revision, short_ref
from engine.text import clean, one_line
from engine.words import count_words
from tui.formatting import NONE
from tui.glyphs import Glyphs
from tui.screens.answer_lines import (
    MOST_CHARACTERS,
    answer_lines,
    count_facts,
    message_lines,
    text_lines,
)
from tui.styled_text import Line


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens that make whole characters together."""

    text: str
    ids: tuple[int, ...]
    special: bool = False
    pieces: tuple[str, ...] = ()
    """Each token as the vocabulary spells it: Ġthe, ▁the, <0xE2>. Untrusted."""


@dataclass(frozen=True, slots=True)
class TokenPieces:
    """Prompt and answer as the model knows them; empty until they are asked for."""

    prompt: tuple[Span, ...] = ()
    answer: tuple[Span, ...] = ()

    @property
    def by_token(self) -> list[str]:
        """What each token of the answer adds to its text."""
        return [
            span.text if at == len(span.ids) - 1 else ""
            for span in self.answer
            for at in range(len(span.ids))
        ]


@dataclass(frozen=True, slots=True)
class Side:
    """Frozen, so that an answer that comes too late cannot change what is shown by now."""

    arm: Arm
    label: str
    """What answers, as the companion reports it once it has answered."""
    weights: str = ""
    """Whether an adapter speaks, as the companion reports it when it begins."""
    said: tuple[Message, ...] = ()
    """The turns that are complete."""
    saying: str = ""
    """The answer so far, while it comes."""
    busy: bool = False
    note: str = ""
    """What it is doing before the first word, such as loading."""
    behaviour: Behaviour | None = None
    """Of the last answer."""
    parts: AnswerParts = AnswerParts("")
    """Of the last answer: reasoning, tool calls, and what it says."""
    trouble: tuple[str, ...] = ()
    """Title, detail and hint of what went wrong."""
    remarks: tuple[str, ...] = ()
    """How the companion loaded it, where that is worth knowing."""
    sample: Mapping[str, Any] | None = None
    """The last answer as the companion keeps it, with its token ids."""
    shift: Shift | None = None
    """Of the last answer against the first side, once it is measured."""
    shift_trouble: str = ""
    """Why it cannot be measured."""
    pieces: TokenPieces = TokenPieces()
    """Of the last prompt and answer, once somebody has asked for them."""

    def asked(self, messages: tuple[Message, ...]) -> "Side":
        """A new conversation, waiting for its first answer."""
        return replace(Side(self.arm, self.label, self.weights), said=messages, busy=True)

    def followed(self, text: str) -> "Side":
        """The next turn of this conversation."""
        return self.asked((*self.said, Message("user", text)))

    def heard(self, more: str) -> "Side":
        return replace(self, saying=self.saying + more, note="")

    def finished(self, text: str, parts: AnswerParts, behaviour: Behaviour) -> "Side":
        """The whole answer has come."""
        message = Message("assistant", text)
        if parts != split_text(text) and not parts.malformed:  # the text alone does not tell them
            message = Message("assistant", parts.spoken, parts.reasoning, parts.tool_calls)
        return replace(
            self,
            said=(*self.said, message),
            saying="",
            busy=False,
            note="",
            behaviour=behaviour,
            parts=parts,
        )

    def failed(self, trouble: tuple[str, ...]) -> "Side":
        return replace(self, busy=False, note="", trouble=trouble)

    def cancelled(self) -> "Side":
        """No more is waited for; what it said until now stays, and its record may still come."""
        return replace(self, busy=False, note="cancelled") if self.busy else self

    @property
    def name(self) -> str:
        return one_line(self.arm.name)

    @property
    def answered(self) -> bool:
        return bool(self.said) and self.said[-1].role == "assistant"

    @property
    def spoken(self) -> str:
        """What the last answer says, cleaned and cut; empty until it is whole."""
        return clean(self.parts.spoken[:MOST_CHARACTERS]) if self.answered else ""


def told(side: Side, event: Mapping[str, Any]) -> Side:
    """The side after an event of the companion."""
    kind = event["event"]
    if kind == "loading":
        return replace(side, note=one_line(event["message"]))
    if kind == "begin":
        return replace(
            side,
            note="",
            remarks=tuple(map(one_line, event["notes"])),
            weights="adapter on" if event["adapter"] else "no adapter",
        )
    if kind == "text":
        return side.heard(event["text"]) if side.busy else side
    if kind == "done" and event["sample"] is not None:
        sample = event["sample"]
        arm = parse_arm(sample["arm"])
        told_by = replace(side, label=label_of(arm), sample=sample)
        behaviour = Behaviour(**event["behaviour"])
        return told_by.finished(sample["text"], parts_of_sample(sample), behaviour)
    return replace(side, busy=False, note="cancelled")


def parts_of_sample(sample: Mapping[str, Any]) -> AnswerParts:
    """The parts of an answer as the companion keeps it."""
    return parts_from_table(sample) if "spoken" in sample else split_text(sample["text"])


def label_of(arm: Arm, commit: str = "") -> str:
    """What answers, short; with the commit of a model of the Hub where that is given."""
    if arm.is_endpoint:
        return one_line(f"{arm.model} at {arm.checkpoint.split('//')[-1]}")
    at_commit = f"@{commit}" if commit else ""
    strength = f" at {arm.strength:g}" if arm.adapter is not None and arm.strength != 1 else ""
    return one_line(short_ref(_ref_of(arm)) + at_commit) + strength


def tell_revisions_apart(sides: Sequence[Side]) -> list[Side]:
    """The sides, with commits in the labels of two revisions of one model of the Hub."""
    commits: dict[str, set[str]] = {}
    for side in sides:
        commits.setdefault(side.label, set()).add(hub_revision(_ref_of(side.arm)))
    return [
        replace(side, label=label_of(side.arm, hub_revision(_ref_of(side.arm))))
        if len(commits[side.label]) > 1
        else side
        for side in sides
    ]


def _ref_of(arm: Arm) -> str:
    return arm.checkpoint if arm.adapter is None else arm.adapter


def conversation_lines(
    side: Side, role: str, glyphs: Glyphs, last: Sequence[Line] | None = None
) -> list[Line]:
    """The conversation as a pane shows it; the first prompt stands above all panes already.

    `last` is the last answer, where it is shown in another way than part by part.
    """
    lines: list[Line] = []
    first = next((at for at, one in enumerate(side.said) if one.role == "assistant"), None)
    start = len(side.said) if first is None else first
    newest = len(side.said) - 1
    for at, message in enumerate(side.said[start:], start):
        if message.role == "user":
            asked = text_lines(message.content, "dim")
            lines += [[], *([("> ", role), *line] for line in asked), []]
        elif at < newest or message.role != "assistant":
            lines += message_lines(message, "", "", glyphs)
        elif last is not None:
            lines += last
        else:
            lines += answer_lines(side.parts, glyphs)
    if first is not None and side.said[-1].role == "user":
        lines = lines[:-1]
    if side.saying:
        lines += answer_lines(split_growing(side.saying), glyphs)
        if side.note:
            lines.append([(f"({side.note})", "dim")])
    elif side.busy or side.note:
        lines.append([(side.note or "waiting...", "dim")])
    for at, part in enumerate(side.trouble):
        lines += text_lines(part, ("bad", "", "warn")[min(at, 2)]) if part else []
    return lines


def behaviour_line(side: Side, separator: str, width: int) -> Line:
    """Words, sentences, how it ended, time, speed; in fewer letters where the pane is narrow."""
    one = side.behaviour
    if one is None:
        words = count_words(side.saying)
        return [(f" {words} words so far" if side.busy and words else f" {NONE}", "dim")]
    speed = f"{one.tokens / one.seconds:,.0f} tok/s" if one.tokens and one.seconds > 0 else ""
    more = count_facts(side.parts)
    of_text = " of text" if more else ""
    long = (
        f"{one.words} word{'s' * (one.words != 1)}{of_text}",
        *more,
        f"{one.sentences} sentence{'s' * (one.sentences != 1)}",
        one.ended,
        f"{one.seconds:.1f} s",
        speed,
    )
    ended = "complete" if one.finish == "stop" else one.ended
    short = (long[0], *more, ended, f"{one.seconds:.1f} s")
    between = f" {separator} "
    wide = f" {between.join(fact for fact in long[:-1])}"
    facts = long if len(wide) <= width else short
    return [((between if at else " ") + fact, "dim") for at, fact in enumerate(facts) if fact]


def preview(messages: tuple[Message, ...]) -> str:
    """The last user turn on one line."""
    asked = [message.content for message in messages if message.role == "user"]
    return one_line(" ".join(asked[-1].split())) if asked else ""


def spans_of(event: dict[str, Any]) -> tuple[Span, ...]:
    """What the companion's `pieces` tells of token ids."""
    special = {token["id"] for token in event["tokens"] if token["special"]}
    pieces = iter(token["token"] for token in event["tokens"])
    return tuple(
        Span(
            span["text"],
            tuple(span["ids"]),
            set(span["ids"]) <= special,
            tuple(next(pieces) for _ in span["ids"]),
        )
        for span in event["spans"]
    )
