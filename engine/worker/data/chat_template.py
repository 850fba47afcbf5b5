"""Templates: how messages become the text that a model reads. Which one, and what it makes of them.

A checkpoint's own chat template where it has one, else plain instructions; ChatML, raw text, or a
file of the user's where it is asked for. Refuses templates that do not render, with their line.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.chat import Message, Tools, apply_prompt_options
from engine.errors import EngineError
from engine.worker.data import template_notes, template_sandbox, template_texts
from engine.worker.data.absent_parts import find_absent
from engine.worker.data.template_sandbox import Fault

SUFFIXES = (".jinja", ".j2", ".txt")
"""Of files that hold a template."""
FORMS = ("raw", "instruct", "chatml", "chat")
_LARGEST_FILE = 1 << 20
_LONGEST_PROBE = 1 << 20
_WORD = "finetop-probe"


@dataclass(frozen=True, slots=True)
class Template:
    """One way to write a conversation down."""

    name: str
    """One of FORMS, or the name of the user's file."""
    text: str
    takes_system: bool
    """False: a system message is merged into the first user turn (Gemma's template refuses it)."""
    system: str = ""
    """Put before conversations that bring no system message."""
    notes: tuple[str, ...] = ()
    """What the user should know of how it writes."""

    @property
    def saved(self) -> str:
        """The template as one text that Hugging Face's own tools render the same way.

        It brings the system prompt along. Dates are left to the day on which it is used.
        """
        return template_texts.with_system(self.text, self.system, self.takes_system)

    @property
    def hash(self) -> str:
        """SHA-256 of `saved`, in hex: equal for a run's template and for that of what it left."""
        return hashlib.sha256(self.saved.encode()).hexdigest()

    def render(
        self,
        messages: Iterable[Message],
        tokenizer: Any,
        *,
        answer_next: bool = False,
        tools: Tools = (),
    ) -> str:
        """The text of `messages`; `answer_next` opens the assistant's turn.

        `tools` are what the model may call. Raises Fault, a TemplateError, where the template
        refuses the conversation; what it leaves out in silence is found by `loss_spans`.
        """
        conversation = list(messages)
        try:
            return self._render(conversation, tokenizer, answer_next, tools)
        except Fault:
            if not any(message.tool_calls for message in conversation):
                raise
        # Most templates take the arguments of a call as an object, some (DeepSeek) as JSON text.
        return self._render(conversation, tokenizer, answer_next, tools, arguments_as_text=True)

    def _render(
        self,
        messages: Sequence[Message],
        tokenizer: Any,
        answer_next: bool,
        tools: Tools,
        *,
        arguments_as_text: bool = False,
    ) -> str:
        turns = [
            template_texts.write_turn(message, self.text, arguments_as_text) for message in messages
        ]
        if self.system and not any(turn["role"] == "system" for turn in turns):
            turns = [{"role": "system", "content": self.system}, *turns]
        if not self.takes_system:
            turns = template_texts.merge_system(turns)
        return template_sandbox.render(
            tokenizer, self.text, turns, answer_next=answer_next, tools=tools
        )


def choose_template(tokenizer: Any, form: str | None = None, system: str = "") -> Template:
    """The template of the wanted `form`, with `system` for rows that bring no system message.

    None or "": the tokenizer's own chat template (`chat`), else `instruct`. `chatml` closes turns
    with <|im_end|>; where the tokenizer has no such token the marks are written as letters and
    answers close with the end token, which the model then learns to stop at. `raw` is prompt,
    newline, answer, end token. A path ending in .jinja, .j2 or .txt is the user's own.

    Raises EngineError where the template does not render (with file and line), or the tokenizer has
    no end token.
    """
    if tokenizer.eos_token is None:
        raise EngineError(
            "The tokenizer has no EOS token.",
            str(tokenizer.name_or_path),
            "Set eos_token in tokenizer_config.json: answers need it to end.",
        )
    own = own_template(tokenizer)
    if form == "chat" and own is None:
        raise EngineError(
            "This checkpoint has no chat template.",
            str(tokenizer.name_or_path),
            "Use the template instruct, chatml or raw, or a Jinja file.",
        )
    form = form or ("instruct" if own is None else "chat")
    if form == "chat":
        assert own is not None
        return _tried(Template("chat", own, True, system), tokenizer, "chat_template")
    if form.endswith(SUFFIXES):
        path = Path(form).expanduser()
        return _tried(Template(path.name, _read(path), True, system), tokenizer, str(path))
    if form not in FORMS:
        raise EngineError(
            f"Unknown template {form!r}.",
            hint=f"Use one of {', '.join(FORMS)}, or a file ending in {', '.join(SUFFIXES)}.",
        )
    notes: tuple[str, ...] = ()
    text = {"instruct": template_texts.INSTRUCT, "raw": template_texts.RAW}.get(
        form, template_texts.CHATML
    )
    if form == "chatml" and not _has_marks(tokenizer):
        text = template_texts.CHATML_WRITTEN
        notes = (
            "the tokenizer has no <|im_start|> and <|im_end|>: they are encoded as plain text, "
            f"and answers end with {tokenizer.eos_token}",
        )
    lead = "{{ bos_token }}" if leading_ids(tokenizer) else ""
    return Template(form, lead + text, takes_system=True, system=system, notes=notes)


