"""Tool calls written as Python: `get_weather(city="Oslo")`, alone, in lines, or in a list.

Reads literals only and runs nothing. A source that is long or nested deeply is refused before it is
parsed, so that the parser's own stack is never the limit.
"""

import ast
import warnings
from typing import Any

_LONGEST = 100_000
_DEEPEST = 32
_WORDS = {"true": True, "false": False, "null": None}
"""JSON's words, which models write in Python's place."""


class CallError(ValueError):
    """What begins as a call and is none; says why."""


def read_python_calls(source: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and arguments of each call in a source that holds nothing but calls.

    The values are those that JSON has; a tuple is a list. `print(f(…))` is `f(…)`, as Gemma writes
    it. Raises CallError.
    """
    try:
        tree = _parse(source)
        nodes = [node for statement in tree.body for node in _call_nodes(statement)]
        calls = [(_name(node.func), _arguments(node)) for node in nodes]
    except RecursionError:
        raise CallError("it is nested too deeply") from None
    if not calls:
        raise CallError("it holds no call")
    return calls


def _parse(source: str) -> ast.Module:
    if len(source) > _LONGEST:
        raise CallError(f"it is longer than {_LONGEST:,} characters")
    depth = 0
    for character in source:
        depth += (character in "([{") - (character in ")]}")
        if depth > _DEEPEST:
            raise CallError("it is nested too deeply")
    try:
        with warnings.catch_warnings():  # of an escape that Python does not know
            warnings.simplefilter("ignore")
            return ast.parse(source.strip() + "\n")
    except SyntaxError as error:
        raise CallError(f"not valid Python: {error.msg}") from None
    except (ValueError, MemoryError):
        raise CallError("not valid Python") from None


def _call_nodes(statement: ast.stmt) -> list[ast.Call]:
    value = statement.value if isinstance(statement, ast.Expr) else None
    nodes = value.elts if isinstance(value, ast.List) else [value]
    return [_unprinted(node) for node in nodes]


def _unprinted(node: ast.expr | None) -> ast.Call:
    if not isinstance(node, ast.Call):
        raise CallError("it holds more than calls")
    is_print = isinstance(node.func, ast.Name) and node.func.id == "print"
    if is_print and len(node.args) == 1 and isinstance(node.args[0], ast.Call):
        return node.args[0]
    return node


def _name(node: ast.expr) -> str:
    """A tool's name, with dots where it has some."""
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise CallError("it names no tool")


def _arguments(node: ast.Call) -> dict[str, Any]:
    if node.args:
        raise CallError("an argument has no name")
    arguments: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise CallError("an argument has no name")
        arguments[keyword.arg] = _literal(keyword.value)
    return arguments


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.Name(id=word) if word in _WORDS:
            return _WORDS[word]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            names = [None if key is None else _literal(key) for key in keys]
            if not all(isinstance(name, str) for name in names):
                raise CallError("a key is not a string")
            return dict(zip(names, map(_literal, values), strict=True))
    raise CallError("an argument is not a literal")
