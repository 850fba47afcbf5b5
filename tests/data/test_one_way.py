"""A row goes one way: no function is called by what it calls. Of modules: pyproject.toml."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import engine.data

STEPS = ("rows", "unpaired", "media", "unread", "parse", "labels", "preferences", "history",
         "messages", "values", "columns", "schemas", "formats", "delimited", "dialects",
         "json_array", "json_lines", "plain_text", "raw_row")  # fmt: skip
FOLDER = Path(engine.data.__file__).parent


def calls_of(step: str) -> dict[str, set[str]]:
    """Which functions of the steps each function of one calls or hands on, all as `step.name`."""
    tree = ast.parse((FOLDER / f"{step}.py").read_text())
    names = {
        node.name: f"{step}.{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    modules = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engine.data"):
            source = (node.module or "").rpartition(".")[2]
            for name in node.names:
                if name.name in STEPS:
                    modules[name.asname or name.name] = name.name
                elif source in STEPS:
                    names[name.asname or name.name] = f"{source}.{name.name}"
    calls: dict[str, set[str]] = {}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        called = calls.setdefault(f"{step}.{node.name}", set())
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in names:
                called.add(names[part.id])
            if not isinstance(part, ast.Attribute) or not isinstance(part.value, ast.Name):
                continue
            if part.value.id in modules:
                called.add(f"{modules[part.value.id]}.{part.attr}")
    return calls


def test_no_function_is_called_by_what_it_calls() -> None:
    graph = {name: called for step in STEPS for name, called in calls_of(step).items()}
    assert "parse.parse_row" in graph["rows._parse"]
    assert "labels.collect" in graph["rows.collect_labels"]
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("messages.read_text") < order.index("parse.parse_row")
    assert order.index("parse.parse_row") < order.index("rows.open_rows")
