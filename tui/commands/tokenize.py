"""`finetop tokenize`: the same text through several tokenizers, and what their templates write.

The work is done by a companion process; this module sends the request and formats the reply.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from engine.chat import ROLES, Message
from engine.data.messages import read_turns
from engine.data.values import BadRow
from engine.errors import EngineError
from engine.jobs.store import open_store
from engine.safe_open import open_regular
from engine.text import one_line
from engine.tokenizers.sample_texts import CONVERSATION, LINES
from engine.tokenizers.tokenizer_output import (
    MOST_CHARACTERS,
    TokenizerOutput,
    from_table,
    parse_conversation,
    to_table,
)
from tui import glyphs
from tui.glyphs import Glyphs
from tui.styled_text import Line
from tui.tokens.requests import TokenizeRequest
from tui.tokens.tables import counts_table, difference_lines, fitting, texts_table
from tui.tokens.token_text import FACES, RTL_NOTE, hidden, is_right_to_left, lay_out

BUNDLED = "bundled:demo-base"
_MOST_BYTES = 4 * MOST_CHARACTERS
_COLOURS = {
    "dim": "2", "strong": "1", "title": "1", "good": "32", "bad": "1;31", "warn": "33",
    "learned": "1;4", "base": "36", "tuned": "33", "third": "35", "fourth": "32",
    "block0": "44;97", "block1": "43;30", "block2": "42;30",
}  # fmt: skip


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("tokenize", help="compare tokenizers on a text")
    parser.add_argument(
        "text", nargs="?", help="text to tokenize; - or no text in a pipe: standard input"
    )
    parser.add_argument(
        "-t", "--tokenizer", action="append", default=[], metavar="REF", dest="refs",
        help="tokenizer.json, a folder, a SentencePiece .model, a .gguf, run:ID, or a name in the "
        "Hub cache; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--file", action="append", default=[], type=Path, dest="files", help="a text file"
    )
    parser.add_argument(
        "--lines", action="store_true", help="the bundled lines: languages, code, emoji"
    )
    parser.add_argument(
        "--show",
        choices=(*FACES, "none"),
        help="show each token as text, ids, or raw token",
    )
    parser.add_argument(
        "--chat", nargs="?", const="", metavar="FILE",
        help="a conversation to render with templates: the bundled one, JSON messages, or text "
             "with "
        "lines that start with system:, user:, assistant:",
    )  # fmt: skip
    parser.add_argument(
        "--template", action="append", default=[], metavar="FORM", dest="forms",
        help="chat, instruct, chatml, raw, or a Jinja file; several are compared",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="add the generation prompt")
    parser.add_argument("--json", action="store_true", help="print JSON with every token")
    parser.set_defaults(handler=_tokenize)
    return [parser]


def _tokenize(options: argparse.Namespace) -> int:
    texts, parallel = _texts(options)
    said = _conversation(options.chat) if options.chat is not None or options.forms else ()
    request = TokenizeRequest(
        tuple(dict.fromkeys(options.refs)) or (BUNDLED,),
        tuple(texts),
        said,
        options.open,
        tuple(options.forms) or ("", "raw"),
    )
    readings = asyncio.run(ask(request, str(open_store(options.runs).root)))
    if options.json:
        print(json.dumps([_plain(one) for one in readings], indent=1, ensure_ascii=True))
    else:
        width = shutil.get_terminal_size((80, 24)).columns
        coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        drawn = glyphs.detect(os.environ, sys.stdout.encoding)
        for line in _lines(readings, request, parallel, options.show, width, drawn):
            print(_painted(line, coloured))
    for one in readings:
        if one.trouble is not None:
            raise EngineError(*one.trouble)
    return 0


def _plain(reading: TokenizerOutput) -> dict[str, object]:
    """As JSON, with the numbers that are derived."""
    table = to_table(reading)
    for text, row in zip(reading.texts, table["texts"], strict=True):
        row["count"]["tokens_per_word"] = text.count.tokens_per_word
        row["count"]["bytes_per_token"] = text.count.bytes_per_token
    if reading.trouble:
        table["trouble"] = dict(zip(("title", "detail", "hint"), reading.trouble, strict=True))
    return table


async def ask(request: TokenizeRequest, runs: str) -> list[TokenizerOutput]:
    """The readings of a companion process that is started for it, and ends with it."""
    from tui.companion import Companion

    companion = Companion(runs=runs, warm=False)
    readings = []
    try:
        async for event in companion.tokenize(request.fields):
            if event["event"] == "reading":
                readings.append(from_table(event["reading"]))
    finally:
        await companion.close()
    return readings


def _texts(options: argparse.Namespace) -> tuple[list[tuple[str, str]], list[str]]:
    """Names and texts, and which of them are parallel."""
    texts: list[tuple[str, str]] = []
    piped = options.text is None and not sys.stdin.isatty()
    alone = not options.files and not options.lines and options.chat is None and not options.forms
    if options.text == "-" or (piped and alone):
        texts.append(("stdin", _decoded("stdin", _bounded(sys.stdin.buffer))))
    elif options.text is not None:
        given = os.fsencode(options.text)
        texts.append(("text", _decoded("text", given)))
    for path in options.files:
        with open_regular(path) as file:
            texts.append((str(path), _decoded(str(path), _bounded(file))))
    if options.lines or (not texts and alone):
        texts += [(line.name, line.text) for line in LINES]
        return texts, [line.name for line in LINES if line.parallel]
    return texts, []


def _bounded(file: BinaryIO) -> bytes:
    return file.read(_MOST_BYTES + 1)


def _decoded(name: str, data: bytes) -> str:
    """UTF-8; invalid bytes are replaced, with a warning."""
    text = data.decode("utf-8", "replace")
    with suppress(UnicodeDecodeError):
        data[:_MOST_BYTES].decode()
        return text
    try:
        data.decode()
    except UnicodeDecodeError as error:
        # A limit may cut through a character at the very end.
        if len(data) - error.start > 3 or len(data) <= _MOST_BYTES:
            _warn(f"{name} is not valid UTF-8: byte {error.start:,} and others are replaced")
    return text


def _warn(text: str) -> None:
    print(f"finetop: {one_line(text)}", file=sys.stderr)


def _conversation(named: str | None) -> tuple[Message, ...]:
    """The bundled conversation, or that of a file. Raises EngineError."""
    if not named:
        return CONVERSATION
    with open_regular(Path(named)) as file:
        text = _decoded(named, _bounded(file))
    if text.lstrip()[:1] not in ("[", "{"):
        return parse_conversation(text)
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineError("The conversation is not JSON.", f"{named}: {error}") from None
    rows = table.get("messages") if isinstance(table, dict) else table
    try:
        return read_turns(rows, "messages")
    except BadRow as error:
        raise EngineError(
            "A conversation is a list of messages with role and content.",
            f"{named}: {error}",
            f"Roles: {', '.join(ROLES)}.",
        ) from None


def _lines(
    readings: Sequence[TokenizerOutput],
    request: TokenizeRequest,
    parallel: Sequence[str],
    show: str | None,
    width: int,
    drawn: Glyphs,
) -> Iterator[Line]:
    names = [name for name, _ in request.texts]
    if len(names) == 1:
        yield from counts_table(readings, names[0], width, drawn)
    elif names:
        step = fitting(names, width)
        for at in range(0, len(readings), step):
            yield from texts_table(readings[at : at + step], names, parallel, width, drawn)
            yield []
    face = show or ("text" if len(names) == 1 else "none")
    for name, text in request.texts if face != "none" else ():
        yield []
        yield [(one_line(name), "title"), _note(text)]
        for reading in readings:
            found = next((one for one in reading.texts if one.count.name == name), None)
            if found is None:
                continue
            yield [(one_line(reading.name), "strong"), (f"  {found.count.tokens:,} tokens", "")]
            yield from _blocks(found.tokens, width, drawn, face)
            if more := hidden(found.tokens, found.count.tokens):
                yield [(f"  {more:,} more tokens", "warn")]
            if found.count.cut:
                yield [(f"  truncated: {found.count.cut:,} characters and the rest", "warn")]
    for reading in readings:
        if reading.notes:
            yield []
        for note in reading.notes:
            yield [(f"{one_line(reading.name)}: {one_line(note)}", "dim")]
    if request.messages:
        yield from _renders(readings, width, drawn, face if face in FACES else "text")


def _renders(
    readings: Sequence[TokenizerOutput], width: int, drawn: Glyphs, face: str
) -> Iterator[Line]:
    """The conversation under each template, and how the first two of them differ."""
    sides = []
    for reading in readings:
        for one in reading.renders:
            title = f"{one_line(reading.name)} {one_line(one.template)}"
            yield []
            yield [(title, "title"), (f"  {one.count:,} tokens" if not one.trouble else "", "")]
            if one.trouble:
                yield [(f"  {one_line(one.trouble)}", "bad")]
                continue
            for note in one.notes:
                yield [(f"  {one_line(note)}", "dim")]
            yield from _blocks(one.tokens, width, drawn, face)
            sides.append((title, one))
    written = [side for side in sides if side[1].form != "raw"]
    pair = (written if len(written) > 1 else sides)[:2]
    if len(pair) == 2:
        yield []
        yield [(f"[-{pair[0][0]}-]", "base"), ("  and  ", "dim"), (f"{{+{pair[1][0]}+}}", "tuned")]
        if pair[0][1].text == pair[1][1].text:
            yield [("The rendered texts are identical.", "good")]
        else:
            yield from difference_lines(pair[0][1], pair[1][1], drawn)


def _blocks(tokens: Sequence[object], width: int, drawn: Glyphs, face: str) -> Iterator[Line]:
    for line in lay_out(tokens, max(10, width - 2), drawn, face):  # type: ignore[arg-type]
        yield [("  ", ""), *((text, role) for text, role, _ in line)]


def _note(text: str) -> tuple[str, str]:
    return (f"  {RTL_NOTE}" if is_right_to_left(text) else "", "dim")


def _painted(line: Line, coloured: bool) -> str:
    if not coloured:
        return "".join(text for text, _ in line).rstrip()
    return "".join(
        f"\x1b[{_COLOURS[role]}m{text}\x1b[0m" if role in _COLOURS and text else text
        for text, role in line
    )
