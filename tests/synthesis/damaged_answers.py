"""Answers that are damaged in a known way, with the truth of each.

A kind writes a row as a model would that makes this mistake; nothing of it is read back here. What
an answer comes to is one of four: recovered (the row equals the truth, with its types), set aside
(a BadAnswer with its reason), changed, or lost. The last two may never be.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from engine.compare.samples import Finish
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.answer_object import read_object
from engine.synthesis.outcomes import BadAnswer
from engine.synthesis.row_schema import make_schema
from engine.worker.synthesis.answer_repair import propose_repair

Truth = dict[str, Any]
End = Literal["recovered", "set aside", "changed", "lost"]

SCHEMA = make_schema(
    {
        "label": RowField(ask="Which?", type="label", choices=["agree", "disagree", "not sure"]),
        "reason": RowField(ask="Why?", min_chars=0),
        "stars": RowField(ask="How many?", type="integer"),
        "score": RowField(ask="How much?", type="number"),
        "certain": RowField(ask="Certain?", type="boolean"),
        "tags": RowField(ask="About what?", type="list", min_chars=0),
    }
)
TEXTS = (
    "Great value, fits well.",
    "The brand wrote “buy now” and I did.",
    'He said "never again" and left, "for good".',
    "It's John's, isn't it? 'Quite' so.",
    "A path C:\\new\\table and a regex \\d+ \\\" end\\",
    "Set {a, b} and {\"label\": \"agree\"} in a text",
    "Keys like \"stars\": 5, \"label\": \"disagree\" in prose",
    "[1, 2] and ]]][[[ and }}{{ unbalanced {",
    "First line\nsecond line\n\n- third",
    "Tabs\tand\ttabs",
    "See https://example.org/a//b#c for more /* not a comment */ # nor this",
    "Über Größe: naïve café, 日本語, العربية, ελληνικά",
    "Emoji 😀👩‍👩‍👧 and flags 🇩🇪",
    "It cost 1,000 or 1.000,50, i.e. 3/4 of 10%",
    "```json\n{\"stars\": 1}\n``` is a fence",
    "<think> is a tag and </think> as well",
    "True, False, None, null, NaN: words",
    " spaces around ",
    "",
    "x",
    "ends with a comma,",
    "ends with a quote\"",
    "\"begins with one",
    "a: b, c: d",
    "\u2028 separators \u00a0 and \u200b",
)  # fmt: skip
PLAIN_TEXTS = tuple(text for text in TEXTS if not set(text) & set("\"'\\{}[]\n\t“”"))
PROSE = (
    "Sure, here is the row you asked for.", "Here it is:", "My answer, as JSON (5 stars):",
    "I'd say \"agree\" fits; it's what they mean.",
)  # fmt: skip
PROSE_WITH_BRACES = (
    "The template {review} was filled in:", "With x in {1, 2, 3} I get this.",
    "In LaTeX: \\frac{a}{b}, {} and {name}.", "I left the {placeholder} out.",
)  # fmt: skip
THOUGHTS = (
    "The user wants a row. Let me see.",
    "Maybe {\"label\": \"disagree\", \"stars\": 1}? No: {\"label\": \"agree\"",
    "```json\n{\"stars\": 2}\n```\nThat is wrong. }}}",
)  # fmt: skip


def draw_truth(random: Random, texts: tuple[str, ...] = TEXTS) -> Truth:
    score = random.choice([0, -3, 0.5, -12.75, 1e-7, 123456.789, 2.5e10, 100])
    return {
        "label": random.choice(["agree", "disagree", "not sure"]),
        "reason": random.choice(texts),
        "stars": random.choice([0, 1, 5, -7, 1234567890123]),
        "score": score,
        "certain": random.choice([True, False]),
        "tags": [random.choice(texts) for _ in range(random.randint(1, 3))],
    }


@dataclass(frozen=True, slots=True)
class Style:
    """How a row is written; as it stands, JSON on one line."""

    quotes: tuple[str, str] = ('"', '"')
    key_quotes: tuple[str, str] | None = None
    """As the others."""
    escape: Callable[[str], str] = lambda text: json.dumps(text, ensure_ascii=False)[1:-1]
    words: tuple[str, str, str] = ("true", "false", "null")
    between: str = ", "
    """Members."""
    last: str = ""
    """After the last member."""
    last_entry: str = ""
    """After the last entry of a list."""

    def write(self, truth: Truth) -> str:
        opening, closing = self.key_quotes or self.quotes
        members = [f"{opening}{key}{closing}: {self.value(value)}" for key, value in truth.items()]
        return "{" + self.between.join(members) + self.last + "}"

    def value(self, value: Any) -> str:
        match value:
            case bool():
                return self.words[not value]
            case None:
                return self.words[2]
            case str():
                return self.quotes[0] + self.escape(value) + self.quotes[1]
            case list():
                return "[" + ", ".join(map(self.value, value)) + self.last_entry + "]"
        return json.dumps(value)


def write(truth: Truth) -> str:
    return Style().write(truth)


def escape_single(text: str) -> str:
    """As Python writes a text between single quotes."""
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")


def escape_typographic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')


def leave(*left: str) -> Callable[[str], str]:
    """JSON's escapes but for these characters, which stand as they are."""

    def escape(text: str) -> str:
        return "".join(
            one if one in left else json.dumps(one, ensure_ascii=False)[1:-1] for one in text
        )

    return escape


