"""The two lists of Make data: columns of the source, and what is asked of it. Cleaned here."""

from collections.abc import Mapping

from engine.recipes.synthesis_settings import RowField
from engine.text import one_line
from tui.synthesis.recipe_draft import PAIR_TEMPLATES, TEMPLATES, label_of
from tui.synthesis.source_excerpt import SourceExcerpt
from tui.widgets.table import Column, TableRow

SOURCE_COLUMNS = (Column("column", 8, 16), Column("first values", 18, 400))
ASKED_COLUMNS = (Column("field", 10, 18), Column("type", 7, 8), Column("taken or asked", 12, 400))


def column_rows(excerpt: SourceExcerpt, separator: str) -> list[TableRow]:
    """Each column with a few of its values; the one with the source's own text is marked."""
    return [
        TableRow(
            name,
            (((one_line(name), ""),), ((f" {separator} ".join(map(one_line, values)), "dim"),)),
            marked=name == excerpt.text_column,
        )
        for name, values in (excerpt.columns or {}).items()
    ]


def asked_rows(
    mode: str, templates: Mapping[str, str], fields: Mapping[str, RowField]
) -> list[TableRow]:
    """The texts of a mode, then the fields of its rows: keys are `text:SETTING`, `field:NAME`."""
    if mode == "votes":
        return []
    keys = [*TEMPLATES, *(PAIR_TEMPLATES if mode == "pairs" else ())]
    rows = [_text_row(key, templates[key]) for key in keys]
    if mode != "pairs":
        rows += [_field_row(name, field) for name, field in fields.items()]
    return rows


def _text_row(key: str, text: str) -> TableRow:
    cells = ((label_of(key), ""),), (("", ""),), ((one_line(text) or "none", "dim"),)
    return TableRow(f"text:{key}", cells)


def _field_row(name: str, field: RowField) -> TableRow:
    text, role = (field.take, "dim") if field.take else (field.ask, "")
    head = "taken: " if field.take else "asked: "
    kind = field.type + ("?" if field.optional else "")
    cells = ((one_line(name), ""),), ((kind, "dim"),), ((head, "dim"), (one_line(text), role))
    return TableRow(f"field:{name}", cells)
