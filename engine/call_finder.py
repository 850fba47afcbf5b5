"""Tool calls in what a model wrote, in the formats that published models use.

- Hermes, Qwen: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`
- Qwen3-Coder: `<function=NAME><parameter=KEY>VALUE</parameter></function>`; GLM: `<arg_key>`
- Mistral: `[TOOL_CALLS][{…}]`, `[TOOL_CALLS]NAME[ARGS]{…}`
- Llama 3: `<|python_tag|>{…}`, or an object of `name` and `parameters` as the whole answer
- Granite, Phi-4: `<|tool_call|>[{…}]`, `functools[{…}]`
- Llama 4, Gemma 3, OLMo 3: Python, as `engine.python_calls` reads it
- DeepSeek: `<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜>`

Special tokens must still be in the text. Runs nothing, raises nothing, mends nothing: a call that
does not parse is told of, with its reason. Takes time linear in the text, whatever it holds: so
many places are looked at, and no more.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.chat import ToolCall, Tools
from engine.python_calls import CallError, read_python_calls
from engine.tool_calls import (
    CALL_KEYS,
    LONGEST_MALFORMED,
    MalformedCall,
    call_of,
    load_json,
    make_call,
    schemas_of,
    typed_argument,
)

MOST_CALLS = 256
"""Calls of one answer, malformed ones counted: each of them may cost a look at the whole text."""
_SPACE = re.compile(r"\s*")
_OBJECT_BEGINS = re.compile(
    r'\[?\s*\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*"[^"\\]*"\s*,'
    r'\s*"(?:arguments|parameters)"\s*:'
)
_PYTHON_BEGINS = re.compile(r"\[\s*[A-Za-z_][\w.]*\(\s*(?:\)|[A-Za-z_]\w*\s*=)")
_FUNCTION = re.compile(r"<function=([^>\n]{1,256})>")
_PARAMETER = re.compile(r"<parameter=([^>\n]{1,256})>")
_GLM_NAME = re.compile(r"[^\s<>{}\[\]]{1,256}(?=\s*<)")
_MISTRAL_NAME = re.compile(
    r"([\w.-]{1,256})\s*(?:\[CALL_ID\]\s*(\w{1,64}))?\s*(?:\[ARGS\])?(?=\s*\{)"
)
_CALL_BEGIN = re.compile("<[|｜]tool▁call▁begin[|｜]>")
_CALL_SEPARATOR = re.compile("<[|｜]tool▁sep[|｜]>")
_CALL_END = re.compile(r"\s*+(?:```\s*+)?<[|｜]tool▁call▁end[|｜]>")
_CALLS_END = re.compile("<[|｜]tool▁calls▁end[|｜]>")
_DEEPSEEK_HEAD = re.compile(r"\s*([^\s`{]{1,256})\s*(?:```(?:json)?)?")
_FENCE = re.compile(r"\s*```(?:json)?")


@dataclass(frozen=True, slots=True)
class FoundCalls:
    calls: tuple[ToolCall, ...]
    malformed: tuple[MalformedCall, ...]
    rest: str
    """The text without the calls; where there are none, the text as it is."""


def find_calls(text: str, tools: Tools = ()) -> FoundCalls:
    """The calls in a text, in order.

    `tools` are those that the model had: formats that write every argument as text need their
    schemas to tell a number from its digits; without them what reads as JSON is JSON.
    """
    finder = _CallFinder(text, tools)
    finder.find()
    calls, malformed = tuple(finder.calls), tuple(finder.malformed)
    return FoundCalls(calls, malformed, "".join(finder.rest).strip() if finder.count else text)


class _CallFinder:
    """One walk over a text, from mark to mark."""

    def __init__(self, text: str, tools: Tools) -> None:
        self.calls: list[ToolCall] = []
        self.malformed: list[MalformedCall] = []
        self.rest: list[str] = []
        self._text = text
        self._at = 0
        self._begin = 0
        """Of the mark that is read."""
        self._schemas = schemas_of(tools)

    @property
    def count(self) -> int:
        return len(self.calls) + len(self.malformed)

    def find(self) -> None:
        if self._read_whole():
            return
        while (mark := _MARK.search(self._text, self._at)) is not None:
            quoted = self._text[mark.start() - 1 : mark.start()] == "`" != mark.group()[0]
            self.rest.append(self._text[self._at : mark.end() if quoted else mark.start()])
            self._begin, self._at = mark.start(), mark.end()
            if quoted:
                continue
            if self.count >= MOST_CALLS:
                text = self._text[mark.start() :]
                self._refuse(text, f"more than {MOST_CALLS} calls: the rest is not read")
                self._at = len(self._text)
                return
            read, closer = _FORMATS[_ALIASES.get(mark.group(), mark.group())]
            before = self.count
            try:
                read(self)
                if self.count == before:
                    raise CallError("it holds no call")
                self._skip_closer(closer)
            except CallError as error:
                end = self._end_of_malformed(mark.end(), closer)
                self._refuse(self._text[mark.start() : end], str(error))
                self._at = end
        self.rest.append(self._text[self._at :])

    def _refuse(self, text: str, reason: str) -> None:
        self.malformed.append(MalformedCall(text[:LONGEST_MALFORMED], reason))

    def _end_of_malformed(self, start: int, closer: str) -> int:
        """Where the text after a malformed call goes on: its closing mark, or the next call."""
        following = _MARK.search(self._text, start)
        limit = following.start() if following else len(self._text)
        at = self._text.find(closer, start, limit) if closer else -1
        return limit if at < 0 else at + len(closer)

    def _read_whole(self) -> bool:
        """Whether the answer as a whole is a call, without a mark."""
        text = self._text.strip()
        if text.startswith("[") and _PYTHON_BEGINS.match(text):
            if not text.endswith("]") and ")]" in text:
                return False
            read: Callable[[], None] = lambda: self._take_python(text)  # noqa: E731
        elif text.startswith(("{", "[")) and self._holds_call_objects(text):
            read = self._read_json
        else:
            return False
        try:
            read()
            self._at = len(self._text)
        except CallError as error:
            self._refuse(text, str(error))
        return True

    def _holds_call_objects(self, text: str) -> bool:
        """Whether all of a text is objects that have the keys of calls, and no other keys."""
        at = 0
        try:
            while at < len(text):
                value, at = load_json(text, at)
                objects = value if isinstance(value, list) else [value]
                if not objects or not all(map(_looks_like_call, objects)):
                    return False
                at = _end_of(_BETWEEN, text, at)
        except CallError:
            return at == 0 and _OBJECT_BEGINS.match(text) is not None
        return True

    def _read_json(self) -> None:
        """Objects or lists of them, one after the other."""
        self._skip_space()
        if self._text[self._at : self._at + 1] not in ("{", "["):
            raise CallError("no JSON follows the mark")
        while self._text[self._at : self._at + 1] in ("{", "["):
            start = self._at
            value, self._at = load_json(self._text, self._at)
            values = value if isinstance(value, list) else [value]
            for one in values[: MOST_CALLS + 1]:
                try:
                    self.calls.append(call_of(one))
                except CallError as error:
                    end = min(self._at, start + LONGEST_MALFORMED)
                    self._refuse(self._text[start:end], str(error))
            if self.count > MOST_CALLS:
                raise CallError(f"more than {MOST_CALLS} calls: the rest is not read")
            self._at = _end_of(_BETWEEN, self._text, self._at)

    def _read_tag(self) -> None:
        """`<tool_call>`: JSON, functions, or GLM's name and pairs."""
        self._skip_space()
        if self._text.startswith("<function=", self._at):
            while (function := _FUNCTION.match(self._text, self._at)) is not None:
                self._read_function(function)
                self._skip_space()
        elif self._text[self._at : self._at + 1] in ("{", "["):
            count = len(self.calls)
            self._read_json()
            self._skip_space()
            rest = self._text[self._at : self._end_of_malformed(self._at, "</tool_call>")]
            if rest.endswith("</tool_call>") and rest != "</tool_call>":
                del self.calls[count:]  # no server's parser reads it
                raise CallError("text follows its JSON")
        else:
            self._read_pairs()

    def _read_functions(self) -> None:
        """`<function=` without a tag around it."""
        self._at = self._begin
        function = _FUNCTION.match(self._text, self._at)
        if function is None:
            raise CallError("it names no tool")
        self._read_function(function)
        self._skip_closer("</tool_call>")  # models that leave the first mark out write the last one

    def _read_function(self, function: re.Match[str]) -> None:
        name, self._at = function[1].strip(), function.end()
        self._skip_space()
        if self._text.startswith("{", self._at):
            arguments, self._at = load_json(self._text, self._at)
            self._skip_space()
            self._skip("</function>")
        else:
            arguments = {}
            while (parameter := _PARAMETER.match(self._text, self._at)) is not None:
                self._at = parameter.end()
                key = parameter[1].strip()
                arguments[key] = self._typed(name, key, self._until("</parameter>"))
                self._skip_space()
            if not self._skip("</function>"):
                raise CallError("</function> is missing")
        self.calls.append(make_call(name, arguments))

    def _read_pairs(self) -> None:
        name = _GLM_NAME.match(self._text, self._at)
        if name is None:
            raise CallError("no call follows the mark")
        self._at = name.end()
        self._skip_space()
        arguments = {}
        while self._skip("<arg_key>"):
            key = self._until("</arg_key>").strip()
            self._skip_space()
            if not self._skip("<arg_value>"):
                raise CallError("<arg_value> is missing")
            arguments[key] = self._typed(name[0], key, self._until("</arg_value>"))
            self._skip_space()
        if not self._skip("</tool_call>"):
            raise CallError("</tool_call> is missing")
        self.calls.append(make_call(name[0], arguments))

    def _read_mistral(self) -> None:
        self._skip_space()
        name = _MISTRAL_NAME.match(self._text, self._at)
        if name is None:
            self._read_json()
            return
        self._at = name.end()
        self._skip_space()
        arguments, self._at = load_json(self._text, self._at)
        self.calls.append(make_call(name[1], arguments, name[2] or ""))

    def _read_python_tag(self) -> None:
        self._skip_space()
        if self._text[self._at : self._at + 1] in ("{", "["):
            self._read_json()
        else:
            self._read_python("")

    def _read_list(self) -> None:
        """`functools[`, whose bracket belongs to the JSON."""
        self._at = self._begin + len("functools")
        self._read_json()

    def _read_python(self, closer: str) -> None:
        """Up to the closing mark, or to the end where that is missing: an end token may follow."""
        end = self._text.find(closer, self._at) if closer else -1
        following = _MARK.search(self._text, self._at)
        limit = following.start() if following else len(self._text)
        end = limit if end < 0 else end
        self._take_python(self._text[self._at : end])
        self._at = end

    def _take_python(self, source: str) -> None:
        # All or none: half of a list that does not parse is no answer.
        calls = [make_call(name, values) for name, values in read_python_calls(source)]
        self.calls += calls

    def _read_deepseek(self) -> None:
        begin = _CALL_BEGIN.match(self._text, _end_of(_SPACE, self._text, self._at))
        if begin is None:
            raise CallError("no call follows the mark")
        while begin is not None:
            self._at = begin.end()
            self._read_deepseek_call()
            begin = _CALL_BEGIN.match(self._text, _end_of(_SPACE, self._text, self._at))
        self._skip_space()
        self._at = _end_of(_CALLS_END, self._text, self._at)

    def _read_deepseek_single(self) -> None:
        """A call without the mark that begins all of them."""
        self._read_deepseek_call()
        self._skip_space()
        self._at = _end_of(_CALLS_END, self._text, self._at)

    def _read_deepseek_call(self) -> None:
        separator = _CALL_SEPARATOR.search(self._text, self._at, self._at + 512)
        if separator is None:
            raise CallError("<｜tool▁sep｜> is missing")
        name = self._text[self._at : separator.start()].strip()
        self._at = separator.end()
        if name == "function":  # V3 and R1 write the kind there, and the name after it
            head = _DEEPSEEK_HEAD.match(self._text, self._at)
            if head is None:
                raise CallError("it names no tool")
            name, self._at = head[1], head.end()
        else:
            self._at = _end_of(_FENCE, self._text, self._at)
        self._skip_space()
        arguments, self._at = load_json(self._text, self._at)
        if not name:
            raise CallError("it names no tool")
        self.calls.append(make_call(name, arguments))
        self._at = _end_of(_CALL_END, self._text, self._at)

    def _typed(self, name: str, key: str, written: str) -> Any:
        return typed_argument(written, self._schemas.get(name, {}).get(key))

    def _until(self, closer: str) -> str:
        """The text up to a closing mark, which is passed."""
        at = self._text.find(closer, self._at)
        if at < 0:
            raise CallError(f"{closer} is missing")
        text, self._at = self._text[self._at : at], at + len(closer)
        return text

    def _skip(self, mark: str) -> bool:
        is_there = bool(mark) and self._text.startswith(mark, self._at)
        self._at += len(mark) if is_there else 0
        return is_there

    def _skip_closer(self, mark: str) -> None:
        """Pass the closing mark, where it follows."""
        before = self._at
        self._skip_space()
        if not self._skip(mark):
            self._at = before

    def _skip_space(self) -> None:
        self._at = _end_of(_SPACE, self._text, self._at)


