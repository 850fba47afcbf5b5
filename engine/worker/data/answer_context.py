"""An answer in the context in which it would be given: the prompt of its turn, and what follows.

Templates write a finished turn in other words than the prompt that asks for it: the prompt opens a
block for reasoning (DeepSeek-R1), finished turns lose their reasoning (Qwen3), the system message
stands in the last user message only (Mistral). Owns putting the two together; works on texts alone.
"""

import re

from engine.chat import Message

_TAG = r"think|thinking|thought|reasoning"
_OPENED = re.compile(rf"<(?P<tag>{_TAG})>\s*(?P<closed></(?P=tag)>\s*)?\Z")
"""A block for reasoning at the end of a prompt: open, or closed and empty."""
_REASONING = re.compile(rf"(?:\s*<(?:{_TAG})>)?(?P<core>.*)(?P<close></(?:{_TAG})>)\s*", re.S)
"""All of an answer up to the end of its reasoning."""


_OPENING = re.compile(rf"<(?:{_TAG}|\|channel\|)>")
"""What an answer with reasoning begins with; gpt-oss writes it in a channel of its own."""
_MARK = re.compile(rf"</?(?P<tag>{_TAG})>")


class Unreadable(Exception):
    """A row whose answers cannot be found again in what the template made of it."""


def opened_tag(prompt: str) -> str:
    """The name of the block for reasoning that a prompt leaves open at its end, or nothing."""
    opened = _OPENED.search(prompt)
    return opened["tag"] if opened and not opened["closed"] else ""


def write_reasoning(message: Message, template: str) -> str:
    """The content of an answer, after its reasoning in the marks that the template's text knows.

    Without, where it knows none: then only the template itself can write the reasoning.
    """
    marks = _MARK.search(template)
    if not message.reasoning or marks is None:
        return message.content
    tag = marks["tag"]
    return f"<{tag}>\n{message.reasoning.strip()}\n</{tag}>\n\n{message.content}"


def continue_prompt(prompt: str, whole: str, content: str) -> tuple[str, int]:
    """The text of a conversation that ends in an answer, and where the answer starts in it.

    `prompt` is what the template asks the answer with, `whole` the conversation with the answer as
    it writes that, `content` the answer itself. The text begins with `prompt`, and has the
    reasoning of `content` where the template removes it. Only where the prompt has an empty block
    for reasoning and the answer brings its own does that take the block's place.

    Raises Unreadable where the answer is not found in `whole`.
    """
    reasoning = _REASONING.match(content)
    core = reasoning["core"].strip() if reasoning else ""
    opened = _OPENED.search(prompt)
    if whole.startswith(prompt):
        turn = _with_reasoning(whole, len(prompt), reasoning)[len(prompt) :]
        # White space next to that of the prompt could become one token with it (Qwen3.5).
        empty = opened and prompt[-1].isspace() and turn.lstrip().startswith(f"</{opened['tag']}>")
        return prompt + (turn.lstrip() if empty else turn), len(prompt)
    head = prompt[: opened.start()] if opened else prompt
    answer = content[reasoning.end() :] if reasoning else content
    turn = whole[_find_start(head, whole, answer.strip()) :]
    if opened is None or (opened["closed"] and core):
        return head + _with_reasoning(turn, 0, reasoning), len(head)
    tag = opened["tag"]
    if opened["closed"]:
        turn = re.sub(rf"\A\s*<{tag}>\s*</{tag}>\s*", "", turn)
        return prompt + turn, len(prompt)
    turn = _with_reasoning(turn, 0, reasoning)
    start = re.match(rf"\s*<{tag}>", turn)
    if start:
        turn = turn[start.end() :]
        # Of the white space after the tag, what the prompt has already comes once.
        gap = prompt[opened.start() + len(f"<{tag}>") :]
        turn = turn.removeprefix(gap)
    elif f"</{tag}>" not in turn:
        # An empty block, as above without white space next to that of the prompt.
        gap = "" if prompt[-1].isspace() else "\n\n"
        turn = f"{gap}</{tag}>\n\n" + (turn.lstrip() if reasoning else turn)
    return prompt + turn, len(prompt)


def _with_reasoning(whole: str, start: int, reasoning: re.Match[str] | None) -> str:
    """`whole`, in whose answer at `start` the reasoning stands that the template removed."""
    turn = whole[start:]
    if reasoning is None or reasoning["close"] in turn:
        return whole
    core = reasoning["core"].strip()
    # A template may write reasoning between marks of its own; an empty one is in every turn.
    return whole if core in turn else whole[:start] + reasoning[0] + turn.lstrip()


def _find_start(head: str, whole: str, answer: str) -> int:
    """Where the turn of `answer` goes on in `whole` after the text that ends as `head` does.

    The longest such text counts: more of it is in front of the last turn than of any other.
    """
    if whole.startswith(head):
        return len(head)
    low, high = 0, len(head)
    while low < high:
        size = (low + high + 1) // 2
        low, high = (size, high) if head[-size:] in whole else (low, size - 1)
    ending = head[len(head) - low :]
    at = whole.rfind(ending) if ending else -1
    while at >= 0:
        turn = whole[at + low :].lstrip()
        if turn.startswith(answer) or _OPENING.match(turn):
            return at + low
        at = whole.rfind(ending, 0, at + low - 1)
    raise Unreadable
