"""Other contents of event files, for an overview: hyper-parameters and text summaries.

Bounded: a writer may log a page of text at every step, and only the newest of each tag is kept,
cut where it is very long. The text is unchanged; the caller cleans it before it is shown.

Schemas: tensorboard/plugins/hparams/{plugin_data,api}.proto, google/protobuf/struct.proto.
"""

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.protowire import BYTES, FIXED64, VARINT, Field, read_fields

Setting = str | float | bool | None
TEXT, HPARAMS = "text", "hparams"
TEXTS_KEPT = 64
TEXT_BYTES = 1 << 16
SETTINGS_KEPT = 1000
SETTING_LETTERS = 4096
_ARGUMENTS = "args"  # the Trainer's arguments: their names are plain enough to stand alone
_SUFFIX = "/text_summary"


@dataclass(frozen=True, slots=True)
class Text:
    """The newest text of a tag."""

    tag: str
    step: int
    wall_time: float
    """Seconds since the epoch."""
    text: str
    """Several strings stand on a line each."""
    size: int
    """Bytes it had before it was cut."""


class Facts:
    """The texts and hyper-parameters of one file, newest first come last."""

    def __init__(self) -> None:
        self.texts: dict[str, Text] = {}
        self.settings: dict[str, Setting] = {}

    def add_text(self, tag: str, step: int, wall: float, data: bytes, tensor: Field) -> None:
        """Take the strings of a TensorProto. Raises Malformed."""
        strings = [
            item
            for item in read_fields(data, tensor.start, tensor.stop)
            if item.number == 8 and item.wire == BYTES
        ]
        if tag not in self.texts and len(self.texts) >= TEXTS_KEPT:
            return
        size = sum(item.stop - item.start for item in strings)
        whole = b"\n".join(data[item.start : item.stop] for item in strings[:TEXTS_KEPT])
        words = whole[:TEXT_BYTES].decode("utf-8", "replace")
        self.texts[tag] = Text(tag.removesuffix(_SUFFIX), step, wall, words, size)

    def add_hparams(self, data: bytes, content: Field) -> None:
        """Take the hyper-parameters of an HParamsPluginData message. Raises Malformed."""
        for start in _messages(data, content, 3):  # session_start_info
            for entry in _messages(data, start, 1):  # a map entry: key and value
                name, value = "", None
                for item in read_fields(data, entry.start, entry.stop):
                    if item.number == 1 and item.wire == BYTES:
                        name = _words(data, item)
                    elif item.number == 2 and item.wire == BYTES:
                        value = _read_value(data, item)
                if len(self.settings) < SETTINGS_KEPT:
                    self.settings[name] = value


def settings_of(texts: Iterable[Text]) -> dict[str, Setting]:
    """The settings in texts that are JSON objects, as `args` and `model_config` are.

    Names are dotted; those of `args` stand alone, others begin with their tag.
    """
    settings: dict[str, Setting] = {}
    for text in texts:
        if not text.text.lstrip().startswith("{"):
            continue
        prefix = "" if text.tag == _ARGUMENTS else f"{text.tag}."
        try:
            for name, value in flatten(json.loads(text.text), prefix):
                settings.setdefault(name, value)
                if len(settings) >= SETTINGS_KEPT:
                    return settings
        except (ValueError, RecursionError):
            continue
    return settings


def flatten(table: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, Setting]]:
    """Dotted names and values of nested mappings; lists as text."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", simplify(value)


def simplify(value: object) -> Setting:
    """A value as an overview shows it: a number, a truth, text, or nothing."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value[:SETTING_LETTERS]
    return json.dumps(value, ensure_ascii=False, default=str)[:SETTING_LETTERS]


def _messages(data: bytes, bounds: Field, number: int) -> Iterable[Field]:
    for item in read_fields(data, bounds.start, bounds.stop):
        if item.number == number and item.wire == BYTES:
            yield item


def _words(data: bytes, item: Field) -> str:
    return data[item.start : min(item.stop, item.start + SETTING_LETTERS)].decode(
        "utf-8", "backslashreplace"
    )


def _read_value(data: bytes, bounds: Field) -> Setting:
    """A google.protobuf.Value; lists of simple values as text, structures by their size."""
    for item in read_fields(data, bounds.start, bounds.stop):
        if item.number == 2 and item.wire == FIXED64:
            return float(struct.unpack_from("<d", data, item.start)[0])
        if item.number == 3 and item.wire == BYTES:
            return _words(data, item)
        if item.number == 4 and item.wire == VARINT:
            return bool(item.varint)
        if item.number == 6 and item.wire == BYTES:
            values = [_read_value(data, one) for one in _messages(data, item, 1)]
            return simplify(values)
        if item.number == 5 and item.wire == BYTES:
            return f"(structure of {item.stop - item.start} bytes)"
    return None