_BETWEEN = re.compile(r"\s*[;,]?\s*")
_FORMATS: Mapping[str, tuple[Callable[[_CallFinder], None], str]] = {
    "<tool_call>": (_CallFinder._read_tag, "</tool_call>"),
    "<function=": (_CallFinder._read_functions, "</function>"),
    "[TOOL_CALLS]": (_CallFinder._read_mistral, ""),
    "<|python_tag|>": (_CallFinder._read_python_tag, ""),
    "<|tool_call|>": (_CallFinder._read_json, "<|/tool_call|>"),
    "functools[": (_CallFinder._read_list, ""),
    "<|python_start|>": (lambda finder: finder._read_python("<|python_end|>"), "<|python_end|>"),
    "<function_calls>": (
        lambda finder: finder._read_python("</function_calls>"),
        "</function_calls>",
    ),
    "```tool_code": (lambda finder: finder._read_python("```"), "```"),
    "<｜tool▁calls▁begin｜>": (_CallFinder._read_deepseek, "<｜tool▁calls▁end｜>"),
    "<｜tool▁call▁begin｜>": (_CallFinder._read_deepseek_single, "<｜tool▁call▁end｜>"),
}
"""By its mark: what reads a call, and the mark that may close it."""
_ALIASES = {mark.replace("｜", "|"): mark for mark in _FORMATS if "｜" in mark}
"""DeepSeek's marks with plain bars, as some tokenizers write them."""
_MARK = re.compile("|".join(map(re.escape, (*_FORMATS, *_ALIASES))))


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _looks_like_call(value: object) -> bool:
    keys = set(value) if isinstance(value, dict) else set()
    return "name" in keys and bool(keys & {"arguments", "parameters"}) and keys <= CALL_KEYS
