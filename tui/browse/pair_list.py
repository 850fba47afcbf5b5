"""How pairs of answers are listed: filtered, by skill, searched, sorted; and as rows and lines.

Pure: it takes the pairs that were read, and reads no disk.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.compare.answer_length import measure
from engine.compare.answer_pairs import FILTERS, AnswerPair, lets_through
from engine.compare.arms import Arm, parse_arm
from engine.compare.call_checks import read_reference
from engine.compare.metrics import CHECKS_MET, MEASURES, SHARES
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.number_format import write_percent
from engine.text import one_line
from engine.tool_calls import format_call, tool_names
from tui.browse.answers_feed import JobAnswers
from tui.browse.check_words import check_words, met_words
from tui.browse.result_lines import value
from tui.formatting import NONE
from tui.glyphs import Glyphs
from tui.screens.answer_lines import answer_lines, count_facts, message_lines
from tui.styled_text import Line

BOOKMARKED, WITH_NOTE = "bookmarked", "has a note"
SHOWN = (*FILTERS, BOOKMARKED, WITH_NOTE)
COMMON = "overlap"
SORTS = ("", COMMON, *(measure.name for measure in MEASURES))
MOST_TITLE = 400
"""Characters of a prompt that a list begins with."""
DIRECTIONS = ("largest change", "largest increase", "largest decrease")


@dataclass(frozen=True, slots=True)
class PairSelection:
    """Which pairs are listed, and in which order."""

    shown: str = ""
    """One of SHOWN."""
    skill: str | None = None
    filter_text: str = ""
    sort: str = ""
    """One of SORTS; empty: as in the file of prompts."""
    direction: int = 0
    """Of DIRECTIONS."""
    chosen: tuple[str, ...] | None = None
    """Only these prompts, where a page has asked for them; in this order unless sorted."""


def listed(answers: JobAnswers, selection: PairSelection) -> list[AnswerPair]:
    """The pairs to show, in order."""
    pairs = [pair for pair in answers.pairs if passes(answers, pair, selection)]
    if not selection.sort:
        order = {prompt: at for at, prompt in enumerate(selection.chosen or ())}
        return sorted(pairs, key=lambda pair: order.get(pair.id, 0))
    if selection.sort == COMMON:
        return sorted(pairs, key=lambda pair: pair.common)
    sign = {1: -1.0, 2: 1.0}.get(selection.direction)

    def place(pair: AnswerPair) -> tuple[bool, float]:
        change = pair.change(selection.sort)
        if change is None:
            return (True, 0.0)
        return (False, -abs(change) if sign is None else sign * change)

    return sorted(pairs, key=place)


def passes(answers: JobAnswers, pair: AnswerPair, selection: PairSelection) -> bool:
    remark = answers.remarks.get(pair.id)
    if selection.shown == BOOKMARKED and not (remark and remark.marked):
        return False
    if selection.shown == WITH_NOTE and not (remark and remark.note):
        return False
    if selection.shown in FILTERS and not lets_through(pair, selection.shown):
        return False
    if selection.skill is not None and pair.prompt.skill != selection.skill:
        return False
    if selection.chosen is not None and pair.id not in selection.chosen:
        return False
    return not selection.filter_text or selection.filter_text.casefold() in _text(answers, pair)


def shown_in_words(answers: JobAnswers, shown: str) -> str:
    """What a filter lets through, of the arm by its name."""
    right = answers.names.get(answers.right, "")
    return {
        "": "all",
        "differ": "different answers",
        "endless": f"{right} truncated",
        "repeats": f"{right} repetitive",
        BOOKMARKED: "bookmarked",
        WITH_NOTE: "has a note",
    }[shown]


def skills(answers: JobAnswers) -> dict[str, int]:
    """The skills of the pairs, in their order, and how many each has."""
    return dict(Counter(pair.prompt.skill for pair in answers.pairs))


def change_of(pair: AnswerPair, sort: str, arrow: str) -> str:
    """The number that the list is sorted by: left, right."""
    before, after = pair.left_numbers.get(sort), pair.right_numbers.get(sort)
    if before is None or after is None:
        return ""
    return f"{short(before, sort)}{arrow}{short(after, sort)}"


def short(number: float, measure: str) -> str:
    """A count without decimals, a share with two."""
    return value(number) if measure in SHARES or number != int(number) else f"{number:.0f}"


def common_of(pair: AnswerPair) -> str:
    if not pair.differs:
        return "100%"
    if pair.common == 1 and pair.differs_unspoken:
        return NONE  # the words are the same; reasoning or calls are not
    return write_percent(pair.common) if pair.common < 1 else "<100%"


def sample_lines(
    sample: Sample, glyphs: Glyphs, spoken: Sequence[Line] | None = None
) -> list[Line]:
    """One answer with its parts; `spoken` is what it says, where that is shown in another way."""
    return answer_lines(sample.parts, glyphs, spoken) or [[("(empty)", "dim")]]


def blind_lines(sample: Sample, glyphs: Glyphs) -> list[Line]:
    """As `sample_lines`, without what only an endpoint can do: lose calls."""
    parts = sample.parts
    seen = replace(parts, tool_calls=(*parts.tool_calls, *parts.lost), lost=())
    return sample_lines(replace(sample, known_parts=seen), glyphs)


def facts_of(
    sample: Sample,
    numbers: dict[str, float],
    checks: Mapping[str, Any],
    sort: str,
    width: int,
    between: str,
    outcome: str = "",
) -> str:
    """What stands under an answer; the later facts fall away where there is no room.

    `outcome` is what came of the calls that the prompt asks for.
    """
    counts = measure(sample)
    more = count_facts(sample.parts)
    of_text = " of text" if more else ""
    more = [fact for fact in more if fact != f"1 {outcome}"]  # which is said already
    facts = [f"{counts.words} word{'s' * (counts.words != 1)}{of_text}", *more, counts.ended]
    if sort == CHECKS_MET and checks:
        facts.insert(0, met_words(sample.parts, checks))
    elif sort in numbers and sort != "words":
        facts.insert(0, f"{sort} {short(numbers[sort], sort)}")
    facts = [outcome, *facts] if outcome else facts
    facts.append(f"{counts.sentences} sentence{'s' * (counts.sentences != 1)}")
    facts += [f"{counts.tokens} tokens"] if counts.tokens is not None else []
    facts.append(f"{counts.seconds:.1f} s")
    line = " " + facts[0]
    for fact in facts[1:]:
        if len(line) + len(between) + len(fact) <= width:
            line += between + fact
    return line


def prompt_lines(
    pair: AnswerPair, arms: tuple[str, str], glyphs: Glyphs, *, reference: bool = True
) -> list[Line]:
    """The whole conversation that was asked; the roles are named where there are several turns.

    `arms` are what left and right are called where their own earlier answers are not the same.
    """
    lines: list[Line] = []
    for left, right in zip(pair.left.messages, pair.right.messages, strict=True):
        turns = [(left.role, left)]
        if left != right:
            turns = [
                (f"{left.role}, {arm}", message)
                for arm, message in zip(arms, (left, right), strict=True)
            ]
        for speaker, message in turns:
            head = f"{speaker}: " if len(pair.left.messages) > 1 else ""
            written = message_lines(message, "strong", head, glyphs)
            if message.role in ("system", "assistant") and len(written[0]) == 1:  # a text alone
                written[0] = [(written[0][0][0], "dim")]
            lines += written
    lines += _tools_lines(pair, arms)
    if reference and pair.prompt.reference:
        calls = read_reference(pair.prompt.reference)
        text = ", ".join(map(format_call, calls)) if calls else pair.prompt.reference
        lines.append([("reference: ", "dim"), (one_line(text), "good")])
    if reference and pair.prompt.checks:
        lines.append([("checks: ", "dim"), (check_words(pair.prompt.checks), "good")])
    return lines


def _tools_lines(pair: AnswerPair, arms: tuple[str, str]) -> list[Line]:
    """The names of the tools that could be called; for each arm where they are not the same."""
    left, right = (", ".join(tool_names(side.tools)) for side in (pair.left, pair.right))
    if left == right:
        return [[("tools: ", "dim"), (one_line(left), "")]] if left else []
    return [
        [(f"tools, {arm}: ", "dim"), (one_line(names) or "none", "")]
        for arm, names in zip(arms, (left, right), strict=True)
    ]


def titles(pairs: Sequence[AnswerPair]) -> dict[str, str]:
    """What each pair is listed as: its last question, without a first paragraph that many share."""
    questions = {pair.id: _last_question(pair) for pair in pairs}
    heads = Counter(text.strip().partition("\n\n")[0] for text in questions.values())
    shortened = {}
    for prompt, text in questions.items():
        head, _, rest = text.strip().partition("\n\n")
        shown = f"… {rest}" if rest.strip() and heads[head] > 1 else text
        shortened[prompt] = one_line(" ".join(shown[:MOST_TITLE].split()))
    return shortened


def _last_question(pair: AnswerPair) -> str:
    questions = [message.content for message in pair.left.messages if message.role == "user"]
    return questions[-1] if questions else pair.id


def alike(pair: AnswerPair) -> str:
    """How both answers were made, as far as that is the same."""
    return ", ".join(left for left, right in _facts_of_both(pair) if left == right)


def unlike(pair: AnswerPair | None) -> list[str]:
    """What differs between two answers beside the arms' weights, left and right."""
    facts = _facts_of_both(pair) if pair is not None else []
    return [f"{left} | {right}" for left, right in facts if left != right]


