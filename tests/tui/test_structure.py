"""Classes are made of parts, not of ancestors: read from the syntax of `tui` and `engine`.

Names of bases are followed through the imports of their own file: two classes may have one name.
"""

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tui.test_imports import ROOT, modules_of

MOST_ANCESTORS = 2
BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Program:
    """All classes by full names, each with the full names of its bases."""

    bases: dict[str, list[str]]
    stubs: frozenset[str]
    """Modules that raise NotImplementedError."""

    def ancestors(self, name: str) -> set[str]:
        """Those of its bases that are ours, and theirs."""
        own = {base for base in self.bases[name] if base in self.bases}
        return own.union(*(self.ancestors(base) for base in own))

    def is_apart(self, name: str) -> bool:
        """Whether it is a protocol or an exception, which are made to be bases."""
        return any(
            base == "typing.Protocol"
            or issubclass(getattr(builtins, base, object), BaseException)
            or (base in self.bases and self.is_apart(base))
            for base in self.bases[name]
        )

    @property
    def too_deep(self) -> set[str]:
        """Classes of the screens that have too many ancestors."""
        return {
            name
            for name in self.bases
            if name.startswith("tui.") and len(self.ancestors(name)) > MOST_ANCESTORS
        }

    @property
    def single_bases(self) -> set[str]:
        """Classes that are the base of one other alone."""
        counts = dict.fromkeys(self.bases, 0)
        for base in (base for bases in self.bases.values() for base in bases if base in counts):
            counts[base] += 1
        return {name for name, count in counts.items() if count == 1 and not self.is_apart(name)}


def program_of(root: Path, packages: tuple[str, ...]) -> Program:
    bases: dict[str, list[str]] = {}
    stubs = set()
    for module, path in modules_of(root, packages).items():
        tree = ast.parse(path.read_text("utf-8"))
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        imported = dict(_imports(tree, package))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names = [_name(base) for base in node.bases]
                bases[f"{module}.{node.name}"] = [_full(name, module, imported) for name in names]
            elif isinstance(node, ast.Raise) and node.exc is not None:
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                if _name(raised) == "NotImplementedError":
                    stubs.add(module)
    return Program(bases, frozenset(stubs))


def _imports(tree: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """Each name that a file imports, wherever, with its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*above, source] if source else above)
            for alias in node.names:
                yield alias.asname or alias.name, f"{source}.{alias.name}"


def _name(node: ast.expr) -> str:
    """`a.b` of a name, an attribute, or what has `[...]` after it."""
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


def _full(name: str, module: str, imported: dict[str, str]) -> str:
    first, dot, rest = name.partition(".")
    if first in BUILTINS:
        return name
    return f"{imported.get(first, f'{module}.{first}')}{dot}{rest}"


@pytest.fixture(scope="module")
def program() -> Program:
    return program_of(ROOT, ("tui", "engine"))


def test_no_class_of_the_screens_has_more_than_two_ancestors_of_ours(program: Program) -> None:
    assert "tui.screens.page.Page" in program.ancestors("tui.watch.page.WatchPage")
    assert not program.too_deep, "compose it"


def test_no_class_is_the_base_of_a_single_other(program: Program) -> None:
    assert not program.single_bases, "fold it, compose it"


def test_nothing_is_left_to_be_implemented(program: Program) -> None:
    assert not program.stubs, "abstractmethod says it, and the type checker hears it"


def test_no_handler_calls_that_of_its_base() -> None:
    calls = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "tui").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"super\(\)\.on_(?!event\()", line)
    ]
    assert not calls, "Textual calls the handlers of all classes: this one would run twice"


def test_every_class_has_a_name_of_its_own(program: Program) -> None:
    places: dict[str, list[str]] = {}
    for name in program.bases:
        places.setdefault(name.rpartition(".")[2], []).append(name)
    twice = {
        name: sorted(modules)
        for name, modules in places.items()
        if len(modules) > 1 and not name.startswith("_")
    }
    assert not twice, "one word, one meaning: rename all but one"


SOURCES = {
    "box/__init__.py": "",
    "box/base.py": (
        "from typing import Protocol\n"
        "class Base: ...\n"
        "class Input: ...\n"
        "class Shape(Protocol): ...\n"
        "class Wrong(ValueError): ...\n"
    ),
    "box/first.py": (
        "import lib.widgets\n"
        "from box import base\n"
        "from box.base import Base as Root, Shape, Wrong\n"
        "class First(Root): ...\n"
        "class Second(base.Base): ...\n"
        "class Field(lib.widgets.Input): ...\n"
        "class Round(Shape): ...\n"
        "class Worse(Wrong): ...\n"
    ),
    "box/second.py": (
        "from .first import First\n"
        "class Input: ...\n"
        "class Third(First[int]): ...\n"
        "class Only(Input): ...\n"
        "def f(): raise NotImplementedError('later')\n"
    ),
}


def test_bases_are_followed_through_imports_and_not_by_bare_names(tmp_path: Path) -> None:
    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    program = program_of(tmp_path, ("box",))
    assert program.ancestors("box.second.Third") == {"box.first.First", "box.base.Base"}
    assert program.bases["box.first.Field"] == ["lib.widgets.Input"]
    assert program.single_bases == {"box.first.First", "box.second.Input"}
    assert program.stubs == {"box.second"}
