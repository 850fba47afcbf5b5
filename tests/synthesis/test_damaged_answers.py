"""2,000 damaged answers with known truth: none is lost, none changed; how many are recovered."""

import re
from collections import Counter

import pytest

from tests.synthesis.damaged_answers import KINDS, MORE_KINDS, DamageKind, draw_answers, end_of

EACH = 40


def test_there_are_two_thousand_of_fifty_kinds() -> None:
    assert len({kind.name for kind in (*KINDS, *MORE_KINDS)}) == len(KINDS) + len(MORE_KINDS)
    assert len(KINDS) * EACH == 2_000


@pytest.mark.parametrize("kind", [*KINDS, *MORE_KINDS], ids=lambda kind: kind.name)
def test_no_answer_is_lost_or_changed(kind: DamageKind) -> None:
    ends = Counter[str]()
    for answer in draw_answers(kind, EACH):
        end, why = end_of(answer)
        assert end in ("recovered", "set aside"), (end, why, answer.text, answer.truth)
        ends[end] += 1
    if kind.is_recovered:
        assert ends["recovered"] >= kind.least * EACH, ends
    else:
        assert ends["recovered"] == 0, ends


@pytest.mark.parametrize("kind", [one for one in KINDS if one.is_recovered], ids=lambda k: k.name)
def test_each_text_of_a_recovered_row_occurs_in_the_answer(kind: DamageKind) -> None:
    for answer in draw_answers(kind, 10):
        if end_of(answer)[0] == "recovered":
            written = undo_escapes(answer.text)
            texts = [answer.truth["reason"], *answer.truth["tags"]]
            assert [text for text in texts if text not in written] == []


def undo_escapes(text: str) -> str:
    """The text with JSON's escapes as the characters that they stand for."""
    short = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

    def character(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else short.get(match[2], match[2])

    units = re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", character, text, flags=re.DOTALL)
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
