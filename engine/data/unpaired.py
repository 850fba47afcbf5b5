"""Unpaired preferences: a `label` beside an answer that says whether it is a good one (TRL's KTO).

Rows labelled false are not trained on. A label may as well be a class, so only what can mean
nothing else is read: true and false of JSON; the words in a column that has no other ones; and 0
and 1, in a column that has both and no other value, beside TRL's own `prompt` and `completion`, or
where a recipe or LLaMA-Factory's `kto_tag` names the column.
"""

from collections.abc import Callable, Iterable, Mapping

from engine.data.schemas import FieldSchema
from engine.data.values import BadRow, Row, is_blank, say

LABELLED_FALSE = "labelled false"
"""The reason for which such a row is left out."""
_FIELD = "label"
_WORDS = {"true": True, "false": False}
_NUMBERS = {"1": True, "0": False, "1.0": True, "0.0": False}
_TRL = ("prompt", "completion")


class LabelReader:
    """Reads the labels of one file's answers. Refuses to guess."""

    def __init__(
        self, schema: FieldSchema, named: bool, read_rows: Callable[[], Iterable[object]]
    ) -> None:
        """`named`: whether somebody says which column it is. `read_rows` reads the file once more,
        which is done where one value does not tell.
        """
        self._applies = _FIELD in schema.more
        self._named = named
        self._with_numbers = named or schema.fields == _TRL
        self._read_rows = read_rows
        self._is_boolean: bool | None = None

    def read(self, row: Row) -> bool | None:
        """Whether the row's answer is a good one; None where the row does not say.

        Raises BadRow for another value in a column that was named.
        """
        value = row.get(_FIELD)
        if not self._applies or is_blank(value):
            return None
        if isinstance(value, bool):
            return value
        good = self._parse(value)
        if self._named:
            if good is None:
                raise BadRow(f"field {_FIELD!r} must be true or false, not {_show(value)}")
            return good
        return good if good is not None and self._is_clear() else None

    def _parse(self, value: object) -> bool | None:
        if isinstance(value, bool):
            return value
        if not isinstance(value, str | int | float):
            return None
        text = str(value).strip().lower()
        return _WORDS.get(text, _NUMBERS.get(text) if self._with_numbers else None)

    def _is_clear(self) -> bool:
        if self._is_boolean is None:
            self._is_boolean = self._judge_column()
        return self._is_boolean

    def _judge_column(self) -> bool:
        """Whether all values of the column are true or false; where they are 0 and 1, both."""
        found: set[bool] = set()
        has_numbers = False
        for row in self._read_rows():
            value = row.get(_FIELD) if isinstance(row, Mapping) else None
            if is_blank(value):
                continue
            good = self._parse(value)
            if good is None:
                return False
            found.add(good)
            has_numbers |= not isinstance(value, bool) and str(value).strip().lower() in _NUMBERS
        return len(found) == 2 or not has_numbers


def _show(value: object) -> str:
    return repr(value[:40]) if isinstance(value, str) else say(value)
