"""Arms: the ways to answer that are compared, and the grammar in which they are written.

    NAME=CHECKPOINT[+ADAPTER][@STRENGTH][?prompt=raw|chat|instruct|chatml&system=…&prefix=…]
    NAME=http://HOST[:PORT][/PATH]?model=…[&key=ENVIRONMENT_VARIABLE&prompt=raw|chat&system=…]

or a run's id, or a checkpoint alone. `&tools=FILE.json` gives an arm tools, for prompts that bring
none (see `engine.compare.arm_tools`); `&null=SEED` puts a random change of the same shapes and
norms in place of the adapter's (see `engine.worker.inference.null_adapters`). Any decode setting
can follow as well, for this arm alone: `&temperature=0.7&max_new_tokens=64`. A character that the
grammar needs is written as %XX inside a part. Knows the words, not the disk: whether a checkpoint
exists is for `engine.checkpoints`.
"""

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args
from urllib.parse import unquote, urlsplit

from engine.compare.key_names import hide_secrets, is_variable
from engine.errors import EngineError
from engine.jobs.summary import short_ref
from engine.recipes import validation
from engine.recipes.recipe import (
    EvaluateRecipe,
    GenerateRecipe,
    JudgeRecipe,
    Recipe,
    SweepRecipe,
    SynthesizeRecipe,
)
from engine.recipes.settings import Decode

PromptForm = Literal["raw", "chat", "instruct", "chatml"]
FORMS: tuple[PromptForm, ...] = get_args(PromptForm)
STRONGEST = 1.5
LARGEST_SEED = 2**32 - 1
INVALID = "Invalid arm: "
"""How the title of an error begins where an arm in words is wrong."""
GRAMMAR = (
    "NAME=CHECKPOINT[+ADAPTER][@STRENGTH]"
    "[?prompt=raw|chat|instruct|chatml&system=…&prefix=…&tools=FILE]"
)
ENDPOINT = "NAME=http://HOST:PORT/v1?model=…[&key=ENVIRONMENT_VARIABLE]"

