"""The data flow of Python code: which variable's value comes from which, names and places aside.

As in CodeBLEU (Ren et al. 2020, arXiv 2009.10297, 3.3), over the tree of the standard library's
`ast`. An item is a variable, how it gets its value, and the variables that it gets it from:

- `comes from`: a variable is read, and was given a value before;
- `computed from`: it is assigned what is computed from others (also by a loop, a `with`, an
  augmented assignment, an item or attribute of it that is set).

Variables are called after the order in which they appear in the items, so that renaming changes
nothing. Branches count as taken, all of them; what a loop binds is known from its beginning, as
in its second turn. Names that the code does not bind (functions, modules, builtins) are no
variables, nor is a literal. One name is one variable in all functions of a code, as in the paper.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

Flow = Counter[tuple[int, str, tuple[int, ...]]]
"""Variable, relation, its sources; and how often."""
_Item = tuple[str, str, tuple[str, ...]]


def data_flow(tree: ast.AST) -> Flow:
    """The items of a parsed code. Raises RecursionError where it is nested too deeply."""
    reader = _FlowReader()
    reader.visit(tree)
    numbers: dict[str, int] = {}
    items: Flow = Counter()
    for name, relation, sources in reader.items:
        froms = tuple(numbers.setdefault(one, len(numbers)) for one in sources)
        items[numbers.setdefault(name, len(numbers)), relation, froms] += 1
    return items


class _FlowReader(ast.NodeVisitor):
    """Goes through code in the order in which it runs, and notes where values come from."""

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self._bound: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and node.id in self._bound:
            self.items.append((node.id, "comes from", (node.id,)))
        elif isinstance(node.ctx, ast.Del):
            self._bound.discard(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._assign(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self._assign(node.target, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        self._bind(node.target, (*self._variables(node.target), *self._variables(node.value)))

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self._assign(node.target, node.value)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._assign(node.target, node.iter)
        self._repeat(node.body, node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        self._bound |= set(_stored(node.body))
        self.visit(node.test)
        self._repeat(node.body, node.orelse)

    def visit_withitem(self, node: ast.withitem) -> None:
        self.visit(node.context_expr)
        if node.optional_vars is not None:
            self._assign(node.optional_vars, node.context_expr)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.visit(node.iter)
        self._assign(node.target, node.iter)
        for condition in node.ifs:
            self.visit(condition)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> None:
        for each in (*node.generators, node.elt):
            self.visit(each)

    visit_SetComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def visit_DictComp(self, node: ast.DictComp) -> None:
        for each in (*node.generators, node.key, node.value):
            self.visit(each)

    def visit_arguments(self, node: ast.arguments) -> None:
        positional = [*node.posonlyargs, *node.args]
        given = positional[len(positional) - len(node.defaults) :]
        defaults = [*zip(given, node.defaults, strict=True)]
        defaults += [
            (argument, value)
            for argument, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)
            if value is not None
        ]
        for argument, value in defaults:
            self.visit(value)
            self._note(argument.arg, self._variables(value))
        rest = filter(None, (node.vararg, node.kwarg))
        self._bound |= {one.arg for one in (*positional, *node.kwonlyargs, *rest)}

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            self._bound.add(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name is not None:
            self._bound.add(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name is not None:
            self._bound.add(node.name)

    def _repeat(self, body: list[ast.stmt], after: list[ast.stmt]) -> None:
        self._bound |= set(_stored(body))
        for statement in (*body, *after):
            self.visit(statement)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        """Part by part where both sides are lists of the same length, else all from all."""
        if isinstance(target, ast.Tuple | ast.List):
            parts = target.elts
            if (
                isinstance(value, ast.Tuple | ast.List)
                and len(value.elts) == len(parts)
                and not any(isinstance(one, ast.Starred) for one in (*parts, *value.elts))
            ):
                # The values were computed before any of the names was bound.
                sources = [self._variables(one) for one in value.elts]
            else:
                sources = [self._variables(value)] * len(parts)
            for part, froms in zip(parts, sources, strict=True):
                self._bind(part, froms)
            return
        self._bind(target, self._variables(value))

    def _bind(self, target: ast.expr, sources: tuple[str, ...]) -> None:
        if isinstance(target, ast.Name):
            self._note(target.id, sources)
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._bind(part, sources)
        elif isinstance(target, ast.Starred):
            self._bind(target.value, sources)
        elif isinstance(target, ast.Subscript):
            self.visit(target.slice)
            self._bind_root(target.value, (*self._variables(target.slice), *sources))
        elif isinstance(target, ast.Attribute):
            self._bind_root(target.value, sources)

    def _bind_root(self, owner: ast.expr, sources: tuple[str, ...]) -> None:
        """What is set in an object flows into the variable that holds it."""
        while isinstance(owner, ast.Attribute | ast.Subscript):
            owner = owner.value
        if isinstance(owner, ast.Name):
            self._note(owner.id, sources)

    def _note(self, name: str, sources: tuple[str, ...]) -> None:
        self._bound.add(name)
        if sources:
            self.items.append((name, "computed from", sources))

    def _variables(self, node: ast.AST) -> tuple[str, ...]:
        """Those that an expression names, in the order in which they are written."""
        names = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
        names.sort(key=lambda one: (one.lineno, one.col_offset))
        return tuple(one.id for one in names if one.id in self._bound)


def _stored(body: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
