"""The arms of a job that makes data, ready to be asked: endpoints, and local models with what their
answers are held to.

Imports no library of models until one is loaded.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.compare.arm_weights import locate
from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.settings import Decode
from engine.synthesis.row_modes import RowMode
from engine.synthesis.row_schema import RowSchema
from engine.worker.attempt import Attempt
from engine.worker.synthesis.endpoint_generator import EndpointGenerator
from engine.worker.synthesis.generator import Generator
from engine.worker.synthesis.pair_generator import PairGenerator

if TYPE_CHECKING:
    from engine.worker.inference.models import LoadedArm, ModelCache
    from engine.worker.synthesis.answer_grammars import AnswerGrammars

_HELD_TYPES = ("integer", "number", "boolean")
"""Fields whose own answer has a form; a label is chosen and not written."""


class ModelShelf:
    """The local models of a job; the first of the heavy libraries is loaded with the first one."""

    def __init__(self, attempt: Attempt, device: str, runs: Sequence[Path]) -> None:
        self._attempt = attempt
        self._device = device
        self._runs = runs
        self._models: ModelCache | None = None

    def load(self, arm: Arm) -> "LoadedArm":
        """The arm, ready to answer. Raises EngineError."""
        from engine.worker.inference.models import ModelCache
        from engine.worker.model.loading import pick_device

        self._attempt.progress(0, 0, message=f"{arm.name}: loading")
        if self._models is None:
            device = self._attempt.device.kind if self._attempt.device else self._device
            self._models = ModelCache(pick_device(device))
        loaded_arm = self._models.load_arm(arm, locate(arm, self._runs), self._attempt.log)
        assert loaded_arm is not None, "no other arm answers"
        return loaded_arm


def open_generator(
    models: ModelShelf, recipe: SynthesizeRecipe, schema: RowSchema, mode: RowMode
) -> Generator:
    """What writes, ready to be asked: an arm, or two of them for pairs. Raises EngineError."""
    first = _open_arm(models, recipe, parse_arm(recipe.asking.generator), schema, mode)
    other = recipe.pairs.rejected_generator
    if recipe.mode != "pairs" or not other or other == recipe.asking.generator:
        return first
    return PairGenerator(first, _open_arm(models, recipe, parse_arm(other), schema, mode))


def open_judge(models: ModelShelf, arm: Arm, decode: Decode) -> Generator:
    """An arm that is asked about rows, one at a time. Raises EngineError."""
    if arm.is_endpoint:
        return EndpointGenerator(arm, arm.decoding(decode), 1, None)
    return _open_model(models, arm, decode, {}, None)


def _open_arm(
    models: ModelShelf, recipe: SynthesizeRecipe, arm: Arm, schema: RowSchema, mode: RowMode
) -> Generator:
    is_held = recipe.asking.grammar != "off"
    if arm.is_endpoint:
        return EndpointGenerator(
            arm,
            arm.decoding(recipe.decode),
            recipe.asking.in_flight,
            schema.json_schema() if is_held and mode.one_object else None,
            needs_schema=recipe.asking.grammar == "on",
        )
    choices = {name: schema.fields[name].choices for name in schema.asked if not mode.one_object}
    chosen = {name: one for name, one in choices.items() if one and is_held}
    has_form = mode.one_object or any(
        schema.fields[name].type in _HELD_TYPES for name in schema.asked
    )
    wanted = schema if is_held and has_form else None
    return _open_model(
        models, arm, recipe.decode, chosen, wanted, needs_grammar=recipe.asking.grammar == "on"
    )


def _open_model(
    models: ModelShelf,
    arm: Arm,
    decode: Decode,
    choices: Mapping[str, Sequence[str]],
    schema: RowSchema | None,
    *,
    needs_grammar: bool = False,
) -> Generator:
    """A local model; `schema`: what its answers are held to, None: they are free."""
    from engine.worker.synthesis.model_generator import ModelGenerator

    loaded_arm = models.load(arm)
    grammars, note = None, ""
    if schema is not None:
        grammars, note = _open_grammars(loaded_arm, schema, needs_grammar=needs_grammar)
    made = ModelGenerator(arm, loaded_arm, arm.decoding(decode), choices, grammars)
    made.notes |= {note: None} if note else {}
    return made


def _open_grammars(
    loaded_arm: "LoadedArm", schema: RowSchema, *, needs_grammar: bool
) -> tuple["AnswerGrammars | None", str]:
    """What answers are held to, or why by nothing. Raises EngineError where they must be."""
    from engine.worker.inference.grammar import open_grammars
    from engine.worker.synthesis.answer_grammars import AnswerGrammars

    try:
        return AnswerGrammars(open_grammars(loaded_arm), schema), ""
    except EngineError as error:
        if needs_grammar:
            raise
        return None, f"answers are not held to their form: {error.detail}"
