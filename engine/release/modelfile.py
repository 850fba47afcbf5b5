"""The Modelfile of a GGUF file: what Ollama needs to make a model of it.

Owns its quoting, and reads back what it wrote. Ollama's parser drops characters that Go does not
print, and ends a value at a line that ends in three quotes: what would not arrive as it is, is left
out with a comment that says so. Format: github.com/ollama/ollama, parser/parser.go.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.text import one_line

NAME = "Modelfile"
NOT_PROVEN = "# Template not proven: use the model's own, which is in the GGUF file."
_QUOTES = '"""'
_PRINTED = "LMNPS"
"""First letters of the categories of characters that Go prints."""


@dataclass(frozen=True, slots=True)
class Modelfile:
    """What a Modelfile says, as Ollama reads it."""

    model_file: str
    template: str
    """Empty: it names none."""
    system: str
    stops: tuple[str, ...]
    context: int | None
    license_text: str


def write_modelfile(
    folder: Path,
    model_file: str,
    *,
    template: str | None,
    stops: Sequence[str],
    context: int,
    system: str = "",
    license_text: str = "",
) -> Path:
    """Write `Modelfile` into `folder`; `model_file` lies in it. `template` None: none was proven,
    and the model's own stays. `context` in tokens; 0: unknown, and Ollama's own. Raises
    EngineError for what cannot be quoted."""
    if (
        not _is_kept(model_file)
        or set(model_file) & set("/\n\t")
        or model_file != model_file.strip()
    ):
        raise EngineError(
            "The name of the GGUF file cannot stand in a Modelfile.",
            one_line(model_file),
            "Use a name of letters, digits, dots and dashes.",
        )
    lines = ["# ollama create NAME -f Modelfile", f"FROM ./{model_file}"]
    if template is None:
        lines.append(NOT_PROVEN)
    else:
        quoted = quote(template)
        if quoted is None:
            raise EngineError("The template cannot be quoted in a Modelfile.", one_line(template))
        lines.append(f"TEMPLATE {quoted}")
    if system:
        lines.append(_command("SYSTEM", system, "the template holds it"))
    lines += [_command("PARAMETER stop", text, "Ollama stops at the token itself")
              for text in dict.fromkeys(stops)]  # fmt: skip
    if context > 0:
        lines.append(f"PARAMETER num_ctx {context}")
    if license_text:
        lines.append(_command("LICENSE", license_text, "it lies beside this file"))
    path = folder / NAME
    atomic.write_text(path, "\n".join(lines) + "\n")
    return path


def quote(text: str) -> str | None:
    """`text` as a value that Ollama reads back as it is; None where there is no such value."""
    if not text or _QUOTES in text or not _is_kept(text):
        return None
    if '"' in text or "\n" in text:
        return f"{_QUOTES}{text}{_QUOTES}"
    return f'"{text}"'


def is_printed(one: str) -> bool:
    """Whether Go prints a character, in any version of its tables (strconv.IsPrint)."""
    return one == " " or (ord(one) < 0x10000 and unicodedata.category(one)[0] in _PRINTED)


def read_modelfile(path: Path) -> Modelfile:
    """What Ollama reads in a Modelfile that we wrote. Raises EngineError."""
    values: dict[str, list[str]] = {}
    text = path.read_bytes().decode()
    pattern = r"(FROM|TEMPLATE|SYSTEM|LICENSE|PARAMETER \w+) ((?!\"\"\").*|\"\"\"[\s\S]*?\"\"\")\n"
    position = 0
    while position < len(text):
        if text[position] in "#\n":
            position = text.index("\n", position) + 1
            continue
        found = re.compile(pattern).match(text, position)
        if found is None:
            line = text.count("\n", 0, position) + 1
            raise EngineError("The Modelfile cannot be read.", f"{path}:{line}")
        values.setdefault(found[1], []).append(_unquote(found[2]))
        position = found.end()
    context = values.get("PARAMETER num_ctx", [""])[-1]
    return Modelfile(
        values.get("FROM", [""])[-1].removeprefix("./"),
        values.get("TEMPLATE", [""])[-1],
        values.get("SYSTEM", [""])[-1],
        tuple(values.get("PARAMETER stop", ())),
        int(context) if context.isdigit() else None,
        values.get("LICENSE", [""])[-1],
    )


def _command(name: str, text: str, instead: str) -> str:
    quoted = quote(text)
    if quoted is None:
        return f"# {name} is left out, for Ollama would not read it as it is: {instead}."
    return f"{name} {quoted}"


def _is_kept(text: str) -> bool:
    return all(is_printed(one) or one in "\n\t" for one in text)


def _unquote(value: str) -> str:
    if value.startswith(_QUOTES):
        return value[3:-3]
    return value[1:-1] if value.startswith('"') else value.strip()
