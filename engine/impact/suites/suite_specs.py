"""How a suite is named and asked, and the grammar in which that is written.

    [NAME=]REF[?fewshot=5&template=raw&max_new_tokens=64&limit=100&samples=4&temperature=0.7]
    [NAME=]lm-eval:FILE?arm=ARM[&measure=likelihood_norm]

REF is `bundled:NAME`, a file of items or a data set, `run:ID` for the rows that a run held out, or
`lm-eval:FILE` and `inspect:FILE` for scores that another harness measured. A character that the
grammar needs is written as %XX inside a part. How a suite was asked is part of its score, so two
suites of one file asked in two ways are two skills. Knows the words, not the disk.
"""

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from engine.errors import EngineError
from engine.jobs.summary import short_ref
from engine.recipes import validation
from engine.recipes.validation import setting

IMPORTS = ("lm-eval:", "inspect:")
"""How the refs of scores begin that another harness measured."""
GRAMMAR = (
    "[NAME=]SUITE[?fewshot=K&template=own|raw&max_new_tokens=N&limit=N&samples=K&temperature=T"
    "&measure=M]"
)
IMPORT_GRAMMAR = "[NAME=]lm-eval:FILE?arm=NAME[&measure=M], or inspect:FILE"

_RESERVED = re.compile("[%=?&\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """How the items of a suite are asked, where that is not as usual."""

    fewshot: int = setting(0, ge=0, le=64)
    """Solved items of the same suite before each question; they are measured themselves with
    others before them."""
    template: str = setting("own", choices=("own", "raw"))
    """`own`: the chat template of each arm; `raw`: the text of the messages alone."""
    max_new_tokens: int = setting(0, ge=0, le=65_536)
    """Of an answer; 0: as the recipe says."""
    limit: int = setting(0, ge=0)
    """Items; 0: as the recipe says."""
    samples: int = setting(0, ge=0, le=64)
    """Answers to each item, for their diversity; 0: as the recipe says."""
    temperature: float = setting(-1.0, ge=-1, le=10)
    """Of the answers after the first one, which is greedy; below 0: as the recipe says."""
    measure: str = setting("", choices=("", "strict", "flexible", "likelihood", "likelihood_norm"))
    """What is the skill's score; empty: as
    `engine.impact.suites.evaluation_plan.choose_measure`."""
    arm: str = setting("")
    """Of scores of others: the arm that they are of."""


_OF_IMPORTS = frozenset(("arm", "measure"))


@dataclass(frozen=True, slots=True)
class SuiteSpec:
    """One suite, as it is asked."""

    name: str
    """Of the skill: the user's, or that of the ref with how it is asked where that is unusual.
    Empty for scores of others to which the user gives none: their tasks have names."""
    ref: str
    options: SuiteOptions = SuiteOptions()

    @property
    def is_import(self) -> bool:
        return self.ref.startswith(IMPORTS)


def parse_suite(text: str) -> SuiteSpec:
    """The suite that `text` describes. Raises EngineError that names the part that is wrong."""
    head, _, query = text.partition("?")
    name, equals, ref = head.partition("=")
    if not equals:
        name, ref = "", head
    ref = unquote(ref)
    if not ref or (equals and not name):
        raise _wrong(text, "the name is missing" if ref else "the suite is missing")
    found: dict[str, Any] = {}
    known = [field.name for field in dataclasses.fields(SuiteOptions)]
    for pair in query.split("&") if query else ():
        key, sign, value = pair.partition("=")
        if key not in known or not sign:
            raise _wrong(text, f"{pair!r} is not one of {', '.join(f'{one}=' for one in known)}")
        if key in found:
            raise _wrong(text, f"{key} is set twice")
        found[key] = validation.coerce(SuiteOptions, key, unquote(value))
    for key, reason in validation.errors(SuiteOptions, found).items():
        raise _wrong(text, f"{key} {reason}")
    options = validation.build(SuiteOptions, found)
    is_import = ref.startswith(IMPORTS)
    if is_import:
        _check_import(text, found)
    elif options.arm:
        raise _wrong(text, f"arm= is for scores that begin with {' or '.join(IMPORTS)}")
    own = "" if is_import else _short(ref) + _manner(options)
    return SuiteSpec(unquote(name) or own, ref, options)


def _check_import(text: str, found: Iterable[str]) -> None:
    """Raise EngineError where scores of others have no arm, or are to be asked in another way."""
    if "arm" not in found:
        raise _wrong(text, "arm= is missing: a file has the scores of one model")
    others = sorted(set(found) - _OF_IMPORTS)
    if others:
        raise _wrong(text, f"{others[0]}= cannot change what another program measured")


def parse_suites(texts: Iterable[str]) -> list[SuiteSpec]:
    """Suites with names of their own. Raises EngineError, also where two are called the same."""
    suites = [parse_suite(text) for text in texts]
    # Scores of others come in a file for each arm, and are one skill.
    names = [(suite.name, suite.options.arm) for suite in suites if suite.name]
    for name, arm in names:
        if names.count((name, arm)) > 1:
            raise EngineError(
                f"Two suites have the name {name!r}.", "", "Give each a name: NAME=SUITE."
            )
    return suites


def format_suite(suite: SuiteSpec) -> str:
    """The suite in the grammar: `parse_suite` gives the same suite back."""
    usual = SuiteOptions()
    pairs = [
        f"{field.name}={_quote(str(value))}"
        for field in dataclasses.fields(SuiteOptions)
        if (value := getattr(suite.options, field.name)) != getattr(usual, field.name)
    ]
    text = f"{_quote(suite.name)}={_quote(suite.ref)}" if suite.name else _quote(suite.ref)
    return text + ("?" + "&".join(pairs) if pairs else "")


def _manner(options: SuiteOptions) -> str:
    """What tells a suite from the same one asked as usual."""
    parts = [f"{options.fewshot}-shot"] if options.fewshot else []
    parts += ["raw"] if options.template == "raw" else []
    return "".join(f", {part}" for part in parts)


def _short(ref: str) -> str:
    kind, colon, rest = ref.partition(":")
    if colon and kind == "run":
        return f"held-out of {rest}"
    name = short_ref(ref).rstrip("/")
    last = name.rpartition("/")[2] or name
    for ending in (".gz", ".bz2", ".xz", ".zst"):
        last = last.removesuffix(ending)
    stem, dot, ending = last.rpartition(".")
    return stem if dot and stem and ending.isalnum() and len(ending) <= 8 else last


def _quote(part: str) -> str:
    return _RESERVED.sub(lambda match: f"%{ord(match.group()):02X}", part)


def _wrong(text: str, why: str) -> EngineError:
    is_import = text.partition("?")[0].rpartition("=")[2].startswith(IMPORTS)
    return EngineError(
        f"Invalid suite: {why}.", text, f"Use {IMPORT_GRAMMAR if is_import else GRAMMAR}."
    )