def leading_ids(tokenizer: Any) -> list[int]:
    """What the tokenizer itself puts before a text: its BOS token, or nothing."""
    first = tokenizer("a")["input_ids"][:1]
    return list(first) if first and first[0] == tokenizer.bos_token_id else []


def plain_ids(text: str, tokenizer: Any) -> list[int]:
    """Token ids of a text without a template: BOS where the tokenizer puts one, and once only."""
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    lead = leading_ids(tokenizer)
    return ids if lead and ids[:1] == lead else lead + ids


def prompt_text(
    messages: Sequence[Message],
    tokenizer: Any,
    form: str | None = None,
    system: str | None = None,
    prefix: str | None = None,
    tools: Tools = (),
) -> str:
    """The text that a model is asked to go on from. Under `raw` it is the user's, and has no BOS.

    `system` takes the place of the conversation's own system message; `prefix` goes before the last
    user turn, on a line of its own unless it ends in white space. Raises EngineError, also
    where the template leaves out tools, their results or calls in silence.
    """
    turns = apply_prompt_options(messages, system, prefix)
    if form == "raw":
        name, text = "raw", "\n\n".join(turn.content for turn in turns)
    else:
        template = choose_template(tokenizer, form)
        name = template.name
        try:
            text = template.render(turns, tokenizer, answer_next=True, tools=tools)
        except Fault as error:
            raise EngineError(
                "The chat template rejects this conversation.", error.reason
            ) from error
    absent = find_absent([*turns, Message("assistant", "")], tools, text, len(text))
    if absent:
        raise EngineError(
            f"The template leaves out {absent}.",
            f"{tokenizer.name_or_path}: {name}",
            "Use a model whose template writes them, or the template chatml.",
        )
    return text


def prompt_ids(text: str, tokenizer: Any, form: str | None) -> list[int]:
    """Token ids of a `prompt_text`, with one BOS if the template or the tokenizer wants one."""
    if form == "raw":
        return plain_ids(text, tokenizer)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def render_prompt(
    messages: Sequence[Message],
    tokenizer: Any,
    form: str | None = None,
    system: str | None = None,
    prefix: str | None = None,
    tools: Tools = (),
) -> list[int]:
    """Token ids to generate from: `prompt_ids` of `prompt_text`. Raises EngineError where empty."""
    text = prompt_text(messages, tokenizer, form, system, prefix, tools)
    ids = prompt_ids(text, tokenizer, form)
    if not ids:
        raise EngineError("The prompt is empty.", hint="Enter a prompt.")
    return ids


def own_template(tokenizer: Any) -> str | None:
    """The tokenizer's own chat template; None where it has none.

    Of several that are named, the `default` one, or `tool_use` where tools are given.
    """
    own = tokenizer.chat_template
    if not isinstance(own, dict):
        return own or None
    default, with_tools = own.get("default"), own.get("tool_use")
    if not default or not with_tools:
        return default or None
    return f"{{% if tools %}}{with_tools}{{% else %}}{default}{{% endif %}}"


def _has_marks(tokenizer: Any) -> bool:
    added = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    return added.issuperset(template_texts.CHATML_MARKS)


def _read(path: Path) -> str:
    """The text of a template file. Raises EngineError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineError(
            "The template cannot be read.", f"{path}: {error.strerror}", "Check data.template."
        ) from error
    try:
        text = data.decode() if len(data) <= _LARGEST_FILE else ""
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EngineError("The template is not UTF-8 text.", f"{path}:{line}") from error
    if not text.strip():
        reason = f"it has {len(data):,} bytes" if data else "it is empty"
        raise EngineError("The file contains no chat template.", f"{path}: {reason}")
    return text.replace("\r\n", "\n")


def _tried(template: Template, tokenizer: Any, where: str) -> Template:
    """`template`, after it wrote down a short conversation; finds out what it takes.

    Some templates raise at a system message, some drop it in silence. Raises EngineError.
    """
    question = [Message("user", _WORD)]
    bare = Template(template.name, template.text, takes_system=True)
    name = where if where != "chat_template" else f"{tokenizer.name_or_path}: chat template"
    try:
        template_sandbox.check_powers(bare.text)
        rendered = bare.render(question, tokenizer, answer_next=True)
    except Fault as error:
        raise EngineError(
            "The chat template does not render.",
            f"{name}:{error.line}: {error.reason}" if error.line else f"{name}: {error.reason}",
            "Correct it, or use the template instruct, chatml or raw.",
        ) from None
    if len(rendered) > _LONGEST_PROBE or _WORD not in rendered:
        what = "omits user messages" if _WORD not in rendered else "never ends its output"
        raise EngineError(
            f"The chat template {what}.",
            name,
            "It must output message.content of every message.",
        )
    try:
        with_system = bare.render([Message("system", "finetop-system"), *question], tokenizer)
        takes = "finetop-system" in with_system
    except Fault:
        takes = False
    notes = []
    if not takes:
        notes.append("it has no system role: the system prompt is put into the first user message")
    if "strftime_now" in template.text or "date_string" in template.text:
        notes.append(f"it contains the date, fixed to {template_texts.DATE} here")
    tried = Template(template.name, template.text, takes)

    def render(messages: Sequence[Message], answer_next: bool) -> str:
        return tried.render(messages, tokenizer, answer_next=answer_next)

    notes += template_notes.describe_turns(render)
    return Template(template.name, template.text, takes, template.system, tuple(notes))
