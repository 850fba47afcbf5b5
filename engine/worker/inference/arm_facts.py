"""How arms differ but for what they say, and what should be known before one believes it.

What files tell is told at once; which weights are the same is found by one forward pass an arm over
the same tokens.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from engine.chat import Message, Tools
from engine.checkpoints import config_json
from engine.checkpoints.adapter_rows import count_rows, shares_base
from engine.checkpoints.context import find_context_length
from engine.checkpoints.gguf_config import UNROUNDED, name_quantization
from engine.checkpoints.gguf_file import read_model_config
from engine.checkpoints.gguf_header import is_gguf, read_gguf_header
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm, format_arm
from engine.errors import EngineError
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Decode
from engine.tool_calls import tool_names
from engine.worker.data.chat_template import Template, choose_template, render_prompt
from engine.worker.data.token_ids import explain_unknown
from engine.worker.inference.models import unreadable
from engine.worker.inference.token_shift import mean_kl
from engine.worker.model import loading

PROBE = "Tell me about the sea, and count from one to ten."
"""What arms read where no prompt is given."""
MOST_PROBED = 256
"""Tokens of the prompt that are read to tell weights apart, the last ones."""
NO_EFFECT = 1e-6
"""KL in nats per token below which an adapter changes nothing that could be seen."""

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of one arm."""

    arm: Arm
    weights: ArmWeights | None = None
    """None: an endpoint, or what cannot be found."""
    tokenizer: Any = None
    template: Template | None = None
    trained: Template | None = None
    """What the tokenizer that was saved with the weights brings."""
    prompt: tuple[int, ...] = ()
    usual_prompt: tuple[int, ...] = ()
    """The prompt as the saved template writes it, with no other wish of the arm."""
    context: int | None = None
    dtype: str = "unknown"
    quantized: str = ""
    trained_on: str = ""
    """In what bits the base was while the adapter was learned: 4bit or 8bit; else empty."""
    apart: bool = False
    decode: Decode = Decode()
    error: EngineError | None = None
    tools: Tools = ()
    """What it may call."""

    @property
    def room(self) -> int | None:
        """Tokens that the context leaves for the answer."""
        return None if self.context is None else self.context - len(self.prompt)


def look(
    arm: Arm, weights: ArmWeights, tokenizer: Any, messages: Sequence[Message], usual: Decode,
    device: torch.device, tools: Tools = (),
) -> Fact:  # fmt: skip
    """The facts of a local arm. Raises EngineError where its prompt cannot be written."""
    config = read_model_config(weights.base)
    template = None if arm.form == "raw" else choose_template(tokenizer, arm.form)
    prompt = render_prompt(messages, tokenizer, arm.form, arm.system, arm.prefix, tools)
    # What training leaves is a tokenizer with its template; of others none is known.
    own = weights.adapter is None or weights.tokenizer == weights.adapter
    trained = choose_template(tokenizer) if own and tokenizer.chat_template else None
    plain = render_prompt(messages, tokenizer, arm.form, tools=tools)
    # Where a template wrote the prompt, the templates themselves are compared.
    as_trained = render_prompt(messages, tokenizer) if trained and template is None else plain
    unknown = explain_unknown(prompt, tokenizer, count_rows(config, weights.adapter))
    return Fact(
        arm,
        weights,
        tokenizer,
        template,
        trained,
        tuple(prompt),
        tuple(as_trained),
        find_context_length(config),
        str(loading.pick_dtype(device, "infer")).removeprefix("torch."),
        name_stored(weights.base, config),
        trained_on(weights.adapter) if weights.adapter and arm.strength else "",
        weights.adapter is not None
        and arm.strength != 0
        and not shares_base(weights.base, weights.adapter),
        arm.decoding(usual),
        unreadable(arm, unknown) if unknown else None,
        tools,
    )


def name_stored(base: Path, config: config_json.Config) -> str:
    """How a model's weights were rounded: the method, or a GGUF file's type; empty: not at all."""
    if not is_gguf(base):
        return config_json.find_quantisation(config) or ""
    kind = name_quantization(read_gguf_header(base)) or ""
    return "" if kind in UNROUNDED else kind


def as_table(fact: Fact, device: torch.device) -> Table:
    """One arm's facts as JSON knows them."""
    arm, weights, error = fact.arm, fact.weights, fact.error
    failure = error and {"title": error.title, "detail": error.detail, "hint": error.hint}
    return {
        "name": arm.name,
        "arm": format_arm(arm),
        "endpoint": arm.is_endpoint,
        "base": str(weights.base) if weights else None,
        "adapter": str(weights.adapter) if weights and weights.adapter else None,
        "strength": arm.strength,
        "form": _form(fact),
        "template": fact.template.name if fact.template else None,
        "template_hash": fact.template.hash if fact.template else None,
        "trained_template_hash": fact.trained.hash if fact.trained else None,
        "tokenizer": vocabulary_hash(fact.tokenizer),
        "vocabulary": len(fact.tokenizer) if fact.tokenizer is not None else None,
        "context": fact.context,
        "prompt_tokens": len(fact.prompt) if weights else None,
        "room": fact.room if weights else None,
        "dtype": fact.dtype,
        "quantized": fact.quantized,
        "trained_on": fact.trained_on,
        "device": str(device) if weights else None,
        "batch": 1,
        "decode": dataclasses.asdict(fact.decode),
        "apart": fact.apart,
        "error": failure,
    }


