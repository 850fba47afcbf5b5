"""What Ollama makes of a template and a conversation: the subset of text/template that we emit.

Reads the template's text, so that a fault in how it was written is seen. Refuses (ValueError) what
we do not emit. Source: pkg.go.dev/text/template, and Ollama's template/template.go for the values.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.chat import Message

_ACTION = re.compile(r'\{\{ ((?:"(?:[^"\\]|\\.)*+"|[^"{}])*?) \}\}', re.DOTALL)
_WORD = re.compile(r'(\(|\)|:=|=|"(?:[^"\\]|\\.)*+(?:"|\Z)|\$?\.?[\w.]+|\$|\.|,)', re.DOTALL)
_ESCAPES = re.compile(r"\\U([0-9a-f]{8})")


@dataclass(slots=True)
class _Block:
    """A stretch of a template, or one `if`, `range` or `define` of it."""

    kind: str
    words: list[str] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)
    otherwise: "list[Any] | None" = None


def render(template: str, messages: Sequence[Message]) -> str:
    """The prompt of a conversation. Raises ValueError."""
    system, turns = collate(messages)
    values = {"System": system, "Messages": turns}
    state = _State({}, {"$": values})
    block = _parse(template, state)
    return state.run(block.parts, values)


def collate(messages: Sequence[Message]) -> tuple[str, list[dict[str, str]]]:
    """All system messages as one text, and the messages, those of one role in a row as one."""
    system = "\n\n".join(one.content for one in messages if one.role == "system")
    turns: list[dict[str, str]] = []
    for one in messages:
        if turns and turns[-1]["Role"] == one.role:
            turns[-1]["Content"] += "\n\n" + one.content
        else:
            turns.append({"Role": one.role, "Content": one.content})
    return system, turns


def _parse(template: str, state: "_State") -> _Block:
    """The template's blocks; definitions go to `state`."""
    stack = [_Block("root")]
    open_parts = [stack[0].parts]
    position = 0
    while (start := template.find("{{", position)) >= 0:
        # The first two braces begin an action, also where a third one follows.
        if (found := _ACTION.match(template, start)) is None:
            raise ValueError("an action of the template cannot be read")
        open_parts[-1].append(template[position:start])
        position = found.end()
        words = _WORD.findall(found[1])
        head = words[0]
        if head in ("if", "range", "define"):
            block = _Block(head, words[1:])
            stack.append(block)
            open_parts.append(block.parts)
        elif head == "else":
            block = stack[-1]
            block.otherwise = []
            open_parts[-1] = block.otherwise
            if words[1:2] == ["if"]:
                inner = _Block("else if", words[2:])
                block.otherwise.append(inner)
                stack.append(inner)
                open_parts.append(inner.parts)
        elif head == "end":
            while True:
                block = stack.pop()
                open_parts.pop()
                if block.kind != "else if":
                    break
            if block.kind == "define":
                state.definitions[json.loads(block.words[0])] = block
            else:
                open_parts[-1].append(block)
        else:
            open_parts[-1].append(words)
    if len(stack) != 1:
        raise ValueError("an action of the template does not end")
    stack[0].parts.append(template[position:])
    return stack[0]


@dataclass(slots=True)
class _State:
    definitions: dict[str, _Block]
    variables: dict[str, Any]

    def run(self, parts: Sequence[Any], dot: Any) -> str:
        return "".join(self._part(part, dot) for part in parts)

    def _part(self, part: Any, dot: Any) -> str:
        if isinstance(part, str):
            return part
        if isinstance(part, _Block):
            return self._block(part, dot)
        if part[0] == "template":
            inner = self.definitions[json.loads(part[1])]
            value = self._value(part[2:], dot)
            return _State(self.definitions, {"$": value}).run(inner.parts, value)
        if part[1:2] in ([":="], ["="]):
            self.variables[part[0]] = self._value(part[2:], dot)
            return ""
        return str(self._value(part, dot))

    def _block(self, block: _Block, dot: Any) -> str:
        if block.kind == "range":
            index, comma, item, _, *words = block.words
            if comma != ",":
                raise ValueError("range without an index")
            written = []
            for at, value in enumerate(self._value(words, dot)):
                self.variables |= {index: at, item: value}
                written.append(self.run(block.parts, value))
            return "".join(written)
        chosen = block.parts if self._value(block.words, dot) else block.otherwise or []
        return self.run(chosen, dot)

    def _value(self, words: Sequence[str], dot: Any) -> Any:
        rest = list(words)
        value = self._call(rest, dot)
        if rest:
            raise ValueError(f"unexpected {rest[0]}")
        return value

    def _call(self, rest: list[str], dot: Any) -> Any:
        name = rest[0] if rest else ""
        if name not in ("eq", "len", "slice", "index"):
            return self._operand(rest, dot)
        rest.pop(0)
        given = []
        while rest and rest[0] != ")":
            given.append(self._operand(rest, dot))
        first = given[0]
        if name == "eq":
            return any(first == one for one in given[1:])
        # Go counts the bytes of a text.
        raw = first.encode("utf-8", "surrogateescape") if isinstance(first, str) else first
        if name == "len":
            return len(raw)
        if name == "index":
            return raw[given[1]]
        cut = raw[slice(*given[1:])] if len(given) > 2 else raw[given[1] :]
        return cut.decode("utf-8", "surrogateescape") if isinstance(cut, bytes) else cut

    def _operand(self, rest: list[str], dot: Any) -> Any:
        word = rest.pop(0)
        if word == "(":
            value = self._call(rest, dot)
            if rest.pop(0) != ")":
                raise ValueError("a bracket that does not close")
            return value
        if word.startswith('"'):
            return json.loads(_ESCAPES.sub(lambda found: chr(int(found[1], 16)), word))
        if word in ("true", "false"):
            return word == "true"
        if word.isdigit():
            return int(word)
        name, _, key = word.partition(".")
        value = dot if not name else self.variables[name]
        return value[key] if key else value
