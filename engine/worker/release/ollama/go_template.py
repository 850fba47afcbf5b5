"""A chat template in Ollama's language, Go's text/template, found by what the Jinja one writes.

Owns a small subset: what stands between two messages follows from their roles, the system prompt
is written first or in the last question, and white space around a message may be stripped. Refuses
(None) a template that does anything else: dates, other heads for other conversations.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.chat import Message
from engine.worker.data.chat_template import Template, choose_template
from engine.worker.data.template_sandbox import Fault
from engine.worker.release.gguf.bos import adds_bos
from engine.worker.release.ollama import go_evaluate
from engine.worker.release.ollama.go_text import (
    with_definitions,
    write_literal,
    write_value,
)

_PAD = " \n"
_DATES = ("strftime_now", "date_string")
Strips = tuple[bool, bool]
"""Whether white space is taken off the start and the end of a message."""


@dataclass(frozen=True, slots=True)
class GoTemplate:
    text: str
    """For `TEMPLATE` of a Modelfile; without BOS where llama.cpp and Ollama add it."""
    system: str
    """The template's own system prompt, for conversations that bring none; empty: it has none."""
    conversations: int
    """How many it was compared on, byte for byte."""
    notes: tuple[str, ...] = ()

    def render(self, messages: Sequence[Message]) -> str:
        """What Ollama makes of it, up to the answer; without BOS. Raises ValueError."""
        return go_evaluate.render(self.text, messages)


@dataclass(frozen=True, slots=True)
class _Turns:
    """What a template writes around the messages of a conversation that ends with a question."""

    first: str
    """Before the first question, where there is no system prompt."""
    before_system: str
    after_system: str
    before_answer: str
    before_question: str
    end: str
    """After the last question, up to the answer."""
    system_last: bool
    """The system prompt stands in the last question."""
    strips: dict[str, Strips]
    """By place: system, first, led (the first after a system prompt), question, answer."""


class _OtherForm(Exception):
    """The template does what the subset cannot say."""