def differences(facts: Sequence[Fact]) -> list[Table]:
    """What is not the same of all arms, but for their weights: a value for each arm."""
    rows: dict[str, list[str]] = {
        "prompt": [_form(fact) for fact in facts],
        "template": _templates(facts),
        "system": [_given(fact.arm.system) for fact in facts],
        "prefix": [_given(fact.arm.prefix) for fact in facts],
        "tools": [", ".join(tool_names(fact.tools)) or "none" for fact in facts],
        "tokenizer": [vocabulary_hash(fact.tokenizer) or "unknown" for fact in facts],
        "decoding": [_decoding(fact.decode) for fact in facts],
        "truncation": [_room(fact) for fact in facts],
        "dtype": [fact.dtype for fact in facts],
        "quantised": [fact.quantized or "no" for fact in facts],
        "batching": ["its own" if fact.arm.is_endpoint else "one at a time" for fact in facts],
    }
    return [
        {"what": what, "values": values, "text": f"{what}: {' | '.join(values)}"}
        for what, values in rows.items()
        if len(set(values)) > 1
    ]


def warnings(
    facts: Sequence[Fact],
    kl: Sequence[Sequence[float | None]] = (),
    logits: Mapping[int, torch.Tensor] | None = None,
) -> list[Table]:
    """What could mislead: {"kind", "arms" (their numbers), "text"}.

    `kl` is `divergences` of the arms, of the same `logits`; without them, weights are told apart
    by where they lie.
    """
    lines = []
    for at, fact in enumerate(facts):
        lines += [_warning(kind, [at], text) for kind, text in _alone(fact)]
    for first, second in combinations(range(len(facts)), 2):
        divergence = kl[first][second] if kl else None
        if divergence is not None and not _say_the_same(first, second, logits or {}):
            divergence = None  # small, and yet greedy answers differ
        line = _together(facts[first], facts[second], divergence)
        if line is not None:
            lines.append(_warning(line[0], [first, second], line[1]))
    return lines


def _say_the_same(first: int, second: int, logits: Mapping[int, torch.Tensor]) -> bool:
    """Whether the first choices of two arms are the same at every token that both have read."""
    if first not in logits or second not in logits:
        return True
    choices = [logits[at].argmax(-1) for at in (first, second)]
    return bool(torch.equal(*choices))


def trained_on(adapter: Path) -> str:
    """In what bits a run held the base that this adapter of it was learned on; empty for whole."""
    for folder in list(adapter.resolve().parents)[:2]:  # of the run itself, or of its checkpoints
        if (folder / "job.json").is_file():
            try:
                recipe = recipes.read(folder / "recipe.toml")
            except EngineError:  # one of another version
                return ""
            quantize = recipe.method.quantize if isinstance(recipe, TrainRecipe) else "none"
            return "" if quantize == "none" else quantize
    return ""


def probe_ids(facts: Sequence[Fact]) -> list[int]:
    """The tokens that all arms read to be told apart: the first local arm's prompt."""
    prompt = next((fact.prompt for fact in facts if fact.weights), ())
    least = min((fact.context or MOST_PROBED for fact in facts if fact.weights), default=0)
    ids = list(prompt[-min(MOST_PROBED, least) :])
    return ids if len(ids) > 1 else ids * 2  # what comes after the last one is not looked at


def divergences(
    facts: Sequence[Fact], logits: Mapping[int, torch.Tensor]
) -> list[list[float | None]]:
    """KL(first‖second) in nats per token for each two arms; None where it cannot be had.

    `logits` are those of the arms that have read `probe_ids`, float32 of (tokens, vocabulary).
    """
    hashes = [vocabulary_hash(fact.tokenizer) for fact in facts]

    def one(first: int, second: int) -> float | None:
        if first == second and first in logits and hashes[first] is not None:
            return 0.0
        if first not in logits or second not in logits or hashes[first] != hashes[second]:
            return None
        width = min(logits[first].shape[-1], logits[second].shape[-1])
        return mean_kl(logits[first][:, :width], logits[second][:, :width])

    return [[one(first, second) for second in range(len(facts))] for first in range(len(facts))]


