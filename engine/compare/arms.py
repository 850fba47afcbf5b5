"""Arms: the ways to answer that are compared, and the grammar in which they are written.

    NAME=CHECKPOINT[+ADAPTER[@STRENGTH]][?prompt=raw|chat|instruct&system=…&prefix=…]

or a run's id, or a checkpoint alone. A character that the grammar needs is written as %XX inside a
part. Knows the words, not the disk: whether a checkpoint exists is for `engine.catalog` to say.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import unquote

from engine.errors import EngineError

PromptForm = Literal["raw", "chat", "instruct"]
FORMS: tuple[PromptForm, ...] = get_args(PromptForm)
STRONGEST = 1.5
GRAMMAR = "NAME=CHECKPOINT[+ADAPTER[@STRENGTH]][?prompt=raw|chat|instruct&system=…&prefix=…]"

_RESERVED = re.compile("[%+@?&=\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to answer."""

    name: str
    checkpoint: str
    """A ref: `bundled:NAME`, `run:ID` or a path; it may be an adapter, which names its base."""
    adapter: str | None = None
    """A ref too; None: the checkpoint as it is."""
    strength: float = 1.0
    """What the adapter's change is multiplied by, from 0 to 1.5."""
    form: PromptForm | None = None
    """How the prompt is written; None: by the chat template, or as instructions without one."""
    system: str | None = None
    """In place of the conversation's own system message; empty: none at all."""
    prefix: str | None = None
    """Put before the last user turn."""


def parse_arm(text: str) -> Arm:
    """The arm that `text` describes. Raises EngineError that names the part that is wrong."""
    head, _, query = text.partition("?")
    name, equals, body = head.partition("=")
    if not equals:
        name, body = "", head
    checkpoint, plus, adapter = body.partition("+")
    if not checkpoint or (equals and not name):
        raise _wrong(text, "the name is missing" if checkpoint else "the checkpoint is missing")
    strength = 1.0
    if plus:
        adapter, strength = _split_strength(text, adapter)
    settings = _settings(text, query)
    ref = unquote(checkpoint) if equals or _is_ref(checkpoint) else f"run:{unquote(checkpoint)}"
    return Arm(
        name=unquote(name) or _short(ref),
        checkpoint=ref,
        adapter=unquote(adapter) if plus else None,
        strength=strength,
        form=cast("PromptForm | None", settings.get("prompt")),
        system=settings.get("system"),
        prefix=settings.get("prefix"),
    )


def parse_arms(texts: Iterable[str]) -> list[Arm]:
    """Arms with names of their own. Raises EngineError, also where two are called the same."""
    arms = [parse_arm(text) for text in texts]
    names = [arm.name for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise EngineError(
                f"Two arms are called {name!r}.", "", "Name each of them: NAME=CHECKPOINT."
            )
    return arms


def format_arm(arm: Arm) -> str:
    """The arm in the grammar: `parse_arm` gives the same arm back."""
    text = f"{_quote(arm.name)}={_quote(arm.checkpoint)}"
    if arm.adapter is not None:
        text += f"+{_quote(arm.adapter)}"
        text += f"@{arm.strength!r}" if arm.strength != 1.0 else ""
    settings = {"prompt": arm.form, "system": arm.system, "prefix": arm.prefix}
    pairs = [f"{key}={_quote(value)}" for key, value in settings.items() if value is not None]
    return text + ("?" + "&".join(pairs) if pairs else "")


def _split_strength(text: str, adapter: str) -> tuple[str, float]:
    folder, slash, last = adapter.rpartition("/")
    last, at, number = last.rpartition("@")
    if not at:
        last, number = number, "1"
    path = folder + slash + last
    if not path:
        raise _wrong(text, "the adapter after + is missing")
    try:
        strength = float(number)
    except ValueError:
        raise _wrong(text, f"the strength {number!r} is not a number") from None
    if not (math.isfinite(strength) and 0 <= strength <= STRONGEST):
        raise _wrong(text, f"the strength {number} is not between 0 and {STRONGEST}")
    return path, strength


def _settings(text: str, query: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    for pair in query.split("&") if query else []:
        key, equals, value = pair.partition("=")
        if key not in ("prompt", "system", "prefix") or not equals:
            raise _wrong(text, f"{pair!r} is none of prompt=, system=, prefix=")
        if key in settings:
            raise _wrong(text, f"{key} is given twice")
        settings[key] = unquote(value)
    form = settings.get("prompt", "raw")
    if form not in FORMS:
        raise _wrong(text, f"prompt={form} is none of {', '.join(FORMS)}")
    return settings


def _is_ref(text: str) -> bool:
    return "/" in text or ":" in text or text.startswith((".", "~"))


def _short(ref: str) -> str:
    scheme, colon, rest = ref.partition(":")
    if colon and scheme in ("run", "bundled") and rest:
        return rest
    return ref.rstrip("/").rpartition("/")[2] or ref


def _quote(part: str) -> str:
    return _RESERVED.sub(lambda match: f"%{ord(match.group()):02X}", part)


def _wrong(text: str, why: str) -> EngineError:
    return EngineError(f"This is not an arm: {why}.", text, f"Write {GRAMMAR}, or a run's id.")
