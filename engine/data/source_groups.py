"""The group of a row that was made of a raw text: by it rows of one source are known in any file.

A file of made rows may be copied, joined with others and sampled, so what tells that a row is one
stands in the row. The name is a hash of the source's id: an id may be that of a person.
"""

import hashlib
import re
from collections.abc import Mapping

GROUP = "group"
"""The column."""
_NAME = re.compile(r"source-[0-9a-f]{16}")


def name_group(source: str) -> str:
    """What stands in the column for all rows made of a source, in every job."""
    return f"source-{hashlib.sha256(source.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def find_group_column(row: object) -> str:
    """The column that tells which source a row was made of; empty for any other row, also one that
    has a column of that name."""
    value = row.get(GROUP) if isinstance(row, Mapping) else None
    return GROUP if isinstance(value, str) and _NAME.fullmatch(value) else ""
