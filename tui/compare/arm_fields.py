"""Arms as a person writes them: fields to an arm and back, and what can be picked for one."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.checkpoints.gguf_header import is_gguf
from engine.compare.arms import Arm, format_arm, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.jobs.summary import short_ref
from engine.recipes.recipe import TrainRecipe
from engine.text import one_line
from tui.formatting import name_of
from tui.snapshots import RunRow
from tui.widgets.form import FormField, Group

if TYPE_CHECKING:
    from engine.checkpoints.checkpoint_list import Checkpoint

AS_TRAINED = "as trained"
NO_SYSTEM = "-"
GROUPS = (
    Group(
        "arm",
        (
            FormField("name", "name"),
            FormField("checkpoint", "model or endpoint"),
            FormField("adapter", "adapter"),
            FormField("strength", "strength"),
            FormField("form", "prompt format", (AS_TRAINED, "chat", "instruct", "chatml", "raw")),
            FormField("system", "system prompt"),
            FormField("prefix", "prompt prefix"),
            FormField("tools", "tools file"),
            FormField("decode", "decoding"),
            FormField("model", "endpoint's model"),
            FormField("key", "API key env var"),
        ),
    ),
)
HINTS = {
    "name": "A short name, unique among the arms.",
    "checkpoint": "A model, a run (run:ID) or an OpenAI-compatible endpoint (http://host:port/v1).",
    "adapter": "An adapter (run or folder) for that model; empty: none, or the run's own.",
    "strength": "Scale of the adapter's weights, 0 to 1.5.",
    "form": "Left and right change it. As trained: the model's own template.",
    "system": "Empty: as in the prompt. A single -: none.",
    "prefix": "Inserted before the last user message, e.g. Think step by step.",
    "tools": "JSON list of tools that it may call, for prompts without tools of their own.",
    "decode": "Empty: same as all arms. Example: temperature=0.7 seed=8",
    "model": "Only for an endpoint: the name of the model there.",
    "key": "Only for an endpoint: environment variable with the API key.",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A model or a run that can be an arm."""

    ref: str
    name: str
    about: str
    base: str = ""
    """The ref of an adapter's base, where it is known; empty for a whole model."""
    reason: str = ""
    """Why it cannot be used."""


def nodes_of(rows: Sequence[RunRow], checkpoints: "Sequence[Checkpoint]") -> list[Node]:
    """What can be picked: runs with an output first, then all else on this machine."""
    by_path = {str(checkpoint.path): checkpoint.ref for checkpoint in checkpoints}
    known = {checkpoint.ref: checkpoint for checkpoint in checkpoints}
    nodes: dict[str, Node] = {}
    for row in rows:
        ref = f"run:{row.view.record.id}"
        if row.output and not row.shipped:
            about = f"{row.view.method} on {row.view.base}"
            base = _base(known.get(ref), by_path) or _base_by_recipe(row)
            nodes[ref] = Node(ref, name_of(row), one_line(about), base)
    for ref, checkpoint in known.items():
        if ref not in nodes:
            kind = f"GGUF {checkpoint.dtype}" if is_gguf(checkpoint.path) else checkpoint.kind
            about = one_line(f"{kind}, {checkpoint.source}")
            base, reason = _base(checkpoint, by_path), one_line(checkpoint.reason or "")
            nodes[ref] = Node(ref, one_line(checkpoint.name), about, base, reason)
    return list(nodes.values())


def values_of(arm: Arm) -> dict[str, str]:
    """An arm as the fields of the form."""
    return {
        "name": arm.name,
        "checkpoint": arm.checkpoint,
        "adapter": arm.adapter or "",
        "strength": f"{arm.strength:g}",
        "form": arm.form or AS_TRAINED,
        "system": NO_SYSTEM if arm.system == "" else arm.system or "",
        "prefix": arm.prefix or "",
        "tools": arm.tools or "",
        "decode": " ".join(f"{name}={value:g}" for name, value in arm.decode),
        "model": arm.model or "",
        "key": arm.key or "",
    }


def arm_of(values: Mapping[str, str], nodes: Sequence[Node], taken: Collection[str]) -> Arm:
    """The arm of the form's fields. Raises EngineError that says what is wrong."""
    texts = {key: value.strip() for key, value in values.items()}
    if not texts["name"]:
        raise EngineError("A name is required.")
    if texts["name"] in taken:
        raise EngineError(f"Another arm is already named {one_line(texts['name'])}.")
    if not texts["checkpoint"]:
        raise EngineError("A model, a run or an endpoint is required.")
    strength = _strength(texts["strength"])
    arm = Arm(
        name=texts["name"],
        checkpoint=texts["checkpoint"],
        adapter=texts["adapter"] or None,
        system=None if not texts["system"] else texts["system"].removeprefix(NO_SYSTEM),
        prefix=values["prefix"] if texts["prefix"] else None,
        tools=os.path.abspath(os.path.expanduser(texts["tools"])) if texts["tools"] else None,
        model=texts["model"] or None,
        key=texts["key"] or None,
    )
    if arm.system is not None and texts["system"] != NO_SYSTEM:
        arm = replace(arm, system=values["system"])
    if strength != 1 and arm.is_endpoint:
        raise EngineError("An endpoint has no adapter strength.", hint="Set it to 1.")
    if strength != 1:
        arm = replace(_on_its_base(arm, nodes), strength=strength)
    text = format_arm(arm)
    pairs = texts["decode"].replace(",", " ").split()
    if texts["form"] != AS_TRAINED:
        pairs.append(f"prompt={texts['form']}")
    for pair in pairs:
        text += ("&" if "?" in text else "?") + pair
    return parse_arm(text)


def free_name(ref: str, taken: Collection[str]) -> str:
    """A name after a model, unlike the others."""
    name = stem = short_ref(ref).rpartition("/")[2]
    number = 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def how_asked(arm: Arm) -> str:
    """How an arm is asked, in a few words."""
    parts: list[str] = [arm.form] if arm.form else []
    if arm.system is not None:
        parts.append("own system prompt" if arm.system else "no system prompt")
    if arm.prefix:
        parts.append("prompt prefix")
    if arm.tools:
        parts.append(f"tools {one_line(os.path.basename(arm.tools))}")
    parts += [f"{name} {value:g}" for name, value in arm.decode]
    return ", ".join(parts) or f"prompt {AS_TRAINED}"


def _on_its_base(arm: Arm, nodes: Sequence[Node]) -> Arm:
    """An adapter alone, as an adapter on its base, so that it can have a strength."""
    if arm.adapter is not None:
        return arm
    node = next((each for each in nodes if each.ref == arm.checkpoint), None)
    if node is None or not node.base:
        raise EngineError(
            "A full model has no adapter strength.",
            hint="Enter the base as model and the run as adapter.",
        )
    return replace(arm, checkpoint=node.base, adapter=arm.checkpoint)


def _base(checkpoint: "Checkpoint | None", by_path: Mapping[str, str]) -> str:
    if checkpoint is None or checkpoint.base_path is None:
        return ""
    return by_path.get(str(checkpoint.base_path), str(checkpoint.base_path))


def _base_by_recipe(row: RunRow) -> str:
    """The base of a run's adapter, until its files have been looked at."""
    recipe = row.view.recipe
    if not isinstance(recipe, TrainRecipe) or recipe.method.kind == "full":
        return ""
    return "" if recipe.model.checkpoint.startswith(RUN) else recipe.model.checkpoint


def _strength(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        raise EngineError(f"The strength {one_line(text)} is not a number.") from None
