"""What the user's terminal can show: characters beyond ASCII, colours, a screen at all.

Python's own answer for characters is no help: in the locale C it turns to UTF-8 by itself (PEP 538
and 540). So the locale's variables are asked, as the user set them. Owns no glyphs and no theme;
text for a file or a pipe is left as it is.
"""

import codecs
import io
import locale
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError

PLAIN = str.maketrans("—–−…·“”‘’→←×≤≥⏎�", "---~-\"\"''><x<>??")
"""What our own words hold beyond ASCII, one cell for one cell."""
_COERCED = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})
"""What Python sets LC_CTYPE to where the locale is C (PEP 538)."""
_NO = frozenset({"0", "false", "no", "off"})
_BY_NAME = "finetop-plain"


def takes_unicode(environ: Mapping[str, str], encoding: str | None) -> bool:
    """Whether a terminal shows UTF-8: `environ` as in os.environ, `encoding` that of the output.

    Where no variable names a locale the encoding alone counts: containers set none. FINETOP_ASCII=0
    overrides the detection.
    """
    if environ.get("FINETOP_ASCII", "").strip().lower() in _NO:
        return True
    name = _locale_name(environ)
    if name:
        return is_utf8(_codeset(name)) and (not encoding or is_utf8(encoding))
    return bool(encoding) and is_utf8(encoding or "")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What is left out on terminals that have less."""

    ascii_only: bool = False
    sixteen_colors: bool = False
    no_color: bool = False


ALL_ABILITIES = Abilities()


def detect_abilities(environ: Mapping[str, str], encoding: str | None) -> Abilities:
    """Of the terminal of this process: `environ` as in os.environ, `encoding` of its output."""
    from rich.console import Console  # here: commands without a screen need none of it

    console = Console(file=io.StringIO(), force_terminal=True, _environ=environ)
    return Abilities(
        ascii_only=not takes_unicode(environ, encoding),
        sixteen_colors=console.color_system in ("standard", "windows"),
        no_color=_is_monochrome(environ.get("TERM", "")),
    )


def require_screen(environ: Mapping[str, str], title: str, hint: str) -> None:
    """Raise EngineError where the standard streams are no terminal that a screen can be drawn on.

    `title` says what needs one, `hint` what does without.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise EngineError(title, "Standard input or output is not a terminal.", hint)
    term = environ.get("TERM", "")
    if term.lower() in ("dumb", "unknown"):
        raise EngineError(
            title, f"TERM is {term}: nothing but lines of text can be written there.", hint
        )


def _is_monochrome(term: str) -> bool:
    return re.fullmatch(r"vt\d+.*|.*-(m|mono)", term.lower()) is not None


def is_utf8(encoding: str) -> bool:
    return encoding.lower().partition("@")[0].replace("-", "").replace("_", "") == "utf8"


def fit_streams() -> None:
    """Have standard output and errors write what can be shown: on a terminal without UTF-8, ASCII.

    There a character beyond it is written as its likeness, or as an escape such as `\\u4f60`;
    what goes to a file or a pipe is data, and stays.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if stream.isatty() and not takes_unicode(os.environ, stream.encoding):
            codecs.register_error(_BY_NAME, _likeness)
            stream.reconfigure(encoding="ascii", errors=_BY_NAME)
        else:
            # Names that the encoding lacks are escaped.
            stream.reconfigure(errors="backslashreplace")


def _likeness(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs for one character after another."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    one = error.object[error.start]
    plain = one.translate(PLAIN)
    if not plain.isascii():
        plain = one.encode("ascii", "backslashreplace").decode("ascii")
    return plain, error.start + 1


def _locale_name(environ: Mapping[str, str]) -> str:
    """The locale of characters, as the user named it."""
    ctype = environ.get("LC_CTYPE", "")
    if ctype in _COERCED and environ is os.environ and sys.flags.utf8_mode:
        ctype = _ctype_at_start(ctype)
    return environ.get("LC_ALL") or ctype or environ.get("LANG") or ""


def _ctype_at_start(now: str) -> str:
    """LC_CTYPE before Python changed it."""
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:  # no Linux: what Python sets it to where it turned to UTF-8 unasked
        return now if os.environ.get("PYTHONUTF8") == "1" else ""
    head = b"LC_CTYPE="
    return next(
        (os.fsdecode(one.removeprefix(head)) for one in entries if one.startswith(head)), ""
    )


def _codeset(name: str) -> str:
    """The encoding that a locale's name says, or that this language's locale usually has."""
    if "." in name:
        return name.partition(".")[2]
    return "ascii" if name in ("C", "POSIX") else locale.normalize(name).partition(".")[2]
