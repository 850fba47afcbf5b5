"""An answer as panes show it: its reasoning in a dim block, what it says, a line for each call.

Pure text, cleaned here; what is long is cut, and the cut is shown.
"""

from collections.abc import Sequence

from engine.answer_parts import AnswerParts, parts_of_message
from engine.chat import Message, ToolCall
from engine.text import clean, one_line
from engine.tool_calls import format_call
from engine.words import count_words
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece

MOST_CHARACTERS = 60_000
"""Shown of one text: more is cut, and said."""
MOST_CALL_CHARACTERS = 2_000
MOST_CALLS = 50
"""Lines of calls of one answer."""


def answer_lines(
    parts: AnswerParts,
    glyphs: Glyphs,
    spoken: Sequence[Line] | None = None,
    *,
    is_dense: bool = False,
) -> list[Line]:
    """All parts of an answer, a blank line between two unless `is_dense`.

    `spoken` is what it says, where that is shown in another way.
    """
    blocks = [
        _reasoning_lines(parts.reasoning, glyphs),
        text_lines(parts.spoken) if spoken is None and parts.spoken else list(spoken or ()),
        _call_lines(parts, glyphs),
    ]
    if parts.reasoning and not any(blocks[1:]):
        blocks[1] = [[("(no answer after the reasoning)", "dim")]]
    lines: list[Line] = []
    for block in filter(None, blocks):
        lines += [[], *block] if lines and not is_dense else block
    return lines


def message_lines(message: Message, role: str, head: str, glyphs: Glyphs) -> list[Line]:
    """A turn of the conversation before an answer; `head` says who speaks, and may be empty.

    A tool's result is marked as such, with the tool's name; an answer is shown with its parts.
    """
    if message.role == "tool":
        name = f"{message.name}: " if message.name else ""
        lines = text_lines(f"{name}{message.content}")
        mark: Piece = (f"{glyphs.result} ", "dim")
        return [[mark if not at else ("  ", ""), *line] for at, line in enumerate(lines)]
    if message.role != "assistant":
        return text_lines(head + message.content, role)
    parts = parts_of_message(message)
    if parts.is_plain:
        return text_lines(head + message.content, role)
    lines = answer_lines(parts, glyphs, is_dense=bool(head))
    return [[(head, "dim"), *lines[0]], *lines[1:]]


def text_lines(text: str, role: str = "") -> list[Line]:
    """A text line by line, clean; cut where it is very long."""
    lines: list[Line] = [[(line, role)] for line in clean(text[:MOST_CHARACTERS]).split("\n")]
    return [*lines, *cut_line(len(text))]


def cut_line(whole: int) -> list[Line]:
    """What is said of a text of so many characters where it is cut; nothing where it is not."""
    if whole <= MOST_CHARACTERS:
        return []
    return [[(f"(truncated: {whole:,} characters in total)", "warn")]]


def count_facts(parts: AnswerParts) -> list[str]:
    """What stands under an answer of its calls and its reasoning; nothing where it has none.

    A call that does not parse is no call, nor is one that a server's parser lost.
    """
    kinds = {"call": parts.tool_calls, "lost call": parts.lost, "malformed call": parts.malformed}
    facts = [f"{len(of)} {kind}{'s' * (len(of) != 1)}" for kind, of in kinds.items() if of]
    words = count_words(parts.reasoning)
    return [*facts, f"{words} word{'s' * (words != 1)} of reasoning"] if words else facts


def _reasoning_lines(reasoning: str, glyphs: Glyphs) -> list[Line]:
    if not reasoning:
        return []
    words = count_words(reasoning)
    head: Line = [(f"reasoning, {words} word{'s' * (words != 1)}", "dim")]
    rest = [[(f"{glyphs.pipe} ", "dim"), *line] for line in text_lines(reasoning, "dim")]
    return [head, *rest]


def _call_lines(parts: AnswerParts, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = [[_call_piece(call, glyphs)] for call in parts.tool_calls]
    lines += [
        [_call_piece(call, glyphs), ("  lost by the server's parser", "warn")]
        for call in parts.lost
    ]
    for one in parts.malformed:
        lines.append([(f"{glyphs.failed} malformed call: {one_line(one.reason)}", "bad")])
        lines.append([("  ", ""), (_short(one.text), "dim")])
    if len(lines) > MOST_CALLS:
        lines[MOST_CALLS:] = [[(f"({len(lines) - MOST_CALLS} more calls)", "warn")]]
    return lines


def _call_piece(call: ToolCall, glyphs: Glyphs) -> Piece:
    return (f"{glyphs.call} {_short(format_call(call))}", "strong")


def _short(text: str) -> str:
    """A call on one line, clean."""
    cut = one_line(text[:MOST_CALL_CHARACTERS])
    return f"{cut} (truncated)" if len(text) > MOST_CALL_CHARACTERS else cut
