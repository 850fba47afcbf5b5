"""Templates: how messages become the text that a model reads. Rendering only, no labels.

A checkpoint's own chat template where it has one, else a plain instruction template; both are
rendered by the sandboxed Jinja of transformers. Refuses templates that do not render.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, cast

from jinja2.exceptions import TemplateError

from engine.catalog.schemas import Message
from engine.compare.arms import PromptForm
from engine.errors import EngineError

INSTRUCT = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content + '\\n\\n' }}"
    "{% elif message.role == 'assistant' %}"
    "{{ '### Response:\\n' + message.content + eos_token + '\\n\\n' }}"
    "{% else %}{{ '### Instruction:\\n' + message.content + '\\n\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"
)
"""For checkpoints without a template of their own."""

TODAY = datetime(2024, 7, 26)
"""The one date that templates see: what was learned yesterday must render the same tomorrow."""


class Said(Protocol):
    """A message: who speaks, and what."""

    @property
    def role(self) -> str: ...
    @property
    def content(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Template:
    """One way to write a conversation down."""

    name: Literal["chat", "instruct"]
    text: str
    takes_system: bool
    """False: a system message is merged into the first user turn (Gemma's template refuses it)."""
    bos: str
    """What the template sees as `bos_token`."""

    @property
    def hash(self) -> str:
        """SHA-256 of the template's text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def render(self, messages: Iterable[Said], tokenizer: Any, *, answer_next: bool = False) -> str:
        """The text of `messages`; `answer_next` opens the assistant's turn.

        Raises TemplateError where the template refuses the conversation.
        """
        turns = [{"role": message.role, "content": message.content} for message in messages]
        if not self.takes_system:
            turns = _merge_system(turns)
        return cast(
            str,
            tokenizer.apply_chat_template(
                turns,
                chat_template=_pin_dates(self.text),
                add_generation_prompt=answer_next,
                tokenize=False,
                bos_token=self.bos,
                date_string=TODAY.strftime("%d %b %Y"),
            ),
        )


def choose_template(tokenizer: Any, form: Literal["chat", "instruct"] | None = None) -> Template:
    """The template for `tokenizer`: of the wanted form, or its own chat template where it has one.

    Raises EngineError where the template does not render, or the tokenizer has no end token.
    """
    own = _own_template(tokenizer)
    if form == "chat" and own is None:
        raise EngineError(
            "This checkpoint has no chat template.",
            str(tokenizer.name_or_path),
            "Use prompt=instruct or prompt=raw.",
        )
    if tokenizer.eos_token is None:
        raise EngineError(
            "The tokenizer has no end token.",
            str(tokenizer.name_or_path),
            "Set eos_token in tokenizer_config.json: without it no answer can end.",
        )
    if own is None or form == "instruct":
        bos = tokenizer.bos_token if leading_ids(tokenizer) else ""
        return Template("instruct", INSTRUCT, takes_system=True, bos=bos)
    probe = Template("chat", own, takes_system=True, bos=tokenizer.bos_token or "")
    return Template("chat", own, takes_system=_takes_system(probe, tokenizer), bos=probe.bos)


def default_form(tokenizer: Any) -> Literal["chat", "instruct"]:
    """The form that training takes where none is asked for."""
    return "instruct" if _own_template(tokenizer) is None else "chat"


def leading_ids(tokenizer: Any) -> list[int]:
    """What the tokenizer itself puts before a text: its BOS token, or nothing."""
    first = tokenizer("a")["input_ids"][:1]
    return list(first) if first and first[0] == tokenizer.bos_token_id else []


def prompt_text(
    messages: Sequence[Said],
    tokenizer: Any,
    form: PromptForm | None = None,
    system: str | None = None,
    prefix: str | None = None,
) -> str:
    """The text that a model is asked to go on from. A raw text has no BOS yet.

    `system` takes the place of the conversation's own system message; `prefix` goes before the last
    user turn, on a line of its own unless it ends in white space. Raises EngineError.
    """
    turns = dress(messages, system, prefix)
    if form == "raw":
        return "\n\n".join(turn.content for turn in turns)
    template = choose_template(tokenizer, form)
    try:
        return template.render(turns, tokenizer, answer_next=True)
    except TemplateError as error:
        raise EngineError("The chat template refuses this conversation.", str(error)) from error


def prompt_ids(text: str, tokenizer: Any, form: PromptForm | None) -> list[int]:
    """Token ids of a `prompt_text`, with one BOS if the template or the tokenizer wants one."""
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    return leading_ids(tokenizer) + ids if form == "raw" else ids


def render_prompt(
    messages: Sequence[Said],
    tokenizer: Any,
    form: PromptForm | None = None,
    system: str | None = None,
    prefix: str | None = None,
) -> list[int]:
    """Token ids to generate from: `prompt_ids` of `prompt_text`. Raises EngineError where empty."""
    ids = prompt_ids(prompt_text(messages, tokenizer, form, system, prefix), tokenizer, form)
    if not ids:
        raise EngineError("The prompt is empty.", hint="Write something to answer.")
    return ids


def dress(
    messages: Sequence[Said], system: str | None = None, prefix: str | None = None
) -> list[Message]:
    """The conversation with an arm's system message and prefix; see `prompt_text`."""
    turns = [Message(message.role, message.content) for message in messages]
    if system is not None:
        turns = [turn for turn in turns if turn.role != "system"]
        turns = [Message("system", system), *turns] if system else turns
    if prefix:
        users = [index for index, turn in enumerate(turns) if turn.role == "user"]
        for index in users[-1:]:
            gap = "" if prefix[-1].isspace() else "\n"
            turns[index] = Message("user", prefix + gap + turns[index].content)
    return turns


def _own_template(tokenizer: Any) -> str | None:
    own = tokenizer.chat_template
    if isinstance(own, dict):
        own = own.get("default")
    return own or None


def _takes_system(template: Template, tokenizer: Any) -> bool:
    """Whether a system message gets through; some templates raise, some drop it in silence."""
    user = Message("user", "Hello")
    try:
        template.render([user], tokenizer, answer_next=True)
    except TemplateError as error:
        raise EngineError(
            "The chat template does not render.",
            f"{tokenizer.name_or_path}: {error}",
            "Mend chat_template.jinja, or use prompt=instruct.",
        ) from error
    try:
        return "finetop-probe" in template.render(
            [Message("system", "finetop-probe"), user], tokenizer
        )
    except TemplateError:
        return False


def _merge_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    if system and rest:
        rest[0]["content"] = system + "\n\n" + rest[0]["content"]
    return rest


def _pin_dates(text: str) -> str:
    """Shadow `strftime_now` by a macro that knows only TODAY.

    A function cannot be handed in: transformers turns what is not plain data into a placeholder.
    """
    formats = re.findall(r"strftime_now\(\s*(?:\"([^\"]*)\"|'([^']*)')", text)
    if "strftime_now" not in text:
        return text
    known = {wanted: TODAY.strftime(wanted) for pair in formats for wanted in pair if wanted}
    table = json.dumps(known)
    shown = f"{{{{ {table}.get(format, '{TODAY:%d %b %Y}') }}}}"
    # The empty expression keeps trim_blocks from eating a newline that opens the template.
    return f"{{% macro strftime_now(format) %}}{shown}{{% endmacro %}}{{{{ '' }}}}{text}"
