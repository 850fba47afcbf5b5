"""No file imports itself by way of others, counting the imports inside functions too."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Graph = dict[str, set[str]]
"""Every module, to those that it imports when it runs."""


def modules_of(root: Path, packages: tuple[str, ...]) -> dict[str, Path]:
    """The files below these packages, by the dotted names of their modules."""
    modules = {}
    for package in packages:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def is_for_types(test: ast.expr) -> bool:
    """Whether a condition is TYPE_CHECKING, which is never true when the program runs."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def running_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements that can run, at whatever depth."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and is_for_types(node.test):
            for other in node.orelse:
                yield from running_imports(ast.Module([other], []))
        else:
            yield from running_imports(node)


def names_in(statement: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """What a statement in a file of `package` names: modules, or names within modules."""
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
        return
    source = statement.module or ""
    if statement.level:
        parts = package.split(".")
        above = parts[: len(parts) - statement.level + 1]
        source = ".".join([*above, source] if source else above)
    yield from (f"{source}.{alias.name}" for alias in statement.names)


def graph_of(root: Path, packages: tuple[str, ...]) -> Graph:
    modules = modules_of(root, packages)
    graph: Graph = {}
    for module, path in modules.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        imported = graph.setdefault(module, set())
        for statement in running_imports(ast.parse(path.read_text("utf-8"))):
            for name in names_in(statement, package):
                while name and name not in modules:
                    name = name.rpartition(".")[0]
                if name and name != module:
                    imported.add(name)
    return graph


def circle_in(graph: Graph) -> list[str]:
    """The modules of one circle, each imported by the next, the first again last; or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = graph_of(ROOT, ("engine", "tui"))
    assert "tui.screens.page" in graph["tui.base_app"], "the graph knows the imports"
    circle = circle_in(graph)
    assert not circle, "each is imported by the next: " + ", ".join(circle)


def test_a_circle_is_found_through_functions_and_packages(tmp_path: Path) -> None:
    write(tmp_path / "box/__init__.py", "")
    write(tmp_path / "box/first.py", "from box import second\n")
    write(tmp_path / "box/second.py", "from .inner.third import THIRD\n")
    write(tmp_path / "box/inner/__init__.py", "")
    write(tmp_path / "box/inner/third.py", "def late():\n    import box.first\n\n\nTHIRD = 3\n")
    circle = circle_in(graph_of(tmp_path, ("box",)))
    assert circle[0] == circle[-1]
    assert set(circle) == {"box.first", "box.second", "box.inner.third"}


def test_imports_for_types_alone_make_no_circle(tmp_path: Path) -> None:
    guarded = (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from box.second import X\n"
    )
    write(tmp_path / "box/__init__.py", "")
    write(tmp_path / "box/first.py", guarded)
    write(tmp_path / "box/second.py", "import box.first\n\nX = 1\n")
    assert graph_of(tmp_path, ("box",))["box.second"] == {"box.first"}
    assert circle_in(graph_of(tmp_path, ("box",))) == []
    write(tmp_path / "box/first.py", guarded + "else:\n    from box.second import X\n")
    assert circle_in(graph_of(tmp_path, ("box",)))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
