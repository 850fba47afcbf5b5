"""The one place where untrusted text becomes safe to show on a terminal.

Model output, data rows, tags, file names and logs can hold control sequences that retitle or drive
the user's terminal. They are replaced by visible marks, never silently removed.
"""

import re
from collections.abc import Collection

# C0 but newline and tab, DEL, C1, the bidirectional controls, and what takes no cell: spaces and
# marks of width zero, and tags. A joiner has a use only after letters and signs beyond ASCII.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    "\xad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]"
)
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""At the start of a cell (OWASP, CSV injection); the last four are the wide forms of the first."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-](inf|nan)", re.ASCII)
_JOINERS = re.compile("[\u200c\u200d]")
_LINES = re.compile("[\n\t]")


def is_safe(text: str) -> bool:
    """Whether a text can stand in one line of a terminal as it is."""
    return (text.isascii() and text.isprintable()) or not (
        _UNSAFE.search(text) or _LINES.search(text)
    )


def clean(text: str) -> str:
    """Text with every terminal control replaced by a visible mark; newline and tab are kept."""
    # What lies unwritten in a file reads as NUL, and there may be very many.
    return _UNSAFE.sub(_mark, text.replace("\r\n", "\n").replace("\0", "␀"))


def one_line(text: str) -> str:
    """`clean`, with newlines and tabs made visible too: for table cells, titles and names."""
    return clean(text).replace("\n", "⏎").replace("\t", " ")


def number_name(name: str, taken: Collection[str]) -> str:
    """The name; with the first number from 2 on that makes it unlike those that are taken."""
    numbered, number = name, 2
    while numbered in taken:
        numbered, number = f"{name} ({number})", number + 1
    return numbered


def spreadsheet_cell(text: str) -> str:
    """A cell of CSV that a spreadsheet takes for text, and for a number where it is one.

    What it would take for a formula gets an apostrophe before it.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def escape_json(text: str) -> str:
    """JSON that means the same, with every terminal control as its escape, such as `\\u202e`."""
    return _JOINERS.sub(_escape, _UNSAFE.sub(_escape, text))


def _escape(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _mark(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the control pictures: ESC becomes ␛
    if code == 0x7F:
        return "␡"
    return "�"
