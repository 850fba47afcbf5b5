"""The part of YAML in which loggers write hyper-parameters: mappings of plain values, by indent.

Lightning's `hparams.yaml` is such a file. Lists come as text; tags of Python objects, anchors and
block text are kept as the text that stands there. Refuses to build anything: no YAML library is
part of the light install, and none is needed to read a setting.
"""

import re
from pathlib import Path

from engine.events.hparams_and_text import SETTING_LETTERS, SETTINGS_KEPT, Setting
from engine.safe_open import open_file

_MOST_BYTES = 1 << 20

# Each letter has one way to be matched: a line may be as long as the file.
_ENTRY = re.compile(
    r"( *)(?:'([^']*)' *|\"([^\"]*)\" *|([^\s#'\"\-&*!|>{\[](?:[^#:]|:(?! |$))*)):(?: +(.*))?$"
)
_ITEM = re.compile(r"( *)- ++(.*)$")
_FLOAT = re.compile(r"[-+]?(\d[\d_]*)?\.?\d+(e[-+]?\d+)?$|[-+]?\d+\.(e[-+]?\d+)?$", re.IGNORECASE)
_NUMBER_LETTERS = 64
"""Longer texts are not numbers of a configuration."""
_SPECIAL = {".nan": float("nan"), ".inf": float("inf"), "-.inf": float("-inf")}
_TRUTHS = {"true": True, "false": False, "null": None, "~": None, "": None}


def read_file(path: Path) -> dict[str, Setting]:
    """The settings in a file, by its first MiB; none where it cannot be read."""
    try:
        with open_file(path) as file:
            return read(file.read(_MOST_BYTES).decode("utf-8", "replace"))
    except OSError:
        return {}


def read(text: str) -> dict[str, Setting]:
    """Settings by dotted name; lines that are no such mapping are passed over."""
    settings: dict[str, Setting] = {}
    lists: dict[str, list[str]] = {}
    above: list[tuple[int, str]] = []  # indent and dotted name of the mappings we are in
    last: tuple[int, str] | None = None
    for line in text.splitlines():
        entry = _ENTRY.match(line)
        if entry is None:
            item = _ITEM.match(line)
            if item and last and len(item[1]) >= last[0] and settings.get(last[1]) is None:
                lists.setdefault(last[1], []).append(item[2])
            continue
        indent = len(entry[1])
        while above and above[-1][0] >= indent:
            above.pop()
        key = next(part for part in (entry[2], entry[3], entry[4]) if part is not None).rstrip()
        name = (f"{above[-1][1]}.{key}" if above else key)[:SETTING_LETTERS]
        if above:
            settings.pop(above[-1][1], None)
        above.append((indent, name))
        last = (indent, name)
        settings[name] = _value(entry[5] or "")
        if len(settings) >= SETTINGS_KEPT:
            break
    for name, items in lists.items():
        settings[name] = f"[{', '.join(items)}]"[:SETTING_LETTERS]
    return settings


def _value(text: str) -> Setting:
    text = text.strip()
    if text[:1] in "'\"" and len(text) > 1 and text[0] in text[1:]:
        return text[1 : text.rindex(text[0])][:SETTING_LETTERS]
    text = text.split(" #")[0].rstrip()
    low = text.lower()
    if low in _TRUTHS:
        return _TRUTHS[low]
    if low in _SPECIAL:
        return _SPECIAL[low]
    if len(text) <= _NUMBER_LETTERS and _FLOAT.match(text):
        digits = text.replace("_", "")
        return int(digits) if digits.lstrip("+-").isdecimal() else float(digits)
    return text[:SETTING_LETTERS]
