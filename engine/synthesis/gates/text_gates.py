"""Gates that look at one row alone: length, refusal, special tokens, a source that was cut."""

from engine.compare.quoted_text import find_special
from engine.compare.text_metrics import find_refusal, language_of
from engine.synthesis.gates.candidate import NotJudged, RowCandidate
from engine.synthesis.questions import REJECTED


def check_length(candidate: RowCandidate, least: int, most: int) -> str:
    """Characters of the texts that were asked for, together, without white space around them."""
    size = sum(len(text.strip()) for text in candidate.asked.values())
    if least <= size <= most:
        return ""
    return f"{size} characters, {f'at least {least}' if size < least else f'at most {most}'}"


def check_refusal(candidate: RowCandidate) -> str:
    """A text that refuses what was asked; one that a pair rejects may.

    Raises NotJudged of texts in other languages: the pattern knows English alone.
    """
    unread = ""
    for name, text in candidate.asked.items():
        if name == REJECTED:
            continue
        refused = find_refusal(text)
        if refused:
            return f'{name} begins with "{refused}"'
        language = language_of(text)
        if language not in ("English", "latin", ""):
            unread = unread or f"{name} looks like {language}; refusals are known in English alone"
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
