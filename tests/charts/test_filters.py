"""Filter expressions: what they mean, where they are wrong, and that none runs away."""

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.charts.filters import parse
from engine.charts.regex import BadPattern, compile_pattern
from engine.errors import EngineError

TAGS = ["train/loss", "train/grad_norm", "eval/loss", "eval/accuracy", "Losses/Value Loss"]


def kept(text: str) -> list[str]:
    found = parse(text)
    return [tag for tag in TAGS if found.matches({"": [tag]})]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", TAGS),
        ("loss", ["train/loss", "eval/loss", "Losses/Value Loss"]),
        ("Loss", ["Losses/Value Loss"]),
        ("train loss", ["train/loss"]),
        ("train and loss", ["train/loss"]),
        ("train or accuracy", ["train/loss", "train/grad_norm", "eval/accuracy"]),
        ("not loss", ["train/grad_norm", "eval/accuracy"]),
        ("loss not (eval or value)", ["train/loss"]),
        ("train loss or accuracy", ["train/loss", "eval/accuracy"]),
        ("not not grad", ["train/grad_norm"]),
        ("/^(train|eval)/l/", ["train/loss", "eval/loss"]),
        ("not (/(train/|eval/)lo/) /a/", ["train/grad_norm", "eval/accuracy", "Losses/Value Loss"]),
        (r"/^eval\/(a|x)/", ["eval/accuracy"]),
        ("/LOSS/", []),
        ("/Value .oss/", ["Losses/Value Loss"]),
        ('"value loss"', ["Losses/Value Loss"]),
        ("NOT train AND accuracy", ["eval/accuracy"]),
    ],
)
def test_what_is_let_through(text: str, expected: list[str]) -> None:
    assert kept(text) == expected


def test_fields() -> None:
    run = {"": ["base-r8"], "state": ["running"], "tag": ["best", "paper"], "method": ["LoRA r8"]}
    for text, expected in {
        "state:running method:lora": True,
        "state:done or tag:paper": True,
        "tag:/^b.st$/": True,
        'method:"LoRA r8"': True,
        "not tag:paper": False,
        "STATE:run": True,
        "running": False,
    }.items():
        assert parse(text, run).matches(run) is expected, text


@pytest.mark.parametrize(
    ("text", "at", "reason"),
    [
        ("a and", 5, "a term is missing"),
        ("(a", 0, "missing )"),
        ("a)", 1, "unmatched"),
        ("/(a+/", 1, "missing )"),
        ("x:1", 0, "fields: state, tag"),
        ("a /b{3,1}/", 4, "the smaller first"),
        ("state:", 6, "state needs a value"),
        ("a 'bc", 2, "missing closing '"),
        ("/(?=a)/", 1, "no lookaround"),
        (r"/a\1/", 2, "is not supported"),
        ("/a**/", 3, "repeat of a repeat"),
        ("/*/", 1, "nothing to repeat"),
        ("/[a/", 1, "missing ]"),
        ("/[z-a]/", 2, "reversed"),
        ("or b", 0, "between"),
        ("()", 1, "a term is missing"),
        ("/a{2,3}{4}/", 7, "repeat of a repeat"),
        ("/a+?*/", 4, "repeat of a repeat"),
        ("/((a{99}){99}){99}/", 14, "multiplied"),
        ("/a (?:[a-z]{500}){3}/", 17, "multiplied"),
        ("/x[[:nothing:]]/", 3, "[:nothing:] is not supported"),
        (r"/\pL\p{Greek}\p{Klingon}/", 13, r"\p{Klingon} is not supported"),
        (r"/a\\(b[(]\)(c)/", 4, "missing )"),
        (r"/[)]a\))b/", 7, "unmatched )"),
        ("/損(?<=a)/", 2, "no lookaround"),
        ("/a\ud800/", 1, "is not supported"),
        ("/" + "[a-z]{1000}" * 80 + "/", 1, "too large"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, at: int, reason: str) -> None:
    with pytest.raises(EngineError) as raised:
        parse(text, ["state", "tag"])
    shown, mark = raised.value.detail.split("\n")
    assert shown == text
    assert reason in mark
    assert mark.index("^") == at


@pytest.mark.parametrize("text", ["(" * 900, "not " * 240, "x" * 2000, "/" + "(" * 190 + "/"])
def test_what_is_too_deep_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="Invalid filter"):
        parse(text)


ATOMS = ["a", "b", "(a|b)", "[ab]", "a*", "b+", "(ab)?", ".", "^", "$", "a{2}", "(?:ba|c){1,2}",
         "[^a]", "\\d", "(a*)*", "(a|b*c)+", "[a-c1]", "a{0,3}", "b{1,}", "|", "\\w",
         "\\S", "a+?"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=6), st.text("abc1\n", max_size=8))
def test_patterns_mean_what_python_means(atoms: list[str], text: str) -> None:
    text = text.rstrip("\n")  # Python's $ also matches before a last line break
    pattern = "".join(atoms)
    assert compile_pattern(pattern).search(text) is bool(re.search(pattern, text))


@settings(max_examples=120, deadline=None)
@given(st.text("ab()[]{}*+?|\\^$.-,12", max_size=30))
def test_any_text_is_a_pattern_or_refused_with_a_place(text: str) -> None:
    place = 0
    try:
        compile_pattern(text).search("abba12")
    except BadPattern as error:
        place = error.at
    assert 0 <= place <= len(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "^(a|a)*$", "^(a|aa)+$", "a*a*a*a*a*a*a*a*b", "(.*)*x", "(a|a)*a(a|b){300}x"],
)
def test_no_pattern_runs_away(pattern: str) -> None:
    """Python's own engine needs longer than the universe has for the first of these."""
    compiled = compile_pattern(pattern)
    assert not compiled.search("a" * 20_000 + "c")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "pattern",
    ["(a{1000}){1000}", "((a{900,}){900,}){900,}", ".{0,999}" * 100, "(" * 100_000, "x*" * 50_000,
     "[" * 100_000, r"(\Q" + "[" * 100_000, r"\pL{1000}",
     "(?:" * 1_100 + "a" + ")*" * 1_100],
)  # fmt: skip
def test_patterns_that_would_fill_the_memory_are_refused(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadPattern):
        compile_pattern(pattern)
    assert capfd.readouterr().err == "", "RE2 by itself writes its errors to the terminal"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("損失", "train/損失", True),
        (r"^\pL+$", "損失é", True),
        (r"^\w+$", "損失", False),
        ("É", "é", False),
        ("é", "É", True),
        (r"\Sa\D", "BAB", True),
        (r"\p{Lu}", "ab", False),
        (r"\p{Lu}", "aB", True),
        ("a.c", "a\ud800c", True),
        ("a.c", "a\nc", False),
        ("b$", "ab\n", False),
        ("^b", "a\nb", False),
        ("a{", "a{", True),
        ("(?P<n>ab)", "AB", True),
        ("\x00", "a\x00b", True),
        ("", "", True),
    ],
)
def test_what_patterns_see(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern).search(text) is expected


def test_a_pattern_may_be_told_what_capitals_mean() -> None:
    assert not compile_pattern("ab", case_sensitive=True).search("AB")
    assert compile_pattern("Ab", case_sensitive=False).search("aB")


def test_words_need_no_library() -> None:
    script = (
        "import sys; from engine.charts.filters import parse;"
        "parse('loss not (val or \"x\")'); assert 're2' not in sys.modules;"
        "parse('/loss/'); assert 're2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
