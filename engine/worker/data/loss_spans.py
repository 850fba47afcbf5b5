"""Which characters of a conversation are trained on: the answers, and the token that ends each.

Owns finding them in what the template made of the messages, and the tokens they become. Refuses
rows whose answers cannot be found again, with a reason.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.chat import Message, Tools
from engine.worker.data.absent_parts import find_absent
from engine.worker.data.answer_context import Unreadable, continue_prompt, write_reasoning
from engine.worker.data.chat_template import Template
from engine.worker.data.template_sandbox import Fault

IGNORE_INDEX = -100
"""The label of a token that is not trained on."""

Span = tuple[int, int]
_CALL_END = re.compile(r"tool|function", re.IGNORECASE)
"""In the marks that close a call."""


@dataclass(frozen=True, slots=True)
class TrainingText:
    """A text to train on, up to the end of its last answer."""

    text: str
    spans: tuple[Span, ...]
    """The characters of each answer and its end token."""
    answers: tuple[int, ...]
    """Which messages of the conversation these answers are."""


def find_answers(
    messages: Sequence[Message], tokenizer: Any, template: Template, tools: Tools = ()
) -> list[TrainingText]:
    """The texts in which the answers of a conversation are learned, each answer in one of them.

    An answer is learned in the context in which it would be given. One text serves for all where
    the template leaves what was said before as it was; else there are several, in order.

    What an assistant says before anybody asks is context, and is not trained on; nor is an answer
    that is marked so. Raises Unreadable, also where the template leaves out reasoning, calls or
    `tools` that there are, and Fault where the template refuses the conversation.
    """
    whole = len(messages)
    messages = drop_refused_greeting(messages, tokenizer, template)
    dropped, turns = whole - len(messages), _list_answers(messages)
    texts: list[TrainingText] = []
    for index in reversed(turns):
        text, start = _in_context(messages[: index + 1], tokenizer, template, tools)
        span = (start, _find_end(text, start, messages[index].content, tokenizer))
        text = text[: span[1]]
        if texts and texts[-1].text.startswith(text):
            last = texts[-1]
            texts[-1] = TrainingText(
                last.text, (span, *last.spans), (dropped + index, *last.answers)
            )
        else:
            texts.append(TrainingText(text, (span,), (dropped + index,)))
    return [_ended(one, tokenizer) for one in reversed(texts)]


def _in_context(
    messages: Sequence[Message], tokenizer: Any, template: Template, tools: Tools
) -> tuple[str, int]:
    """A conversation up to its last answer, and where that starts. Raises Unreadable."""
    number = sum(message.role == "assistant" for message in messages)
    prompt = template.render(messages[:-1], tokenizer, answer_next=True, tools=tools)
    whole = template.render(messages, tokenizer, tools=tools)
    content = write_reasoning(messages[-1], template.text)
    try:
        text, start = continue_prompt(prompt, whole, content)
    except Unreadable:
        raise Unreadable(f"the chat template does not write answer {number} as given") from None
    absent = find_absent(messages, tools, text, start)
    if absent:
        raise Unreadable(f"the chat template does not write {absent} (answer {number})")
    return text, start


def _ended(one: TrainingText, tokenizer: Any) -> TrainingText:
    """The text with an end token, where the template ends no answer: else none would be learned."""
    start, _ = one.spans[-1]
    if _end_marks(tokenizer).search(one.text, start):
        return one
    text = one.text + tokenizer.eos_token
    return TrainingText(text, (*one.spans[:-1], (start, len(text))), one.answers)


def opens_with_answer(messages: Sequence[Message]) -> bool:
    """Whether the assistant speaks before any user: a greeting."""
    roles = (message.role for message in messages)
    return next((role for role in roles if role in ("user", "assistant")), "") == "assistant"


def drop_refused_greeting(
    messages: Sequence[Message], tokenizer: Any, template: Template
) -> Sequence[Message]:
    """The messages, without what opens them where the template wants users to speak first."""
    if not opens_with_answer(messages):
        return messages
    roles = [message.role for message in messages]
    first = roles.index("user") if "user" in roles else len(roles) - 1
    try:
        template.render(messages[: first + 1], tokenizer)
    except Fault:
        system = [message for message in messages[:first] if message.role != "assistant"]
        return [*system, *messages[first:]]
    return messages


def _list_answers(messages: Sequence[Message]) -> list[int]:
    """Where the answers are that follow a prompt. Raises Unreadable where there is none."""
    roles = [message.role for message in messages]
    if "assistant" not in roles:
        raise Unreadable("the row has no answer to train on")
    first = roles.index("user") if "user" in roles else len(roles)
    answers = [index for index in range(first, len(roles)) if roles[index] == "assistant"]
    if not answers:
        raise Unreadable("the row starts with an answer instead of a prompt")
    trained = [index for index in answers if messages[index].trained]
    if not trained:
        raise Unreadable("every answer of the row is marked as not to be trained on")
    return trained


def _find_end(text: str, start: int, content: str, tokenizer: Any) -> int:
    """The end of the first special token that closes the answer at `start`, at the text's end.

    What closes a call (`</tool_call>`), and what `content` itself ends with, comes before it.
    """
    content = content.strip()
    written = text.rfind(content, start) if content else -1
    run = _end_marks(tokenizer).search(text, max(start, written + len(content)))
    if run is None:
        return len(text)
    marks = list(re.finditer(_marks(tokenizer), run[0]))
    ends = [mark for mark in marks if not _CALL_END.search(mark[0])]
    return run.start() + (ends[0] if ends else marks[-1]).end()


@lru_cache(maxsize=16)
def _marks(tokenizer: Any) -> str:
    """A pattern that matches any one special or added token."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    words = {word for word in added | set(tokenizer.all_special_tokens) if not word.isspace()}
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@lru_cache(maxsize=16)
def _end_marks(tokenizer: Any) -> re.Pattern[str]:
    """A run of special tokens at the end; group 1 is the first of them."""
    marks = _marks(tokenizer)
    return re.compile(rf"({marks})(?:\s*(?:{marks}))*\s*\Z")


def tokenise(text: str, spans: Sequence[Span], tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids and labels of the whole text; BOS is what the template wrote, never added again."""
    if not tokenizer.is_fast:
        return _tokenise_parts(text, spans, tokenizer)
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(coded["input_ids"])
    labels = [IGNORE_INDEX] * len(ids)
    pending = list(spans)
    for index, (begin, end) in enumerate(coded["offset_mapping"]):
        while pending and begin >= pending[0][1] and end > pending[0][1]:
            pending.pop(0)
        # A token of trimmed white space is empty (begin == end), and belongs to what it ends in.
        if pending and pending[0][0] < end <= pending[0][1]:
            labels[index] = ids[index]
    return ids, labels


def _tokenise_parts(
    text: str, spans: Sequence[Span], tokenizer: Any
) -> tuple[list[int], list[int]]:
    """The same, part by part, for tokenizers that cannot say which characters a token came from."""
    ids: list[int] = []
    labels: list[int] = []
    at = 0
    for start, end in spans:
        context = tokenizer(text[at:start], add_special_tokens=False)["input_ids"]
        answer = tokenizer(text[start:end], add_special_tokens=False)["input_ids"]
        ids += [*context, *answer]
        labels += [*([IGNORE_INDEX] * len(context)), *answer]
        at = end
    return ids, labels
