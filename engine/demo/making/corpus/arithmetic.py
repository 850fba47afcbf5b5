"""Addition, subtraction and small products, with the steps written out."""

from random import Random

from engine.demo.making.corpus.asking import dress
from engine.demo.making.corpus.document import Turn, held_out, listed, pick
from engine.demo.making.corpus.numbers import in_words
from engine.demo.making.corpus.words import NAMES, pronouns

SKILL = "arithmetic"

_ASK = (
    "What is {q}?",
    "Calculate {q}.",
    "Compute {q}.",
    "How much is {q}?",
    "Work out {q} step by step.",
    "Please solve {q}.",
    "{q} = ?",
    "{q}",
    "Can you tell me what {q} is?",
    "Show the steps for {q}.",
    "I need the result of {q}.",
    "Solve this: {q}",
    "what's {q}",
    "Find the value of {q}.",
    "Do you know {q}?",
    "Let us calculate {q} together.",
)
_ASK_SPECIAL = {
    "+": (
        "Add {a} and {b}.",
        "What is the sum of {a} and {b}?",
        "Add {b} to {a}.",
        "What do you get when you add {a} and {b}?",
    ),
    "-": (
        "Subtract {b} from {a}.",
        "What is the difference between {a} and {b}?",
        "Take {b} away from {a}.",
        "How much is left when you take {b} from {a}?",
    ),
    "x": (
        "Multiply {a} by {b}.",
        "What is the product of {a} and {b}?",
        "What is {b} times {a}?",
        "How much do you get from {b} groups of {a}?",
    ),
}
_SPOKEN = {"+": ("plus", "and"), "-": ("minus", "less"), "x": ("times", "multiplied by")}
_THINGS = listed(
    "apples books coins cards stamps shells eggs pencils marbles cookies flowers stones tickets "
    "balls candles keys plums pears letters buttons"
)
_STORIES = {
    "+": (
        "{n} has {a} {t} and gets {b} more. How many {t} does {n} have now?",
        "There are {a} {t} in one box and {b} {t} in another. How many {t} are there together?",
        "{n} finds {a} {t} in the morning and {b} {t} in the evening. How many {t} is that?",
        "A shop sold {a} {t} on Monday and {b} on Tuesday. How many {t} did it sell?",
        "{n} had {a} {t}. A friend gave {o} {b} {t}. How many {t} are there in all?",
    ),
    "-": (
        "{n} has {a} {t} and gives away {b}. How many {t} are left?",
        "There were {a} {t} on the table. {n} took {b} of them. How many {t} remain?",
        "A shop had {a} {t} and sold {b}. How many {t} does it still have?",
        "{n} had {a} {t} and lost {b} of them. How many {t} does {n} have now?",
        "{n} wants {a} {t} and already has {b}. How many {t} are missing?",
    ),
    "x": (
        "There are {b} boxes with {a} {t} in each. How many {t} are there?",
        "{n} buys {b} bags. Each bag holds {a} {t}. How many {t} does {n} buy?",
        "Each of {b} children has {a} {t}. How many {t} do they have together?",
        "{n} puts {a} {t} on each of {b} plates. How many {t} is that?",
    ),
}


def make(rng: Random, held: bool) -> Turn:
    """A question whose pair of numbers is, or is not, held out."""
    while True:
        sign = pick(rng, "++--x")
        first, second = _numbers(rng, sign)
        key = _key(sign, first, second)
        if _is_held_out(key, first, second) == held:
            prompt = _ask(rng, sign, first, second)
            answer = work_out(sign, first, second)
            return Turn(SKILL, prompt, answer, key, "number", _result(sign, first, second))


def work_out(sign: str, first: int, second: int) -> str:
    """The answer: the sum in digits, its steps, the result in digits and in words."""
    steps = {"+": _add, "-": _subtract, "x": _multiply}[sign](first, second)
    result = _result(sign, first, second)
    return (
        f"{first} {sign} {second}: {steps}. "
        f"So {first} {sign} {second} = {result}. The answer is {result} ({in_words(result)})."
    )


def _numbers(rng: Random, sign: str) -> tuple[int, int]:
    if sign == "x":
        return 2 + int(rng.random() * 24), 2 + int(rng.random() * 8)
    first, second = int(rng.random() * 100), int(rng.random() * 100)
    if rng.random() < 0.2:
        second = int(rng.random() * 10)
    if sign == "-" and second > first:
        first, second = second, first
    return first, second


def _key(sign: str, first: int, second: int) -> str:
    if sign == "-":
        return f"arithmetic:-:{first}:{second}"
    low, high = sorted((first, second))
    return f"arithmetic:{sign}:{low}:{high}"


def _is_held_out(key: str, first: int, second: int) -> bool:
    # Sums of single digits are steps of longer ones: never held out.
    return ((first > 9 and second > 9) or ":x:" in key) and held_out(key)


def _result(sign: str, first: int, second: int) -> int:
    return {"+": first + second, "-": first - second, "x": first * second}[sign]


def _add(first: int, second: int) -> str:
    tens_first, ones_first = divmod(first, 10)
    tens_second, ones_second = divmod(second, 10)
    ones = ones_first + ones_second
    carry = ones // 10
    tens = tens_first + tens_second + carry
    carried = ", carry 1" if carry else ""
    plus = " + 1" if carry else ""
    by_ones = f"{ones_first} + {ones_second} = {ones}{carried}"
    return f"{by_ones}; {tens_first} + {tens_second}{plus} = {tens}"


def _subtract(first: int, second: int) -> str:
    tens_first, ones_first = divmod(first, 10)
    tens_second, ones_second = divmod(second, 10)
    borrow = ones_first < ones_second
    ones = ones_first + 10 * borrow - ones_second
    tens = tens_first - borrow - tens_second
    left = f"{10 + ones_first}" if borrow else f"{ones_first}"
    borrowed = ", borrow 1" if borrow else ""
    minus = " - 1" if borrow else ""
    by_ones = f"{left} - {ones_second} = {ones}{borrowed}"
    return f"{by_ones}; {tens_first}{minus} - {tens_second} = {tens}"


def _multiply(first: int, second: int) -> str:
    return ", ".join(f"{count} is {first * count}" for count in range(1, second + 1))


def _ask(rng: Random, sign: str, first: int, second: int) -> str:
    chance = rng.random()
    if chance < 0.3:
        name, thing = pick(rng, NAMES), pick(rng, _THINGS)
        story = pick(rng, _STORIES[sign])
        one, two = (in_words(first), in_words(second)) if rng.random() < 0.3 else (first, second)
        return dress(rng, story.format(n=name, o=pronouns(name)[1], t=thing, a=one, b=two))
    spoken = rng.random() < 0.4
    one = in_words(first) if spoken else str(first)
    two = in_words(second) if spoken else str(second)
    if chance < 0.5:
        return dress(rng, pick(rng, _ASK_SPECIAL[sign]).format(a=one, b=two))
    between = pick(rng, _SPOKEN[sign]) if spoken or rng.random() < 0.2 else sign
    return dress(rng, pick(rng, _ASK).format(q=f"{one} {between} {two}"))