def _facts_of_both(pair: AnswerPair) -> list[tuple[str, str]]:
    """How each of two answers was made, fact by fact."""
    return list(zip(_decoding_facts(pair.left), _decoding_facts(pair.right), strict=True))


def _decoding_facts(sample: Sample) -> tuple[str, ...]:
    decode, template = sample.decode, one_line(sample.template_hash)[:8]
    batch = f"batch size {sample.batch}"
    written = f"template {template}" if template else "raw prompt"
    endpoint = _endpoint_of(sample)
    if endpoint is not None:  # as Compare says it
        batch = "its own batching"
        written = "raw prompt" if endpoint.form == "raw" else "its own template"
    drawn = [f"temp {decode.temperature:g}", f"seed {sample.seed}"]
    drawn += [f"top-p {decode.top_p:g}"] if decode.top_p < 1 else []
    drawn += [f"top-k {decode.top_k}"] if decode.top_k else []
    return (
        ", ".join(drawn) if decode.temperature else "greedy",
        f"max {decode.max_new_tokens} tokens",
        written,
        one_line(sample.dtype),
        batch,
    )


def _endpoint_of(sample: Sample) -> Arm | None:
    """The arm of an answer that a server gave; None for all others."""
    try:
        arm = parse_arm(sample.arm)
    except EngineError:  # a file may hold any text
        return None
    return arm if arm.is_endpoint else None


def _text(answers: JobAnswers, pair: AnswerPair) -> str:
    remark = answers.remarks.get(pair.id)
    prompt = " ".join(message.content for message in pair.left.messages)
    note = remark.note if remark else ""
    parts: Sequence[str] = (
        pair.id,
        pair.prompt.skill,
        prompt,
        pair.left.text,
        pair.right.text,
        *(
            format_call(call)
            for side in (pair.left, pair.right)
            if side.known_parts is not None  # else they stand in the text
            for call in (*side.parts.tool_calls, *side.parts.lost)
        ),
        note,
    )
    return " ".join(parts).casefold()