def go_template_of(tokenizer: Any, conversations: Sequence[Sequence[Message]]) -> GoTemplate | None:
    """The tokenizer's chat template for Ollama; None where it is not proven to be the same on
    `conversations` and on probes of our own. Raises EngineError for a template that does not
    render.

    Compared are prompts: conversations up to their last question, without tools and reasoning, the
    system prompt first and no two messages of one role in a row (Ollama joins those).
    """
    if tokenizer.chat_template is None:
        return None
    template = choose_template(tokenizer, "chat")
    if any(word in template.text for word in _DATES):
        return None
    bos = tokenizer.bos_token if adds_bos(tokenizer) else ""
    jinja = _Jinja(template, tokenizer, bos)
    try:
        turns = _find_turns(jinja)
        text = with_definitions(_write(turns))
    except (_OtherForm, Fault):
        return None
    prompts = [prompt for one in (*conversations, *probes()) if (prompt := as_prompt(one))]
    compared = 0
    for prompt in prompts:
        try:
            wanted = jinja.render(prompt)
        except Fault:
            continue
        if go_evaluate.render(text, prompt) != wanted:
            return None
        compared += 1
    notes = ["tools are not in it"] if "tools" in template.text else []
    if turns.strips["first"] != (False, False):
        notes.append("it strips white space around messages, of ASCII alone")
    return GoTemplate(text, _own_system(jinja, turns), compared, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Jinja:
    template: Template
    tokenizer: Any
    bos: str

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt without the BOS that others add. Raises Fault, _OtherForm."""
        text = self.template.render(messages, self.tokenizer, answer_next=True)
        if not text.startswith(self.bos):
            raise _OtherForm
        return text.removeprefix(self.bos)

    def cut(self, roles: str, order: str = "", padded: int = -1) -> list[str]:
        """What stands around the messages of a conversation, given by their first letters; `order`
        is that in which they are written. One is `padded` with white space on both sides."""
        names = {"s": "system", "u": "user", "a": "assistant"}
        words = [f"finetop{role}{at}x" for at, role in enumerate(roles)]
        contents = [_PAD + one + _PAD if at == padded else one for at, one in enumerate(words)]
        text = self.render([Message(names[role], one)
                            for role, one in zip(roles, contents, strict=True)])  # fmt: skip
        pieces = []
        for at in map(int, order or "".join(map(str, range(len(roles))))):
            if text.count(words[at]) != 1:
                raise _OtherForm
            piece, _, text = text.partition(words[at])
            pieces.append(piece)
        return [*pieces, text]


def _find_turns(jinja: _Jinja) -> _Turns:
    first, end = jinja.cut("u")
    again, before_answer, before_question, last = jinja.cut("uau")
    system_last = _comes_last(jinja)
    if system_last:
        alone = jinja.cut("su")
        start, answer, question, after_system, last_end = jinja.cut("suau", "1203")
        before_system = ""
        same = [alone[0], alone[1], question] == [first, after_system, before_question]
    else:
        before_system, after_system, alone_end = jinja.cut("su")
        *head, answer, question, last_end = jinja.cut("suau")
        start, same = first, head == [before_system, after_system] and alone_end == end
    if not same or [again, last, start, answer, last_end] != [
        first, end, first, before_answer, end
    ]:  # fmt: skip
        raise _OtherForm
    places = {
        "system": ("suau", 0), "first": ("uau", 0), "led": ("suau", 1),
        "question": ("uau", 2), "answer": ("uau", 1),
    }  # fmt: skip
    order = "1203" if system_last else "0123"
    strips = {
        place: _strips(jinja, roles, at, order if roles == "suau" else "012")
        for place, (roles, at) in places.items()
    }
    return _Turns(
        first, before_system, after_system, before_answer, before_question, end, system_last, strips
    )


def _comes_last(jinja: _Jinja) -> bool:
    """Whether the system prompt is written in the last question rather than first."""
    try:
        jinja.cut("suau")
    except _OtherForm:
        jinja.cut("suau", "1203")
        return True
    return False


def _strips(jinja: _Jinja, roles: str, at: int, order: str) -> Strips:
    plain, padded = jinja.cut(roles, order), jinja.cut(roles, order, padded=at)
    place = order.index(str(at))
    strips = []
    for index, wanted in ((place, plain[place] + _PAD), (place + 1, _PAD + plain[place + 1])):
        if padded[index] not in (plain[index], wanted):
            raise _OtherForm
        strips.append(padded[index] != wanted)
    if any(one != other for index, (one, other) in enumerate(zip(plain, padded, strict=True))
           if index not in (place, place + 1)):  # fmt: skip
        raise _OtherForm
    return strips[0], strips[1]


def _own_system(jinja: _Jinja, turns: _Turns) -> str:
    """What the template says as system prompt where a conversation brings none."""
    before, after, first = turns.before_system, turns.after_system, turns.first
    longer = len(first) > len(before) + len(after)
    if turns.system_last or not (longer and first.startswith(before) and first.endswith(after)):
        return ""
    own = first[len(before) : len(first) - len(after)]
    question = Message("user", "a")
    try:
        same = jinja.render([Message("system", own), question]) == jinja.render([question])
    except Fault:
        return ""
    return own if same and own.strip() else ""


def _write(turns: _Turns) -> str:
    """The template's code."""
    content = {place: write_value(".Content", *strips) for place, strips in turns.strips.items()}
    system = write_value("$.System", *turns.strips["system"])
    heads = {"first": turns.first, "led": turns.after_system, "question": turns.before_question}
    if turns.system_last:
        # The first question is written alike with and without a system prompt.
        heads["led"] = turns.first
    tail = ""
    if len({content[place] for place in heads}) == 1:
        tail = _common_mark(list(heads.values()))
        ending = content["first"]
        content |= dict.fromkeys(heads, "")
    elif turns.system_last:
        raise _OtherForm
    else:
        ending = ""
    head = {
        place: write_literal(one.removesuffix(tail)) + content[place]
        for place, one in heads.items()
    }
    last = ""
    if turns.system_last:
        head["led"] = head["first"]
        last = (
            "{{ if eq (len (slice $.Messages $at)) 1 }}{{ if $.System }}"
            + system + write_literal(turns.after_system) + "{{ end }}{{ end }}"
        )  # fmt: skip
    else:
        head["led"] = write_literal(turns.before_system) + system + head["led"]
    begin = "{{ else if $.System }}" + head["led"] if head["led"] != head["first"] else ""
    alone = "{{ else }}" + head["first"] if head["first"] else ""
    question = (
        "{{ if $begun }}" + head["question"] + begin + alone + "{{ end }}"
        + write_literal(tail) + last + ending
    )  # fmt: skip
    return (
        "{{ $begun := false }}{{ range $at, $message := .Messages }}"
        '{{ if eq .Role "user" }}' + question + "{{ $begun = true }}"
        '{{ else if eq .Role "assistant" }}'
        + write_literal(turns.before_answer) + content["answer"]
        + "{{ end }}{{ end }}" + write_literal(turns.end)
    )  # fmt: skip


def _common_mark(heads: list[str]) -> str:
    """The longest end that all share and that begins with a mark, as "<|user|>" does."""
    shortest = min(map(len, heads))
    equal = next(
        (at for at in range(shortest) if len({one[-1 - at] for one in heads}) > 1), shortest
    )
    tail = heads[0][len(heads[0]) - equal :]
    mark = re.search(r"[<\[#]", tail)
    return tail[mark.start() :] if mark else tail


def as_prompt(messages: Sequence[Message]) -> list[Message]:
    """The conversation up to its last question; nothing where Ollama reads it otherwise: with
    tools, reasoning, two messages of one role in a row (it joins them), a system prompt later."""
    roles = [one.role for one in messages]
    if "user" not in roles:
        return []
    kept = list(messages[: len(roles) - roles[::-1].index("user")])
    plain = all(
        one.role in ("system", "user", "assistant")
        and not (one.tool_calls or one.reasoning or "</think>" in one.content)
        for one in kept
    )
    led = kept[1:] if kept[0].role == "system" else kept
    turns = ["user", "assistant"] * len(led)
    return kept if plain and [one.role for one in led] == turns[: len(led)] else []


def probes() -> list[list[Message]]:
    """Twenty conversations: with and without a system prompt, one to four questions, and contents
    that a template might take for its own marks."""
    contents = [
        "Hello", "two\nlines\n\nand a gap", "{{ .Content }} {{- end }}", '"""quoted""" `x` \\n %s',
        "日本語 👩\u200d💻 e\u0301 \u00a0x", "  outer space \n", "<|im_end|></s>[/INST]",
        "1 < 2 & 3", "{% for m in messages %}", "long " * 2000 + "end.",
    ]  # fmt: skip
    found = []
    for at in range(20):
        count = at % 4 + 1
        words = [contents[(at + step) % len(contents)] for step in range(2 * count - 1)]
        talk = [Message(("user", "assistant")[step % 2], one) for step, one in enumerate(words)]
        system = [Message("system", contents[(at + 7) % len(contents)])] if at % 2 else []
        found.append([*system, *talk])
    return found
