"""No regular expression of ours takes longer than in proportion to the text, whatever it holds.

Texts come from models, data, logs and others' files, so each pattern is tried on what would make
it go over the same characters again and again. Patterns are found by syntax tree: a new one is
tried without being named here, and one that is made from a name at run time is named in MADE.
"""

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from re import _parser as sre  # type: ignore[attr-defined]
from typing import Any

import pytest

from engine import answer_parts, words, written_numbers
from engine.call_finder import find_calls
from engine.compare import answer_length, checks, refusals, text_metrics, votes
from engine.events import hparams_yaml
from engine.text import one_line
from tests.pseudo_terminal import HOME
from tui.widgets.pager import broken, wrap

CALLS = ("compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")
SECONDS = 0.1
"""Of this process's own time, at a length where one in proportion takes a hundredth."""
LENGTHS = (
    8, 12, 16, 18, 20, 22, 24, 26, 28, 32, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536,
)  # fmt: skip
"""So close that the first to take too long takes a few times SECONDS, and not a hundred times."""
UNSUSPICIOUS = {4096: SECONDS / 200, 16_384: SECONDS / 40}
"""What is faster at that length need not be tried at a greater one: a tenth of a nanosecond for
each pair of characters takes longer."""
PUMPS = " \n\ta0-_.,:;\"'`\\<>()[]{}|/#*+=!?é漢\x00"
ENDS = ("", "!\x00", "\n!\x00")


BOUNDED = {
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]": 1_000,  # the longest pattern of a filter
    r"[-+]?(\d[\d_]*)?\.?\d+(e[-+]?\d+)?$|[-+]?\d+\.(e[-+]?\d+)?$": 64,  # the longest number
}
"""Patterns that are tried on short texts alone, and how long these may be."""
AT_ONE_PLACE = {
    r"\s*```(?:json)?",
    r"\s*+(?:```\s*+)?<[|｜]tool▁call▁end[|｜]>",
}
"""Patterns that are handed to a function which matches them at one place."""


def sources() -> Iterator[Path]:
    for room in ("engine", "tui"):
        for path in sorted((HOME / room).rglob("*.py")):
            if "making" not in path.parts:
                yield path


def patterns(path: Path) -> Iterator[tuple[str, re.Pattern[Any], bool]]:
    """Where each pattern of a module stands, it, compiled, and whether it is searched for: else it
    is tried at one place alone. Those that are made at run time are left out."""
    tree = ast.parse(path.read_text())
    uses: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            uses.setdefault(node.value.id, set()).add(node.attr)
    names = {
        id(node.value): node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    if not any(
        isinstance(node, ast.Import) and node.names[0].name == "re" for node in ast.walk(tree)
    ):
        return
    module = importlib.import_module(".".join(path.relative_to(HOME).with_suffix("").parts))
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in CALLS
        ):
            continue
        expression = ast.Expression(node)
        if node.func.attr != "compile":
            compiled = ast.Call(
                ast.Attribute(ast.Name("re", ast.Load()), "compile", ast.Load()),
                node.args[:1],
                [one for one in node.keywords if one.arg == "flags"],
            )
            expression = ast.Expression(compiled)
        try:
            code = compile(ast.fix_missing_locations(expression), str(path), "eval")
            found = eval(code, vars(module))  # our own source
        except NameError:
            continue
        used = {node.func.attr} - {"compile"} or uses.get(names.get(id(node), ""), {"search"})
        yield f"{path.relative_to(HOME)}:{node.lineno}", found, not used <= {"match", "fullmatch"}


def literals(pattern: re.Pattern[Any]) -> set[str]:
    """Texts that stand in a pattern, and of each set of characters one."""
    text = (
        pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    )
    found: set[str] = set()

    def walk(parts: Any) -> None:
        run = ""
        for kind, value in parts:
            if str(kind) == "LITERAL":
                run += chr(value)
                continue
            found.update({run, run[:1]})
            run = ""
            for inner in value if isinstance(value, list | tuple) else (value,):
                if isinstance(inner, sre.SubPattern):
                    walk(inner)
                elif isinstance(inner, list) and inner and isinstance(inner[0], sre.SubPattern):
                    for each in inner:
                        walk(each)
        found.update({run, run[:1]})

    walk(sre.parse(text, pattern.flags & ~re.DEBUG))
    return found - {""}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("room", ["engine", "engine/worker", "tui"])
