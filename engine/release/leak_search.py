"""No path, host or user name of this machine in a folder that leaves it: what is found, where.

Owns what is private here, and in which files each of it is sought. A path is sought in every file,
in binary ones up to `MOST_BYTES`, which holds every header; one of a single part, as "/root", and a
word only in the files that an export writes itself, for a vocabulary and a license hold many words,
but for a path below it. A name that is a word of finetop's own texts is not sought: where it stands
it says nothing. What is encoded otherwise than as text (base64, compressed) is not read.
"""

import functools
import getpass
import html
import json
import os
import pwd
import re
import socket
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from engine.checkpoints.hub_cache import find_cache
from engine.errors import EngineError
from engine.release.checksums import list_files
from engine.safe_open import open_regular
from engine.state_files import state_folder
from engine.text import one_line

MOST_BYTES = 1 << 26
"""Read of one file: the header of a GGUF file with a large vocabulary takes some 10 MB."""
REMOVED = b"(removed)"
"""In place of what is private: it has no meaning in JSON, YAML or Markdown."""
_LEAST_WORD = 4
"""Letters of a user's or host's name that is sought."""
_COMMON = frozenset((
    "root", "user", "users", "home", "admin", "ubuntu", "debian", "fedora", "jovyan", "runner",
    "docker", "model", "models", "test", "tests", "guest", "local", "localhost", "localdomain",
    "server", "worker", "container", "desktop", "laptop", "workstation", "build", "data", "train",
    "training", "default", "finetop", "linux", "python", "code", "work", "node", "host",
    "base", "text", "main", "team", "research", "cuda", "nvidia", "vagrant", "azureuser", "system",
    "tool", "tools", "chat", "gemma", "llama", "qwen", "mistral", "gold", "wall", "serve", "teach",
))  # fmt: skip
"""Names that say nothing of a person or a machine, and may stand in any text."""
_OWN_TEXTS = ("release", "report", "recipes", "charts", "worker/release")
"""The rooms of this package whose words stand in an export, whoever made it."""
_LETTERS = re.compile(rf"[A-Za-z]{{{_LEAST_WORD},}}")
_ESCAPED = (".md", ".svg", ".html")
"""Ends of the names of files in which marks are escaped as in Markdown or HTML."""
_BACKSLASHED = re.compile(rb"\\([!-/:-@\[-`{-~])")
_ESCAPES = rb"(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})"
"""What ends in a letter or digit, and is an escape of JSON, TOML or an address before a needle."""
_FULL_OF_WORDS = frozenset((
    "tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json",
    "special_tokens_map.json", "chat_template.jinja", "Modelfile",
))  # fmt: skip
_BINARY = (".safetensors", ".gguf", ".model", ".bin")
_COPIED = re.compile(
    "(licen[cs]e|notice|copying|use_policy|terms|prohibited_use|acceptable_use)", re.IGNORECASE
)
"""How the names of files begin that come with a base, word by word."""

_BELOW = rb"(?=\\?/[A-Za-z0-9._~-])"
"""What follows a folder's path where something in it is named."""

Kind = Literal["path", "word"]


@dataclass(frozen=True, slots=True)
class Needle:
    """Something of this machine."""

    text: str
    what: str
    """As in "the home folder"."""
    kind: Kind


@dataclass(frozen=True, slots=True)
class Leak:
    """A needle that was found."""

    file: str
    line: int
    """From 1; of a binary file the byte."""
    what: str
    excerpt: str
    """Clean, in one line."""

    @property
    def words(self) -> str:
        return f"{self.file}, line {self.line:,}: {self.what} ({self.excerpt})"


