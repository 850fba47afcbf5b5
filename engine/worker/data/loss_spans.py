"""Which characters of a conversation are trained on: the answers, and the token that ends each.

Owns finding them in what the template made of the messages, and the tokens they become. Refuses
rows whose answers cannot be found again, with a reason.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from engine.worker.data.chat_template import ChatMessage, Template
from engine.worker.data.template_sandbox import Fault

IGNORE_INDEX = -100
"""The label of a token that is not trained on."""

Span = tuple[int, int]


class Unreadable(Exception):
    """A row whose answers cannot be found again in what the template made of it."""


def find_answers(
    messages: Sequence[ChatMessage], tokenizer: Any, template: Template
) -> tuple[str, list[Span]]:
    """The text up to the last answer's end, and the characters of each answer and its end token.

    What an assistant says before anybody asks is context, and is not trained on.
    """
    messages = drop_refused_greeting(messages, tokenizer, template)
    turns = _list_answers(messages)
    text = template.render(messages[: turns[-1] + 1], tokenizer)
    spans: list[Span] = []
    for index in turns:
        prompt = template.render(messages[:index], tokenizer, answer_next=True)
        if not text.startswith(prompt):
            raise Unreadable(f"the chat template changes the text before answer {index}")
        last = index == turns[-1]
        upto = text if last else template.render(messages[: index + 1], tokenizer)
        start = len(prompt)
        if text.startswith(upto):
            end = _end_within(text, start, len(upto), tokenizer)
        else:
            end = _end_by_content(text, start, messages[index].content.strip(), tokenizer)
        spans.append((start, end))
    start, end = spans[-1]
    text = text[:end]
    if not _end_marks(tokenizer).search(text, start):
        # The template ends no answer: without this the model would never learn to stop.
        text += tokenizer.eos_token
        spans[-1] = (start, len(text))
    return text, spans


def opens_with_answer(messages: Sequence[ChatMessage]) -> bool:
    """Whether the assistant speaks before any user: a greeting."""
    roles = (message.role for message in messages)
    return next((role for role in roles if role in ("user", "assistant")), "") == "assistant"


def drop_refused_greeting(
    messages: Sequence[ChatMessage], tokenizer: Any, template: Template
) -> Sequence[ChatMessage]:
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


def _list_answers(messages: Sequence[ChatMessage]) -> list[int]:
    """Where the answers are that follow a prompt. Raises Unreadable where there is none."""
    roles = [message.role for message in messages]
    if "assistant" not in roles:
        raise Unreadable("the row has no answer to train on")
    first = roles.index("user") if "user" in roles else len(roles)
    answers = [index for index in range(first, len(roles)) if roles[index] == "assistant"]
    if not answers:
        raise Unreadable("the row starts with an answer instead of a prompt")
    return answers


def _end_within(text: str, start: int, end: int, tokenizer: Any) -> int:
    """The end of the first of the special tokens that close text[start:end]."""
    tail = _end_marks(tokenizer).search(text, start, end)
    return tail.end(1) if tail else end


def _end_by_content(text: str, start: int, content: str, tokenizer: Any) -> int:
    """The same for an answer that a later turn made the template write differently (reasoning)."""
    at = text.find(content, start)
    if at < 0:
        raise Unreadable("the chat template changes an earlier answer")
    end = at + len(content)
    following = re.compile(rf"\s*(?:{_marks(tokenizer)})").match(text, end)
    return following.end() if following else end


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
