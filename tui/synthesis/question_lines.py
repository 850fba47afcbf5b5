"""The question as it will be asked of the first source row, in lines; pure, and without a model."""

from collections.abc import Iterator

from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.outcomes import BadAnswer
from engine.synthesis.questions import CHOSEN, REJECTED, SourceQuestion, make_question
from engine.synthesis.row_schema import RowSchema
from engine.synthesis.source_rows import SourceRow
from engine.text import clean, one_line
from tui.formatting import error_lines
from tui.styled_text import Line

_MOST_CHARACTERS = 4_000
"""Of one message."""


def question_lines(
    recipe: SynthesizeRecipe, schema: RowSchema | None, source: SourceRow
) -> list[Line]:
    """Every question about this source, message by message; what fields before it will hold
    stands as the name of its field."""
    lines: list[Line] = []
    try:
        for name, question in _questions(recipe, schema, source):
            lines.append([(one_line(name), "strong")])
            for message in question.messages:
                content = clean(message.content[:_MOST_CHARACTERS])
                heads = [message.role, *[""] * content.count("\n")]
                for head, text in zip(heads, content.split("\n"), strict=True):
                    lines.append([(f"{head:<9}", "dim"), (text, "")])
            lines.append([])
    except EngineError as error:
        return [*lines, *error_lines(error)]
    return lines or [[("Nothing is asked: pairs are made of votes.", "dim")]]


def _questions(
    recipe: SynthesizeRecipe, schema: RowSchema | None, source: SourceRow
) -> Iterator[tuple[str, SourceQuestion]]:
    if recipe.mode == "pairs":
        empty = RowSchema({})
        for name in (CHOSEN, REJECTED):
            yield f"asked for {name}:", make_question(recipe, empty, source, name)
    elif recipe.mode == "json" and schema is not None:
        yield "asked for one object:", make_question(recipe, schema, source, "")
    elif recipe.mode == "fields" and schema is not None:
        values: dict[str, object] = {}
        for name, field in schema.fields.items():
            if field.ask:
                question = make_question(recipe, schema, source, name, values=values)
                yield f"asked for {name}:", question
                # A choice stands for one that the generator will make.
                values[name] = field.choices[0] if field.choices else f"<{name}>"
                continue
            try:
                values[name] = schema.take(name, {**source.columns, **values})
            except BadAnswer as bad:
                values[name] = ""
                raise EngineError(
                    f"The field {name} cannot be taken from this row.", str(bad)
                ) from bad