def find_needles(paths: Iterable[tuple[Path, str]] = ()) -> tuple[Needle, ...]:
    """What is private on this machine; `paths` are further ones, each with what it is.

    Asks no network: a host's full name is not looked up.
    """
    needles: dict[str, Needle] = {}
    places = [
        (Path("~").expanduser(), "the home folder"),
        (Path.cwd(), "the working directory"),
        (Path(tempfile.gettempdir()), "the folder of temporary files"),
        (find_cache(), "the Hub's cache"),
        (state_folder(), "the folder of finetop's state"),
        *paths,
    ]
    if sys.prefix != sys.base_prefix:
        places.append((Path(sys.prefix), "the virtual environment"))
    for path, what in places:
        for spelled in (os.path.abspath(path), os.path.realpath(path)):
            if len(Path(spelled).parts) > 1:
                needles.setdefault(spelled, Needle(spelled, what, "path"))
    words = [(host, "the host's name") for host in _list_hosts()]
    words += [(user, "the user's name") for user in _list_users()]
    for word, what in words:
        if len(word) >= _LEAST_WORD and word.lower() not in _COMMON | _list_own_words():
            needles.setdefault(word, Needle(word, what, "word"))
    return tuple(needles.values())


def search_leaks(
    folder: Path, needles: Sequence[Needle], allowed: Iterable[str] = ()
) -> list[Leak]:
    """Where needles stand in the files below a folder, and in their names.

    `allowed` are texts that the user has given to be published, as the id of a model: a word in
    them is no leak. Raises EngineError where a file cannot be read.
    """
    leaks: list[Leak] = []
    kept = [text for text in allowed if text]
    for name in list_files(folder):
        leaks += _search(name, name.encode(), needles, kept, is_own=True)
        with open_regular(folder / name) as file:
            content = file.read(MOST_BYTES)
        leaks += _search(name, content, needles, kept, is_own=_is_own(name))
    return leaks


def remove_needles(content: bytes, needles: Sequence[Needle]) -> bytes:
    """A file's content of our own with REMOVED wherever `search_leaks` would find something."""
    for needle in needles:
        is_word = needle.kind == "word"
        sought = content.lower() if is_word else content
        if ways := [one for one in _spell(needle) if one in sought]:
            flags = re.IGNORECASE if is_word else 0
            content = re.sub(_write_pattern(needle, ways), REMOVED, content, flags=flags)
    return content


def check_leaks(folder: Path, needles: Sequence[Needle], allowed: Iterable[str] = ()) -> None:
    """Raise EngineError where something of this machine stands in a folder."""
    leaks = search_leaks(folder, needles, allowed)
    if leaks:
        shown = [leak.words for leak in leaks[:10]]
        more = [f"and {len(leaks) - 10:,} more"] if len(leaks) > 10 else []
        raise EngineError(
            "The export holds something of this machine, and is not published.",
            "\n".join((*shown, *more)),
            "Remove it from what the export is made of (base, adapter, recipe, notes), "
            "then export again.",
        )


def _is_own(name: str) -> bool:
    """Whether an export writes the file itself, and each word of it."""
    last = name.rpartition("/")[2]
    return last not in _FULL_OF_WORDS and not last.endswith(_BINARY) and _COPIED.match(last) is None


def _search(
    name: str, content: bytes, needles: Sequence[Needle], allowed: Sequence[str], *, is_own: bool
) -> Iterator[Leak]:
    contents = [content]
    if name.endswith(_ESCAPED):
        contents.append(_unescape(content))
    for needle in needles:
        if needle.kind == "word" and not is_own:
            continue
        found = (_find(needle, one, allowed, is_own=is_own) for one in contents)
        for one, match in zip(contents, found, strict=True):
            if match is not None:
                yield Leak(name, _find_place(name, one, match.start()), needle.what,
                           _quote(one, *match.span()))  # fmt: skip
                break  # one in a file says enough


