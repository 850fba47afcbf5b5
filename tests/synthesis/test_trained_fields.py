"""Whether training reads the fields of the rows that a recipe makes."""

from typing import Any

import pytest

from engine.recipes.recipe import SynthesizeRecipe, parse
from engine.synthesis.trained_fields import warn_of_fields

TAKEN = {"take": "{review}"}
ASKED = {"ask": "Does its writer recommend it? {review}"}
LABEL = {**ASKED, "type": "label", "choices": ["yes", "no"]}


def make(fields: dict[str, Any], **changes: Any) -> SynthesizeRecipe:
    recipe = parse({"kind": "synthesize", "fields": fields, **changes})
    assert isinstance(recipe, SynthesizeRecipe)
    return recipe


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": TAKEN, "completion": LABEL},
        {"prompt": ASKED, "completion": TAKEN},
        {"question": TAKEN, "answer": ASKED},
        {"instruction": {"take": "Say it."}, "input": TAKEN, "output": LABEL},
        {"text": TAKEN, "label": {**LABEL, "type": "integer", "choices": []}},
        {"text": ASKED},
        {"prompt": TAKEN, "completion": ASKED, "why": ASKED},
        {},
    ],
    ids=lambda fields: "/".join(fields) or "none",
)
def test_rows_that_training_reads_are_not_spoken_of(fields: dict[str, Any]) -> None:
    assert warn_of_fields(make(fields)) == ""


def test_rows_that_no_schema_fits_are_told_by_their_fields() -> None:
    warning = warn_of_fields(make({"prompt": TAKEN, "opinion": LABEL}))
    assert warning.startswith("finetop train cannot read rows of prompt, opinion: ")
    assert "completion" in warning


def test_rows_that_are_read_without_what_was_asked_for_are_told() -> None:
    """As plain texts they would be trained on, and the answers thrown away."""
    warning = warn_of_fields(make({"text": TAKEN, "opinion": LABEL}))
    assert warning.startswith("finetop train reads text, not opinion: ")


def test_pairs_have_fields_of_their_own() -> None:
    assert warn_of_fields(make({}, mode="pairs", pairs={"prompt": "{review}"})) == ""
