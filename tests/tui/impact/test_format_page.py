"""Real or only format: the words, the measures beside each other, and the page."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.impact.changes.real_or_format import compare_format
from engine.impact.changes.verdicts import DELTA
from engine.impact.results.evaluation_results import EvaluationResults
from engine.jobs.store import Store
from engine.text import is_safe
from tests.impact.measured import Values, measured
from tests.tui.conftest import see, until
from tui.app import FinetopApp
from tui.glyphs import ASCII, UNICODE, Glyphs
from tui.impact.format_lines import MEANINGS, format_lines
from tui.impact.format_page import FormatPage
from tui.runs.list_page import RunListPage
from tui.styled_text import Line, length

N = 400


def arm(right: int, nll: float, items: int = N) -> Values:
    return {
        "strict": [1.0] * right + [0.0] * (items - right),
        "flexible": [1.0] * right + [0.0] * (items - right),
        "gold_nll": [nll + (at * 7 % 11 - 5) / 50 for at in range(items)],
    }


def results(name: str = "tuned") -> EvaluationResults:
    return measured(
        {
            "facts": {"base": arm(300, 0.4), name: arm(150, 0.401), "lost": arm(150, 0.9)},
            "facts, 5-shot": {"base": arm(320, 0.3), name: arm(320, 0.301), "lost": arm(160, 0.9)},
        },
        {"facts, 5-shot": 5},
    )


def lines_of(
    shown: EvaluationResults,
    width: int = 160,
    glyphs: Glyphs = UNICODE,
    arms: Sequence[str] = (),
) -> list[Line]:
    others = arms or [one for one in shown.arms if one != "base"]
    compared = [compare_format(shown, "facts", one) for one in others]
    return format_lines(compared, DELTA, width, glyphs)


def squeeze(text: str) -> str:
    """With one blank between its parts."""
    return " ".join(text.split())


def texts(lines: Sequence[Line]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def test_the_words_stand_on_top() -> None:
    assert texts(lines_of(results()))[:6] == [
        " base → tuned",
        "   zero-shot  format shift: the knowledge is still there  400 items",
        "   5-shot     no change: answers and likelihood hold  400 items",
        " base → lost",
        "   zero-shot  knowledge shift: the right answers became less likely  400 items",
        "   5-shot     knowledge shift: the right answers became less likely  400 items",
    ]


def test_zero_shot_and_few_shot_stand_side_by_side_where_there_is_room() -> None:
    wide = texts(lines_of(results(), arms=["tuned"]))
    at = wide.index(next(text for text in wide if "│" in text))
    assert wide[at].split() == ["zero-shot", "│", "5-shot"]
    assert squeeze(wide[at + 2]) == (
        "strict score .75 .38 -.38 [-.43,-.32] falls │ .80 .80 .00 [-.01,+.01] holds"
    )
    assert squeeze(wide[at + 4]) == (
        "gold log-prob -0.400 -0.401 -0.001 [-0.001,-0.001] holds │"
        " -0.300 -0.301 -0.001 [-0.001,-0.001] holds"
    )
    narrow = texts(lines_of(results(), 80, arms=["tuned"]))
    assert not any("│" in text for text in narrow)
    assert [text.strip() for text in narrow if text.strip() in ("zero-shot", "5-shot")] == [
        "zero-shot", "5-shot",
    ]  # fmt: skip


def test_what_is_not_enough_says_what_would_do() -> None:
    spread = [1.0 + 2 * (-1) ** at for at in range(N)]
    turned = [one if at % 4 < 2 else 2 - one for at, one in enumerate(spread)]
    shown = measured(
        {
            "facts": {
                "base": {"strict": arm(300, 1)["strict"], "gold_nll": spread},
                "tuned": {"strict": arm(150, 1)["strict"], "gold_nll": turned},
            }
        }
    )
    assert texts(lines_of(shown))[1] == (
        "   zero-shot  not enough evidence: gold log-prob undecided; about 27,473 items would do"
        "  400 items"
    )
    alone = measured({"facts": {one: {"strict": [1.0] * 30} for one in ("base", "tuned")}})
    assert "strict score and likelihood are needed" in texts(lines_of(alone))[1]
    few = measured({"facts": {"base": arm(9, 1, 10), "tuned": arm(0, 1, 10)}})
    assert texts(lines_of(few))[1] == "   zero-shot  items only: a verdict needs 20 items  10 items"


def test_every_word_has_a_meaning_and_a_known_role() -> None:
    assert {role for _, role in MEANINGS.values()} <= {"", "dim", "good", "bad", "warn"}


def test_what_is_not_finite_and_what_differs_is_said() -> None:
    nll = [math.inf, *arm(150, 1.0)["gold_nll"][1:]]
    shown = measured(
        {"facts": {"base": arm(300, 1.0), "tuned": {**arm(150, 1.0), "gold_nll": nll}}}
    )
    assert "   facts: gold_nll of 1 of 400 items is not finite." in texts(lines_of(shown))


def test_an_arm_without_the_suite_is_said() -> None:
    shown = measured(
        {"facts": {"base": arm(300, 0.4)}, "french": {"base": arm(30, 0.4), "tuned": arm(30, 0.4)}}
    )
    assert texts(lines_of(shown))[:2] == [
        " base → tuned", "   facts: not measured of both arms.",
    ]  # fmt: skip


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("name", ["\x1b[2J\u202e" + "臂" * 30, "x" * 300, "a\nb"])
def test_hostile_names_stay_in_their_cells(name: str, width: int, glyphs: Glyphs) -> None:
    for line in lines_of(results(name), width, glyphs):
        assert all(is_safe(text) for text, _ in line)
        assert length(line) <= width, texts([line])


async def test_the_page_opens_scrolls_and_closes(tmp_path: Path) -> None:
    app = FinetopApp(Store(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(FormatPage(results(), "facts"))
        await see(pilot, "facts · real or only format?")
        await see(pilot, "format shift: the knowledge is still there")
        await pilot.press("end")
        await see(pilot, "Exploratory, unadjusted.")
        await pilot.resize_terminal(20, 5)
        await pilot.press("home", "a")
        await pilot.resize_terminal(160, 50)
        await see(pilot, "zero-shot")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunListPage))


async def test_one_arm_alone_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    app = FinetopApp(Store(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(FormatPage(results(), "facts", ["base"]))
        await see(pilot, "One arm alone: there is no base to compare with.")