def _find(
    needle: Needle, content: bytes, allowed: Sequence[str], *, is_own: bool
) -> re.Match[bytes] | None:
    """The first place of a needle that is a leak."""
    is_word = needle.kind == "word"
    sought = content.lower() if is_word else content
    ways = [one for one in _spell(needle) if one in sought]  # a hundred times a pattern
    if not ways:
        return None
    # A vocabulary may have the word "/root", and no path below it.
    is_short = not is_word and len(Path(needle.text).parts) < 3
    pattern = _write_pattern(needle, ways) + (_BELOW if is_short and not is_own else b"")
    for match in re.finditer(pattern, content, re.IGNORECASE if is_word else 0):
        if not is_word or not _is_allowed(content, match.span(), allowed):
            return match
    return None


def _unescape(content: bytes) -> bytes:
    """Markdown or HTML as it reads, line by line the same."""
    text = _BACKSLASHED.sub(rb"\1", content).decode("utf-8", "surrogateescape")
    lines = (html.unescape(line).replace("\n", " ") for line in text.split("\n"))
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _spell(needle: Needle) -> set[bytes]:
    """A needle in every way that a file of an export may spell it; a word in lower case."""
    texts = {needle.text, *(unicodedata.normalize(form, needle.text) for form in ("NFC", "NFD"))}
    spelled: set[bytes] = set()
    for text in texts:
        if needle.kind == "word":
            text = text.lower()
        raw = os.fsencode(text)  # which quotes bytes that are no UTF-8, too
        quoted = (quote(raw), quote(raw, safe=""))
        lower = (re.sub("%..", lambda one: one[0].lower(), way) for way in quoted)
        ways = (text, json.dumps(text)[1:-1], text.replace("/", "\\/"), *quoted, *lower)
        wide = (text.encode(name, "surrogatepass") for name in ("utf-16-le", "utf-16-be"))
        spelled |= {*map(os.fsencode, ways), *wide}
    return spelled


def _write_pattern(needle: Needle, ways: Iterable[bytes]) -> bytes:
    """One of these spellings, as a word or a path of its own."""
    spelled = b"|".join(re.escape(one) for one in sorted(ways))
    before = rb"(?<![A-Za-z0-9])" if needle.kind == "word" else rb"(?<![A-Za-z0-9._~-])"
    return b"(?:" + before + b"|" + _ESCAPES + b")(?:" + spelled + rb")(?![A-Za-z0-9])"


def _is_allowed(content: bytes, span: tuple[int, int], allowed: Sequence[str]) -> bool:
    """Whether what was found is a part of a text that the user gave to be published."""
    start, end = span
    for text in allowed:
        whole = text.encode("utf-8", "surrogateescape")
        around = content[max(0, start - len(whole)) : end + len(whole)]
        if whole in around and content[start:end] in whole:
            return True
    return False


def _find_place(name: str, content: bytes, at: int) -> int:
    return at if name.endswith(_BINARY) else content.count(b"\n", 0, at) + 1


def _quote(content: bytes, start: int, end: int) -> str:
    part = content[max(0, start - 20) : end + 20]
    return one_line(part.decode("utf-8", "replace"))[:160]


@functools.cache
def _list_own_words() -> frozenset[str]:
    """The words of what finetop itself writes into an export, in lower case."""
    package = Path(__file__).parents[1]
    files = (file for room in _OWN_TEXTS for file in (package / room).rglob("*.py"))
    texts = (file.read_text("utf-8").lower() for file in files)
    return frozenset(word for text in texts for word in _LETTERS.findall(text))


def _list_users() -> list[str]:
    """Also who became another one (sudo), and whom the account belongs to, whatever the environment
    says."""
    names = [os.environ.get("SUDO_USER", "")]
    for ask in (getpass.getuser, lambda: pwd.getpwuid(os.getuid()).pw_name):
        try:
            names.append(ask())
        except (KeyError, OSError):  # a user id without an entry
            continue
    return list(dict.fromkeys(names))


def _list_hosts() -> list[str]:
    name = socket.gethostname()
    return list(dict.fromkeys((name, name.partition(".")[0])))
