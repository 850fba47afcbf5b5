"""What training reads of the rows that a recipe makes, by the names of their fields.

Rows may be wanted for other ends, so nothing is refused here: it is said, before a model is asked
for hours. Reads no disk and knows no schema by itself: `engine.data.schemas` has them.
"""

from collections.abc import Iterable, Mapping

from engine.data.columns import make_mapping
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.settings import Data
from engine.recipes.synthesis_settings import RowField
from engine.text import one_line

_VALUES: Mapping[str, object] = {
    "text": "a", "label": "a", "integer": 1, "number": 0.5, "boolean": True, "list": ["a"],
}  # fmt: skip
"""A value of each type of field."""
_ADVICE = "call the fields prompt and completion"


def warn_of_fields(recipe: SynthesizeRecipe) -> str:
    """Why training would not learn what the recipe asks for; empty where it would.

    Of modes `pairs` and `votes` it is empty: their fields are those that DPO reads.
    """
    if recipe.mode not in ("fields", "json"):
        return ""
    return warn_of_names(recipe.fields)


def warn_of_names(fields: Mapping[str, RowField]) -> str:
    """The same of the fields alone, by name; of no fields it is empty."""
    if not fields:
        return ""
    schema = make_mapping(Data()).recognise(
        {name: _VALUES[field.type] for name, field in fields.items()}
    )
    if schema is None:
        return f"finetop train cannot read rows of {_join(fields)}: {_ADVICE}"
    read = {*schema.fields, *schema.more}
    unread = [name for name, field in fields.items() if field.ask and name not in read]
    if unread and not any(field.ask for name, field in fields.items() if name in read):
        return f"finetop train reads {_join(schema.fields)}, not {_join(unread)}: {_ADVICE}"
    return ""


def _join(names: Iterable[str]) -> str:
    return one_line(", ".join(names))
