"""Short Python functions: a name, an operation, a constant."""

from random import Random

from engine.demo.making.corpus.asking import dress
from engine.demo.making.corpus.document import Turn, capital, held_out, listed, pick
from engine.demo.making.corpus.words import THINGS

SKILL = "python"

_NAMES = listed(
    "step apply change update convert adjust compute process work transform helper solve run "
    "check test filter_values pick choose select handle calculate measure score rate grade level "
    "shift scale move grow shrink build make create form produce get_value get_result find_it "
    "do_work my_function func f g h task job rule plan answer result value_of next_value new_value "
    "total_of price cost size weight count_it points bonus limit guard gate filter_list simple main"
)
_ARGUMENTS = listed("x n value number a num")
_LISTS = listed("items values numbers data xs")
_TEXTS = listed("text word name s title")

_ONE = {
    "add": ("adds {c} to {x}", "return {x} + {c}"),
    "subtract": ("subtracts {c} from {x}", "return {x} - {c}"),
    "multiply": ("multiplies {x} by {c}", "return {x} * {c}"),
    "divide": ("divides {x} by {c}", "return {x} / {c}"),
    "rest": ("returns the remainder of {x} divided by {c}", "return {x} % {c}"),
    "power": ("raises {x} to the power of {c}", "return {x} ** {c}"),
    "above": ("tells whether {x} is greater than {c}", "return {x} > {c}"),
    "below": ("tells whether {x} is less than {c}", "return {x} < {c}"),
    "equal": ("tells whether {x} is equal to {c}", "return {x} == {c}"),
    "multiple": ("tells whether {x} is divisible by {c}", "return {x} % {c} == 0"),
    "most": ("limits {x} to at most {c}", "return min({x}, {c})"),
    "least": ("makes sure {x} is at least {c}", "return max({x}, {c})"),
    "square": ("squares {x} and adds {c}", "return {x} * {x} + {c}"),
    "either": (
        'returns "big" if {x} is greater than {c} and "small" otherwise',
        'if {x} > {c}:\n    return "big"\nreturn "small"',
    ),
}
_LIST = {
    "first": ("returns the first {c} elements of {x}", "return {x}[:{c}]"),
    "last": ("returns the last {c} elements of {x}", "return {x}[-{c}:]"),
    "sum": ("returns the sum of {x} plus {c}", "return sum({x}) + {c}"),
    "scale": ("multiplies each element of {x} by {c}", "return [i * {c} for i in {x}]"),
    "raise": ("adds {c} to each element of {x}", "return [i + {c} for i in {x}]"),
    "keep": ("keeps the elements of {x} greater than {c}", "return [i for i in {x} if i > {c}]"),
    "drop": ("keeps the elements of {x} less than {c}", "return [i for i in {x} if i < {c}]"),
    "count": ("counts how often {c} occurs in {x}", "return {x}.count({c})"),
    "loop": (
        "uses a loop to add up the elements of {x}, each times {c}",
        "total = 0\nfor i in {x}:\n    total += i * {c}\nreturn total",
    ),
    "long": ("tells whether {x} has more than {c} elements", "return len({x}) > {c}"),
}
_TEXT = {
    "repeat": ("repeats {x} {c} times", "return {x} * {c}"),
    "cut": ("returns the first {c} characters of {x}", "return {x}[:{c}]"),
    "before": ('puts the word "{w}" before {x}', 'return "{w} " + {x}'),
    "after": ('puts the word "{w}" after {x}', 'return {x} + " {w}"'),
    "has": ('tells whether {x} contains "{w}"', 'return "{w}" in {x}'),
    "swap": ('removes "{w}" from {x}', 'return {x}.replace("{w}", "")'),
}
_ASK = (
    "Write a Python function {n}({x}) that {d}.",
    "Write a function called {n} in Python that takes {x} and {d}.",
    "Define a Python function named {n} with the argument {x}. It {d}.",
    "Give me Python code for {n}({x}), which {d}.",
    "Python: {n}({x}) {d}",
    "I need a Python function {n} that takes {x} and {d}.",
    "Please code {n}({x}) in Python. It {d}.",
    "Create a function {n}({x}) in Python. The function {d}.",
    "How do I write a Python function {n}({x}) that {d}?",
    "Implement {n}({x}) so that it {d}.",
    "Can you write {n}({x}) for me in Python? It {d}.",
    "python function {n}, argument {x}, {d}",
    "Show me a Python function with the name {n} and the parameter {x} that {d}.",
    "In Python, define {n}({x}), a function that {d}.",
)


def make(rng: Random, held: bool) -> Turn:
    """A function to write whose operation, name and constant are, or are not, held out."""
    while True:
        table, arguments = pick(rng, ((_ONE, _ARGUMENTS), (_LIST, _LISTS), (_TEXT, _TEXTS)))
        operation = pick(rng, tuple(table))
        says, code = table[operation]
        name, argument = pick(rng, _NAMES), pick(rng, arguments)
        number, word = 2 + int(rng.random() * 49), pick(rng, THINGS)
        constant = word if "{w}" in code else str(number)
        key = f"python:{operation}:{name}:{constant}"
        if held_out(key) != held:
            continue
        body = code.format(x=argument, c=number, w=word).replace("\n", "\n    ")
        told = says.format(x=argument, c=number, w=word)
        request = pick(rng, _ASK).format(n=name, x=argument, d=told)
        written = f"def {name}({argument}):\n    {body}"
        answer = f"```python\n{written}\n```"
        return Turn(SKILL, dress(rng, capital(request)), answer, key, "code", written)
