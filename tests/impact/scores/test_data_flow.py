"""Data flow of code, counted by hand."""

import ast

import pytest

from engine.impact.scores.data_flow import data_flow

FROM, OF = "comes from", "computed from"


@pytest.mark.parametrize(
    ("code", "items"),
    [
        # The paper's own way: a parameter is read, and a sum is computed from two variables.
        (
            "def f(a, b):\n    c = a + b\n    return c",
            {(0, FROM, (0,)): 1, (1, FROM, (1,)): 1, (2, OF, (0, 1)): 1, (2, FROM, (2,)): 1},
        ),
        ("x = 1", {}),
        ("print('a')", {}),
        ("x = 1\ny = x", {(0, FROM, (0,)): 1, (1, OF, (0,)): 1}),
        ("x = 1\nx += 2", {(0, OF, (0,)): 1}),
        ("a = b = 1\na, b = b, a", {(0, FROM, (0,)): 1, (1, FROM, (1,)): 1,
                                    (1, OF, (0,)): 1, (0, OF, (1,)): 1}),
        ("def f(xs):\n    for x in xs:\n        yield x",
         {(0, FROM, (0,)): 1, (1, OF, (0,)): 1, (1, FROM, (1,)): 1}),
        # What the loop binds is known from its beginning.
        ("while True:\n    print(n)\n    n = 1", {(0, FROM, (0,)): 1}),
        ("print(n)\nn = 1", {}),
        ("d = {}\nk = 1\nd[k] = 2", {(0, FROM, (0,)): 1, (1, OF, (0,)): 1}),
        ("def f(self, v):\n    self.a.b = v", {(0, FROM, (0,)): 1, (1, OF, (0,)): 1}),
        ("a = 1\ndef f(b=a, *c, d=a, **e):\n    return c, e",
         {(0, FROM, (0,)): 2, (1, OF, (0,)): 1, (2, OF, (0,)): 1, (3, FROM, (3,)): 1,
          (4, FROM, (4,)): 1}),
        ("xs = []\nys = [x for x in xs if x]", {(0, FROM, (0,)): 1, (1, OF, (0,)): 1,
                                               (1, FROM, (1,)): 2, (2, OF, (1, 1, 0, 1)): 1}),
        ("x = 1\ndel x\nprint(x)", {}),
        ("with open('f') as f:\n    (first, *rest) = f", {(0, FROM, (0,)): 1, (1, OF, (0,)): 1,
                                                        (2, OF, (0,)): 1}),
        ("try:\n    pass\nexcept OSError as e:\n    print(e)", {(0, FROM, (0,)): 1}),
        ("x = 1\nif (y := x):\n    z: int = y", {(0, FROM, (0,)): 1, (1, OF, (0,)): 1,
                                                (1, FROM, (1,)): 1, (2, OF, (1,)): 1}),
        ("match p:\n    case [a, *b] as c:\n        print(a, b, c)",
         {(0, FROM, (0,)): 1, (1, FROM, (1,)): 1, (2, FROM, (2,)): 1}),
    ],
)  # fmt: skip
def test_where_values_come_from(code: str, items: dict[object, int]) -> None:
    assert data_flow(ast.parse(code)) == items


def test_names_and_order_of_names_say_nothing() -> None:
    left = "def f(a, b):\n    c = a - b\n    return c"
    right = "def g(z, y):\n    x = z - y\n    return x"
    swapped = "def f(a, b):\n    c = b - a\n    return a"
    flow = data_flow(ast.parse(left))
    assert flow == data_flow(ast.parse(right)) != data_flow(ast.parse(swapped))
