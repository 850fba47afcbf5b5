"""All that is counted of one answer, by name: of its text, of how it ended, of what was asked.

Texts are what the answer says (`Sample.spoken`), without its reasoning and its tool calls; what is
counted on token ids, of the whole answer.

A number that does not apply (no checks were given, no reference is known) is left out, never 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.compare import checks
from engine.compare.call_checks import RIGHT, find_outcome, read_reference
from engine.compare.items import Item
from engine.compare.repetition import repetition
from engine.compare.samples import Sample
from engine.compare.text_metrics import ASPECTS, language_of
from engine.words import count_words
from engine.written_numbers import numbers_in, read_number

Numbers = Mapping[str, float]
GROUPS = (
    "instruction following", "tool calls", "step by step", "diversity", "structure", "length",
    "manner",
)  # fmt: skip
"""In the order of tables."""
CHECKS_MET = "checks met"
REPEATED = "repeated 4-grams"
REPEATS = 0.2
"""Share of repeated 4-grams from which an answer is said to repeat itself."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of an answer."""

    name: str
    group: str
    about: str
    of: Callable[[Sample, Item | None], float | None]
    """None where it does not apply."""
    is_rare: bool = False
    """Left out of tables in which it is 0 everywhere."""


def _of_text(count: Callable[[str], float]) -> Callable[[Sample, Item | None], float | None]:
    return lambda sample, _: count(sample.spoken)


def _checks(sample: Sample, prompt: Item | None) -> float | None:
    return checks.parts_met(sample.parts, prompt.checks) if prompt and prompt.checks else None


def call_outcome(sample: Sample, prompt: Item | None) -> str:
    """What came of the calls that an item asks for: one of OUTCOMES; empty where it asks none."""
    if prompt is None:
        return ""
    return find_outcome(sample.parts, prompt.checks, prompt.reference)


def _right_calls(sample: Sample, prompt: Item | None) -> float | None:
    outcome = call_outcome(sample, prompt)
    return float(outcome in RIGHT) if outcome else None


def _says_reference(sample: Sample, prompt: Item | None) -> float | None:
    if prompt is None or not prompt.reference or read_reference(prompt.reference):
        return None
    number = read_number(prompt.reference)
    if number is not None:
        return float(number in numbers_in(sample.spoken))
    return float(checks.says(sample.spoken, prompt.reference))


def _overlap(sample: Sample, prompt: Item | None) -> float | None:
    if prompt is None or not prompt.reference or read_reference(prompt.reference):
        return None
    return checks.overlap(sample.spoken, prompt.reference)


def _same_language(sample: Sample, _: Item | None) -> float | None:
    questions = [one.content for one in sample.messages if one.role == "user"]
    question_language, answer_language = (
        language_of(questions[-1]) if questions else "",
        language_of(sample.spoken),
    )
    return (
        float(question_language == answer_language)
        if question_language and answer_language
        else None
    )


MEASURES: tuple[Measure, ...] = tuple(
    sorted(
        (
            Measure(CHECKS_MET, "instruction following",
                    "share of the prompt's checks that pass: words, lists, capitals, numbers",
                    _checks),
            Measure("contains reference", "instruction following",
                    "contains the words of the reference in order, or its number",
                    _says_reference),
            Measure("reference F1", "instruction following",
                    "token F1 of words with the reference", _overlap),
            Measure("complete", "instruction following", "not truncated at max new tokens",
                    lambda sample, _: float(sample.finish == "stop")),
            Measure("prompt's language", "manner",
                    "answer language equals prompt language, where both are detected",
                    _same_language),
            Measure("tokens", "length", "number of tokens, with the end token; unknown for "
                                        "endpoints",
                    lambda sample, _: float(len(sample.output_ids)) or None),
            Measure("right calls", "tool calls",
                    "the calls that the prompt asks for, with equal arguments, and no others",
                    _right_calls),
            Measure("calls", "tool calls", "valid tool calls",
                    lambda sample, _: float(len(sample.parts.tool_calls)), is_rare=True),
            Measure("malformed calls", "tool calls", "begun as a tool call, and not valid",
                    lambda sample, _: float(len(sample.parts.malformed)), is_rare=True),
            Measure("lost calls", "tool calls",
                    "valid in the text, but not delivered by the endpoint's parser",
                    lambda sample, _: float(len(sample.parts.lost)), is_rare=True),
            Measure("reasoning words", "length", "words of reasoning; all else is counted without",
                    lambda sample, _: float(count_words(sample.parts.reasoning)), is_rare=True),
            Measure(REPEATED, "diversity", "share of the whole answer's token 4-grams that came "
                                           "before", lambda sample, _: repetition(sample)),
            *(Measure(one.name, one.group, one.about, _of_text(one.count)) for one in ASPECTS),
        ),
        key=lambda one: GROUPS.index(one.group),
    )
)  # fmt: skip
"""Every number, group by group."""
SHARES = frozenset(one.name for one in MEASURES if one.group == "instruction following")
"""Those that are a share of something, from 0 to 1, even where they are whole."""


def numbers_of(sample: Sample, prompt: Item | None = None) -> dict[str, float]:
    """All numbers of an answer that apply, by name."""
    numbers = {one.name: one.of(sample, prompt) for one in MEASURES}
    return {name: value for name, value in numbers.items() if value is not None}
