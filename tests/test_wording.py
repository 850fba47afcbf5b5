"""Plain technical English: phrases that must not come back into what a person reads.

Covers every string literal of `tui` and `engine` (the makers of the bundled model apart), and for
the worst phrases docstrings too.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
PLAIN = {
    r"for ever\b|\bforever": "permanently",
    r"go(es)? on\b(?! (cuda|mps|cpu))|\bwent on\b|\bgoing on\b": "resume, continue, keep running",
    r"\bis like this\b": "matches the filter",
    r"\bmore firmly\b|\bis firmer\b": "name the signal: SIGTERM, SIGKILL",
    r"\bwaits? no longer\b|\bor no longer\b": "removed from the queue; show or hide",
    r"\bin line (now|for|again)\b": "in the queue",
    r"\b(died|ended) without a word\b": "without an error message",
    r"\bno numbers\b|\bno number since\b|\bnumbers again\b": "NaN or Inf; finite",
    r"\bleft behind\b|\bleft anything behind\b": "discarded",
    r"\bbut mind\b": "note:",
    r"\basking the companion\b": "loading",
    r"\bis no \w+ on the Hub\b": "not a valid Hub id",
    r"\bof last time\b": "saved",
    r"\bso this is a fresh one\b": "using defaults",
    r"\b(tokens?|rows?|what is|to be) learned\b|\blearned tokens?\b": "trained",
    r"\bto learn from\b": "usable; to train on",
    r"\bas it learns\b|\bwhile it learn": "during training",
    r"\bsaid nothing\b|\bhas said\b|\bsays nothing\b": "the log is empty; no output",
    r"\bwhat it says\b|\bworkers said\b": "name it: the log, the answer",
    r"\bspeaks? (on|twice)\b|\bwho speaks\b": "runs on; role",
    r"\bcomes? twice\b|\bis given twice\b": "duplicate",
    r"\bnone of the formats\b|\bis none of\b": "not one of; unknown",
    r"\bis called so\b|\bcalled so\b": "no matching ...",
    r"\bsuch a (file|folder)\b|\bno such \w+ here\b": "already exists; does not exist",
    r"\b(is|are) not there\b(?! yet)|\bnot there any more\b": "does not exist; missing",
    r"\bthat is (there|meant)\b": "exists; name it",
    r"\bmend (it|the)\b": "correct",
    r"\bin a row, in turn\b|\bsecond turn\b": "message",
    r"\bgives? (it|itself) away\b|\bthe whole story\b": "traceback",
    r"\bsomebody else\b|\bnobody\b|\bsomething else than\b": "another process; an invalid reply",
    r"\bunforeseen\b": "unexpected",
    r"\bcame (damaged|in addition|back as)\b|\bthrown away\b": "corrupt; deleted; became",
    r"\bwants? another key\b|\bsends elsewhere\b|\bbroke its answer off\b": "the HTTP reason",
    r"\blooked at\b|\blooking whether\b|\bnothing here to look\b": "read; searched; estimating",
    r"\blooking \.\.\.": "searching...",
    r"\besc (leaves it|closes|keeps it)\b|\benter (takes|keeps)\b": "esc cancel, enter select",
    r"\bdrawing lots\b|\bby lot\b": "shuffling; random",
    r"\ba little words?\b|\bby little words\b": "function words",
    r"\bkept for next time\b|\bfor all times\b": "saved",
    r"\bat the most\b|\bat its most\b": "peak; maximum",
    r"\bthe pane before\b|\bthe prompt before\b|\bthe token before\b": "previous",
    r"\ball the same\b(?! time)": "anyway",
    r"\bas before\b": "cancel; unchanged",
}
"""Phrase (a regular expression) to what is written instead."""
WORST = r"\b(for ever|more firmly|without a word|is like this|of last time)\b"
"""What not even a docstring says."""


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each literal that is no docstring; f-strings in their constant parts."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (
                str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values
            )
            yield node.lineno, "".join(parts)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ):
            yield node.lineno, node.value


def faults(source: str) -> list[str]:
    """Line, phrase and what is written instead, for each text of a module."""
    found = []
    for line, text in texts(source):
        for phrase, plain in PLAIN.items():
            if match := re.search(phrase, text, re.IGNORECASE):
                found.append(f"{line}: {match[0]!r} in {text[:80]!r}: write {plain}")
    return found


def docstring_faults(source: str) -> list[str]:
    """Line and phrase of each docstring, also of an attribute, with one of the worst phrases."""
    return [
        f"{node.lineno}: {match[0]!r} in a docstring"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and (match := re.search(WORST, " ".join(node.value.value.split())))
    ]


def modules() -> list[Path]:
    return [
        path
        for top in ("tui", "engine")
        for path in sorted((HERE / top).rglob("*.py"))
        if "demo/making" not in path.as_posix()
    ]


def test_texts_are_plain_english() -> None:
    found = [
        f"{path.relative_to(HERE)}:{fault}"
        for path in modules()
        for source in [path.read_text(encoding="utf-8")]
        for fault in [*faults(source), *docstring_faults(source)]
    ]
    assert not found, "\n".join(["these texts need plainer words:", *found])


@pytest.mark.parametrize(
    "planted",
    [
        'title = "Delete it for ever?"',
        'message = f"{name} goes on"',
        'call(hint="No run is like this.")',
        'x = f"{1} rows to learn from"',
        'keys.show([("enter takes it   esc leaves it", "dim")])',
    ],
)
def test_a_planted_phrase_is_found(planted: str) -> None:
    assert faults(planted)
    assert not docstring_faults(planted)


def test_a_planted_docstring_is_found() -> None:
    assert docstring_faults('def f():\n    """It waits for\n    ever."""')


@pytest.mark.parametrize(
    "fine",
    [
        '"""It goes on until the end."""',
        'message = f"{name} resumed"',
        'title = "Permanently delete it?"',
        'hint = "ran on cuda:0"',
    ],
)
def test_plain_texts_and_docstrings_pass(fine: str) -> None:
    assert not faults(fine)
    assert not docstring_faults(fine)