def with_text(truth: Truth, text: str) -> Truth:
    return {**truth, "reason": text}


Damage = Callable[[Truth, Random], "str | tuple[Truth, str]"]
"""The answer; with another truth where the mistake needs one."""


@dataclass(frozen=True, slots=True)
class DamageKind:
    name: str
    damage: Damage
    is_recovered: bool = True
    finish: Finish = "stop"
    texts: tuple[str, ...] = TEXTS
    least: float = 1.0
    """Of a kind that is recovered: the least share."""


def styled(style: Style) -> Damage:
    return lambda truth, random: style.write(truth)


def around(before: tuple[str, ...], after: tuple[str, ...], gap: str = "\n\n") -> Damage:
    def damage(truth: Truth, random: Random) -> str:
        parts = (random.choice(before) if before else "", write(truth),
                 random.choice(after) if after else "")  # fmt: skip
        return gap.join(part for part in parts if part)

    return damage


def changed(change: Callable[[Truth, Random], Truth]) -> Damage:
    """JSON without a fault that is not the row that was asked for."""
    return lambda truth, random: write(change(truth, random))


def replaced(before: str, after: str) -> Damage:
    """`{stars}` in both is the number of stars as it is written."""

    def damage(truth: Truth, random: Random) -> str:
        old, new = (part.replace("{stars}", str(truth["stars"])) for part in (before, after))
        written = write(truth)
        assert old in written
        return written.replace(old, new)

    return damage


def comment(begin: str, end: str) -> Damage:
    words = ("the label", 'say "x": 1, }', "it's {a} guess", "see https://example.org")

    def damage(truth: Truth, random: Random) -> str:
        style = Style(between=f", {begin} {random.choice(words)} {end} ")
        return style.write(truth)

    return damage


def cut_in_text(truth: Truth, random: Random) -> str:
    written = write({**truth, "reason": "A long reason, with more words than there was room for"})
    return written[: written.index("than there")]


def cut_after_comma(truth: Truth, random: Random) -> str:
    return write(truth)[: write(truth).index('"stars"')].rstrip()


def quote_in_text(truth: Truth, random: Random) -> tuple[Truth, str]:
    texts = ('He said "never again" and left', 'The "best" one, "they" say', '"Nice"', 'an 8" disk',
             'a "b": c', 'so "x", he "y"', 'the word "label"', 'it is "stars": 4}')  # fmt: skip
    truth = with_text(truth, random.choice(texts))
    return truth, Style(escape=leave('"')).write({**truth, "tags": []}).replace(
        '"tags": []', f'"tags": {Style().value(truth["tags"])}'
    )


def like_members(truth: Truth, random: Random) -> tuple[Truth, str]:
    """Quotes in a text that could as well end it."""
    texts = ('x", "stars": 1, "label": "agree', 'a "} b', 'so "label": "agree", "x": "y',
             'x"}, {"label": "agree')  # fmt: skip
    truth = with_text(truth, random.choice(texts))
    return truth, Style(escape=leave('"')).write(truth)


def apostrophe(truth: Truth, random: Random) -> tuple[Truth, str]:
    truth = with_text(truth, random.choice(["it's fine", "John's and Jane's", "'tis, they're"]))
    style = Style(quotes=("'", "'"), escape=leave())
    return truth, style.write(truth)


def escaped_apostrophe(truth: Truth, random: Random) -> tuple[Truth, str]:
    truth = with_text(truth, random.choice(["it's fine", "John's and Jane's", "'tis"]))
    return truth, write(truth).replace("'", "\\'")


def thousands(truth: Truth, random: Random) -> tuple[Truth, str]:
    truth = {**truth, "stars": random.choice([1000, 12500, 1234567])}
    return truth, write(truth).replace(str(truth["stars"]), f"{truth['stars']:,}")


def think(before: str, after: str) -> Damage:
    return lambda truth, random: f"{before}{random.choice(THOUGHTS)}{after}{write(truth)}"