_RESERVED = re.compile("[%+@?&=\x00-\x1f]")
_SCHEMES = ("http://", "https://")
_DECODE = tuple(field.name for field in dataclasses.fields(Decode))
_SETTINGS = ("prompt", "system", "prefix", "tools", "null", "model", "key", *_DECODE)
_UNSAFE = re.compile(r"[\s\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to answer."""

    name: str
    checkpoint: str
    """A ref: `bundled:NAME`, `run:ID` or a path; it may be an adapter, which names its base."""
    adapter: str | None = None
    """A ref too; None: the checkpoint as it is."""
    strength: float = 1.0
    """What the adapter's change is multiplied by, from 0 to 1.5; the checkpoint may be one too."""
    form: PromptForm | None = None
    """How the prompt is written; None: by the chat template, or as instructions without one."""
    system: str | None = None
    """In place of the conversation's own system message; empty: none at all."""
    prefix: str | None = None
    """Put before the last user turn."""
    tools: str | None = None
    """A JSON file of the tools that it may call, where a prompt brings none."""
    null: int | None = None
    """The seed of the random change that stands in place of the adapter's; None: its own."""
    model: str | None = None
    """What an endpoint calls the model."""
    key: str | None = None
    """The environment variable with an endpoint's key, never the key itself."""
    decode: tuple[tuple[str, float], ...] = ()
    """Decode settings of this arm alone, by name and in their order in `Decode`."""

    @property
    def is_endpoint(self) -> bool:
        """Whether the checkpoint is the address of a server that answers."""
        return self.checkpoint.startswith(_SCHEMES)

    def decoding(self, usual: Decode) -> Decode:
        """How this arm decodes, where the others decode as `usual`."""
        own: dict[str, Any] = dict(self.decode)
        return dataclasses.replace(usual, **own) if own else usual


def parse_arm(text: str) -> Arm:
    """The arm that `text` describes. Raises EngineError that names the part that is wrong."""
    head, _, query = text.partition("?")
    name, equals, body = head.partition("=")
    if not equals:
        name, body = "", head
    checkpoint, plus, adapter = body.partition("+")
    settings = _settings(text, query)
    if checkpoint.startswith(_SCHEMES):
        return _endpoint(text, unquote(name), body, settings)
    if not checkpoint or (equals and not name):
        raise _wrong(text, "the name is missing" if checkpoint else "the checkpoint is missing")
    if plus:
        adapter, strength = _split_strength(text, adapter)
    else:
        checkpoint, strength = _split_strength(text, checkpoint)
    if not checkpoint or (plus and not adapter):
        what = "adapter after + is" if plus else "checkpoint is"
        raise _wrong(text, f"the {what} missing")
    if "model" in settings or "key" in settings:
        raise _wrong(text, "model= and key= need a URL that starts with http")
    ref = unquote(checkpoint) if equals or _is_ref(checkpoint) else f"run:{unquote(checkpoint)}"
    return Arm(
        name=unquote(name) or _short(ref),
        checkpoint=ref,
        adapter=unquote(adapter) if plus else None,
        strength=strength,
        form=cast("PromptForm | None", settings.get("prompt")),
        system=settings.get("system"),
        prefix=settings.get("prefix"),
        tools=settings.get("tools"),
        null=_null_seed(text, settings),
        decode=_own_decode(text, settings),
    )


def parse_arms(texts: Iterable[str]) -> list[Arm]:
    """Arms with names of their own. Raises EngineError, also where two are called the same."""
    arms = [parse_arm(text) for text in texts]
    names = [arm.name for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise EngineError(
                f"Two arms have the name {name!r}.", "", "Give each a unique name: NAME=CHECKPOINT."
            )
    return arms


def answering_arms(recipe: Recipe) -> list[str]:
    """The arms that a job asks and that may be endpoints; none of a job that asks no such arm."""
    if isinstance(recipe, JudgeRecipe):
        return [recipe.judge]
    if isinstance(recipe, SynthesizeRecipe):
        texts = (recipe.asking.generator, recipe.pairs.rejected_generator, recipe.gates.judge)
        return list(dict.fromkeys(filter(None, texts)))
    return recipe.arms if isinstance(recipe, GenerateRecipe | EvaluateRecipe) else []


def needs_device(recipe: Recipe) -> bool:
    """Whether a job needs a device of this machine: one whose arms are endpoints alone does not,
    nor does a sweep, whose runs are jobs of their own."""
    if isinstance(recipe, SweepRecipe):
        return False
    if not isinstance(recipe, GenerateRecipe | JudgeRecipe | SynthesizeRecipe):
        return True
    try:
        return any(not parse_arm(text).is_endpoint for text in answering_arms(recipe))
    except EngineError:
        return False  # the job ends with that, and waits for nothing before


def format_arm(arm: Arm) -> str:
    """The arm in the grammar: `parse_arm` gives the same arm back."""
    text = f"{_quote(arm.name)}={_quote(arm.checkpoint)}"
    if arm.adapter is not None:
        text += f"+{_quote(arm.adapter)}"
    text += f"@{arm.strength!r}" if arm.strength != 1.0 else ""
    settings = {
        "prompt": arm.form,
        "system": arm.system,
        "prefix": arm.prefix,
        "tools": arm.tools,
        "null": None if arm.null is None else str(arm.null),
        "model": arm.model,
        "key": arm.key,
    }
    pairs = [f"{key}={_quote(value)}" for key, value in settings.items() if value is not None]
    pairs += [f"{name}={value!r}" for name, value in arm.decode]
    return text + ("?" + "&".join(pairs) if pairs else "")


def format_nameless(arm: Arm) -> str:
    """What an arm is but for its name: two of one such text answer alike."""
    return format_arm(dataclasses.replace(arm, name="arm"))


def _endpoint(text: str, name: str, body: str, settings: dict[str, str]) -> Arm:
    """A model behind an address, as the settings of the arm have it."""
    address = unquote(body).rstrip("/")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _wrong(text, f"invalid URL: {error}") from error
    if not host or "@" in parts.netloc or parts.query or parts.fragment or _UNSAFE.search(address):
        raise _wrong(text, "the URL is not http://HOST:PORT/PATH")
    form = settings.get("prompt", "chat")
    if form not in ("chat", "raw"):
        raise _wrong(text, "an endpoint applies its own template: use prompt=chat or prompt=raw")
    if "null" in settings:
        raise _wrong(text, "null= needs an adapter")
    if not settings.get("model"):
        raise _wrong(text, "model= is missing: an endpoint needs a model name")
    key = settings.get("key")
    if key is not None and not is_variable(key):
        raise _wrong(text, "key= is the name of an environment variable, not the key itself")
    return Arm(
        name=name or (f"{host}:{port}" if port else host),
        checkpoint=address,
        form=cast("PromptForm | None", settings.get("prompt")),
        system=settings.get("system"),
        prefix=settings.get("prefix"),
        tools=settings.get("tools"),
        model=settings["model"],
        key=key,
        decode=_own_decode(text, settings),
    )


def _null_seed(text: str, settings: dict[str, str]) -> int | None:
    written = settings.get("null")
    if written is None:
        return None
    is_number = written.isascii() and written.isdecimal() and len(written) <= 10
    if not is_number or int(written) > LARGEST_SEED:
        raise _wrong(text, f"null={hide_secrets(written)} is not a seed, a whole number from 0")
    return int(written)


def _own_decode(text: str, settings: dict[str, str]) -> tuple[tuple[str, float], ...]:
    """The decode settings among an arm's, as numbers. Raises EngineError."""
    own = {
        name: validation.coerce(Decode, name, settings[name])
        for name in _DECODE
        if name in settings
    }
    for name, reason in validation.errors(Decode, own).items():
        raise _wrong(text, f"{name} {reason}")
    return tuple((name, getattr(validation.build(Decode, own), name)) for name in own)


def _split_strength(text: str, ref: str) -> tuple[str, float]:
    """What is before the last @, and the strength after it; 1 where there is none."""
    folder, slash, last = ref.rpartition("/")
    last, at, number = last.rpartition("@")
    if not at:
        return ref, 1.0
    try:
        strength = float(number)
    except ValueError:
        raise _wrong(text, f"the strength {number!r} is not a number (an @ is %40)") from None
    if not (math.isfinite(strength) and 0 <= strength <= STRONGEST):
        raise _wrong(text, f"strength must be 0 to {STRONGEST}")
    return folder + slash + last, strength


def _settings(text: str, query: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    for pair in query.split("&") if query else []:
        key, equals, value = pair.partition("=")
        if key not in _SETTINGS or not equals:
            known = ", ".join(f"{name}=" for name in _SETTINGS)
            raise _wrong(text, f"{hide_secrets(pair)!r} is not one of {known}")
        if key in settings:
            raise _wrong(text, f"{key} is set twice")
        settings[key] = unquote(value)
    form = settings.get("prompt")
    if form is not None and form not in FORMS:
        raise _wrong(text, f"prompt={form} is not one of {', '.join(FORMS)}")
    if "tools" in settings and (form == "raw" or not settings["tools"]):
        why = "a raw prompt has no place for tools" if form == "raw" else "tools= names no file"
        raise _wrong(text, why)
    return settings


def _is_ref(text: str) -> bool:
    return "/" in text or ":" in text or text.startswith((".", "~"))


def _short(ref: str) -> str:
    return short_ref(ref).rpartition("/")[2] or ref


def _quote(part: str) -> str:
    return _RESERVED.sub(lambda match: f"%{ord(match.group()):02X}", part)


def _wrong(text: str, why: str) -> EngineError:
    return EngineError(
        f"{INVALID}{why}.", hide_secrets(text), f"Use {GRAMMAR}, a run id, or {ENDPOINT}."
    )