@lru_cache(maxsize=8)
def vocabulary_hash(tokenizer: Any) -> str | None:
    """A short name for a tokenizer's vocabulary: equal for equal ones."""
    if tokenizer is None:
        return None
    words = sorted(tokenizer.get_vocab().items())
    return hashlib.sha256(repr(words).encode("utf-8", "backslashreplace")).hexdigest()[:12]


def conversation(messages: Sequence[Message]) -> Sequence[Message]:
    """What arms read: the conversation, or a few words where there is none."""
    return messages or [Message("user", PROBE)]


def _alone(fact: Fact) -> list[tuple[str, str]]:
    arm, lines = fact.arm, []
    if fact.error is not None:
        lines.append(("error", f"{arm.name}: {fact.error.title}"))
    if fact.weights is None:
        return lines
    if fact.trained is not None and _writes_otherwise(fact):
        lines.append(("another template", f"{arm.name} was trained with a different template"))
    if fact.room is not None and fact.room < fact.decode.max_new_tokens:
        text = f"{arm.name}: the context leaves {max(0, fact.room)} tokens for the answer"
        lines.append(("truncated", text))
    if fact.trained_on and not fact.quantized:
        text = f"{arm.name} was trained on a {fact.trained_on} base, but runs on {fact.dtype}"
        lines.append(("quantised", text))
    if fact.apart:
        lines.append(("apart", f"{arm.name} needs a separate copy of the base in memory"))
    return lines


def _writes_otherwise(fact: Fact) -> bool:
    """Whether the arm's form writes other than the template that was saved with its weights."""
    if fact.template is not None and fact.trained is not None:
        return fact.template.hash != fact.trained.hash
    return fact.arm.system is None and not fact.arm.prefix and fact.prompt != fact.usual_prompt


def _together(first: Fact, second: Fact, kl: float | None) -> tuple[str, str] | None:
    if first.weights is None or second.weights is None or first.error or second.error:
        return None
    names = f"{first.arm.name} and {second.arm.name}"
    same_place = _weights(first) == _weights(second)
    same_prompt = first.prompt == second.prompt and first.decode == second.decode
    if same_place and same_prompt:
        return "same", f"{names} are identical: weights, prompt and decoding"
    if same_place:
        return "same weights", f"{names} have the same weights"
    if kl is None or kl >= NO_EFFECT:
        return None
    adapted = [one for one in (first, second) if _weights(one)[1] is not None]
    if len(adapted) == 1 and _weights(first)[0] == _weights(second)[0]:
        return "no effect", f"the adapter of {adapted[0].arm.name} has no effect: KL {kl:.1e}"
    return ("same weights", f"{names} have the same weights") if kl == 0.0 else None


def _weights(fact: Fact) -> tuple[Path, Path | None, float, int | None]:
    """Base, adapter that speaks, its strength and seed: equal for equal weights."""
    assert fact.weights is not None
    adapter = fact.weights.adapter if fact.arm.strength else None
    strength = fact.arm.strength if adapter else 1.0
    null = fact.arm.null if adapter else None
    return (fact.weights.base.resolve(), adapter and adapter.resolve(), strength, null)


def _warning(kind: str, arms: list[int], text: str) -> Table:
    return {"kind": kind, "arms": arms, "text": text}


def _form(fact: Fact) -> str:
    if fact.arm.is_endpoint:
        return "raw" if fact.arm.form == "raw" else "chat"
    return "raw" if fact.weights and fact.template is None else fact.arm.form or "as trained"


def _templates(facts: Sequence[Fact]) -> list[str]:
    """Name and hash of each arm's; equal texts count as one under whatever name.

    Training saves the template that it took as the chat template, also of a base that has none.
    """
    names: dict[str, str] = {}
    for fact in facts:
        if fact.template is not None:
            names.setdefault(fact.template.hash, fact.template.name)
    return [
        ("none" if fact.arm.form == "raw" else "its own")
        if fact.arm.is_endpoint
        else f"{names[fact.template.hash]} {fact.template.hash[:8]}"
        if fact.template
        else "none"
        for fact in facts
    ]


def _given(text: str | None) -> str:
    return "as asked" if text is None else text or "none"


def _decoding(decode: Decode) -> str:
    parts = [f"{decode.max_new_tokens} tokens"]
    if decode.temperature == 0:
        return f"greedy, {parts[0]}"
    parts.append(f"temperature {decode.temperature:g}")
    parts += [f"top p {decode.top_p:g}"] if decode.top_p < 1 else []
    parts += [f"top k {decode.top_k}"] if decode.top_k else []
    return ", ".join([*parts, f"seed {decode.seed}"])


def _room(fact: Fact) -> str:
    if fact.weights is None or fact.room is None:
        return "unknown" if fact.arm.is_endpoint else "none"
    short = fact.room < fact.decode.max_new_tokens
    return f"at {max(0, fact.room)} tokens" if short else "none"