def python_dict(truth: Truth, random: Random) -> str:
    style = Style(
        quotes=("'", "'"), escape=escape_single, words=("True", "False", "None"), last=","
    )
    return f"```python\n{style.write(truth)}\n```"


def lone_surrogate(truth: Truth, random: Random) -> tuple[Truth, str]:
    truth = with_text(truth, random.choice(["a \ud800 b", "\udc00", "😀 \ud83d"]))
    return truth, json.dumps(truth)


KINDS = (
    DamageKind("no damage", styled(Style())),
    DamageKind("on several lines", lambda truth, _: json.dumps(truth, indent=2)),
    DamageKind("everything escaped", lambda truth, _: json.dumps(truth).replace("/", "\\/")),
    DamageKind("keys in another order", lambda t, r: write(dict(r.sample([*t.items()], len(t))))),
    DamageKind("label in capitals", changed(lambda t, _: {**t, "label": t["label"].upper()})),
    DamageKind("code fence", lambda truth, _: f"```json\n{write(truth)}\n```"),
    DamageKind("code fence that does not close", lambda truth, _: f"```\n{write(truth)}"),
    DamageKind("code fence and prose", around(
        ("Here:\n\n```json",), ("```\n\nI hope that it helps.",), "\n")),
    DamageKind("prose before", around(PROSE, ())),
    DamageKind("prose before on the same line", around(PROSE, (), " ")),
    DamageKind("prose after", around((), PROSE)),
    DamageKind("prose before with braces", around(PROSE_WITH_BRACES, ())),
    DamageKind("prose after with braces", around((), PROSE_WITH_BRACES)),
    DamageKind("list of one", lambda truth, _: f"[{write(truth)}]"),
    DamageKind("reasoning", think("<think>\n", "\n</think>\n\n")),
    DamageKind("reasoning opened by the prompt", think("", "\n</think>\n\n")),
    DamageKind("reasoning and prose", think("<think>", "</think>\nHere it is: ")),
    DamageKind("whole object and prose, then cut", around((), PROSE), finish="length"),
    DamageKind("trailing comma", styled(Style(last=","))),
    DamageKind("trailing comma in a list", styled(Style(last_entry=","))),
    DamageKind("missing commas at line ends", styled(Style(between="\n"))),
    DamageKind("missing commas", styled(Style(between=" "))),
    DamageKind("single quotes", styled(Style(("'", "'"), escape=escape_single))),
    DamageKind("single quotes around apostrophes", apostrophe, texts=PLAIN_TEXTS,
               least=0.7),
    DamageKind("keys without quotes", styled(Style(key_quotes=("", "")))),
    DamageKind("typographic quotes", styled(Style(("“", "”"), escape=escape_typographic)),
               texts=tuple(text for text in TEXTS if "“" not in text)),
    DamageKind("Python's words", styled(Style(words=("True", "False", "None")))),
    DamageKind("Python's dictionary in a fence", python_dict),
    DamageKind("comments with //", comment("//", "\n")),
    DamageKind("comments with #", comment("#", "\n")),
    DamageKind("comments with /* */", comment("/*", "*/")),
    DamageKind("raw line ends in texts", styled(Style(escape=leave("\n")))),
    DamageKind("raw tabs in texts", styled(Style(escape=leave("\t")))),
    DamageKind("escaped apostrophes", escaped_apostrophe),
    DamageKind("quotes in a text", quote_in_text, least=0.8),
    DamageKind("quotes in a text that could end it", like_members, False),
    DamageKind("two objects", lambda t, r: f"{write(t)}\n{write(draw_truth(r))}", False),
    DamageKind("the same object twice", lambda t, _: f"{write(t)}\n\n{write(t)}", False),
    DamageKind("doubled key", lambda t, _: write(t)[:-1] + ', "label": "agree"}', False),
    DamageKind("doubled key, trailing comma",
               lambda t, _: write(t)[:-1] + ', "reason": "another",}', False),
    DamageKind("cut in a text", cut_in_text, False, "length"),
    DamageKind("cut after a comma", cut_after_comma, False, "length"),
    DamageKind("ended in a text", cut_in_text, False),
    DamageKind("ended before its brace", lambda t, _: write(t)[:-1], False),
    DamageKind("a thousand brackets", lambda t, _: write(t)[:-1] + ', "x": ' + "[" * 1000, False),
    DamageKind("NaN and infinity",
               changed(lambda t, r: {**t, "score": r.choice([math.nan, math.inf])}), False),
    DamageKind("thousands with commas", thousands, False),
    DamageKind("wrong key", changed(
        lambda t, _: {("Reason:" if key == "reason" else key): t[key] for key in t}), False),
    DamageKind("number as text", changed(lambda t, _: {**t, "stars": str(t["stars"])}), False),
    DamageKind("escapes that JSON does not have", replaced('"reason": "', '"reason": "\\x41'),
               False),
)  # fmt: skip
MORE_KINDS = (
    DamageKind("reasoning opened by the prompt, one line", think("", "</think>")),
    DamageKind("missing key", changed(lambda t, _: {k: t[k] for k in t if k != "stars"}), False),
    DamageKind("key too many", changed(lambda t, _: {**t, "comment": "none"}), False),
    DamageKind("null", changed(lambda t, _: {**t, "stars": None}), False),
    DamageKind("list as text", changed(lambda t, _: {**t, "tags": ", ".join(t["tags"])}), False),
    DamageKind("text as list", changed(lambda t, _: {**t, "reason": [t["reason"]]}), False),
    DamageKind("truth as number", changed(lambda t, _: {**t, "certain": int(t["certain"])}), False),
    DamageKind("number as truth", changed(lambda t, _: {**t, "stars": True}), False),
    DamageKind("whole number as 5.0", replaced('"stars": {stars}', '"stars": {stars}.0'), False),
    DamageKind("number with a unit", replaced('"stars": {stars}', '"stars": {stars} stars'), False),
    DamageKind("leading plus", replaced('"stars": {stars}', '"stars": +{stars}'), False),
    DamageKind("leading zero", replaced('"stars": {stars}', '"stars": 0{stars}'), False),
    DamageKind("more digits than a number keeps",
               replaced('"score": ', '"score": 0.12345678901234567890123, "x": '), False),
    DamageKind("number beyond all", replaced('"score": ', '"score": 1e999, "x": '), False),
    DamageKind("not a choice", changed(lambda t, _: {**t, "label": "agree, mostly"}), False),
    DamageKind("text without quotes", replaced('"reason": "', '"reason": Good "'), False),
    DamageKind("semicolons", styled(Style(between="; ")), False),
    DamageKind("brace too many", lambda t, _: write(t) + "}", False),
    DamageKind("doubled braces", lambda t, _: "{" + write(t) + "}", False),
    DamageKind("in an object", lambda t, _: f'{{"row": {write(t)}}}', False),
    DamageKind("without braces", lambda t, _: write(t)[1:-1], False),
    DamageKind("reasoning that does not end", think("<think>", "\n"), False),
    DamageKind("half of a surrogate pair", lone_surrogate, False),
    DamageKind("raw control characters", replaced('"reason": "', '"reason": "\x07'), False),
    DamageKind("prose alone", lambda _, r: r.choice(PROSE), False),
    DamageKind("nothing", lambda _, r: r.choice(["", " \n"]), False),
    DamageKind("list that was cut", lambda t, _: f"[{write(t)},", False, "length"),
    DamageKind("repairable and cut", lambda t, _: write(t)[:-1] + ",}", False, "length"),
    DamageKind("adjacent texts in a list", lambda t, _: write({**t, "tags": ["x", "y"]}).replace(
        '"x", "y"', '"x" "y"'), False),
    DamageKind("several mistakes at once", lambda t, _: "Here:\n```\n" + Style(
        ("'", "'"), ("", ""), escape_single, ("True", "False", "None"), ",\n  # next\n", ",", ","
        ).write(t) + "\n```\nDone {ok}."),
)  # fmt: skip
"""Beyond those of the bar."""


@dataclass(frozen=True, slots=True)
class DamagedAnswer:
    kind: DamageKind
    text: str
    truth: Truth


def draw_answers(kind: DamageKind, count: int, seed: int = 17) -> Iterator[DamagedAnswer]:
    random = Random(f"{seed} {kind.name}")
    for _ in range(count):
        truth = draw_truth(random, kind.texts)
        match kind.damage(truth, random):
            case str(text):
                yield DamagedAnswer(kind, text, truth)
            case other, text:
                yield DamagedAnswer(kind, text, other)


def end_of(answer: DamagedAnswer) -> tuple[End, str]:
    """What an answer came to, and why: the kinds of repairs, the fault, or the error."""
    try:
        row, repairs = read_object(answer.text, answer.kind.finish, SCHEMA, propose_repair)
    except BadAnswer as bad:
        return "set aside", bad.fault
    except Exception as error:
        return "lost", repr(error)
    # As JSON, for 1 equals true and 1.0.
    same = json.dumps(row, sort_keys=True) == json.dumps(answer.truth, sort_keys=True)
    return "recovered" if same else "changed", ", ".join(one.kind for one in repairs)
