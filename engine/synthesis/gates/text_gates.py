"""Gates that look at one row alone: length, equal answers of a pair, refusal, special tokens, a
source that was cut."""

from engine.compare.quoted_text import find_special
from engine.compare.refusals import find_refusal, knows_refusals
from engine.compare.text_metrics import language_of
from engine.synthesis.gates.candidate import NotJudged, RowCandidate
from engine.synthesis.gates.likeness import compare_texts, say_alike
from engine.synthesis.questions import CHOSEN, REJECTED


def check_length(candidate: RowCandidate, least: int, most: int) -> str:
    """Characters of the texts that were asked for, together, without white space around them; of a
    pair each answer for itself."""
    sizes = {name: len(text.strip()) for name, text in candidate.asked.items()}
    if not is_pair(candidate):
        sizes = {"": sum(sizes.values())}
    for name, size in sizes.items():
        if not least <= size <= most:
            limit = f"at least {least}" if size < least else f"at most {most}"
            return f"{f'{name} has ' if name else ''}{size} characters, {limit}"
    return ""


def is_pair(candidate: RowCandidate) -> bool:
    """Whether the row is a chosen and a rejected answer."""
    return {CHOSEN, REJECTED} <= candidate.asked.keys()


def check_same_answer(candidate: RowCandidate, near: float) -> str:
    """A pair whose answers are the same, or at least `near` alike (0: the same alone): nothing can
    be preferred. Also of answers that only letter case, white space or a last stop tells apart."""
    if not is_pair(candidate):
        return ""
    similarity = compare_texts(candidate.asked[CHOSEN], candidate.asked[REJECTED])
    if similarity < (near or 1):
        return ""
    return f"{CHOSEN} is {say_alike(similarity)} {REJECTED}"


def check_refusal(candidate: RowCandidate) -> str:
    """A text that refuses what was asked; one that a pair rejects may.

    Raises NotJudged of texts in languages whose refusals are not known.
    """
    unread = ""
    for name, text in candidate.asked.items():
        if name == REJECTED:
            continue
        refused = find_refusal(text)
        if refused:
            return f'{name} begins with "{refused}"'
        language = language_of(text)
        if not knows_refusals(language):
            unread = unread or f"{name} looks like {language}, whose refusals are not known"
    if unread:
        raise NotJudged(unread)
    return ""


def check_special_tokens(candidate: RowCandidate) -> str:
    """A token of some chat template in any text of the row: training would take it for its own."""
    for name, text in candidate.texts.items():
        token = find_special(text)
        if token:
            return f'{name} has "{token}"'
    return ""


def check_cut_source(candidate: RowCandidate) -> str:
    """A source of which the generator did not see all."""
    if not candidate.cut:
        return ""
    return f"{candidate.cut} tokens or characters of the source were not shown to the generator"
