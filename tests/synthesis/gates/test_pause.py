"""A job that begins badly pauses."""

import pytest

from engine.synthesis.gates.pause import count_leading_bad, must_pause
from engine.synthesis.outcomes import Outcome, State


def _outcomes(letters: str) -> list[Outcome]:
    states: dict[str, State] = {"p": "passed", "h": "held back", "s": "set aside"}
    return [Outcome(str(at), states[letter]) for at, letter in enumerate(letters)]


@pytest.mark.parametrize(
    ("letters", "leading", "pauses"),
    [
        ("", 0, False),
        ("hs", 2, False),
        ("hsh", 3, True),
        ("hshs", 4, True),  # the one before was in flight
        ("phshs", 0, False),
        ("hsphhhh", 2, False),
    ],
)
def test_the_first_bad_ones(letters: str, leading: int, pauses: bool) -> None:
    outcomes = _outcomes(letters)
    assert count_leading_bad(outcomes) == leading
    assert must_pause(outcomes, 3) == pauses
    assert not must_pause(outcomes, 0)
