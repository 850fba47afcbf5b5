"""Readings of a tokenizer that cuts at spaces: what the companion would send, without one."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from engine.errors import EngineError
from engine.tokenizers.tokenizer_output import (
    Count,
    RenderedTemplate,
    Token,
    Tokenized,
    TokenizerOutput,
    to_table,
)
from engine.words import count_words


class FakeReadings:
    """The events of one request. `held` keeps them back."""

    def __init__(self, request: Mapping[str, Any], held: Any) -> None:
        self._request = request
        self._held = held
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for ref in self._request["tokenizers"]:
            while self._held():
                await asyncio.sleep(0.01)
            if ref == "companion:dies":
                raise EngineError(
                    "The companion process exited.", "as it was asked to", "Try again."
                )
            table = to_table(reading_of(ref, self._request))
            yield {"event": "reading", "reading": json.loads(json.dumps(table))}
        yield {"event": "done"}


def reading_of(ref: str, request: Mapping[str, Any]) -> TokenizerOutput:
    """Words are tokens; what begins with < is special. A ref that has "no" in it is not there."""
    if "no" in ref:
        return TokenizerOutput(ref, ref, trouble=(f"Tokenizer not found: {ref}", "", "Name one."))
    texts = []
    for name, text in request["texts"]:
        tokens = cut(text)
        count = Count(name, len(text), len(text.encode("utf-8", "replace")), count_words(text),
                      len(tokens), 0, ("letter case",) if "Z" in text else ())  # fmt: skip
        texts.append(Tokenized(count, tokens))
    renders = []
    for form in request["forms"]:
        opening = "<s>" if form == "" else f"<{form}>"
        text = opening + " ".join(one["content"] for one in request["messages"])
        text += " <answer>" if request["answer_next"] else ""
        tokens = cut(text)
        if form == "instruct":
            refused = RenderedTemplate(form, form, "", (), 0, (), "Template error: no system")
            renders.append(refused)
            continue
        renders.append(RenderedTemplate(form, form or "chat", text, tokens, len(tokens)))
    return TokenizerOutput(ref, ref.rpartition(":")[2], "WordLevel", 99, ("<s>",), (), tuple(texts),
                   tuple(renders))  # fmt: skip


def cut(text: str) -> tuple[Token, ...]:
    """Each word with the space before it, numbered."""
    pieces = re.findall(r"<[a-z]+>|\s?[^\s<]+|\s|<", text)
    return tuple(
        Token(piece, (piece.replace(" ", "Ġ"),), (at + 100,),
              "special" if re.fullmatch("<[a-z]+>", piece) else "")
        for at, piece in enumerate(pieces)
    )  # fmt: skip
