"""What the user should know of how a template writes reasoning and earlier turns, as sentences.

Found out by rendering short conversations. Refuses nothing: a conversation that the template does
not take says nothing about it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from engine.chat import Message
from engine.worker.data.answer_context import Unreadable, continue_prompt, opened_tag
from engine.worker.data.template_sandbox import Fault

Render = Callable[[Sequence[Message], bool], str]
"""The text of messages; True opens the assistant's turn."""

_SYSTEM = Message("system", "finetop-system")
_QUESTION = Message("user", "finetop-question")
_PLAIN = "finetop-answer"
_END_MARK = re.compile(r"\s*(?:<[^<>]*>|\[[^][]*\])")
_REASON = "finetop-reasoning"
_REASONED = f"<think>\n{_REASON}\n</think>\n\n{_PLAIN}"


def describe_turns(render: Render) -> Iterator[str]:
    """A sentence for each thing that it does to reasoning and to earlier turns."""
    tag, stripped = "", False
    with suppress(Fault):
        tag = opened_tag(render([_QUESTION], True))
        stripped = _REASON not in render(_talk(_REASONED), False)
    if tag:
        yield (
            f"the generation prompt opens <{tag}>: "
            f"an answer without reasoning is trained after an empty <{tag}> block"
        )
    if stripped:
        yield "it removes the reasoning of answers: trained answers keep theirs"
    changes = list(_changes(render, stripped))
    if changes:
        yield (
            f"it {' and '.join(changes)}: each answer is trained in its own context, "
            "as a training row of its own where needed"
        )


def _changes(render: Render, stripped: bool) -> Iterator[str]:
    """What it does to earlier turns when the conversation goes on."""
    reasoned, plain, led = (
        _write_twice(render, [], _REASONED),
        _write_twice(render, [], _PLAIN),
        _write_twice(render, [_SYSTEM], _PLAIN),
    )
    if reasoned and not stripped and _REASON not in reasoned[1]:
        yield "removes the reasoning of earlier answers"
    if plain and not _stays(*plain):
        yield "writes the last answer differently from earlier ones"
    elif led and not _stays(*led):
        moves = _SYSTEM.content not in led[1].partition(_PLAIN)[0]
        yield (
            "writes the system message into the last user message only"
            if moves
            else "changes earlier turns where there is a system message"
        )


def _talk(answer: str) -> list[Message]:
    return [_QUESTION, Message("assistant", answer)]


def _write_twice(render: Render, lead: list[Message], answer: str) -> tuple[str, str] | None:
    """The text up to an answer as it is trained, and up to a second one; None where refused."""
    first = [*lead, *_talk(answer)]
    second = [*first, *_talk("finetop-last")]
    try:
        one, two = (
            continue_prompt(render(talk[:-1], True), render(talk, False), talk[-1].content)[0]
            for talk in (first, second)
        )
    except (Fault, Unreadable):
        return None
    return one, two


def _stays(first: str, second: str) -> bool:
    """Whether a text up to an answer and its end mark stays once the conversation goes on."""
    end = first.rfind(_PLAIN) + len(_PLAIN)
    mark = _END_MARK.match(first, end)
    return second.startswith(first[: mark.end() if mark else end])
