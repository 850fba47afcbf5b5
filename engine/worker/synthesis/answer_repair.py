"""What json-repair takes a damaged object to mean: the one place that imports it.

It completes strings that were cut, takes the last of two objects or of two equal keys even where it
is strict, and recurses: so it only ever sees the text of one object, bounded, and nothing that it
proposes is used unless `engine.synthesis.repairs` reads the same.
"""

from typing import Any

from json_repair import repair_json


def propose_repair(text: str) -> Any:
    """The value that the text is taken to mean. Raises ValueError."""
    return repair_json(text, return_objects=True, skip_json_loads=True, strict=True)
