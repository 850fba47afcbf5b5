"""What a pane shows of an arm's answers to an item, and the scores under them. Pure text, clean."""

from collections.abc import Mapping, Sequence

from engine.answer_parts import split_text
from engine.compare.arms import parse_arm
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.impact.results.evaluation_results import FLEXIBLE, NLL, STRICT, EvaluationResults
from engine.text import one_line
from tui.formatting import significant
from tui.glyphs import Glyphs
from tui.impact.evaluation_reader import Texts
from tui.screens.answer_lines import answer_lines
from tui.styled_text import Line

Samples = Mapping[str, Sequence[Sample]]
"""By arm in the grammar."""


def pane_lines(
    results: EvaluationResults,
    skill: str,
    arm: str,
    item: str,
    samples: Samples,
    version_1: Texts,
    glyphs: Glyphs,
) -> list[Line]:
    """The answers of an arm, the one that is scored first; what there is instead where it has
    none."""
    answers = _samples_of(results, arm, samples)
    lines: list[Line] = []
    for number, sample in enumerate(answers, 1):
        if len(answers) > 1:
            lines += [[]] if lines else []
            lines.append([(f"answer {number} of {len(answers)}", "dim")])
        lines += answer_lines(sample.parts, glyphs) or [[("(empty)", "dim")]]
        if sample.finish == "length":
            lines.append([("(cut by length)", "warn")])
    if answers:
        return lines
    text = version_1.get(arm, {}).get(skill, {}).get(item)
    if text is not None:
        return answer_lines(split_text(text), glyphs) or [[("(empty)", "dim")]]
    return [[(_why_none(results, skill, arm), "dim")]]


def answer_facts(results: EvaluationResults, skill: str, arm: str, item: str) -> list[str]:
    """Every measure of the item under an arm, the choice that was made, how the answer ended."""
    suite = results.arms[arm].suites[skill]
    measure_of_skill = results.suites[skill].measure
    facts = [
        f"picked {one_line(suite.picked[way][item]) or 'none of the choices'} by {one_line(way)}"
        for way in sorted(suite.picked, key=lambda way: way != measure_of_skill)
        if item in suite.picked[way]
    ]
    for measure, values in suite.measures.items():
        if item in values:
            facts.append(f"{one_line(measure)} {significant(values[item], 3)}")
    if suite.finish.get(item) == "length":
        facts.append("cut by length")
    if suite.seen is not None and item in suite.seen:
        facts.append(f"{one_line(suite.seen[item])} seen in training")
    return facts


def _samples_of(results: EvaluationResults, arm: str, samples: Samples) -> Sequence[Sample]:
    spec = results.arms[arm].spec
    if spec in samples:
        return samples[spec]
    for text, answers in samples.items():
        try:
            if parse_arm(text).name == arm:
                return answers
        except EngineError:  # a file may hold any text
            continue
    return ()


def _why_none(results: EvaluationResults, skill: str, arm: str) -> str:
    measures = results.arms[arm].suites[skill].measures
    if NLL in measures:
        return "A text that is read has no answer."
    if results.suites[skill].digest == "":
        return "Results of version 1 hold no answer to this item."
    if STRICT in measures or FLEXIBLE in measures:
        return "No answer to this item is stored in samples.jsonl."
    return "No answer was generated: the choices were scored by likelihood alone."