def test_no_pattern_takes_longer_than_in_proportion(room: str) -> None:
    found = 0
    for path in sources():
        inside = path.relative_to(HOME).as_posix()
        if not inside.startswith(f"{room}/") or (
            room == "engine" and inside.startswith("engine/worker/")
        ):
            continue
        for where, pattern, searched in patterns(path):
            found += 1
            searched &= pattern.pattern not in AT_ONE_PLACE
            longest = BOUNDED.get(pattern.pattern, LENGTHS[-1])
            assert not slowest(pattern, searched, longest), f"{where} {pattern.pattern!r}"
    assert found >= {"engine": 60, "engine/worker": 10, "tui": 4}[room]


@pytest.mark.parametrize("slow", ["(a+)+$", r"^\s*-", "a.*b", r"\s+$", "x*y"])
@pytest.mark.timeout(60)
def test_a_pattern_that_does_is_found(slow: str) -> None:
    assert slowest(re.compile(slow, re.MULTILINE), searched=True)


TOOLS = ({"type": "function", "function": {"name": "a", "parameters": {}}},)
MARKS = (
    "<think>", "</think>", "[THINK]", "<tool_call>", "</tool_call>", '{"name": ', '{"a": ', "[a(",
    "<function=a>", "<parameter=a>", "[TOOL_CALLS]", "a[ARGS]{", "<｜tool▁call▁begin｜>", "```",
    "```json\n", "<|python_tag|>", "functools[", "\n- ", "1. ", "e\u0301", "a: b\n", '"\\',
)  # fmt: skip


MADE: dict[str, Callable[[str], object]] = {
    "words": words.pieces_of,
    "refusals": refusals.find_refusal,
    "answer": lambda text: answer_parts.split_answer(text, TOOLS),
    "growing": answer_parts.split_growing,
    "open": answer_parts.opens_reasoning,
    "number": written_numbers.final_number,
    "code": checks.syntax,
    "says": lambda text: checks.says(text, "a b"),
    "mentions": lambda text: checks.mentions(text, "a b"),
    "begins": lambda text: checks.begins(text, "a b"),
    "sentences": answer_length.count_sentences,
    "language": text_metrics.language_of,
    "calls": lambda text: find_calls(text, TOOLS),
    "clean": one_line,
    "yaml": hparams_yaml.read,
    "broken": lambda text: broken(text, 40),
    "wrapped": lambda text: wrap([(text, "")], 40),
    "hidden": lambda text: votes.hide_names(text, ["a-b", "tuned model"]),
}
"""What reads a long untrusted text, by patterns that are made at run time or by several in turn."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MADE)
def test_no_reader_takes_longer_than_in_proportion(name: str) -> None:
    read = MADE[name]

    def seconds(text: str) -> float:
        began = time.process_time()
        read(text)
        return time.process_time() - began

    for pump in [*PUMPS, *MARKS]:
        for start in ("", pump + "a", "<tool_call>", "```"):
            short, long = (
                start + pump * (length // len(pump)) + "\n!\x00" for length in (4096, 32_768)
            )
            took, took_long = seconds(short), seconds(long)
            # In proportion 8 times as long, by the square 64 times.
            if took_long > 24 * max(took, SECONDS / 10):
                took, took_long = (min(seconds(text) for _ in range(3)) for text in (short, long))
                assert took_long < 24 * max(took, SECONDS / 10), f"{start!r} {pump!r}"


def slowest(pattern: re.Pattern[Any], searched: bool, longest: int = LENGTHS[-1]) -> str:
    """The text that takes too long, as words; empty where none does."""
    own = sorted(literals(pattern))
    pumps = dict.fromkeys([*PUMPS, *own, *(one + " " for one in own), *(one + "a" for one in own)])
    for pump in pumps:
        for start in ("", *own[:3]):
            for end in ENDS:
                for length in (one for one in LENGTHS if one <= longest):
                    text: Any = start + pump * (length // len(pump)) + end
                    if isinstance(pattern.pattern, bytes):
                        text = text.encode()
                    took = _seconds(pattern, text, searched)
                    # A machine that has much else to do is slow now and then, a pattern each time.
                    if took > SECONDS and all(
                        _seconds(pattern, text, searched) > SECONDS for _ in range(3)
                    ):
                        return f"{start!r} + {pump!r} * {length // len(pump)} + {end!r}"
                    if took < UNSUSPICIOUS.get(length, 0):
                        break
    return ""


def _seconds(pattern: re.Pattern[Any], text: Any, searched: bool) -> float:
    """This process's own time for one use of a pattern."""
    began = time.process_time()
    if searched:
        for _ in pattern.finditer(text):
            pass
    else:
        pattern.match(text)
        pattern.fullmatch(text)
    return time.process_time() - began
