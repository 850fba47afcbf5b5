"""The limits of `finetop gate` as a command line has them: each with the suites that follow it.

Owns how a limit is written (3% or 0.03) and that its suites stand after it. Reads no suite.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError
from engine.text import one_line

if TYPE_CHECKING:
    from engine.impact.changes.gate import Limit
    from engine.impact.suites.suite_specs import SuiteSpec

_NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class GivenLimit:
    """One option with those that belong to it."""

    option: str
    share: float
    suites: tuple[str, ...] = ()


class LimitOption(argparse.Action):
    """Opens a limit."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        options: argparse.Namespace,
        value: Any,
        name: Any = "",
    ) -> None:
        option = self.option_strings[0]
        limits = _close(parser, options)
        try:
            share = read_share(value, is_gain=option == "--gained-at-least")
        except ValueError as error:
            parser.error(f"argument {option}: {error}")
        options.limits = (*limits, GivenLimit(option, share))


class SuiteOption(argparse.Action):
    """Adds a suite to the limit before it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        options: argparse.Namespace,
        value: Any,
        name: Any = "",
    ) -> None:
        *others, last = options.limits or (None,)
        if last is None:
            parser.error(f"--on {value} has no limit before it: --lost-at-most 3% --on {value}")
        suites = (*last.suites, value)
        options.limits = (*others, GivenLimit(last.option, last.share, suites))


def _close(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[GivenLimit, ...]:
    limits: tuple[GivenLimit, ...] = options.limits
    if limits and not limits[-1].suites:
        parser.error(_say_open(limits[-1]))
    return limits


def _say_open(limit: GivenLimit) -> str:
    return f"{limit.option} needs a suite after it: {limit.option} ... --on facts"


def read_share(text: str, *, is_gain: bool = False) -> float:
    """`3%` or `0.03` as 0.03. Raises ValueError for anything else: a whole number without % might
    mean either, and a limit of 0 is one of a gain alone."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a limit: write 3% or 0.03")
    share = float(match[1]) / (100 if match[2] else 1)
    if not match[2] and share >= 1:
        raise ValueError(f"{text!r} is ambiguous: write {match[1]}%")
    if not (0 if is_gain else 1e-6) <= share < 1:
        raise ValueError(f"{text!r} is not above 0% and below 100%")
    return share


def list_suites(limits: Sequence[GivenLimit]) -> "list[SuiteSpec]":
    """What is measured, each suite once. Raises EngineError, also where two are called the same."""
    from engine.impact.suites.suite_specs import format_suite, parse_suites
    from engine.launching.gate_arms import read_gate_suite

    given = (read_gate_suite(suite) for limit in limits for suite in limit.suites)
    specs = dict.fromkeys(format_suite(spec) for spec in given)
    for spec in parse_suites(specs):
        if spec.is_import:
            raise EngineError(
                "Scores that another program measured cannot be measured here.",
                one_line(spec.ref),
                "Evaluate them first, then judge that job: finetop evaluate; finetop gate JOB.",
            )
    return parse_suites(specs)


def name_limits(given: Sequence[GivenLimit], measured: Sequence[str]) -> "list[Limit]":
    """The limits, one a suite, by the names that suites have in results; `measured` are those of a
    job that is done. Raises EngineError for no limit, one without a suite, one that is set twice,
    and a suite that is not in the grammar."""
    from engine.impact.changes.gate import KINDS, Limit

    if not given:
        raise EngineError("No limit.", "", "Use at least one: --lost-at-most 3% --on facts.")
    if not given[-1].suites:
        raise EngineError(f"{_say_open(given[-1])}.")
    limits: list[Limit] = []
    for option in given:
        for suite in option.suites:
            limit = Limit(KINDS[option.option], option.share, _name_suite(suite, measured))
            if any((limit.kind, limit.suite) == (before.kind, before.suite) for before in limits):
                raise EngineError(
                    f"{option.option} is set twice.",
                    f"--on {one_line(suite)}",
                    "Remove one of them.",
                )
            limits.append(limit)
    return limits


def _name_suite(text: str, measured: Sequence[str]) -> str:
    from engine.launching.gate_arms import read_gate_suite

    return text if text in measured else read_gate_suite(text).name
